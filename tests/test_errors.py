"""dicomtls.errors: what an error carries, and that all of them together are the contract of the command line."""

import inspect
import pickle
import re

import pytest

from dicomtls import errors
from dicomtls.errors import (
    AssociationAborted,
    AssociationRejected,
    By,
    CredentialError,
    DicomTLSError,
    ExitStatus,
    HandshakeError,
    Interrupted,
    RemoteProtocolError,
    Stage,
    StatusFailure,
    UsageError,
)
from dicomtls.handshake_facts import HandshakeFacts

# How to make those whose facts are arguments.
SPECIAL: dict[type[DicomTLSError], DicomTLSError] = {
    AssociationRejected: AssociationRejected("rejected", result=1, source=2, reason=2),
    HandshakeError: HandshakeError("failed", HandshakeFacts()),
    StatusFailure: StatusFailure("failed", status=0xA700),
}
# Who stands between the base and what is raised.
FAMILIES = frozenset({"DicomTLSError", "LocalError", "AssociationError", "DIMSEError"})

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, DicomTLSError)]


def instance(kind: type[DicomTLSError]) -> DicomTLSError:
    """One error of a class."""
    return SPECIAL.get(kind) or kind("what happened")


RAISED = [kind for kind in CLASSES if kind.__name__ not in FAMILIES]
DEFAULTS = {
    "UsageError": ("configuration", "local", "us"),
    "CredentialError": ("unreadable-file", "local", "us"),
    "DataError": ("unreadable-file", "local", "us"),
    "MachineError": ("no-permission", "local", "us"),
    "NetworkError": ("unreachable", "tcp", "neither"),
    "HandshakeError": ("tls-error", "tls", "neither"),
    "AssociationRejected": ("association-rejected", "association", "peer"),
    "AssociationAborted": ("association-aborted", "association", "peer"),
    "NoPresentationContext": ("no-presentation-context", "association", "peer"),
    "LocalProtocolError": ("protocol-error", "association", "us"),
    "RemoteProtocolError": ("protocol-error", "association", "peer"),
    "PeerExpectsTLS": ("peer-expects-tls", "association", "neither"),
    "AssociationTimeout": ("association-timeout", "association", "neither"),
    "StatusFailure": ("status-failure", "dimse", "peer"),
    "DIMSETimeout": ("dimse-timeout", "dimse", "neither"),
    "Interrupted": ("interrupted", "local", "us"),
}


def test_every_class_that_is_raised_is_in_the_table_above() -> None:
    """A new error class cannot come without a code, a stage and somebody who refused."""
    assert {kind.__name__ for kind in RAISED} == set(DEFAULTS)


@pytest.mark.parametrize("kind", RAISED, ids=lambda kind: kind.__name__)
def test_error_has_the_code_and_stage_of_the_contract_when_none_is_given(kind: type[DicomTLSError]) -> None:
    """Each class stands for one row of the contract's table unless it is told otherwise."""
    error = instance(kind)
    assert (error.code, error.stage, error.by) == DEFAULTS[kind.__name__]
    assert str(error) == error.message
    assert error.hints == ()


def test_docstring_draws_the_whole_tree() -> None:
    """The drawing in the module's docstring has every class, each indented below its own base."""
    depths: dict[str, int] = {}
    parents: dict[str, str | None] = {}
    for line in inspect.cleandoc(errors.__doc__ or "").splitlines():
        if found := re.match(r"([ │├└─]*)([A-Z]\w+)(?: {2,}|$)", line):
            depth, name = len(found[1]), found[2]
            parents[name] = next((known for known in reversed(depths) if depths[known] < depth), None)
            depths[name] = depth
    assert parents == {
        kind.__name__: None if kind is DicomTLSError else (kind.__base__ or object).__name__ for kind in CLASSES
    }


def test_base_refuses_to_be_raised() -> None:
    """The base says nothing of a stage, so nobody may raise it itself."""
    with pytest.raises(TypeError, match="subclasses"):
        DicomTLSError("something")


def test_error_takes_what_the_place_that_raises_knows() -> None:
    """Code, stage, who refused, hints and evidence can be given where they differ from the class's own."""
    error = CredentialError(
        "no key", code="no-private-key", by=By.PEER, stage=Stage.TLS, hints=("look",), evidence={"path": "a.pem"}
    )
    assert (error.code, error.by, error.stage) == ("no-private-key", By.PEER, Stage.TLS)
    assert (error.hints, error.evidence) == (("look",), {"path": "a.pem"})
    assert CredentialError("another").code == "unreadable-file"


def test_evidence_is_a_copy() -> None:
    """Adding evidence to one error changes neither the caller's mapping nor another error."""
    given: dict[str, object] = {"a": 1}
    first, second = UsageError("one", evidence=given), UsageError("two")
    first.evidence["b"] = 2
    assert given == {"a": 1}
    assert second.evidence == {}


def test_errors_with_numbers_of_the_protocol_keep_them() -> None:
    """The numbers of an A-ASSOCIATE-RJ, an A-ABORT and a status are attributes and evidence."""
    rejected = AssociationRejected("no", result=1, source=3, reason=2)
    assert (rejected.result, rejected.source, rejected.reason) == (1, 3, 2)
    assert rejected.evidence == {"result": 1, "source": 3, "reason": 2}
    aborted = AssociationAborted("no", source=2, reason=6, by=By.US)
    assert (aborted.source, aborted.reason, aborted.by) == (2, 6, By.US)
    assert aborted.evidence == {"source": 2, "reason": 6}
    assert AssociationAborted("gone").source is None
    failure = StatusFailure("no", status=0x122)
    assert (failure.status, failure.evidence) == (0x122, {"status": "0x0122"})
    assert RemoteProtocolError("no").abort_reason == 6
    assert RemoteProtocolError("no", abort_reason=1, evidence={"type": 9}).evidence == {"type": 9}


def test_interrupted_needs_no_message() -> None:
    """Ctrl-C explains itself."""
    assert Interrupted().message == "interrupted"


def test_exit_statuses_are_those_of_the_contract() -> None:
    """Scripts rely on the numbers."""
    assert {status.name: int(status) for status in ExitStatus} == {
        "SUCCESS": 0,
        "REFUSED": 1,
        "USAGE": 2,
        "NETWORK": 3,
        "TLS": 4,
        "ASSOCIATION": 5,
        "LOCAL": 6,
        "INTERRUPTED": 130,
    }


@pytest.mark.parametrize("word", [*Stage, *By])
def test_stages_and_refusers_are_plain_words(word: str) -> None:
    """They go into JSON as they are."""
    assert re.fullmatch("[a-z]+", str(word))
    assert pickle.loads(pickle.dumps(word)) is word  # noqa: S301 -- our own bytes
