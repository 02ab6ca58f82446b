"""Acceptors of instances that answer as a test wants it, in the order that it wants."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dicomtls.association.association import Association, Message
from dicomtls.association.dimse import CommandField
from dicomtls.association.negotiation import AcceptorPolicy
from dicomtls.dataset import EXPLICIT_VR_LE
from dicomtls.scu import AssociationSettings
from dicomtls.scu.attempt import Requestor
from dicomtls.scu.instances import Instance, find_instances
from dicomtls.scu.ledger import InstanceReport
from dicomtls.waiting import Interrupt
from tests.support.instances import make_instances
from tests.support.servers import Acceptor, Decide, acceptor, store_response

Reply = Callable[[Message], int]


@dataclass(frozen=True)
class Received:
    """An instance that came: as what, and its bytes."""

    uid: str
    transfer_syntax: str
    dataset: bytes
    association: int


@dataclass
class Receiver:
    """Keeps what comes in memory; `answered` has the UIDs of what was answered, in the order of the responses.

    `status` says what to answer. `turn` puts the requests that are there in another order before they are answered;
    it is given as many as `together` at once, or what there is when no more come.
    """

    status: Reply = lambda _message: 0x0000
    turn: Callable[[list[Message]], Sequence[Message]] | None = None
    together: int = 1
    received: list[Received] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    associations: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, association: Association) -> None:
        """Serve one association to its end."""
        with self.lock:
            self.associations += 1
            number = self.associations
        held: list[Message] = []
        while (message := association.receive()) is not None:
            self.take(association, message, number)
            held.append(message)
            if len(held) >= self.together or len(self.received) == self.expected:
                for one in self.turn(held) if self.turn else held:
                    self.answer(association, one)
                held.clear()

    expected: int = -1

    def take(self, association: Association, message: Message, number: int) -> None:
        """Read the dataset of a message."""
        dataset = b"".join(bytes(fragment) for fragment in association.fragments())
        uid = message.command.affected_sop_instance_uid or ""
        with self.lock:
            self.received.append(Received(uid, message.context.transfer_syntax, dataset, number))

    def answer(self, association: Association, message: Message) -> None:
        """Respond to a request."""
        assert message.command.command_field is CommandField.C_STORE_RQ
        with self.lock:
            self.answered.append(message.command.affected_sop_instance_uid or "")
        association.respond(message.context.context_id, store_response(message.command, self.status(message)))
        association.flush_responses()

    @property
    def uids(self) -> list[str]:
        """What came, by UID, in its order."""
        return [one.uid for one in self.received]


@contextmanager
def receiving(
    receiver: Callable[[Association], None], policy: AcceptorPolicy | None = None, decide: Decide | None = None
) -> Iterator[Acceptor]:
    """The receiver on a port of its own."""
    with acceptor(receiver, policy, decide) as peer:
        yield peer


def requestor_of(peer: Acceptor, interrupt: Interrupt | None = None, **settings: float) -> Requestor:
    """Somebody who stores to it, in clear."""
    return Requestor(peer.peer, None, AssociationSettings(**settings), interrupt=interrupt)  # type: ignore[arg-type]  # times and lengths only


def instances_in(
    directory: Path, count: int, *, pixel_bytes: int = 2048, syntax: str = EXPLICIT_VR_LE
) -> list[Instance]:
    """Make so many small instances and look at them as `store` does."""
    make_instances(directory, count, pixel_bytes=pixel_bytes, transfer_syntax=syntax)
    return find_instances([str(directory)]).instances


def dataset_in(instance: Instance) -> bytes:
    """The dataset of a file, as it is."""
    return Path(instance.path).read_bytes()[instance.offset :]


class Watcher:
    """Hears what becomes of each instance, and calls `then` after so many of them."""

    def __init__(self, after: int = -1, then: Callable[[], None] | None = None) -> None:
        self.told: list[tuple[Instance, InstanceReport | None]] = []
        self._after = after
        self._then = then
        self._lock = threading.Lock()

    def sending(self, octets: int) -> None:
        """Bytes under way are no news here."""

    def done(self, instance: Instance, report: InstanceReport | None) -> None:
        """One more."""
        with self._lock:
            self.told.append((instance, report))
            due = len(self.told) == self._after
        if due and self._then is not None:
            self._then()


class Flaky:
    """Breaks off the first associations after some answers, and keeps the others."""

    def __init__(self, *answers: int, how: str = "abort", unanswered: int = 0) -> None:
        self.receiver = Receiver()
        self.answers = list(answers)
        self.how = how
        self.unanswered = unanswered

    def __call__(self, association: Association) -> None:
        """Serve one association, to its end or to the break."""
        if not self.answers:
            self.receiver(association)
            return
        self.receiver.associations += 1
        left = self.answers.pop(0)
        for number in range(left + self.unanswered):
            message = association.receive()
            assert message is not None
            self.receiver.take(association, message, self.receiver.associations)
            if number < left:
                self.receiver.answer(association, message)
        if self.how == "abort":
            association.abort()
        else:
            association.close()
