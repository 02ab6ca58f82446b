"""The options of `find` alone."""

from pathlib import Path

import pytest

from dicomtls.association.query import Model
from dicomtls.cli.options.find import FindingOptions
from dicomtls.errors import UsageError
from dicomtls.scu.query import FindOptions


@pytest.mark.parametrize(
    ("options", "json", "expected"),
    [
        (FindingOptions(), False, "table"),
        (FindingOptions(), True, "json"),
        (FindingOptions(format="csv"), False, "csv"),
        (FindingOptions(format="json"), True, "json"),
    ],
)
def test_json_is_a_format(options: FindingOptions, expected: str, *, json: bool) -> None:
    """`--json` is one way to say it."""
    assert options.form(json=json) == expected


@pytest.mark.parametrize("form", ["csv", "table"])
def test_json_contradicts_the_other_formats(form: str) -> None:
    """Which of the two is meant nobody knows."""
    with pytest.raises(UsageError, match="contradict"):
        FindingOptions(format=form).form(json=True)  # type: ignore[arg-type]  # one of the three


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("ISO_IR 192", ("ISO_IR 192",)),
        ("GB18030", ("GB18030",)),
        ("\\ISO 2022 IR 87", ("", "ISO 2022 IR 87")),
        ("ISO 2022 IR 6\\ISO 2022 IR 149", ("ISO 2022 IR 6", "ISO 2022 IR 149")),
    ],
)
def test_character_sets_are_those_of_the_standard(text: str | None, expected: tuple[str, ...] | None) -> None:
    """One, or several with a backslash between them."""
    assert FindingOptions(character_set=text).settings(Model.STUDY_ROOT).character_sets == expected


@pytest.mark.parametrize(
    ("text", "hint"), [("utf-8", "ISO_IR 192"), ("ISO_IR 999", "ISO_IR"), ("", "ISO_IR 192"), ("ISO_IR 100\\x", "")]
)
def test_unknown_character_set_is_refused(text: str, hint: str) -> None:
    """With what may be meant."""
    with pytest.raises(UsageError, match="no such character set") as caught:
        FindingOptions(character_set=text).settings(Model.STUDY_ROOT)
    assert hint in caught.value.hints[0]


def test_settings_carry_what_was_chosen() -> None:
    """To the library."""
    options = FindingOptions(limit=5, relational=True, fuzzy=True)
    assert options.settings(Model.PATIENT_ROOT) == FindOptions(
        model=Model.PATIENT_ROOT, limit=5, relational=True, fuzzy=True
    )
    with pytest.raises(UsageError, match="no levels"):
        options.settings(Model.WORKLIST)


def test_folder_is_there_where_one_is_named(tmp_path: Path) -> None:
    """And made at once, so that a failure comes before the query."""
    assert FindingOptions().folder(Model.STUDY_ROOT) is None
    assert FindingOptions(output=tmp_path / "out").folder(Model.WORKLIST) is not None
    assert (tmp_path / "out").is_dir()
