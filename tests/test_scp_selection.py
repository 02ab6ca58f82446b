"""What a retrieval is about: packed, and the same when it is unpacked."""

import sys
import tracemalloc
from itertools import chain
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.dataset import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomtls.scp.index import KeptInstance
from dicomtls.scp.selection import CHUNK, Selected, Selection
from tests.support.servers import CT, MR

KINDS = [(CT, EXPLICIT_VR_LE), (MR, EXPLICIT_VR_LE), (CT, IMPLICIT_VR_LE)]


def kept(uid: str, kind: tuple[str, str]) -> KeptInstance:
    """An instance, as an index knows it."""
    return KeptInstance(f"/archive/{uid}.dcm", kind[0], uid, kind[1])


@given(st.lists(st.tuples(st.text("0123456789.", min_size=1), st.sampled_from(KINDS)), max_size=40))
def test_all_come_out_in_their_order(pairs: list[tuple[str, tuple[str, str]]]) -> None:
    """With their kinds, and counted by them."""
    selection = Selection(kept(*pair) for pair in pairs)
    assert len(selection) == len(pairs)
    assert list(chain(*selection.chunks(selection.kinds))) == [Selected(*pair) for pair in pairs]
    for kind in selection.kinds:
        of_kind = [Selected(*pair) for pair in pairs if pair[1] == kind]
        assert list(chain(*selection.chunks([kind]))) == of_kind
        assert selection.count([kind]) == len(of_kind) > 0


@pytest.mark.parametrize("count", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_chunks_are_never_longer_than_told(count: int) -> None:
    """And none is empty."""
    selection = Selection(kept(f"1.{number}", KINDS[number % 2]) for number in range(count))
    sizes = [len(chunk) for chunk in selection.chunks(selection.kinds)]
    assert sum(sizes) == count
    assert all(0 < size <= CHUNK for size in sizes)


@pytest.mark.parametrize("template", ["1.2.826.0.1.3680043.9.7777.1.{}", "2.25.{random}"])
def test_a_hundred_thousand_are_less_than_three_megabytes(template: str) -> None:
    """However their UIDs are made: numbered, or at random; as tuples they are twenty times as much."""
    count = 100_000
    tracemalloc.start()
    try:
        uids = (
            template.format(number, random=UUID(int=hash((number, 1)) % 2**64 * 0x9E3779B97F4A7C15 % 2**128).int)
            for number in range(count)
        )
        selection = Selection(kept(uid, KINDS[0]) for uid in uids)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(selection) == count
    assert held < 3 << 20
    assert sys.getsizeof(kept("1", KINDS[0])) * count > 2 * held
