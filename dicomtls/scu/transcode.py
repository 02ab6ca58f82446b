"""Changing the transfer syntax of an instance that a peer does not take as it is: only where that is asked for.

pydicom does it: native syntaxes are rewritten, compressed ones decompressed where a decoder is installed.
"""

import tempfile
import threading
import warnings
from array import array
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

from dicomtls.dataset import EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE, is_encapsulated
from dicomtls.errors import DataError
from dicomtls.scu.instances import Instance

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

TARGETS: Final = (EXPLICIT_VR_LE, IMPLICIT_VR_LE)
"""The transfer syntaxes that others can be turned into, the preferred one first."""

_PIXEL_DATA: Final = 0x7FE00010
_OFFSET_TABLES: Final = (0x7FE00001, 0x7FE00002)
_WORDS: Final = {"OW": "H", "OF": "I", "OL": "I", "OD": "Q", "OV": "Q"}
"""Which words of `array` a VR is a stream of."""
_BITS_OF_A_WORD: Final = 16
_BITS_OF_A_BYTE: Final = 8
_LONGEST_REASON: Final = 300


@dataclass(frozen=True)
class Transcoded:
    """A dataset in another transfer syntax: in a file without a name, for the context that takes it."""

    context_id: int
    file: IO[bytes]


class Transcoder:
    """Transcodes with pydicom."""

    def transcode(self, instance: Instance, contexts: Mapping[tuple[str, str], int]) -> Transcoded | str:
        """Rewrite an instance for one of the accepted contexts; a text says why that cannot be done."""
        target = next((syntax for syntax in TARGETS if (instance.sop_class_uid, syntax) in contexts), None)
        if target is None:
            return f"the peer accepts no presentation context for {instance.sop_class_uid} that we could transcode to"
        try:
            with _tolerant():
                file = _written(_decoded(instance), target)
        except Exception as error:  # noqa: BLE001 -- pydicom and its decoders raise what they like for a broken file
            return f"cannot be transcoded: {_one_line(error)}"
        return Transcoded(contexts[instance.sop_class_uid, target], file)


_ALONE: Final = threading.Lock()


@contextmanager
def _tolerant() -> Iterator[None]:
    """Let values pass that are odd: they were so before, and `store` sends them without a word too.

    One thread at a time, since what pydicom and `warnings` let pass holds for the whole process.
    """
    from pydicom.config import disable_value_validation

    with _ALONE, warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def _decoded(instance: Instance) -> "Dataset":
    from pydicom import dcmread  # 0.15 s that only transcoding needs

    dataset = dcmread(instance.path, force=True)
    if is_encapsulated(instance.transfer_syntax) and _PIXEL_DATA in dataset:
        _decompress(dataset, instance.transfer_syntax)
    elif instance.transfer_syntax == EXPLICIT_VR_BE:
        _swap_words(dataset)
    return dataset


def _decompress(dataset: "Dataset", transfer_syntax: str) -> None:
    """Do what `Dataset.decompress` does, which needs numpy, and not every decoder does."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    decoder = get_decoder(UID(transfer_syntax))
    if not decoder.is_available:
        msg = f"no decoder is installed for {UID(transfer_syntax).name} ({', '.join(decoder.missing_dependencies)})"
        raise DataError(msg)
    decoded = [(bytes(frame), facts) for frame, facts in decoder.iter_buffer(dataset)]
    pixels = b"".join(frame for frame, _ in decoded)
    frame, facts = decoded[0]
    dataset.BitsAllocated = facts["bits_allocated"]
    dataset.PhotometricInterpretation = _colours(dataset, facts, frame)
    if dataset.SamplesPerPixel > 1:
        dataset.PlanarConfiguration = facts["planar_configuration"]
    if "NumberOfFrames" in dataset or len(decoded) > 1:
        dataset.NumberOfFrames = len(decoded)
    for tag in _OFFSET_TABLES:
        dataset.pop(tag, None)
    is_bytes = dataset.BitsAllocated <= _BITS_OF_A_BYTE
    dataset.add_new(_PIXEL_DATA, "OB" if is_bytes else "OW", pixels + b"\0" * (len(pixels) & 1))
    if any(element.tag == _PIXEL_DATA and element.is_undefined_length for element in dataset.iterall()):
        msg = "an icon in it is compressed too"
        raise DataError(msg)


def _colours(dataset: "Dataset", facts: Mapping[str, str | int], frame: bytes) -> str:
    """The photometric interpretation: decoders have filled in what a subsampled image left out, but do not say so."""
    stated = str(facts["photometric_interpretation"])
    whole = dataset.Rows * dataset.Columns * dataset.SamplesPerPixel * (dataset.BitsAllocated // _BITS_OF_A_BYTE)
    return "YBR_FULL" if stated == "YBR_FULL_422" and len(frame) == whole else stated


def _swap_words(dataset: "Dataset") -> None:
    """Turn big endian words round: pydicom turns numbers only, and leaves pixels as they are (PS3.5 section 6.2)."""
    for element in dataset.iterall():
        typecode = _WORDS.get(element.VR)
        if typecode is None or not element.value:
            continue
        if element.tag == _PIXEL_DATA and dataset.BitsAllocated > _BITS_OF_A_WORD:
            # Some swap each word, as the standard has it, and some each pixel: nobody can tell.
            msg = f"big endian pixels of {dataset.BitsAllocated} bits have no unambiguous order"
            raise DataError(msg)
        words = array(typecode, element.value)
        words.byteswap()
        element.value = words.tobytes()


def _written(dataset: "Dataset", transfer_syntax: str) -> IO[bytes]:
    from pydicom.filebase import DicomIO
    from pydicom.filewriter import write_dataset

    file = tempfile.TemporaryFile()  # noqa: SIM115 -- it outlives this function on purpose
    try:
        stream = DicomIO(file)
        stream.is_little_endian = True
        stream.is_implicit_VR = transfer_syntax == IMPLICIT_VR_LE
        write_dataset(stream, dataset)
        file.flush()
    except BaseException:  # an interrupt too: nobody else knows the file
        file.close()
        raise
    return file


def _one_line(error: Exception) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= _LONGEST_REASON else said[:_LONGEST_REASON] + "..."
