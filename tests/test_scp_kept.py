"""Handing out kept instances."""

from pathlib import Path

from dicomtls.dataset import EXPLICIT_VR_LE
from dicomtls.scp.index import KeptInstance
from dicomtls.scp.kept import KeptLedger, unseen
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


def test_instances_are_looked_at_when_their_turn_comes(tmp_path: Path) -> None:
    """As whoever sends files looks at them."""
    ledger = KeptLedger(Watcher())
    ledger.open(unseen(kept_in(tmp_path, 3)))
    taken = [ledger.take() for _ in range(4)]
    assert taken == [*find_instances([str(tmp_path)]).instances, None]


def test_what_was_given_back_is_not_looked_at_again(tmp_path: Path) -> None:
    """It comes first."""
    ledger = KeptLedger(Watcher())
    ledger.open(unseen(kept_in(tmp_path, 2)))
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
    ledger = KeptLedger(watcher)
    ledger.open(unseen(kept))
    last = ledger.take()
    assert last is not None
    assert (last.sop_instance_uid, last.transfer_syntax) == (kept[4].sop_instance_uid, EXPLICIT_VR_LE)
    reasons = [report.reason for _, report in watcher.told if report is not None]
    assert len(reasons) == 4
    assert "no such file" in reasons[0]
    assert "another instance" in reasons[2]
    assert "another instance" in reasons[3]


def test_folder_in_the_place_of_a_file_is_passed_over(tmp_path: Path) -> None:
    """Nothing but a regular file is opened for long."""
    (tmp_path / "folder").mkdir()
    watcher = Watcher()
    ledger = KeptLedger(watcher)
    ledger.open(unseen([KeptInstance(str(tmp_path / "folder"), MR, "1.2.3", EXPLICIT_VR_LE)]))
    assert ledger.take() is None
    assert len(watcher.told) == 1


def test_before_is_called_before_each(tmp_path: Path) -> None:
    """Also where there is none left."""
    calls: list[int] = []
    ledger = KeptLedger(Watcher(), lambda: calls.append(1))
    ledger.open(unseen(kept_in(tmp_path, 2)))
    while ledger.take() is not None:
        pass
    assert len(calls) == 3
