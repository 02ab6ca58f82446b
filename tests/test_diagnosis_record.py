"""dicomtls.diagnosis.record: every error becomes a record with code, stage, who refused, hints and exit status."""

import errno
import json
import os
import re
from typing import Any

import pytest

from dicomtls.diagnosis import Diagnosis, diagnose
from dicomtls.errors import (
    AssociationAborted,
    AssociationRejected,
    AssociationTimeout,
    By,
    CredentialError,
    DataError,
    DicomTLSError,
    DIMSETimeout,
    ExitStatus,
    HandshakeError,
    Interrupted,
    LocalProtocolError,
    MachineError,
    NetworkError,
    NoPresentationContext,
    PeerExpectsTLS,
    RemoteProtocolError,
    Stage,
    StatusFailure,
    UsageError,
)
from dicomtls.handshake_facts import HandshakeFacts

# The rows of the contract that are not of stage TLS: error, code, stage, by, exit status.
CONTRACT: list[tuple[DicomTLSError, str, str, str, int]] = [
    (NetworkError("x", code="name-not-found", stage=Stage.NAME), "name-not-found", "name", "neither", 3),
    (NetworkError("x", code="connection-refused", by=By.PEER), "connection-refused", "tcp", "peer", 3),
    (NetworkError("x"), "unreachable", "tcp", "neither", 3),
    (NetworkError("x", code="connect-timeout"), "connect-timeout", "tcp", "neither", 3),
    (CredentialError("x", code="bad-passphrase"), "bad-passphrase", "local", "us", 2),
    (CredentialError("x", code="passphrase-needed"), "passphrase-needed", "local", "us", 2),
    (CredentialError("x", code="key-mismatch"), "key-mismatch", "local", "us", 2),
    (CredentialError("x", code="not-a-certificate"), "not-a-certificate", "local", "us", 2),
    (CredentialError("x", code="no-private-key"), "no-private-key", "local", "us", 2),
    (CredentialError("x"), "unreadable-file", "local", "us", 2),
    (DataError("x"), "unreadable-file", "local", "us", 2),
    (UsageError("x"), "configuration", "local", "us", 2),
    (UsageError("x", code="not-supported-here"), "not-supported-here", "local", "us", 2),
    (MachineError("x", code="disk-full"), "disk-full", "local", "us", 6),
    (MachineError("x"), "no-permission", "local", "us", 6),
    (MachineError("x", code="port-in-use"), "port-in-use", "local", "us", 6),
    (AssociationRejected("x", result=1, source=1, reason=7), "association-rejected", "association", "peer", 5),
    (AssociationAborted("x"), "association-aborted", "association", "peer", 5),
    (AssociationAborted("x", by=By.US), "association-aborted", "association", "us", 5),
    (NoPresentationContext("x"), "no-presentation-context", "association", "peer", 5),
    (LocalProtocolError("x"), "protocol-error", "association", "us", 5),
    (RemoteProtocolError("x"), "protocol-error", "association", "peer", 5),
    (PeerExpectsTLS("x"), "peer-expects-tls", "association", "neither", 5),
    (AssociationTimeout("x"), "association-timeout", "association", "neither", 5),
    (StatusFailure("x", status=0xA700), "status-failure", "dimse", "peer", 1),
    (DIMSETimeout("x"), "dimse-timeout", "dimse", "neither", 1),
    (Interrupted(), "interrupted", "local", "us", 130),
]


@pytest.mark.parametrize(
    ("error", "code", "stage", "by", "status"), CONTRACT, ids=[f"{code} by {by}" for _, code, _, by, _ in CONTRACT]
)
def test_error_becomes_its_row_of_the_contract(
    error: DicomTLSError, code: str, stage: str, by: str, status: int
) -> None:
    """Code, stage, who refused, exit status, and something to do where the place that raised said nothing."""
    diagnosis = diagnose(error)
    assert (diagnosis.code, diagnosis.stage, diagnosis.by, diagnosis.exit_status) == (code, stage, by, status)
    assert diagnosis.message == error.message
    assert diagnosis.hints or code == "interrupted"
    json.dumps([diagnosis.code, diagnosis.stage, diagnosis.by, diagnosis.evidence])


