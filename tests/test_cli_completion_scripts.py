"""The scripts in `completions/`."""

from pathlib import Path

import pytest

from dicomtls.cli.completion_scripts import FILE_NAMES, write_scripts
from tests.support.cli import REPOSITORY, run_dicomtls

COMPLETIONS = REPOSITORY / "completions"


@pytest.mark.parametrize("shell", FILE_NAMES)
def test_script_is_what_the_program_generates(shell: str) -> None:
    """`_DICOMTLS_COMPLETE=source_SHELL dicomtls` prints the file, byte for byte; `make completions` mends it."""
    result = run_dicomtls(env={"_DICOMTLS_COMPLETE": f"source_{shell}"})
    assert (result.exit_status, result.stderr) == (0, "")
    assert (COMPLETIONS / FILE_NAMES[shell]).read_text(encoding="utf-8") == result.stdout


def test_all_scripts_are_written_and_no_other_is_kept(tmp_path: Path) -> None:
    """The make target writes exactly what lies in the folder."""
    write_scripts(tmp_path / "new")
    written = {path.name for path in (tmp_path / "new").iterdir()}
    assert written == set(FILE_NAMES.values()) == {path.name for path in COMPLETIONS.iterdir()}


def test_script_for_zsh_can_be_put_into_fpath() -> None:
    """zsh looks for the tag on the first line, and runs the file itself the first time."""
    lines = (COMPLETIONS / "_dicomtls").read_text().splitlines()
    assert lines[0] == "#compdef dicomtls"
    assert any("loadautofunc" in line for line in lines)
