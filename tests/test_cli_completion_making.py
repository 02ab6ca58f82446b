"""Making what TAB needs: the scripts in `completions/`, and the table of all commands."""

import ast
from pathlib import Path

import pytest

from dicomtls.cli import candidates, completion_table
from dicomtls.cli.completion_making import table, write_scripts
from dicomtls.cli.completion_scripts import FILE_NAMES
from tests.support.cli import REPOSITORY


def test_all_scripts_are_written_and_no_other_is_kept(tmp_path: Path) -> None:
    """The make target writes exactly what lies in the folder."""
    write_scripts(tmp_path / "new")
    written = {path.name for path in (tmp_path / "new").iterdir()}
    assert written == set(FILE_NAMES.values()) == {path.name for path in (REPOSITORY / "completions").iterdir()}


def test_table_is_what_the_commands_declare() -> None:
    """Byte for byte; `make completions` mends it."""
    assert Path(completion_table.__file__).read_text(encoding="utf-8") == table()


def test_table_holds_nothing_but_literals() -> None:
    """Importing it takes no longer than reading it."""
    tree = ast.parse(table())
    values = [node.value for node in tree.body if isinstance(node, ast.AnnAssign) and node.value is not None]
    assert [ast.literal_eval(value) for value in values] == [
        completion_table.GROUP_OPTIONS,
        completion_table.GROUPS,
        completion_table.COMMANDS,
    ]


@pytest.mark.parametrize("command", completion_table.COMMANDS)
def test_values_that_are_looked_for_have_somebody_who_does(command: str) -> None:
    """And who finds something where there is something."""
    options, arguments = completion_table.COMMANDS[command]
    named = [takes for _, _, takes, _ in options] + [takes for takes, _ in arguments]
    assert {takes for takes in named if isinstance(takes, str)} <= set(candidates.BY_NAME)


def test_options_have_a_text_and_values_as_declared() -> None:
    """One of each kind, as it stands in the table."""
    options = {name: option for option in completion_table.COMMANDS["echo"][0] for name in option[0]}
    assert options["--no-sni"] == (("--no-sni",), "do not send the server's name", None, False)
    assert options["--tls-min"][2] == tuple((version, "") for version in ("1.0", "1.1", "1.2", "1.3"))
    assert options["--profile"][2] == "profiles"
    assert (options["--ca"][2], options["--ca"][3]) == ((), True)
    assert completion_table.COMMANDS["echo"][1] == (("peers", False),)
