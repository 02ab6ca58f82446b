"""Storage commitment as SCP: what is committed, over which association it is told."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from dicomtls.association.association import Association
from dicomtls.association.commitment import (
    Reference,
    Transaction,
    read_transaction,
)
from dicomtls.association.dimse import Command, CommandField
from dicomtls.dataset.identifier import decode
from dicomtls.peer import Peer
from dicomtls.scp import commitment as module
from dicomtls.scp.destinations import Destination
from dicomtls.scu.commit import commit
from tests.support.archives import Archive, our_archive
from tests.support.commitments import PROPOSAL, encoded, receiver_of_reports, references_of, request
from tests.support.instances import make_instances
from tests.support.pki import PKI
from tests.support.servers import MR, acceptor, client_tls, open_policy, response_of, server_tls


def associate(archive: Archive, calling_ae_title: str = "SCU", max_operations: int | None = None) -> Association:
    """An association for storage commitment."""
    requestor = archive.requestor(calling_ae_title=calling_ae_title)
    return requestor.associate(
        requestor.attempt(), [PROPOSAL], max_operations=max_operations or 1, max_performed=max_operations or 1
    )


def report_of(association: Association) -> tuple[int, str]:
    """The message identifier of the report that is due, and its transaction."""
    message = association.receive()
    assert message is not None
    assert message.command.command_field is CommandField.N_EVENT_REPORT_RQ
    transaction = read_transaction(
        decode(b"".join(map(bytes, association.fragments())), message.context.transfer_syntax)
    )
    return message.command.message_id or 0, transaction.uid


def confirm(association: Association, message_id: int, status: int = 0) -> None:
    """Take a report, or refuse it."""
    response = Command(
        command_field=CommandField.N_EVENT_REPORT_RSP, message_id_being_responded_to=message_id, status=status
    )
    association.send(1, response)


def ask(
    archive: Archive, command: Command, dataset: bytes | None, calling_ae_title: str = "SCU"
) -> tuple[Association, Command]:
    """Send a request; the association, and the response."""
    association = associate(archive, calling_ae_title)
    association.send(1, command, dataset)
    return association, response_of(association)


def test_what_is_kept_is_committed_on_the_same_association(pki: PKI, tmp_path: Path) -> None:
    """Over TLS; what is not there, not there as what it is called, or whose file is gone, is not."""
    made = make_instances(tmp_path / "made", 4, pixel_bytes=1024)
    with our_archive(tmp_path / "archive", [one.path for one in made], server_tls(pki)) as archive:
        made[3].path.unlink()
        asked = [*references_of(made), Reference(MR, made[0].sop_instance_uid), Reference(MR, "1.2.3")]
        result = commit(archive.requestor(client_tls(pki)), asked)
        archive.wait(lambda: bool(archive.commitments))
    assert result.committed == references_of(made[:3])
    assert [(one.reference, one.reason) for one in result.failed] == [
        (asked[3], 0x0112),
        (asked[4], 0x0119),
        (asked[5], 0x0112),
    ]
    assert [(one.committed, one.failed, one.delivered) for one in archive.commitments] == [(3, 3, "same")]


def test_index_that_fails_commits_nothing(tmp_path: Path) -> None:
    """A processing failure for each: who asks may ask again."""
    with our_archive(tmp_path / "archive") as archive:
        archive.index.broken = True
        result = commit(archive.requestor(), [Reference(MR, "1.2.3")])
    assert [one.reason for one in result.failed] == [0x0110]


@pytest.mark.parametrize(
    ("command", "dataset", "status"),
    [
        (request(action=2), encoded([Reference(MR, "1.2")]), 0x0123),
        (request(instance="1.2.3"), encoded([Reference(MR, "1.2")]), 0x0112),
        (request(), encoded([]), 0x0115),
        (request(), b"", 0x0115),
        (request(), b"\x08\0\x95\x11\xff\xff\xff\x7f", 0x0110),
        (request(), encoded([Reference(MR, f"1.2.{number}") for number in range(60_000)]), 0x0110),
        (replace(request(), requested_sop_class_uid=MR), encoded([Reference(MR, "1.2")]), 0x0118),
        (replace(request(), has_dataset=False), None, 0x0115),
    ],
)
def test_request_that_is_none_is_refused(tmp_path: Path, command: Command, dataset: bytes | None, status: int) -> None:
    """With its status, which is one that an N-ACTION has (PS3.7 section 10.1.4); no report follows."""
    with our_archive(tmp_path / "archive") as archive:
        association, response = ask(archive, command, dataset)
        association.release()
    assert (response.command_field, response.status) == (CommandField.N_ACTION_RSP, status)
    assert archive.commitments == []


@pytest.mark.parametrize("window", [None, 2])
def test_reports_keep_to_the_window(tmp_path: Path, window: int | None) -> None:
    """One report is outstanding where no asynchronous window was negotiated (PS3.7 section D.3.3.3)."""
    with our_archive(tmp_path / "archive") as archive:
        association = associate(archive, max_operations=window)
        for number in range(3):
            association.send(1, request(), encoded([Reference(MR, "1.2")], f"1.2.{number}"))
            assert response_of(association).command_field is CommandField.N_ACTION_RSP
            if number < (window or 1):
                assert report_of(association) == (number + 1, f"1.2.{number}")
        for number in range(3):
            confirm(association, number + 1)
            if number + (window or 1) < 3:
                assert report_of(association) == (number + (window or 1) + 1, f"1.2.{number + (window or 1)}")
        association.release()
        archive.wait(partial(has_commitments, archive, 3))
    assert [(one.transaction, one.delivered) for one in archive.commitments] == [
        (f"1.2.{number}", "same") for number in range(3)
    ]


def test_requestor_that_confirms_nothing_is_refused_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it asks for is held until it has the answer, and that is not to be without end."""
    monkeypatch.setattr(module, "_MOST_HELD", 50)
    many = [Reference(MR, f"1.2.{number}") for number in range(30)]
    with our_archive(tmp_path / "archive") as archive:
        association, response = ask(archive, request(), encoded(many))
        assert response.status == 0
        message_id, _ = report_of(association)
        association.send(1, request(), encoded(many))
        assert response_of(association).status == 0x0213
        confirm(association, message_id)
        association.send(1, request(), encoded(many))
        assert response_of(association).status == 0
        association.abort()
        archive.wait(partial(has_commitments, archive, 2))
    assert [one.delivered for one in archive.commitments] == ["same", "nobody told us where SCU is"]


