"""The options of `move` and `get`: which level and model follow from the keys."""

from typing import Any

import pytest

from dicomtls.association.query import Level, Model
from dicomtls.cli.options.retrieve import ReceiverOptions, RetrieveOptions
from dicomtls.dataset import tags
from dicomtls.errors import UsageError
from tests.support.cli import run_dicomtls

STUDY, SERIES, IMAGE = "StudyInstanceUID=1.2", "SeriesInstanceUID=1.3", "SOPInstanceUID=1.4"


@pytest.mark.parametrize(
    ("keys", "options", "level", "model"),
    [
        ((STUDY,), {}, Level.STUDY, Model.STUDY_ROOT),
        ((STUDY, SERIES), {}, Level.SERIES, Model.STUDY_ROOT),
        ((STUDY, SERIES, IMAGE), {}, Level.IMAGE, Model.STUDY_ROOT),
        (("0008,0018=1.4",), {}, Level.IMAGE, Model.STUDY_ROOT),
        (("PatientID=P1",), {}, Level.PATIENT, Model.PATIENT_ROOT),
        (("PatientID=P1",), {"model": "study-root"}, Level.STUDY, Model.STUDY_ROOT),
        (("PatientID=P1", STUDY), {}, Level.STUDY, Model.STUDY_ROOT),
        ((STUDY,), {"model": "patient-root"}, Level.STUDY, Model.PATIENT_ROOT),
        ((STUDY, SERIES), {"level": "series"}, Level.SERIES, Model.STUDY_ROOT),
        (("PatientID=P1",), {"level": "patient"}, Level.PATIENT, Model.PATIENT_ROOT),
        (("AccessionNumber=A1",), {}, Level.STUDY, Model.STUDY_ROOT),
    ],
)
def test_level_and_model_follow_from_the_keys(
    keys: tuple[str, ...], options: dict[str, Any], level: Level, model: Model
) -> None:
    """Unless they are given."""
    request = RetrieveOptions(query_key=keys, **options).request()
    assert (request.level, request.model) == (level, model)
    assert len(request.keys) == len(keys)


def test_several_uids_are_one_key() -> None:
    """Joined by backslashes, as in the standard."""
    request = RetrieveOptions(query_key=("SOPInstanceUID=1.2\\1.3",)).request()
    assert request.keys[tags.SOP_INSTANCE_UID].values == ("1.2", "1.3")


@pytest.mark.parametrize(
    ("keys", "options", "said"),
    [
        ((), {}, "nothing says what to retrieve"),
        (("StudyInstanceUID",), {}, "nothing says what to retrieve"),
        ((STUDY,), {"level": "series"}, "needs its unique key"),
        (("PatientID=P1",), {"level": "patient", "model": "study-root"}, "has no level patient"),
        (("PatientName=*",), {}, "nothing says what to retrieve"),
        (("PatientID=P1", STUDY), {"level": "patient"}, "StudyInstanceUID is a key of the level study, below"),
        ((STUDY, SERIES), {"level": "study"}, "SeriesInstanceUID is a key of the level series, below"),
        (("StudyInstanceUIDD=1.2",), {}, "no such keyword"),
        (("StudyInstanceUID=not a UID",), {}, ""),
    ],
)
def test_what_retrieves_nothing_or_all_is_refused(keys: tuple[str, ...], options: dict[str, Any], said: str) -> None:
    """Before anybody is bothered, and with a hint."""
    with pytest.raises(UsageError) as caught:
        RetrieveOptions(query_key=keys, **options).request()
    assert said in caught.value.message
    assert caught.value.hints


def test_receiver_listens_anywhere_by_default() -> None:
    """On any free port."""
    assert ReceiverOptions().address() == ("", 0)
    assert ReceiverOptions(listen="127.0.0.1:11112").address() == ("127.0.0.1", 11112)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--to", "WS1", "--listen", "0"), "about our receiver"),
        (("--to", "WS1", "--client-auth", "none"), "about our receiver"),
        (("--to", "WS1", "--receive", "in"), "needs --ca"),
        (("--to", "A\\B"), "AE title"),
        (("--to", "WS1", "--receive", "in", "--no-tls", "--listen", "nonsense:x"), "TCP port"),
        ((), "--to"),
    ],
)
def test_receiver_that_cannot_be_is_an_error_of_usage(options: tuple[str, ...], said: str) -> None:
    """Said in one line, with exit status 2."""
    result = run_dicomtls("move", "127.0.0.1:9", "-k", STUDY, *options)
    assert result.exit_status == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_what_is_configured_for_other_commands_needs_no_receiver() -> None:
    """Such as `client-auth`, which `serve` has, too."""
    configured = frozenset({"listen", "client_auth"})
    options = ReceiverOptions(listen="11112", client_auth="optional", from_environment=configured)
    assert options.check("WS1", trusts_anybody=False) == "WS1"
