"""The query services put together, and what they tell."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dicomtls.association.dimse import CommandField
from dicomtls.association.query import FIND_SOP_CLASSES, Level, Model
from dicomtls.scp.events import Severity
from dicomtls.scp.finding import FindOutcome
from dicomtls.scp.index import Index
from dicomtls.scp.operation import RetrieveOutcome
from dicomtls.scp.querying import _tell, _tell_of_retrieval, find_offer
from dicomtls.scp.sqlite_index import SQLiteIndex
from dicomtls.scp.worklist import Worklist


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An empty index."""
    with closing(SQLiteIndex(tmp_path)) as made:
        yield made


def test_models_are_those_that_there_is_something_for(tmp_path: Path, index: Index) -> None:
    """An index, a worklist, both, nothing."""
    worklist = Worklist(tmp_path, on_event=lambda _event: None)
    roots = {FIND_SOP_CLASSES[Model.STUDY_ROOT], FIND_SOP_CLASSES[Model.PATIENT_ROOT]}
    assert find_offer(index).sop_classes == roots
    assert find_offer(None, worklist).sop_classes == {FIND_SOP_CLASSES[Model.WORKLIST]}
    assert find_offer(index, worklist).sop_classes == set(FIND_SOP_CLASSES.values())
    assert find_offer(None).sop_classes == set()
    assert find_offer(index).command_field is CommandField.C_FIND_RQ


@pytest.mark.parametrize(
    ("outcome", "name", "message"),
    [
        (
            FindOutcome(Model.STUDY_ROOT, Level.STUDY, 0x0000, 1, 0.123, None),
            "find",
            "find study-root study: 1 match in 0.12 s",
        ),
        (
            FindOutcome(Model.WORKLIST, None, 0xFE00, 2, 1, None),
            "find",
            "find worklist: 2 matches in 1.00 s, cancelled",
        ),
        (FindOutcome(None, None, 0xC000, 0, 0, "no end"), "find-failed", "find failed: no end (0xC000)"),
        (
            FindOutcome(None, None, 0xA900, 0, 0, None),
            "find-failed",
            "find failed: identifier does not match SOP class (0xA900)",
        ),
    ],
)
def test_outcome_is_told(outcome: FindOutcome, name: str, message: str) -> None:
    """A detail where it went well, a warning else."""
    told: list[tuple[str, str, Severity]] = []

    def tell(name: str, message: str, severity: Severity, **facts: object) -> None:
        told.append((name, message, severity))
        assert facts["matches"] == outcome.matches

    _tell(tell, outcome)
    assert told == [(name, message, Severity.DETAIL if name == "find" else Severity.WARNING)]


def test_missing_files_are_one_event_with_a_hint() -> None:
    """Beside how the retrieval ended; none where nothing is missing."""
    for missing, dropped, expected, left in (
        (0, 0, [], ""),
        (1, 1, ["1 file is gone"], "and left it"),
        (3, 3, ["3 files are gone"], "and left it"),
        (3, 2, ["3 files are gone"], "1 of which stays"),
        (3, 0, ["3 files are gone"], "3 of which stay "),
    ):
        told: list[tuple[str, str]] = []

        def tell(name: str, message: str, severity: Severity, **_facts: object) -> None:
            assert severity is Severity.WARNING
            told.append((name, message))  # noqa: B023 -- called in this turn

        outcome = RetrieveOutcome("C-GET", None, 0xB000, 5, 2, 3, 0, 0.1, "no such file", missing, dropped)
        _tell_of_retrieval(tell, outcome)
        messages = [message for name, message in told if name == "files-missing"]
        assert [message.partition(" that")[0] for message in messages] == expected
        assert all("--reindex" in message and left in message for message in messages)
        assert told[-1][0] == "get-failed"
