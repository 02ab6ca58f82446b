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
        completion_table.OPTIONS,
        completion_table.COMMANDS,
    ]


@pytest.mark.parametrize("command", completion_table.COMMANDS)
def test_values_that_are_looked_for_have_somebody_who_does(command: str) -> None:
    """And who finds something where there is something."""
    keys, arguments = completion_table.COMMANDS[command]
    named = [completion_table.OPTIONS[key][2] for key in keys] + [takes for takes, _ in arguments]
    assert {takes for takes in named if isinstance(takes, str)} <= set(candidates.BY_NAME)


def test_options_have_a_text_and_values_as_declared() -> None:
    """One of each kind, as it stands in the table."""
    options = {key: completion_table.OPTIONS[key] for key in completion_table.COMMANDS["echo"][0]}
    assert options["--no-sni"] == (("--no-sni",), "do not send the server's name", None, False)
    assert options["--tls-min"][2] == tuple((version, "") for version in ("1.0", "1.1", "1.2", "1.3"))
    assert options["--profile"][2] == "profiles"
    assert (options["--ca"][2], options["--ca"][3]) == ((), True)
    assert completion_table.COMMANDS["echo"][1] == (("peers", False),)


def test_option_that_commands_have_unlike_is_there_for_each() -> None:
    """And once only where they have it alike."""
    keys = {command: completion_table.COMMANDS[command][0] for command in ("echo", "store", "find", "get")}
    assert "--ca" in set(keys["echo"]) & set(keys["store"]) & set(keys["find"])
    assert "--query-key" in keys["find"]
    assert "--query-key" not in keys["get"]
    assert len(set(completion_table.OPTIONS.values())) == len(completion_table.OPTIONS)
