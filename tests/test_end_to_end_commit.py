"""`store --commit`, as users run it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dicomtls.association.association import Association
from dicomtls.association.commitment import SOP_CLASS, Reference, Transaction, read_transaction
from dicomtls.association.dimse import Command, CommandField
from dicomtls.dataset import IMPLICIT_VR_LE
from dicomtls.dataset.identifier import decode, encode
from dicomtls.peer import Peer
from dicomtls.scu import AssociationSettings
from dicomtls.scu.attempt import Requestor
from tests.support.archives import our_archive
from tests.support.cli import run_dicomtls
from tests.support.commitments import PROPOSAL, bring, encoded, receiver_of_reports, references_of, request
from tests.support.exchange import (
    client_options,
    exactly,
    server_options,
    serving_with_events,
    versions,
    wait_for_event,
)
from tests.support.instances import make_instances
from tests.support.peers import LOOPBACK, Orthanc, orthanc, reserved_port
from tests.support.pki import PKI
from tests.support.servers import acceptor, open_policy, response_of, server_tls, store_response


def test_what_was_stored_is_committed(pki: PKI, tmp_path: Path) -> None:
    """A line of its own, and two keys of the document; without --commit there are none."""
    made = make_instances(tmp_path / "made", 3, pixel_bytes=1024)
    with our_archive(tmp_path / "archive", tls=server_tls(pki)) as archive:
        options = (tmp_path / "made", *client_options(pki, pki.client))
        shown = run_dicomtls("store", archive.address, *options, "--commit")
        document = run_dicomtls("store", archive.address, *options, "--commit", "--json").json()
        plain = run_dicomtls("store", archive.address, *options, "--json").json()
        archive.wait(lambda: len(archive.commitments) == 2)
    assert shown.exit_status == 0
    assert shown.stdout.splitlines()[1] == "3 committed"
    assert (document["sent"], document["committed"], document["commit_failed"]) == (len(made), 3, [])
    assert "committed" not in plain


def test_what_is_not_committed_is_named(tmp_path: Path) -> None:
    """Exit status 1: it was stored, and nobody stands for it."""
    made = make_instances(tmp_path / "made", 2, pixel_bytes=1024)
    with our_archive(tmp_path / "archive") as archive:
        archive.index.put = lambda _path: None  # type: ignore[method-assign,assignment]  # what is stored is not found again
        options = ("--no-tls", "--commit", "--json", tmp_path / "made")
        result = run_dicomtls("store", archive.address, *options)
    document = result.json()
    assert (result.exit_status, document["error"]["code"]) == (1, "status-failure")
    assert (document["sent"], document["committed"]) == (2, 0)
    assert sorted(document["commit_failed"], key=lambda one: str(one["sop_instance_uid"])) == [
        {"sop_instance_uid": uid, "status": "0x0112", "status_meaning": "no such SOP instance"}
        for uid in sorted(one.sop_instance_uid for one in made)
    ]
    assert f"not committed: {made[0].sop_instance_uid}: no such SOP instance" in result.stderr


def taking(association: Association) -> None:
    """Store what comes; take a request for commitment without ever reporting."""
    while (message := association.receive()) is not None:
        for _ in association.fragments():
            pass
        response = store_response(message.command)
        if message.command.command_field is CommandField.N_ACTION_RQ:
            response = replace(response, command_field=CommandField.N_ACTION_RSP)
        association.send(message.context.context_id, response)


@pytest.mark.parametrize(
    ("supports", "code", "status"),
    [
        (lambda uid: uid != SOP_CLASS, "no-presentation-context", 5),
        (lambda _uid: True, "dimse-timeout", 1),
    ],
)
def test_peer_that_says_nothing_is_told(
    tmp_path: Path, supports: Callable[[str], bool], code: str, status: int
) -> None:
    """One that knows no commitment, and one that does not report on the association of the request."""
    make_instances(tmp_path / "made", 2, pixel_bytes=1024)
    with acceptor(taking, open_policy(supports=supports)) as peer:
        options = ("--no-tls", "--commit", "--commit-timeout", "0.3", "--json", tmp_path / "made")
        result = run_dicomtls("store", str(peer.peer), *options)
    document = result.json()
    assert (result.exit_status, document["error"]["code"]) == (status, code), result.stderr
    assert (document["sent"], document["committed"], len(document["commit_failed"])) == (2, 0, 2)
    assert document["error"]["hints"]


def committing(port: int, *options: str) -> tuple[str, ...]:
    """The options that ask Orthanc, which knows us as WS1 at that port, and wait for its report there."""
    return ("--calling-aet", "WS1", "--commit", "--listen", f"{LOOPBACK}:{port}", "--json", *options)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where Orthanc knows WS1 to be."""
    with reserved_port() as reserved:
        yield reserved


