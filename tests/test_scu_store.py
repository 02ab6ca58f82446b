"""`store` as a whole: batches, associations side by side, real peers, statuses and contexts that are refused."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from dicomtls.association.association import Association
from dicomtls.association.establish import Rejection
from dicomtls.association.negotiation import answer
from dicomtls.association.pdu import AssociateAccept, AssociateReject, AssociateRequest
from dicomtls.dataset import EXPLICIT_VR_BE, EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomtls.errors import (
    AssociationAborted,
    AssociationRejected,
    NoPresentationContext,
)
from dicomtls.peer import Peer
from dicomtls.scp.access import AccessRules
from dicomtls.scu import AssociationSettings
from dicomtls.scu.attempt import Requestor
from dicomtls.scu.instances import Instance, find_instances
from dicomtls.scu.store import StoreOptions, plan, store
from tests.support.instances import make_instance, make_instances
from tests.support.kept import dataset_of
from tests.support.peers import pynetdicom_scp
from tests.support.pki import PKI, server_context
from tests.support.receivers import Flaky, Receiver, Watcher, dataset_in, instances_in, receiving, requestor_of
from tests.support.servers import CT, MR, client_tls, open_policy, our_server, server_tls, store_response, stored_files


def imagined(number: int, sop_class: str, syntax: str = EXPLICIT_VR_LE) -> Instance:
    """An instance that is in no file."""
    return Instance(f"/{number}", sop_class, f"1.2.{number}", syntax, 100, 200)


# Batches


def test_plan_has_a_context_for_each_class_and_syntax() -> None:
    """An acceptor picks one transfer syntax for each context, and data are not changed."""
    kinds = [(CT, EXPLICIT_VR_LE), (MR, EXPLICIT_VR_LE), (CT, IMPLICIT_VR_LE), (CT, EXPLICIT_VR_LE)]
    instances = [imagined(number, *kind) for number, kind in enumerate(kinds)]
    [batch] = plan(instances)
    assert batch.instances == tuple(instances)
    assert [(one.abstract_syntax, one.transfer_syntaxes) for one in batch.proposals] == [
        (CT, (EXPLICIT_VR_LE,)),
        (MR, (EXPLICIT_VR_LE,)),
        (CT, (IMPLICIT_VR_LE,)),
    ]


def test_plan_of_nothing_is_nothing() -> None:
    """No association without an instance."""
    assert plan([]) == []


@pytest.mark.parametrize(("kinds", "batches"), [(127, 1), (128, 1), (129, 2), (300, 3)])
def test_plan_splits_past_128_contexts(kinds: int, batches: int) -> None:
    """Each instance is in one batch, with its context; each batch keeps the order."""
    instances = [imagined(number, f"1.2.3.{number % kinds}") for number in range(2 * kinds)]
    planned = plan(instances)
    assert len(planned) == batches
    assert all(len(batch.proposals) <= 128 for batch in planned)
    assert sorted((one for batch in planned for one in batch.instances), key=instances.index) == instances
    for batch in planned:
        proposed = {proposal.abstract_syntax for proposal in batch.proposals}
        assert {instance.sop_class_uid for instance in batch.instances} == proposed
        assert list(batch.instances) == sorted(batch.instances, key=instances.index)


def test_plan_with_transcoding_proposes_what_can_be_made_of_it() -> None:
    """Explicit and implicit little endian for each class, once; never more than 128 contexts with them."""
    big_endian = [imagined(number, CT, EXPLICIT_VR_BE) for number in range(2)]
    [batch] = plan([*big_endian, imagined(3, CT)], transcode=True)
    assert [one.transfer_syntaxes for one in batch.proposals] == [
        (EXPLICIT_VR_BE,),
        (EXPLICIT_VR_LE,),
        (IMPLICIT_VR_LE,),
    ]
    many = plan([imagined(number, f"1.2.{number}", EXPLICIT_VR_BE) for number in range(50)], transcode=True)
    assert [len(batch.proposals) for batch in many] == [126, 24]


def test_more_than_128_contexts_go_over_several_associations(tmp_path: Path) -> None:
    """130 private SOP classes arrive, all of them."""
    first = make_instance(tmp_path / "0.dcm", pixel_bytes=1024, sop_class_uid="1.2.3.100")
    raw = first.path.read_bytes()
    for number in range(1, 130):
        (tmp_path / f"{number}.dcm").write_bytes(raw.replace(b"1.2.3.100", f"1.2.3.{100 + number}".encode()))
    instances = find_instances([str(tmp_path)]).instances
    receiver = Receiver()
    with receiving(receiver) as peer:
        result = store(requestor_of(peer), instances, StoreOptions())
    assert (result.sent, receiver.associations) == (130, 2)


# To real peers


@pytest.mark.parametrize("window", [1, 32])
def test_instances_are_stored_to_our_own_server_over_tls(pki: PKI, tmp_path: Path, window: int) -> None:
    """Dataset for dataset; the attempt knows how the peer was reached."""
    sent = make_instances(tmp_path / "sent", 20, pixel_bytes=100_000)
    instances = find_instances([str(tmp_path / "sent")]).instances
    watcher = Watcher()
    with our_server(tmp_path / "kept", server_tls(pki), max_operations=8) as server:
        requestor = server.requestor(client_tls(pki))
        attempt = requestor.attempt()
        result = store(requestor, instances, StoreOptions(max_operations=window), attempt=attempt, observer=watcher)
        server.wait_for("association-released")
    assert (result.sent, result.failed, result.error) == (20, [], None)
    assert result.seconds > 0
    assert attempt.negotiated is not None
    assert {"resolve", "connect", "handshake", "associate", "total"} <= attempt.timing_ms.keys()
    kept = {path.stem: path for path in stored_files(tmp_path / "kept")}
    assert {uid: dataset_of(path) for uid, path in kept.items()} == {
        instance.sop_instance_uid: dataset_of(instance.path) for instance in sent
    }
    assert [told for told, report in watcher.told if report is None] == instances


def test_instances_are_stored_to_pynetdicom_over_tls(pki: PKI, tmp_path: Path) -> None:
    """A peer that grants no window gets one at a time; the datasets are what was sent."""
    instances = instances_in(tmp_path, 5, pixel_bytes=50_000)
    with pynetdicom_scp(server_context(pki)) as peer:
        requestor = Requestor(Peer(peer.host, peer.port), client_tls(pki), AssociationSettings())
        result = store(requestor, instances, StoreOptions())
    assert (result.sent, result.failed, result.error) == (5, [], None)
    assert [one.dataset for one in peer.stored] == [dataset_in(instance) for instance in instances]
    assert {one.transfer_syntax for one in peer.stored} == {EXPLICIT_VR_LE}


@pytest.mark.slow
def test_instance_of_three_gigabytes_arrives(tmp_path: Path) -> None:
    """Lengths beyond 2^31 bytes are no matter, and nothing holds the whole of it in memory."""
    path = make_instance(tmp_path / "big.dcm", pixel_bytes=3 << 30, sparse=True).path
    instances = find_instances([str(path)]).instances
    counted = 0

    def script(association: Association) -> None:
        nonlocal counted
        message = association.receive()
        assert message is not None
        counted = sum(len(fragment) for fragment in association.fragments())
        association.send(message.context.context_id, store_response(message.command))
        assert association.receive() is None

    with receiving(script) as peer:
        result = store(requestor_of(peer), instances, StoreOptions())
    assert result.sent == 1
    assert counted == result.bytes == path.stat().st_size - instances[0].offset > 3 << 30


# Side by side


def test_associations_side_by_side_share_the_work(tmp_path: Path) -> None:
    """Four of them at once, each instance once over one of them."""
    instances = instances_in(tmp_path, 40)
    together = threading.Barrier(4)
    receiver = Receiver()

    def decide(proposal: AssociateRequest) -> AssociateAccept:
        together.wait(20)
        return answer(proposal, open_policy())

    with receiving(receiver, decide=decide) as peer:
        result = store(requestor_of(peer), instances, StoreOptions(associations=4))
    assert (result.sent, result.failed, result.error) == (40, [], None)
    assert receiver.associations == 4
    assert sorted(receiver.uids) == sorted(instance.sop_instance_uid for instance in instances)


def test_no_more_associations_than_instances(tmp_path: Path) -> None:
    """Two files need no eight connections."""
    receiver = Receiver()
    with receiving(receiver) as peer:
        result = store(requestor_of(peer), instances_in(tmp_path, 2), StoreOptions(associations=8))
    assert result.sent == 2
    assert receiver.associations <= 2


def test_associations_that_the_peer_does_not_take_cost_nothing(tmp_path: Path) -> None:
    """It allows one, we try three: everything is stored over that one, and nothing failed."""
    instances = instances_in(tmp_path, 30)
    receiver = Receiver()
    places = threading.Semaphore(1)
    refused = threading.Semaphore(0)

    def decide(proposal: AssociateRequest) -> AssociateAccept | Rejection:
        if not places.acquire(blocking=False):
            refused.release()
            return Rejection(AssociateReject(2, 3, 2), "there is one already")
        # Only then: whoever came late would find nothing left to send, and not ask at all.
        assert refused.acquire(timeout=20)
        assert refused.acquire(timeout=20)
        return answer(proposal, open_policy())

    with receiving(receiver, decide=decide) as peer:
        result = store(requestor_of(peer), instances, StoreOptions(associations=3))
    assert (result.sent, result.failed, result.error) == (30, [], None)


# Failures and contexts


def test_statuses_are_told_apart(tmp_path: Path) -> None:
    """Success, warning and failure, each with its meaning for storage; a failure stops nothing."""
    instances = instances_in(tmp_path, 9)
    statuses = [0x0000, 0xB000, 0xA700] * 3
    answers = dict(zip([instance.sop_instance_uid for instance in instances], statuses, strict=True))
    receiver = Receiver(status=lambda message: answers[message.command.affected_sop_instance_uid or ""])
    with receiving(receiver) as peer:
        result = store(requestor_of(peer), instances, StoreOptions())
    assert (result.sent, result.error) == (6, None)
    assert [(report.status, report.reason) for report in result.warnings] == [(0xB000, "coercion of data elements")] * 3
    assert [(report.status, report.reason) for report in result.failed] == [(0xA700, "refused: out of resources")] * 3
    assert result.bytes == sum(
        len(dataset_in(instance)) for instance in instances if answers[instance.sop_instance_uid] != 0xA700
    )


@pytest.mark.parametrize("window", [1, 4])
def test_first_failure_ends_it_when_it_is_to(tmp_path: Path, window: int) -> None:
    """What was on its way is waited for, the rest is not sent; the association is released."""
    instances = instances_in(tmp_path, 30)
    bad = instances[2].sop_instance_uid
    receiver = Receiver(status=lambda message: 0xA900 if message.command.affected_sop_instance_uid == bad else 0)
    with receiving(receiver, open_policy(max_operations=window)) as peer:
        result = store(requestor_of(peer), instances, StoreOptions(stop_on_error=True))
    assert peer.ends == []
    assert result.error is None
    assert result.failed[0].sop_instance_uid == bad
    assert result.sent == len(receiver.received) - 1 < 30 - 1
    assert {report.reason for report in result.failed[1:]} == {"not sent after the first failure"}
    assert result.sent + len(result.failed) == 30


def test_first_failure_keeps_the_next_batch_from_being_sent(tmp_path: Path) -> None:
    """Also where it would go over another association."""
    [instance] = instances_in(tmp_path, 1)
    others = [imagined(number, f"1.2.{number}") for number in range(200)]
    receiver = Receiver(status=lambda _message: 0xA900)
    with receiving(receiver) as peer:
        result = store(requestor_of(peer), [instance, *others], StoreOptions(stop_on_error=True))
    assert len(result.failed) == 201
    assert receiver.associations == 1


def test_context_that_is_refused_is_named_with_the_reason(tmp_path: Path) -> None:
    """Its instances are not sent, the others are."""
    taken = instances_in(tmp_path / "ct", 2)
    make_instances(tmp_path / "mr", 2, pixel_bytes=1024, sop_class_uid=MR)
    refused = find_instances([str(tmp_path / "mr")]).instances
    receiver = Receiver()
    with receiving(receiver, open_policy(supports=lambda uid: uid == CT)) as peer:
        result = store(requestor_of(peer), [*refused, *taken], StoreOptions())
    assert (result.sent, result.error) == (2, None)
    for report in result.failed:
        assert (report.status, report.code) == (None, "no-presentation-context")
        assert MR in report.reason
        assert EXPLICIT_VR_LE in report.reason


def test_batch_without_contexts_does_not_keep_the_next_from_being_sent(tmp_path: Path) -> None:
    """The first 128 SOP classes are unknown to the peer; the 129th is not."""
    taken = instances_in(tmp_path, 2)
    unknown = [imagined(number, f"1.2.{number}") for number in range(128)]
    receiver = Receiver()
    with receiving(receiver, open_policy(supports=lambda uid: uid == CT)) as peer:
        result = store(requestor_of(peer), [*unknown, *taken], StoreOptions())
    assert result.sent == 2
    assert len(result.failed) == 128
    assert isinstance(result.error, NoPresentationContext)
    assert {report.code for report in result.failed} == {"no-presentation-context"}


def test_broken_association_keeps_the_next_batch_from_being_sent(tmp_path: Path) -> None:
    """The peer is the same: all of it is booked with the same error."""
    instances = [*instances_in(tmp_path, 1), *(imagined(number, f"1.2.{number}") for number in range(128))]
    flaky = Flaky(0, how="abort")
    with receiving(flaky) as peer:
        result = store(requestor_of(peer), instances, StoreOptions())
        assert peer.server.connections == 1
    assert isinstance(result.error, AssociationAborted)
    assert len(result.failed) == 129


def test_rejected_association_is_in_the_result(tmp_path: Path) -> None:
    """With the reason of the peer."""
    with our_server(tmp_path / "kept", access=AccessRules(ae_title="PACS")) as server:
        result = store(server.requestor(), instances_in(tmp_path / "sent", 1), StoreOptions())
    assert isinstance(result.error, AssociationRejected)
    assert "AE title" in result.failed[0].reason


def test_store_of_nothing_connects_to_nobody() -> None:
    """There is nothing to say."""
    result = store(Requestor(Peer("192.0.2.1", 9), None, AssociationSettings()), [], StoreOptions())
    assert replace(result) == replace(result, sent=0, seconds=0.0, error=None)
