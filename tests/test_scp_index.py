"""The interface of an index: another one can stand in its place."""

from contextlib import closing
from pathlib import Path

from dicomtls.association.query import Level, Model
from dicomtls.scp.index import Index, KeptInstance, Query
from dicomtls.scp.sqlite_index import SQLiteIndex


def test_sqlite_index_is_an_index(tmp_path: Path) -> None:
    """By its methods, which a type checker looks at here."""
    query = Query(Model.STUDY_ROOT, Level.STUDY, {})
    assert (query.relational, query.fuzzy) == (False, False)
    with closing(SQLiteIndex(tmp_path)) as made:
        index: Index = made
        assert list(index.look_up(["1.2"])) == []
        index.drop_removed(["1.2"])
        assert list(index.find(query)) == []
        assert list(index.instances(query)) == []


def test_kept_instance_names_its_file() -> None:
    """And what is in it, without a look at it."""
    kept = KeptInstance("/x/1.dcm", "1.2", "1.2.3", "1.2.840.10008.1.2")
    assert kept._asdict() == {
        "path": "/x/1.dcm",
        "sop_class_uid": "1.2",
        "sop_instance_uid": "1.2.3",
        "transfer_syntax": "1.2.840.10008.1.2",
    }