@pytest.fixture(scope="module")
def committer(pki: PKI, tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Orthanc]:
    """An Orthanc that knows one AE title over TLS, and one in clear, at the same port."""
    known = {"Host": LOOPBACK, "Port": port, "AllowStorageCommitment": True}
    modalities = {
        "ws1": {**known, "AET": "WS1", "UseDicomTls": True},
        "clear": {**known, "AET": "CLEAR", "UseDicomTls": False},
        "elsewhere": {**known, "AET": "ELSEWHERE", "UseDicomTls": True, "Port": 9},
    }
    with orthanc(pki, tmp_path_factory.mktemp("orthanc") / "orthanc", modalities=modalities) as peer:
        yield peer


@versions
def test_orthanc_commits_over_an_association_of_its_own(
    pki: PKI, tmp_path: Path, committer: Orthanc, port: int, version: str
) -> None:
    """Which we take for as long as we wait, over TLS, under our own AE title."""
    make_instances(tmp_path / "made", 2, pixel_bytes=1024)
    options = (*client_options(pki, pki.server), *exactly(version), *committing(port))
    result = run_dicomtls("store", committer.address, tmp_path / "made", *options)
    document = result.json()
    assert result.exit_status == 0, result.stderr
    assert (document["sent"], document["committed"], document["commit_failed"]) == (2, 2, [])
    assert f"port {port}: the archive must know WS1" in result.stderr
    assert "warning" not in result.stderr


def test_orthanc_without_a_receiver_of_ours_is_told_how_to_be_heard(
    pki: PKI, tmp_path: Path, committer: Orthanc
) -> None:
    """It takes the request, and reports to where nobody is: nothing is claimed, and the hint names the option."""
    make_instances(tmp_path / "made", 2, pixel_bytes=1024)
    options = (*client_options(pki, pki.client), "--calling-aet", "WS1", "--commit", "--commit-timeout", "1", "--json")
    result = run_dicomtls("store", committer.address, tmp_path / "made", *options)
    document = result.json()
    assert (result.exit_status, document["error"]["code"]) == (1, "dimse-timeout"), result.stderr
    assert (document["sent"], document["committed"], len(document["commit_failed"])) == (2, 0, 2)
    assert "--listen PORT" in document["error"]["hints"][0]
    assert "WS1" in document["error"]["hints"][0]


@pytest.mark.parametrize(
    ("title", "code", "hint"),
    [
        ("ELSEWHERE", "dimse-timeout", "must know ELSEWHERE as this host, and port {port}, over TLS"),
        ("CLEAR", "dimse-timeout", "must know CLEAR as this host, and port {port}, over TLS"),
        ("STRANGER", "association-aborted", "may not know STRANGER"),
    ],
)
def test_orthanc_that_knows_us_otherwise_is_waited_for_only_so_long(
    pki: PKI, tmp_path: Path, committer: Orthanc, port: int, title: str, code: str, hint: str
) -> None:
    """At another port, without TLS, or not at all: the hint says what it must know."""
    make_instances(tmp_path / "made", 1, pixel_bytes=1024)
    patience = "3" if code == "dimse-timeout" else "20"
    options = (
        *committing(port, "--commit-timeout", patience, "--calling-aet", title),
        *client_options(pki, pki.server),
    )
    result = run_dicomtls("store", committer.address, tmp_path / "made", *options)
    document = result.json()
    assert result.exit_status == (5 if code == "association-aborted" else 1), result.stderr
    assert document["error"]["code"] == code
    assert (document["sent"], document["committed"]) == (1, 0)
    assert hint.format(port=port) in document["error"]["hints"][0]
    assert ("our receiver: " in result.stderr) is (title == "CLEAR")


def test_serve_reports_to_who_has_left(tmp_path: Path) -> None:
    """Over a new association, to the move destination of the requestor's AE title."""
    made = make_instances(tmp_path / "made", 2, pixel_bytes=1024)
    reports: list[tuple[Command, Transaction]] = []
    policy = open_policy(scp_role_allowed=lambda _uid: True)
    with acceptor(receiver_of_reports(reports), policy) as modality:
        known = ("--no-tls", "--move-destination", f"plain:MODALITY@{modality.peer}")
        with serving_with_events(tmp_path / "archive", *known) as running:
            run_dicomtls("store", running.address, tmp_path / "made", "--no-tls")
            settings = AssociationSettings(calling_ae_title="MODALITY")
            requestor = Requestor(Peer(running.host, running.port), None, settings)
            association = requestor.associate(requestor.attempt(), [PROPOSAL])
            association.send(1, request(), encoded(references_of(made)))
            assert response_of(association).status == 0
            association.abort()
            event = wait_for_event(running, "commitment")
    assert (event["committed"], event["delivered"]) == (2, "new")
    [(command, transaction)] = reports
    assert (command.event_type_id, transaction.references) == (1, tuple(references_of(made)))


