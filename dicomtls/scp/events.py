"""What a server has to say while it runs: one event for each thing that happened, for whoever writes the log."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


class Severity(StrEnum):
    """How much an event matters; `DETAIL` and `TRACE` are for whoever asks for more, and for much more."""

    TRACE = "trace"
    DETAIL = "detail"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Event:
    """Something that happened: `name` is for programs, `message` for people, `facts` for both.

    `peer` is the address of the other side, `association` numbers the connections of this process from 1 on.
    """

    name: str
    message: str
    severity: Severity = Severity.INFO
    peer: str | None = None
    association: int | None = None
    facts: Mapping[str, object] = field(default_factory=dict)


Listener: TypeAlias = Callable[[Event], None]
"""Called from the thread in which the event happened, many at once."""
