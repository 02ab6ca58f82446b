"""Peers that refuse an association, or do not answer it, each with a hint that leads on: the test follows it."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from pynetdicom import evt

from tests.support.failing import Orthanc, Pynetdicom, Storescp, TLSRaw
from tests.support.following import NOBODY, OURS, Bench, Failure, assert_hint_works
from tests.support.peers import receive_until_end

VERIFICATION = "1.2.840.10008.1.1"
CALLING = "give a title that the peer knows with --calling-aet"
CALLED = "give its own title with --called-aet"
REJECTED, ABORTED = "association-rejected", "association-aborted"
SLOWNESS = 0.6


def be_slow(_event: Any) -> int:
    """Take the time that a busy archive takes to look up who calls; then all is well."""
    threading.Event().wait(SLOWNESS)  # nothing is waited for: slowness is what it is for
    return 0


def abort(event: Any) -> None:
    """Break off."""
    event.assoc.abort()


def refuse(_event: Any) -> int:
    """Not authorized (PS3.7 annex C)."""
    return 0x0124


def known(tls: object, *, calling: bool = False, called: bool = False) -> Pynetdicom:
    """pynetdicom that knows WARD7 only, or itself by its title only."""
    settings: list[tuple[str, object]] = []
    if calling:
        settings.append(("require_calling_aet", ("WARD7",)))
    if called:
        settings.append(("require_called_aet", True))
    return Pynetdicom(tls=bool(tls), settings=tuple(settings))


AT_ASSOCIATION = {
    "pynetdicom, who calls": Failure(
        known(tls=True, calling=True), NOBODY, REJECTED, "peer", CALLING, {"--calling-aet": "WARD7"},
        says=("calling AE title",),
    ),
    "pynetdicom, who calls, in clear": Failure(
        known(tls=False, calling=True), "--no-tls", REJECTED, "peer", CALLING, {"--calling-aet": "WARD7"}
    ),
    "pynetdicom, who is called": Failure(
        known(tls=True, called=True), NOBODY, REJECTED, "peer", CALLED, {"--called-aet": "PYNETDICOM"},
        says=("called AE title",),
    ),
    "Orthanc, who is called": Failure(
        Orthanc(settings=(("DicomCheckCalledAet", True),)), f"{OURS} --called-aet PACS", REJECTED, "peer", CALLED,
        {"--called-aet": "ORTHANC"},
    ),
    "storescp, told to refuse": Failure(
        Storescp(("--refuse",)), OURS, REJECTED, "peer", "check the AE titles that the peer knows", mended=Storescp()
    ),
    "pynetdicom, no Verification": Failure(
        Pynetdicom(without=(VERIFICATION,)), NOBODY,
        "no-presentation-context", "peer", "the peer does not offer this service", mended=Pynetdicom(),
    ),
    "pynetdicom, abort": Failure(
        Pynetdicom(handlers=((evt.EVT_REQUESTED, abort),)), NOBODY, ABORTED, "peer", "the peer's log says why",
        mended=Pynetdicom(),
    ),
    "silent behind TLS": Failure(
        TLSRaw(receive_until_end), f"{NOBODY} --association-timeout 1", "association-timeout", "neither",
        "check that a DICOM service listens behind TLS", mended=Pynetdicom(),
    ),
    "pynetdicom, slow": Failure(
        Pynetdicom(handlers=((evt.EVT_REQUESTED, be_slow),)), f"{NOBODY} --association-timeout 0.2",
        "association-timeout", "neither", "give a slow peer more time with --association-timeout",
        {"--association-timeout": "20"},
    ),
    "pynetdicom, slow, in clear": Failure(
        Pynetdicom(tls=False, handlers=((evt.EVT_REQUESTED, be_slow),)), "--no-tls --association-timeout 0.2",
        "association-timeout", "neither", "give a slow peer more time with --association-timeout",
        {"--association-timeout": "20"},
    ),
}  # fmt: skip  # a table


@pytest.mark.parametrize("failure", AT_ASSOCIATION.values(), ids=AT_ASSOCIATION)
def test_association_fails(bench: Bench, failure: Failure) -> None:
    """AE titles, contexts, slowness."""
    assert_hint_works(replace(failure, stage="association"), bench)


def test_status_is_a_refusal(bench: Bench) -> None:
    """The peer was reached, and says no."""
    refusing = Pynetdicom(handlers=((evt.EVT_C_ECHO, refuse),))
    hint = "the peer's log says more about this status"
    failure = Failure(refusing, NOBODY, "status-failure", "peer", hint, mended=Pynetdicom(), stage="dimse")
    assert_hint_works(failure, bench)


def test_answer_to_the_question_comes_late(bench: Bench) -> None:
    """After the association, silence."""
    slow = Pynetdicom(handlers=((evt.EVT_C_ECHO, be_slow),))
    hint = "give a slow peer more time with --dimse-timeout"
    arguments = f"{NOBODY} --dimse-timeout 0.2"
    values = {"--dimse-timeout": "20"}
    assert_hint_works(Failure(slow, arguments, "dimse-timeout", "neither", hint, values, stage="dimse"), bench)
