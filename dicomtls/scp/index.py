"""What a server knows of the instances that it keeps: the small interface behind which a database stands."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from dicomtls.association.query import Level, Model
from dicomtls.dataset.identifier import Element, Identifier
from dicomtls.scp.storage import StoredInstance


@dataclass(frozen=True)
class Query:
    """What is asked for: `keys` are an identifier without (0008,0052), which `level` is.

    With `date_time` the ranges of a date and its time are one range.
    `unwanted` is called now and then while it is being answered: where it says so, there are no more matches.
    """

    model: Model
    level: Level
    keys: Identifier
    relational: bool = False
    fuzzy: bool = False
    date_time: bool = False
    unwanted: Callable[[], bool] | None = field(default=None, compare=False, repr=False)


class KeptInstance(NamedTuple):
    """An instance in the storage, and what its file is."""

    path: str
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str


class Index(Protocol):
    """Finds what is kept; all raise `MachineError` where the database fails."""

    def add(self, stored: StoredInstance) -> None:
        """Take note of an instance."""

    def find(self, query: Query) -> Iterator[dict[int, Element]]:
        """Yield the matches of a C-FIND."""

    def instances(self, query: Query) -> Iterator[KeptInstance]:
        """Yield all instances below the matches, in a stable order."""

    def look_up(self, sop_instance_uids: Sequence[str]) -> Iterator[KeptInstance]:
        """Yield those instances that are known, in any order; what has only just come may not be."""

    def drop_removed(self, sop_instance_uids: Sequence[str]) -> int:
        """Forget these instances, as far as their files were removed; says how many that were."""
