"""`store` over associations that break or are broken off: what was answered counts, once, and nothing is lost."""

import threading
from collections import Counter
from pathlib import Path

import pytest

from dicomtls.association.association import Association
from dicomtls.errors import (
    AssociationAborted,
    DIMSETimeout,
    HandshakeError,
    Interrupted,
    NetworkError,
    NoPresentationContext,
)
from dicomtls.scu import AssociationSettings, Attempt
from dicomtls.scu import store as store_module
from dicomtls.scu.attempt import Requestor
from dicomtls.scu.store import StoreOptions, store
from dicomtls.waiting import Interrupt
from tests.support.pki import PKI
from tests.support.receivers import Flaky, Receiver, Watcher, instances_in, receiving, requestor_of
from tests.support.servers import client_tls, open_policy, our_server, server_tls


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry at once."""
    monkeypatch.setattr(store_module, "_RETRY_SECONDS", 0.0)


# Retries


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("how", ["abort", "close"])
@pytest.mark.parametrize("window", [1, 8])
def test_retry_loses_nothing_and_repeats_nothing_that_was_answered(tmp_path: Path, how: str, window: int) -> None:
    """Twice broken off: what had its answer is not sent again, what had none is."""
    instances = instances_in(tmp_path, 20)
    flaky = Flaky(5, 3, how=how, unanswered=1)
    with receiving(flaky, open_policy(max_operations=window)) as peer:
        result = store(requestor_of(peer), instances, StoreOptions(retry=2))
    receiver = flaky.receiver
    assert (result.failed, result.error) == ([], None)
    assert result.sent == 20
    assert receiver.associations == 3
    uids = {instance.sop_instance_uid for instance in instances}
    assert set(receiver.answered) == uids
    if window == 1:  # with a window the break may overtake answers, which nobody can know of then
        assert set(Counter(receiver.answered).values()) == {1}
        assert Counter(receiver.uids).most_common(3)[2][1] == 1


@pytest.mark.parametrize("retry", [0, 1])
@pytest.mark.usefixtures("hasty")
def test_retries_come_to_an_end(tmp_path: Path, retry: int) -> None:
    """What is left then is failed, with the reason; what was answered counts."""
    instances = instances_in(tmp_path, 10)
    flaky = Flaky(2, 2, 2)
    with receiving(flaky, open_policy(max_operations=1)) as peer:
        result = store(requestor_of(peer), instances, StoreOptions(retry=retry))
    assert isinstance(result.error, AssociationAborted)
    assert result.sent == 2 * (retry + 1)
    assert len(result.failed) == 10 - result.sent
    assert {report.code for report in result.failed} == {"association-aborted"}
    stored = {instance.sop_instance_uid for instance in instances} - {one.sop_instance_uid for one in result.failed}
    assert stored == set(flaky.receiver.answered)


@pytest.mark.usefixtures("hasty")
def test_retry_reaches_a_peer_that_was_away(tmp_path: Path) -> None:
    """A peer that rejects for now takes the association later."""
    instances = instances_in(tmp_path / "sent", 3)
    with our_server(tmp_path / "kept", max_associations=1) as server:
        held = server.associate()

        def leave() -> None:
            server.wait_for("association-rejected", 3)
            held.release()

        watcher = threading.Thread(target=leave)
        watcher.start()
        result = store(server.requestor(), instances, StoreOptions(retry=100_000))
        watcher.join()
    assert (result.sent, result.error) == (3, None)


def test_nothing_is_retried_that_would_fail_again(tmp_path: Path) -> None:
    """A certificate that is refused, or contexts that are: the first answer is the last."""
    with receiving(Receiver(), open_policy(supports=lambda _uid: False)) as peer:
        result = store(requestor_of(peer), instances_in(tmp_path, 2), StoreOptions(retry=5))
        assert peer.server.connections == 1
    assert isinstance(result.error, NoPresentationContext)


def test_handshake_that_fails_is_in_the_result(pki: PKI, tmp_path: Path) -> None:
    """Nothing is raised for what the peer is: the instances are failed with it, and it is not tried again."""
    attempt_of: list[Attempt] = []
    with our_server(tmp_path / "kept", server_tls(pki, pki.expired)) as server:
        requestor = server.requestor(client_tls(pki))
        attempt_of.append(requestor.attempt())
        result = store(requestor, instances_in(tmp_path / "sent", 2), StoreOptions(retry=5), attempt=attempt_of[0])
    assert isinstance(result.error, HandshakeError)
    assert len(result.failed) == 2
    assert attempt_of[0].timing_ms.keys() >= {"connect", "handshake", "total"}


@pytest.mark.usefixtures("hasty")
def test_peer_that_is_not_there_is_in_the_result(tmp_path: Path) -> None:
    """As often as it was to be tried."""
    with receiving(Receiver()) as peer:
        gone = peer.peer
    requestor = Requestor(gone, None, AssociationSettings())
    result = store(requestor, instances_in(tmp_path, 2), StoreOptions(retry=1))
    assert isinstance(result.error, NetworkError)
    assert {report.code for report in result.failed} == {"connection-refused"}
    assert result.seconds == 0.0


def test_silent_peer_is_in_the_result(tmp_path: Path) -> None:
    """No response in time."""

    def script(association: Association) -> None:
        while association.receive() is not None:
            pass

    with receiving(script) as peer:
        result = store(requestor_of(peer, dimse_timeout=0.05), instances_in(tmp_path, 2), StoreOptions())
    assert isinstance(result.error, DIMSETimeout)
    assert len(result.failed) == 2


# Interrupts


@pytest.mark.parametrize("associations", [1, 3])
def test_interrupt_in_the_middle_aborts_and_keeps_what_was_answered(tmp_path: Path, associations: int) -> None:
    """The peer gets an A-ABORT on each association; the rest is failed as interrupted."""
    instances = instances_in(tmp_path, 60, pixel_bytes=50_000)
    interrupt = Interrupt()
    watcher = Watcher(after=5, then=interrupt.set)
    receiver = Receiver()
    try:
        with receiving(receiver, open_policy(max_operations=2)) as peer:
            requestor = requestor_of(peer, interrupt)
            result = store(requestor, instances, StoreOptions(associations=associations, retry=3), observer=watcher)
            peer.server.wait_for_connections(receiver.associations)
    finally:
        interrupt.close()
    assert isinstance(result.error, Interrupted)
    assert 5 <= result.sent < 60
    assert result.sent + len(result.failed) == 60
    assert {report.code for report in result.failed} == {"interrupted"}
    stored = {one.sop_instance_uid for one in instances} - {report.sop_instance_uid for report in result.failed}
    assert stored <= set(receiver.answered)
    # A connection that the interrupt met before its A-ASSOCIATE-RQ has nothing to abort.
    aborts = [end for end in peer.ends if isinstance(end, AssociationAborted) and end.source == 0]
    assert len(aborts) == receiver.associations > 0


def test_interrupt_between_two_attempts_ends_the_waiting(tmp_path: Path) -> None:
    """Whoever waits for a retry is not kept waiting by Ctrl-C."""
    interrupt = Interrupt()

    def script(association: Association) -> None:
        association.abort()
        interrupt.set()

    try:
        with receiving(script) as peer:
            result = store(requestor_of(peer, interrupt), instances_in(tmp_path, 2), StoreOptions(retry=3))
    finally:
        interrupt.close()
    assert isinstance(result.error, Interrupted)
    assert result.sent == 0
