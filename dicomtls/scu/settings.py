"""What a requestor can choose about its associations."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dicomtls.peer import DEFAULT_CALLING_AE_TITLE

if TYPE_CHECKING:
    from dicomtls.association.user_information import UserIdentity

DEFAULT_MAXIMUM_LENGTH = 131072
"""Longest P-DATA-TF in bytes; eight times what most products say, which spares both sides most of the headers."""


@dataclass(frozen=True, kw_only=True)
class AssociationSettings:
    """Names, limits and identity of a requestor; times are in seconds.

    `connect_timeout` covers name, TCP and TLS; `dimse_timeout` is how long a peer may keep silent.
    `trace` is told of every PDU, by each association in its own thread.
    """

    calling_ae_title: str = DEFAULT_CALLING_AE_TITLE
    called_ae_title: str | None = None
    connect_timeout: float = 10.0
    association_timeout: float = 30.0
    dimse_timeout: float = 60.0
    maximum_length: int = DEFAULT_MAXIMUM_LENGTH
    identity: "UserIdentity | None" = None
    trace: Callable[[str], None] | None = field(default=None, repr=False, compare=False)
