"""The scripts in `completions/`."""

import pytest

from dicomtls.cli.completion_scripts import FILE_NAMES, LINE, script
from tests.support.cli import REPOSITORY, run_dicomtls

COMPLETIONS = REPOSITORY / "completions"


@pytest.mark.parametrize("shell", FILE_NAMES)
def test_script_is_what_the_program_generates(shell: str) -> None:
    """`_DICOMTLS_COMPLETE=source_SHELL dicomtls` prints the file, byte for byte; `make completions` mends it."""
    result = run_dicomtls(env={"_DICOMTLS_COMPLETE": f"source_{shell}"})
    assert (result.exit_status, result.stderr) == (0, "")
    assert (COMPLETIONS / FILE_NAMES[shell]).read_text(encoding="utf-8") == result.stdout


def test_script_for_zsh_can_be_put_into_fpath() -> None:
    """zsh looks for the tag on the first line, and runs the file itself the first time."""
    lines = (COMPLETIONS / "_dicomtls").read_text().splitlines()
    assert lines[0] == "#compdef dicomtls"
    assert any("loadautofunc" in line for line in lines)


def test_script_for_windows_is_that_of_powershell() -> None:
    """Its newer program has another name."""
    assert script("pwsh") == script("powershell")


@pytest.mark.parametrize("name", FILE_NAMES)
def test_script_says_what_it_asks_for(name: str) -> None:
    """No place of the template is left empty."""
    assert "@" not in script(name).replace('"$@"', "").replace("COMPREPLY[@]", "")
    assert LINE in script(name)
    assert f"complete_{name}" in script(name)
