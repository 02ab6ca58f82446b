"""What a server offers beside Verification and Storage: one `Offer` for each kind of request.

This is the place to plug a service in: give `Server` an offer that says which requests it answers, for which SOP
classes, and how to make what answers them on an association.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from dicomtls.association.association import Association, Message
from dicomtls.association.dimse import CommandField
from dicomtls.association.negotiation import AcceptorPolicy, refuse_extended
from dicomtls.dataset import is_deflated, is_native
from dicomtls.scp.events import Severity
from dicomtls.scp.requests import Requests
from dicomtls.waiting import Interrupt


class Tell(Protocol):
    """Makes an event about the association."""

    def __call__(self, name: str, message: str, severity: Severity, **facts: object) -> None:
        """Tell whoever writes the log."""


class Scene(NamedTuple):
    """What a service works with on one association."""

    association: Association
    requests: Requests
    interrupt: Interrupt | None
    tell: Tell


@runtime_checkable
class Lasting(Protocol):
    """A service that has something to do when the association has ended."""

    def finish(self) -> None:
        """Do it; raises nothing that a peer can cause."""


class Service(Protocol):
    """Answers one kind of request on one association."""

    def run(self, message: Message) -> None:
        """Take the request's dataset, answer it to its final response; raises what ends the association."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A service: the requests that it answers in the presentation contexts of its SOP classes.

    `make` is called at the first such request of an association, and what it makes takes the messages `also`, too.
    `extended` answers extended negotiation (None:
    nothing). With `stores_at_requestor` the requestor may be the SCP of every storage SOP class, as a C-GET needs it;
    with `requestor_is_scp` that of these SOP classes.
    """

    command_field: CommandField
    sop_classes: frozenset[str]
    also: tuple[CommandField, ...] = ()
    make: Callable[[Scene], Service]
    extended: Callable[[str, bytes], bytes | None] = refuse_extended
    stores_at_requestor: bool = False
    requestor_is_scp: bool = False


def policy_with(
    offers: Iterable[Offer],
    storage: frozenset[str],
    *,
    accept_unknown: bool,
    maximum_length: int,
    max_operations: int,
) -> AcceptorPolicy:
    """What a server agrees to that keeps instances of `storage` (Verification among them) and has these offers.

    A dataset that is kept is not decoded, so every transfer syntax is as good as any other; an identifier is.
    """
    offered: dict[str, list[Offer]] = {}
    for offer in offers:
        for uid in offer.sop_classes:
            offered.setdefault(uid, []).append(offer)
    stores = any(offer.stores_at_requestor for found in offered.values() for offer in found)
    reverse = frozenset(uid for uid, found in offered.items() if any(offer.requestor_is_scp for offer in found))

    def extended(uid: str, information: bytes) -> bytes | None:
        answers = (offer.extended(uid, information) for offer in offered.get(uid, ()))
        return next(filter(None, answers), None)

    return AcceptorPolicy(
        supports=lambda uid: accept_unknown or uid in storage or uid in offered,
        accepts_transfer_syntax=lambda uid, syntax: (
            uid not in offered or (is_native(syntax) and not is_deflated(syntax))
        ),
        maximum_length=maximum_length,
        max_operations=max_operations,
        scp_role_allowed=lambda uid: uid in reverse or (stores and uid not in offered),
        extended=extended,
    )
