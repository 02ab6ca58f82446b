"""Commands and groups, and what running one imports."""

import json
import subprocess
import sys

import pytest

from tests.support.cli import dicomtls_environment
from tests.support.commands import command_paths

SCRIPT = """
import json, sys
from dicomtls.cli.app import main
status = main({arguments!r})
print(json.dumps([status, sorted(sys.modules)]), file=sys.stderr)
"""
HEAVY = {"rich", "cryptography", "pydicom", "pynetdicom", "sqlite3", "ssl"}
MOST_OF_OURS = 40


def modules_after(*arguments: str) -> set[str]:
    """The modules that are loaded when a successful `dicomtls ARGUMENTS` is done."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(arguments=list(arguments))],
        capture_output=True,
        text=True,
        check=True,
        env=dicomtls_environment(),
    )
    status, modules = json.loads(done.stderr)
    assert status == 0
    return set(modules)


@pytest.fixture(autouse=True)
def _unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes without coverage, which loads modules of its own."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


def test_top_level_help_imports_no_command() -> None:
    """The table is enough to list the commands."""
    modules = modules_after("--help")
    assert {name for name in modules if name.startswith("dicomtls.cli.echo")} == set()
    assert "dicomtls.cli.options" not in modules
    assert modules.isdisjoint(HEAVY)


def test_help_of_a_command_imports_only_that_command() -> None:
    """`echo --help` loads echo, none of the others, and nothing that only running it needs."""
    modules = modules_after("echo", "--help")
    assert "dicomtls.cli.echo" in modules
    others = ("store", "serve", "certgen", "demo")
    assert {name for name in modules if name.startswith(tuple(f"dicomtls.cli.{other}" for other in others))} == set()
    assert modules.isdisjoint(HEAVY)


def test_help_of_a_nested_command_imports_no_cryptography() -> None:
    """`certgen pki --help` says what it does without loading what it does it with."""
    modules = modules_after("certgen", "pki", "--help")
    assert "dicomtls.cli.certgen_pki" in modules
    assert modules.isdisjoint(HEAVY)


@pytest.mark.parametrize("path", command_paths(), ids=lambda path: " ".join(path) or "dicomtls")
def test_help_of_every_command_imports_little(path: tuple[str, ...]) -> None:
    """What a page takes to come is what it imports: half of it is Python's own and Typer's, all the rest is here."""
    modules = modules_after(*path, "--help")
    assert modules.isdisjoint(HEAVY)
    assert len({name for name in modules if name.startswith("dicomtls")}) < MOST_OF_OURS
