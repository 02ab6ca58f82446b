"""The options of `move` and `get`."""

import pytest

from dicomtls.association.query import Level, Model
from dicomtls.cli.options.retrieve import ReceiverOptions, RetrieveOptions
from dicomtls.errors import UsageError
from tests.support.cli import run_dicomtls

STUDY = "StudyInstanceUID=1.2"


def test_options_become_a_request() -> None:
    """What of it can be asked for is told in test_scu_queries."""
    request = RetrieveOptions(query_key=("PatientID=P1", STUDY), level="study", model="patient-root").request()
    assert (request.level, request.model, len(request.keys)) == (Level.STUDY, Model.PATIENT_ROOT, 2)
    with pytest.raises(UsageError, match="below the level patient"):
        RetrieveOptions(query_key=("PatientID=P1", STUDY), level="patient").request()


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
