"""What a C-GET proposes to receive: which SOP classes, and each of them how (PS3.7 section D.3.3.4, PS3.4 C.5.3).

An association has 128 presentation contexts, one of them for the C-GET itself, and an acceptor picks one transfer
syntax for each. Asking first, with a C-FIND, what there is does not help: the SOP class is an optional key, and the
transfer syntax is hardly ever told. So the usual ones are proposed: classes whose pixels come compressed have a context
for each of the usual compressions, the others one for all that they have, classes without pixels a native one.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from dicomtls.association.contexts import MAXIMUM_CONTEXTS
from dicomtls.association.negotiation import ContextProposal
from dicomtls.dataset import DEFLATED, EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE

_JPEG: Final = "1.2.840.10008.1.2.4."
NATIVE: Final = (EXPLICIT_VR_LE, IMPLICIT_VR_LE)
USUAL_COMPRESSIONS: Final = (
    f"{_JPEG}70",  # JPEG lossless, first-order prediction
    f"{_JPEG}90",  # JPEG 2000 lossless
    f"{_JPEG}50",  # JPEG baseline
    f"{_JPEG}80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.5",  # RLE lossless
    f"{_JPEG}91",  # JPEG 2000
)
RARE_COMPRESSIONS: Final = (
    f"{_JPEG}51",
    f"{_JPEG}57",
    f"{_JPEG}81",
    f"{_JPEG}201",
    f"{_JPEG}202",
    f"{_JPEG}203",
    DEFLATED,
    EXPLICIT_VR_BE,
)
VIDEO: Final = tuple(f"{_JPEG}{number}" for number in (100, 101, 102, 103, 104, 105, 106, 107, 108))

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."


def _classes(numbers: str) -> tuple[str, ...]:
    return tuple(_STORAGE + number for number in numbers.split())


# CT, MR, CR, DX, mammography, ultrasound, secondary capture, XA, RF, PET, enhanced CT and MR.
_COMPRESSED: Final = _classes("2 4 1 1.1 1.2 6.1 3.1 7 12.1 12.2 128 2.1 4.1")
# NM, tomosynthesis, mammography for processing, endoscopy, photographs, microscopy, ophthalmology, coloured captures.
_IMAGES: Final = _classes("20 13.1.3 1.2.1 77.1.1 77.1.4 77.1.6 77.1.5.1 7.4")
_VIDEOS: Final = _classes("77.1.1.1 77.1.4.1")
# Segmentation, RT, structured reports, presentation states, key objects, documents, waveforms, grey captures, PET.
_OTHERS: Final = _classes("66.4 481.2 481.3 481.5 88.11 88.22 88.33 88.59 88.67 11.1 104.1 9.1.1 9.1.2 7.2 7.3 130")


def storage_proposals(first: Iterable[str] = ()) -> list[ContextProposal]:
    """Contexts to receive instances in: the SOP classes `first`, in every transfer syntax, then the usual ones.

    At most 127, so that the C-GET has one too; what is `first` crowds out what is less usual.
    """
    contexts = dict.fromkeys([*_thorough(first), *_usual()])
    return [
        ContextProposal(sop_class, syntaxes, scu_role=False, scp_role=True)
        for sop_class, syntaxes in list(contexts)[: MAXIMUM_CONTEXTS - 1]
    ]


def _thorough(sop_classes: Iterable[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """As they come in most: where there is no room for all, each class has its usual ones."""
    wanted = tuple(sop_classes)
    for syntaxes in (NATIVE, *((syntax,) for syntax in (*USUAL_COMPRESSIONS, *RARE_COMPRESSIONS)), VIDEO):
        for sop_class in wanted:
            yield sop_class, syntaxes


def _usual() -> Iterator[tuple[str, tuple[str, ...]]]:
    for sop_class in (*_COMPRESSED, *_IMAGES, *_VIDEOS, *_OTHERS):
        yield sop_class, NATIVE
    for sop_class in _COMPRESSED:
        for syntax in USUAL_COMPRESSIONS:
            yield sop_class, (syntax,)
    for sop_class in _IMAGES:
        yield sop_class, USUAL_COMPRESSIONS
    for sop_class in _VIDEOS:
        yield sop_class, (*VIDEO, *USUAL_COMPRESSIONS)