@pytest.mark.parametrize("hint", [hint for row in CONTRACT for hint in diagnose(row[0]).hints])
def test_hints_are_written_as_messages_are(hint: str) -> None:
    """Lower case, no full stop, short enough for a line or two."""
    assert re.fullmatch(r"[^A-Z].{5,160}[^.]", hint)


def test_hints_of_the_place_that_raised_go_before_ours() -> None:
    """It knows better."""
    assert diagnose(NetworkError("x", hints=("do this",))).hints == ("do this",)


def test_evidence_is_kept() -> None:
    """For `--json`."""
    assert diagnose(UsageError("x", evidence={"path": "a.pem"})).evidence == {"path": "a.pem"}
    assert diagnose(StatusFailure("x", status=0x0122)).evidence == {"status": "0x0122"}


@pytest.mark.parametrize(
    ("number", "code", "status"),
    [
        (errno.ENOSPC, "disk-full", 6),
        (errno.EDQUOT, "disk-full", 6),
        (errno.EACCES, "no-permission", 6),
        (errno.EPERM, "no-permission", 6),
        (errno.EROFS, "no-permission", 6),
        (errno.EADDRINUSE, "port-in-use", 6),
        (errno.ENOENT, "unreadable-file", 2),
        (errno.EISDIR, "unreadable-file", 2),
        (errno.EIO, "unreadable-file", 2),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) and value > 6 else str(value),
)
def test_error_of_the_operating_system_is_explained(number: int, code: str, status: int) -> None:
    """With the file's name where there is one, lower case, and a hint."""
    diagnosis = diagnose(OSError(number, os.strerror(number), "/tmp/a.dcm"))
    assert (diagnosis.code, diagnosis.stage, diagnosis.by, diagnosis.exit_status) == (code, "local", "us", status)
    assert diagnosis.message == f"/tmp/a.dcm: {os.strerror(number).lower()}"
    assert diagnosis.hints
    assert diagnosis.evidence == {"errno": number}
    assert diagnose(OSError(number, os.strerror(number))).message == os.strerror(number).lower()


def test_error_without_a_number_is_explained() -> None:
    """Some libraries raise `OSError` with a sentence only."""
    assert diagnose(OSError("Something")).message == "something"


def test_lack_of_memory_is_not_a_bug() -> None:
    """What was asked for was too much for this machine."""
    diagnosis = diagnose(MemoryError())
    assert (diagnosis.code, diagnosis.exit_status) == ("not-supported-here", ExitStatus.USAGE)
    assert "memory" in diagnosis.message


def test_bug_is_called_one_without_its_details() -> None:
    """Its text may hold anything, a passphrase too: only the kind is shown, and whom to tell."""
    diagnosis = diagnose(RuntimeError("secret"))
    assert "RuntimeError" in diagnosis.message
    assert "secret" not in str(diagnosis)
    assert any("report" in hint for hint in diagnosis.hints)


@pytest.mark.parametrize("code", ["name-mismatch", "pin-mismatch", "expired"])
def test_code_that_we_found_ourselves_is_kept(code: str) -> None:
    """What `handshake` checks itself needs no classification."""
    facts = HandshakeFacts(reference_name="pacs", alert_received="unknown_ca")
    diagnosis = diagnose(HandshakeError("x", facts, code=code))
    assert (diagnosis.code, diagnosis.stage, diagnosis.by, diagnosis.exit_status) == (code, "tls", "us", 4)


@pytest.mark.parametrize("stage", Stage)
def test_exit_status_follows_the_stage(stage: Stage) -> None:
    """Each stage has one, but for our own machine's failures and an interrupt."""
    expected: dict[str, Any] = {"name": 3, "tcp": 3, "tls": 4, "association": 5, "dimse": 1, "local": 2}
    assert Diagnosis("x", stage, By.US, "x").exit_status == expected[stage]
    assert Diagnosis("interrupted", stage, By.US, "x").exit_status == 130


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_want_of_descriptors_is_no_fault_of_the_file(number: int) -> None:
    """Whichever happened to be opened next."""
    diagnosis = diagnose(OSError(number, os.strerror(number), "/tmp/a.dcm"))
    assert (diagnosis.code, diagnosis.exit_status) == ("unreadable-file", 2)
    assert "ulimit -n" in diagnosis.hints[0]
