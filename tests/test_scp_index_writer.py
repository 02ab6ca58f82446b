"""Files into tables: once each, all of a transaction or nothing."""

import errno
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dicomtls.dataset import EXPLICIT_VR_LE, encode_file_meta
from dicomtls.dataset.identifier import encode
from dicomtls.scp import index_schema
from dicomtls.scp.index_writer import IndexWriter, all_places
from dicomtls.scp.kept_file import KeptFile, KeptFileReader
from tests.support.keeping import instance, keys, write_instance, write_instances
from tests.support.servers import CT


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Empty tables."""
    with closing(index_schema.open_database(tmp_path / "index")) as connection:
        index_schema.make_tables(connection)
        yield connection


def counts(connection: sqlite3.Connection) -> list[int]:
    """Rows of patients, studies, series and instances."""
    tables = ("patient", "study", "series", "instance")
    return [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]  # noqa: S608 -- names of ours


def test_every_entity_is_there_once(database: sqlite3.Connection, tmp_path: Path) -> None:
    """However often and through how many writers a file comes."""
    write_instances(tmp_path, 80)
    places = list(all_places(str(tmp_path)))
    assert IndexWriter(database, str(tmp_path)).put_all(places) == 80
    assert counts(database) == [2, 4, 8, 80]
    again = IndexWriter(database, str(tmp_path))
    assert again.put_all([*places, *places]) == 160
    assert counts(database) == [2, 4, 8, 80]


def test_files_that_cannot_be_read_are_passed_over(database: sqlite3.Connection, tmp_path: Path) -> None:
    """Gone by now, or no DICOM."""
    (tmp_path / "text.dcm").write_text("no DICOM")
    write_instance(tmp_path, instance(1), place="good.dcm")
    assert IndexWriter(database, str(tmp_path)).put_all(["gone.dcm", "text.dcm", "good.dcm"]) == 1
    assert counts(database) == [1, 1, 1, 1]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_file_that_cannot_be_read_just_now_fails_the_transaction(
    database: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Whoever wants it indexed tries again, and it is not lost."""
    places = [stored.location[len(str(tmp_path)) + 1 :] for stored in write_instances(tmp_path, 3)]
    writer = IndexWriter(database, str(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(KeptFileReader, "read", raising(OSError(number, "just now")))
        with pytest.raises(OSError, match="just now"):
            writer.put_all(places)
    assert counts(database) == [0, 0, 0, 0]
    assert writer.put_all(places) == 3


def test_file_that_the_disk_does_not_give_is_passed_over(
    database: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One damaged file keeps no server from starting."""
    write_instances(tmp_path, 1)
    monkeypatch.setattr(KeptFileReader, "read", raising(OSError(errno.EIO, "damaged")))
    assert IndexWriter(database, str(tmp_path)).put_all(all_places(str(tmp_path))) == 0


def raising(error: OSError) -> Callable[..., KeptFile]:
    """What raises it, whatever it is asked."""

    def read(*_args: object) -> KeptFile:
        raise error

    return read


def test_instance_whose_dataset_names_no_uid_is_known_by_its_meta_information(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    """It was answered with success, so it is found: by the UID that the C-STORE named."""
    path = tmp_path / "odd.dcm"
    attributes = instance(1, x00080018="1.2.x", x00080016="nix")
    path.write_bytes(encode_file_meta(CT, "1.2.3", EXPLICIT_VR_LE, "TEST") + encode(keys(attributes), EXPLICIT_VR_LE))
    assert IndexWriter(database, str(tmp_path)).put_all(["odd.dcm"]) == 1
    assert database.execute("SELECT SOPInstanceUID, SOPClassUID FROM instance").fetchall() == [("1.2.3", CT)]


def test_transaction_that_fails_leaves_nothing(database: sqlite3.Connection, tmp_path: Path) -> None:
    """Nor does the writer believe in what it had put in."""
    write_instances(tmp_path, 20)
    places = list(all_places(str(tmp_path)))

    def broken() -> Iterator[str]:
        yield from places[:5]
        msg = "disk I/O error"
        raise sqlite3.OperationalError(msg)

    writer = IndexWriter(database, str(tmp_path))
    with pytest.raises(sqlite3.OperationalError):
        writer.put_all(broken())
    assert counts(database) == [0, 0, 0, 0]
    assert writer.put_all(places) == 20
    assert counts(database) == [1, 1, 2, 20]


def test_places_are_those_of_kept_files(tmp_path: Path) -> None:
    """No hidden ones, no temporary ones, no links."""
    write_instances(tmp_path, 3)
    for name in (".hidden.dcm", "1.2.0/.hidden.dcm", ".folder/x.dcm", "1.2.0/x.tmp", "y"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "link.dcm").symlink_to(tmp_path / "1.2.0/1.2.0.0.1.dcm")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert list(all_places(str(tmp_path))) == [f"1.2.0/1.2.0.0.{number}.dcm" for number in range(3)]
    assert list(all_places(str(tmp_path / "gone"))) == []
