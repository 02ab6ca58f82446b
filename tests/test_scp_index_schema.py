"""The tables, and when they are not what they should be."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dicomtls.scp import index_schema


def test_index_is_whole_when_it_was_built_to_its_end(tmp_path: Path) -> None:
    """Not before, and not while it is being built anew."""
    with closing(index_schema.open_database(tmp_path / "index")) as connection:
        assert not index_schema.is_whole(connection)
        index_schema.make_tables(connection)
        assert not index_schema.is_whole(connection)
        index_schema.mark_whole(connection)
        assert index_schema.is_whole(connection)
        index_schema.check(connection)
        index_schema.make_tables(connection)
        assert not index_schema.is_whole(connection)


def test_damage_is_told_from_other_failures(tmp_path: Path) -> None:
    """A file that is no database, a missing table; not a lock, nor a constraint."""
    (tmp_path / "text").write_text("no database at all" * 100)
    with pytest.raises(sqlite3.DatabaseError) as caught:
        index_schema.open_database(tmp_path / "text")
    assert index_schema.is_damage(caught.value)
    with closing(index_schema.open_database(tmp_path / "index")) as connection:
        with pytest.raises(sqlite3.OperationalError) as missing:
            index_schema.check(connection)
        assert index_schema.is_damage(missing.value)
        connection.execute("BEGIN EXCLUSIVE")
        with closing(sqlite3.connect(tmp_path / "index", timeout=0)) as other:
            with pytest.raises(sqlite3.OperationalError) as locked:
                other.execute("BEGIN IMMEDIATE")
            assert not index_schema.is_damage(locked.value)
        connection.execute("COMMIT")
        connection.execute("CREATE TABLE t (a UNIQUE)")
        connection.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(sqlite3.IntegrityError) as twice:
            connection.execute("INSERT INTO t VALUES (1)")
        assert not index_schema.is_damage(twice.value)
    assert not index_schema.is_damage(sqlite3.ProgrammingError("closed"))


def test_reader_changes_nothing(tmp_path: Path) -> None:
    """Nor does it make a database."""
    path = tmp_path / "in?dex#1"
    with pytest.raises(sqlite3.OperationalError):
        index_schema.open_reader(path)
    assert not path.exists()
    index_schema.open_database(path).close()
    with closing(index_schema.open_reader(path)) as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("CREATE TABLE t (a)")


def test_damaged_file_is_set_aside_under_a_name_of_its_own(tmp_path: Path) -> None:
    """With what belonged to it removed, which would spoil the next one."""
    path = tmp_path / "index"
    for number in (1, 2):
        path.write_text(str(number))
        path.with_name("index-wal").write_text("old")
        assert index_schema.set_aside(path).read_text() == str(number)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["index.damaged-1", "index.damaged-2"]


@pytest.mark.parametrize(
    ("code", "option"),
    [(13, "make room"), (8, "--no-index"), (14, "--no-index"), (11, "--reindex"), (None, "--reindex")],
)
def test_hint_fits_the_error(tmp_path: Path, code: int | None, option: str) -> None:
    """Whatever else is in an extended code."""
    error = sqlite3.OperationalError("anything")
    if code is not None:
        error.sqlite_errorcode = code | 0x0200
    assert option in index_schema.hint(error, tmp_path / "index")


def test_folder_in_the_place_of_the_index_is_called_one(tmp_path: Path) -> None:
    """Permissions are not what it lacks."""
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = 14
    assert f"move {tmp_path.name} away" in index_schema.hint(error, tmp_path)


def test_database_is_made_only_where_a_new_one_is_wanted(tmp_path: Path) -> None:
    """Nobody makes an empty one beside files on a disk that has just come back."""
    path = tmp_path / "index ?#%"
    with pytest.raises(sqlite3.OperationalError):
        index_schema.open_database(path, is_new=False)
    assert not path.exists()
    with closing(index_schema.open_database(path)):
        assert path.is_file()
    with closing(index_schema.open_database(path, is_new=False)) as connection:
        index_schema.make_tables(connection)
