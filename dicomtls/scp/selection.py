"""What one retrieval is about, held small: the UIDs of its instances, packed, and nothing else of them.

A hundred thousand instances are one or two megabytes. What else is known of an instance is looked up when its turn
comes, so that the counts of a retrieval stay right, whatever comes or goes in the meantime.
"""

import zlib
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

from dicomtls.scp.index import KeptInstance

CHUNK: Final = 500
"""Instances that are unpacked, and looked up, at once."""

Kind: TypeAlias = tuple[str, str]
"""SOP class and transfer syntax: what a presentation context is for."""


class Selected(NamedTuple):
    """An instance of a selection, and of what kind it was then."""

    sop_instance_uid: str
    kind: Kind


class Selection:
    """The instances that a retrieval found, in their order; `kinds` says which there are."""

    def __init__(self, kept: Iterable[KeptInstance]) -> None:
        self._numbers: dict[Kind, int] = {}
        self._counts: list[int] = []
        left = iter(kept)
        self._chunks = tuple(iter(lambda: self._pack(islice(left, CHUNK)), b""))

    def _pack(self, kept: Iterable[KeptInstance]) -> bytes:
        lines: list[str] = []
        for one in kept:
            number = self._numbers.setdefault((one.sop_class_uid, one.transfer_syntax), len(self._numbers))
            if number == len(self._counts):
                self._counts.append(0)
            self._counts[number] += 1
            lines.append(f"{number} {one.sop_instance_uid}")
        return zlib.compress("\n".join(lines).encode("utf-8", "surrogateescape"), 1) if lines else b""

    def __len__(self) -> int:
        return sum(self._counts)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of the instances, in the order in which they appear."""
        return tuple(self._numbers)

    def count(self, kinds: Iterable[Kind]) -> int:
        """How many instances are of these kinds."""
        return sum(self._counts[self._numbers[kind]] for kind in kinds)

    def chunks(self, kinds: Iterable[Kind]) -> Iterator[list[Selected]]:
        """The instances of these kinds, some at a time."""
        all_kinds, wanted = self.kinds, {self._numbers[kind] for kind in kinds}
        for chunk in self._chunks:
            lines = zlib.decompress(chunk).decode("utf-8", "surrogateescape").split("\n")
            parts = (line.partition(" ") for line in lines)
            if found := [Selected(uid, all_kinds[int(number)]) for number, _, uid in parts if int(number) in wanted]:
                yield found
