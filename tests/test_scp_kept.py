"""Handing out kept instances."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from dicomtls.dataset import EXPLICIT_VR_LE
from dicomtls.errors import MachineError
from dicomtls.scp.index import KeptInstance
from dicomtls.scp.kept import KeptLedger
from dicomtls.scp.selection import Selection
from dicomtls.scu.instances import find_instances
from tests.support.instances import make_instances
from tests.support.receivers import Watcher
from tests.support.servers import MR


def kept_in(directory: Path, count: int) -> list[KeptInstance]:
    """So many instances, as an index knows them."""
    return [
        KeptInstance(str(made.path), made.sop_class_uid, made.sop_instance_uid, made.transfer_syntax)
        for made in make_instances(directory, count, pixel_bytes=1024)
    ]


class Known:
    """An index that knows these, and fails when it is told to."""

    def __init__(self, kept: list[KeptInstance]) -> None:
        self.kept = kept
        self.broken = False
        self.asked: list[int] = []

    def look_up(self, sop_instance_uids: Sequence[str]) -> Iterator[KeptInstance]:
        """Those of them that it knows."""
        if self.broken:
            msg = "the index cannot be used"
            raise MachineError(msg)
        self.asked.append(len(sop_instance_uids))
        return (one for one in self.kept if one.sop_instance_uid in sop_instance_uids)


def opened(
    kept: list[KeptInstance], watcher: Watcher | None = None, before: Callable[[], None] | None = None
) -> tuple[KeptLedger, Known]:
    """A ledger of all of these, and the index that it asks."""
    index = Known(kept)
    ledger = KeptLedger(index, Selection(kept), watcher or Watcher(), before)  # type: ignore[arg-type]  # what it asks for
    ledger.open(ledger.kinds())
    return ledger, index


def test_instances_are_looked_at_when_their_turn_comes(tmp_path: Path) -> None:
    """As whoever sends files looks at them."""
    ledger, _ = opened(kept_in(tmp_path, 3))
    taken = [ledger.take() for _ in range(4)]
    assert taken == [*find_instances([str(tmp_path)]).instances, None]


def test_what_was_given_back_is_not_looked_at_again(tmp_path: Path) -> None:
    """It comes first."""
    ledger, _ = opened(kept_in(tmp_path, 2))
    first = ledger.take()
    assert first is not None
    Path(first.path).unlink()
    ledger.give_back([first])
    assert ledger.take() is first


def test_files_that_are_not_what_the_index_says_are_passed_over(tmp_path: Path) -> None:
    """Gone, no DICOM, another instance, of another class: each is booked with its reason, and the next comes."""
    kept = kept_in(tmp_path, 5)
    Path(kept[0].path).unlink()
    Path(kept[1].path).write_bytes(b"no DICOM" * 100)
    kept[2] = kept[2]._replace(sop_instance_uid="1.2.3")
    kept[3] = kept[3]._replace(sop_class_uid=MR)
    watcher = Watcher()
    ledger, _ = opened(kept, watcher)
    last = ledger.take()
    assert last is not None
    assert (last.sop_instance_uid, last.transfer_syntax) == (kept[4].sop_instance_uid, EXPLICIT_VR_LE)
    reasons = [report.reason for _, report in watcher.told if report is not None]
    assert len(reasons) == 4
    assert "no such file" in reasons[0]
    assert ledger.missing == [kept[0].sop_instance_uid]
    assert "another instance" in reasons[2]
    assert "another instance" in reasons[3]


def test_folder_in_the_place_of_a_file_is_passed_over(tmp_path: Path) -> None:
    """Nothing but a regular file is opened for long."""
    (tmp_path / "folder").mkdir()
    watcher = Watcher()
    ledger, _ = opened([KeptInstance(str(tmp_path / "folder"), MR, "1.2.3", EXPLICIT_VR_LE)], watcher)
    assert ledger.take() is None
    assert len(watcher.told) == 1


def test_before_is_called_before_each(tmp_path: Path) -> None:
    """Also where there is none left."""
    calls: list[int] = []
    ledger, _ = opened(kept_in(tmp_path, 2), before=lambda: calls.append(1))
    while ledger.take() is not None:
        pass
    assert len(calls) == 3


def reasons_of(watcher: Watcher) -> list[tuple[str, str]]:
    """The UIDs of what was not sent, and why."""
    return [(one.sop_instance_uid, report.reason) for one, report in watcher.told if report is not None]


def test_what_left_the_index_or_changed_in_it_is_counted(tmp_path: Path) -> None:
    """By the UID that it had when it was selected; the counts of the retrieval stay right."""
    kept = kept_in(tmp_path, 4)
    watcher = Watcher()
    ledger, index = opened(kept, watcher)
    index.kept = [kept[0], kept[2]._replace(sop_class_uid=MR), kept[3]]
    taken = [ledger.take() for _ in range(3)]
    assert [one and one.sop_instance_uid for one in taken] == [kept[0].sop_instance_uid, kept[3].sop_instance_uid, None]
    uids = [uid for uid, reason in reasons_of(watcher) if "does not have it any more" in reason]
    assert uids == [kept[1].sop_instance_uid, kept[2].sop_instance_uid]
    assert ledger.is_done
    assert ledger.missing == []


def test_index_that_fails_while_it_is_sent_is_the_reason(tmp_path: Path) -> None:
    """Of all that it was to be asked for."""
    watcher = Watcher()
    ledger, index = opened(kept_in(tmp_path, 3), watcher)
    index.broken = True
    assert ledger.take() is None
    assert {reason for _, reason in reasons_of(watcher)} == {"the index cannot be used"}
    assert len(watcher.told) == 3


def test_kinds_are_handed_out_apart(tmp_path: Path) -> None:
    """As many associations as their contexts need; each instance once."""
    kept = kept_in(tmp_path, 4)
    ledger, _ = opened(kept)
    for kind, expected in ((ledger.kinds(), 4), ([], 0)):
        ledger.open(kind)
        assert ledger.is_done is (expected == 0)
        assert sum(1 for _ in iter(ledger.take, None)) == expected
        assert ledger.is_done


@pytest.mark.parametrize("taken", [0, 2, 5])
def test_what_is_left_is_booked_at_the_end(tmp_path: Path, taken: int) -> None:
    """With what kept us from sending it, without asking the index, and without being kept in the result."""
    watcher = Watcher()
    ledger, index = opened(kept_in(tmp_path, 5), watcher)
    for _ in range(taken):
        assert ledger.take() is not None
    error = MachineError("the machine is tired")
    ledger.broken(error)
    index.broken = True
    ledger.close()
    assert [reason for _, reason in reasons_of(watcher)] == [error.message] * (5 - taken)
    assert ledger.result.error is (error if taken < 5 else None)
    assert ledger.result.failed == []