def test_all_that_is_not_confirmed_is_brought_over_one_association(tmp_path: Path) -> None:
    """What was sent, and what had to wait; where that ends too soon, the others have not gone."""
    brought: list[str] = []

    def take_two(association: Association) -> None:
        for _ in range(2):
            message_id, transaction = report_of(association)
            brought.append(transaction)
            confirm(association, message_id)
        association.receive()
        association.abort()

    with acceptor(take_two, open_policy(scp_role_allowed=lambda _uid: True)) as modality:
        known = Destination(Peer(modality.peer.host, modality.peer.port, "MODALITY"), in_clear=True)
        with our_archive(tmp_path / "archive", destinations=[known]) as archive:
            association = associate(archive, "MODALITY")
            for number in range(4):
                association.send(1, request(), encoded([Reference(MR, "1.2")], f"1.2.{number}"))
                assert response_of(association).status == 0
                if not number:
                    report_of(association)
            association.abort()
            archive.wait(partial(has_commitments, archive, 4))
    assert brought == ["1.2.0", "1.2.1"]
    said = [one.delivered for one in archive.commitments]
    assert said[:2] == ["new", "new"]
    assert all("abort" in one for one in said[2:])


def has_commitments(archive: Archive, count: int) -> bool:
    """Whether so many requests have come to their end."""
    return len(archive.commitments) == count


@pytest.mark.parametrize("leaves", ["release", "abort"])
def test_report_follows_who_has_left(tmp_path: Path, leaves: str) -> None:
    """Over a new association, in which we have the SCP's role, to where the requestor's AE title is known to be."""
    made = make_instances(tmp_path / "made", 1, pixel_bytes=1024)
    reports: list[tuple[Command, Transaction]] = []
    policy = open_policy(scp_role_allowed=lambda _uid: True)
    with acceptor(receiver_of_reports(reports), policy) as modality:
        known = Destination(Peer(modality.peer.host, modality.peer.port, "MODALITY"), in_clear=True)
        with our_archive(tmp_path / "archive", [made[0].path], destinations=[known]) as archive:
            association, response = ask(archive, request(), encoded(references_of(made)), calling_ae_title="MODALITY")
            if leaves == "release":
                association.release()
            else:
                association.abort()
            archive.wait(lambda: bool(archive.commitments))
    assert response.status == 0
    [(command, transaction)] = reports
    assert (command.event_type_id, transaction.uid) == (1, "1.2.3.4")
    assert transaction.references == tuple(references_of(made))
    assert archive.commitments[0].delivered == "new"


def test_report_that_reaches_nobody_is_noted(tmp_path: Path) -> None:
    """A requestor whom nobody told us of, one that is not there, one that refuses it."""
    policy = open_policy(scp_role_allowed=lambda _uid: True)
    with acceptor(receiver_of_reports([])) as gone:
        nobody = Destination(Peer(gone.peer.host, gone.peer.port, "GONE"), in_clear=True)
    with acceptor(receiver_of_reports([], 0x0110), policy) as refusing:
        refuser = Destination(Peer(refusing.peer.host, refusing.peer.port, "REFUSES"), in_clear=True)
        with our_archive(tmp_path / "archive", destinations=[nobody, refuser]) as archive:
            for number, title in enumerate(("UNKNOWN", "GONE", "REFUSES"), 1):
                association, _ = ask(archive, request(), encoded([Reference(MR, "1.2")]), calling_ae_title=title)
                association.abort()
                archive.wait(partial(has_commitments, archive, number))
    said = [one.delivered for one in archive.commitments]
    assert said[0] == "nobody told us where UNKNOWN is"
    assert said[1] == f"nothing listens at {nobody.peer}"
    assert said[2] == "answered with the status 0x0110"


def test_report_that_is_refused_is_brought_again(tmp_path: Path) -> None:
    """Over an association of our own; the response to a report that was never sent is nobody's."""
    reports: list[tuple[Command, Transaction]] = []
    with acceptor(receiver_of_reports(reports), open_policy(scp_role_allowed=lambda _uid: True)) as modality:
        known = Destination(Peer(modality.peer.host, modality.peer.port, "MODALITY"), in_clear=True)
        with our_archive(tmp_path / "archive", destinations=[known]) as archive:
            association, _ = ask(archive, request(), encoded([Reference(MR, "1.2")]), calling_ae_title="MODALITY")
            message_id, uid = report_of(association)
            confirm(association, message_id + 1)
            confirm(association, message_id, 0x0110)
            association.release()
            archive.wait(partial(has_commitments, archive, 1))
    assert [transaction.uid for _, transaction in reports] == [uid]
    assert archive.commitments[0].delivered == "new"