def test_our_own_serve_is_heard_on_either_association(pki: PKI, tmp_path: Path) -> None:
    """It reports on the one of the request; who listens for others hears that as well."""
    make_instances(tmp_path / "made", 2, pixel_bytes=1024)
    with serving_with_events(tmp_path / "archive", *server_options(pki)) as running:
        options = (*client_options(pki, pki.server), "--commit", "--listen", f"{LOOPBACK}:0", "--json")
        document = run_dicomtls("store", running.address, tmp_path / "made", *options).json()
        event = wait_for_event(running, "commitment")
    assert (document["committed"], document["commit_failed"], event["delivered"]) == (2, [], "same")


def reporting(port: int, *reports: Callable[[Transaction], Transaction]) -> Callable[[Association], None]:
    """An archive that stores, and brings these reports over an association of its own before it ends ours."""

    def script(association: Association) -> None:
        while (message := association.receive()) is not None:
            data = b"".join(map(bytes, association.fragments()))
            response = store_response(message.command)
            if message.command.command_field is not CommandField.N_ACTION_RQ:
                association.send(message.context.context_id, response)
                continue
            response = replace(response, command_field=CommandField.N_ACTION_RSP)
            association.send(message.context.context_id, response)
            asked = read_transaction(decode(data, message.context.transfer_syntax))
            requestor = Requestor(Peer(LOOPBACK, port, "DICOMTLS"), None, AssociationSettings())
            for judge in reports:
                ours = requestor.associate(requestor.attempt(), [PROPOSAL])
                bring(ours, encode(judge(asked).encode(), IMPLICIT_VR_LE))
                ours.release()

    return script


def unlike(asked: Transaction) -> Transaction:
    """A report on something else."""
    return Transaction("1.2.99", asked.references)


def half(asked: Transaction) -> Transaction:
    """A report that leaves out one of two, and adds one that nobody asked for."""
    return Transaction(asked.uid, (asked.references[0], Reference(asked.references[0].sop_class_uid, "1.2.3")))


@pytest.mark.parametrize(
    ("reports", "committed", "code"),
    [
        ((lambda asked: asked,), 2, None),
        ((unlike, lambda asked: asked), 2, None),
        ((lambda asked: asked, half), 2, None),
        ((half, lambda asked: asked), 1, "status-failure"),
        ((unlike,), 0, "dimse-timeout"),
        ((), 0, "dimse-timeout"),
    ],
    ids=["honest", "another's first", "twice", "half", "another's", "silent"],
)
def test_only_the_first_report_on_our_transaction_counts(
    tmp_path: Path,
    port: int,
    reports: tuple[Callable[[Transaction], Transaction], ...],
    committed: int,
    code: str | None,
) -> None:
    """What it leaves out is not committed; what it adds, and other reports, are told at most."""
    make_instances(tmp_path / "made", 2, pixel_bytes=1024)
    with acceptor(reporting(port, *reports), open_policy()) as peer:
        patience = "2" if code == "dimse-timeout" else "20"
        options = ("--no-tls", "--commit", "--commit-timeout", patience, "--listen", f"{LOOPBACK}:{port}", "--json")
        result = run_dicomtls("store", str(peer.peer), *options, tmp_path / "made")
    document = result.json()
    assert (document["sent"], document["committed"]) == (2, committed), result.stderr
    assert len(document["commit_failed"]) == 2 - committed
    assert (document["error"] and document["error"]["code"]) == code
    assert ("which we do not wait for" in result.stderr) is (unlike in reports or len(reports) == 2)


def test_port_in_use_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    """Exit status 6."""
    make_instances(tmp_path / "made", 1, pixel_bytes=1024)
    with acceptor(taking, open_policy()) as peer:
        options = ("--no-tls", "--commit", "--listen", str(peer.peer), "--json")
        result = run_dicomtls("store", str(peer.peer), *options, tmp_path / "made")
    document = result.json()
    assert (result.exit_status, document["error"]["code"], document["sent"]) == (6, "port-in-use", 0)
