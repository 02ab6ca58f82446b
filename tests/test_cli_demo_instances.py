"""The instances that the demo sends."""

from pathlib import Path

from pydicom import dcmread

from dicomtls.cli.demo_instances import make_instances
from dicomtls.scu.instances import find_instances
from tests.support.peers import run_dcmtk
from tests.support.processes import require


def test_instances_are_images_of_one_study(tmp_path: Path) -> None:
    """Each with UIDs and pixels of its own, in several series of one patient who does not exist."""
    make_instances(tmp_path / "made", 6)
    datasets = [dcmread(path) for path in sorted((tmp_path / "made").iterdir())]
    assert len({dataset.SOPInstanceUID for dataset in datasets}) == 6
    assert len({dataset.StudyInstanceUID for dataset in datasets}) == 1
    assert len({dataset.SeriesInstanceUID for dataset in datasets}) == 4
    assert {str(dataset.PatientName) for dataset in datasets} == {"Nobody^Ann"}
    assert all(len(dataset.PixelData) == 2 * dataset.Rows * dataset.Columns for dataset in datasets)
    assert len({dataset.PixelData for dataset in datasets}) == 6


def test_store_finds_them_all(tmp_path: Path) -> None:
    """They are files as PS3.10 wants them."""
    make_instances(tmp_path / "made", 2)
    found = find_instances([str(tmp_path / "made")])
    assert (len(found.instances), found.skipped, found.unreadable) == (2, [], [])


def test_others_can_read_them(tmp_path: Path) -> None:
    """DCMTK has nothing to complain about."""
    require("dcmdump")
    make_instances(tmp_path / "made", 1)
    done = run_dcmtk("dcmdump", "+M", tmp_path / "made" / "CT0000.dcm")
    assert (done.returncode, done.stderr) == (0, "")
