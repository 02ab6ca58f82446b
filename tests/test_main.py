"""Where the process begins and ends."""

import subprocess
from pathlib import Path

import pytest

from dicomtls import __version__
from tests.support.cli import dicomtls_command, dicomtls_environment, run_dicomtls

FULL = Path("/dev/full")
WITHOUT_STREAMS = 'exec "$@" >&- 2>&-'


def test_version_is_printed_alone() -> None:
    """`--version` prints the program's name and version, and nothing else."""
    result = run_dicomtls("--version")
    assert (result.stdout, result.stderr, result.exit_status) == (f"dicomtls {__version__}\n", "", 0)


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has /dev/full")
@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["echo", "--json"]])
def test_lost_output_is_an_error_of_this_machine(arguments: list[str]) -> None:
    """A disk that is full under the standard output ends in exit status 6 and one error, not in a traceback."""
    with FULL.open("w") as full:
        done = subprocess.run(
            dicomtls_command(*arguments),
            stdout=full,
            stderr=subprocess.PIPE,
            env=dicomtls_environment(),
            text=True,
            check=False,
        )
    assert done.returncode == 6
    assert done.stderr.startswith("dicomtls: error: cannot write to the standard output: no space left on device\n")


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has /dev/full")
def test_lost_messages_are_no_error() -> None:
    """When stderr cannot be written there is nobody to tell; the exit status stays what it is."""
    with FULL.open("w") as full:
        done = subprocess.run(dicomtls_command("nix"), stderr=full, env=dicomtls_environment(), check=False)
    assert done.returncode == 2


@pytest.mark.parametrize(("arguments", "expected"), [(["--version"], 0), (["--help"], 0), (["nix"], 2)])
def test_closed_streams_do_no_harm(arguments: list[str], expected: int) -> None:
    """A caller may close both streams; the exit status is the same."""
    command = ["sh", "-c", WITHOUT_STREAMS, "sh", *dicomtls_command(*arguments)]
    assert subprocess.run(command, env=dicomtls_environment(), check=False).returncode == expected


@pytest.mark.parametrize(("arguments", "expected"), [(["--help"], 0), (["nix", "--json"], 2)])
def test_reader_that_has_gone_ends_the_program_quietly(arguments: list[str], expected: int) -> None:
    """A broken pipe is no error of ours: no complaint, and the exit status of what was asked for."""
    process = subprocess.Popen(
        dicomtls_command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dicomtls_environment()
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process, process.stderr as stderr:
        said = stderr.read().decode()
    assert process.returncode == expected
    assert "Broken pipe" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("instruction", ["source_tcsh", "complete_tcsh"])
def test_completion_for_an_unknown_shell_is_refused(instruction: str) -> None:
    """It gets an error, not a traceback."""
    result = run_dicomtls(env={"_DICOMTLS_COMPLETE": instruction})
    assert (result.stdout, result.exit_status) == ("", 2)
    assert "no completion for the shell 'tcsh'" in result.stderr


def test_text_survives_a_locale_that_cannot_write_it() -> None:
    """What the terminal's encoding lacks is escaped, not a crash."""
    result = run_dicomtls("zürich", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert result.exit_status == 2
    assert "no such command: z\\xfcrich" in result.stderr
