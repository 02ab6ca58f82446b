"""What README shows can be done as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.cli import run_dicomtls, serving

README = Path(__file__).parent.parent / "README.md"
CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_python_of_readme_works_when_it_is_run_as_one_script(tmp_path: Path) -> None:
    """Our contexts serve pynetdicom, and our own echo answers, with the PKI of the quick start."""
    made = run_dicomtls("certgen", "pki", "pki", "--name", "Clinic", "--host", "localhost", cwd=tmp_path)
    assert made.exit_status == 0, made.stderr
    tls = ("--ca", "pki/ca.pem", "--cert", "pki/server.pem", "--key", "pki/server.key")
    options = [tmp_path / option if "/" in option else option for option in tls]
    blocks = CODE.findall(README.read_text())
    assert len(blocks) == 2
    with serving(tmp_path / "in", *options) as server:
        script = "\n".join(blocks).replace("2762", str(server.port))
        ended = subprocess.run(
            [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False
        )
    assert ended.returncode == 0, ended.stderr
    status, round_trips = ended.stdout.splitlines()
    assert status == "0"
    assert re.fullmatch(r"\(\d+\.\d+,\)", round_trips)


def test_every_command_of_readme_is_one_that_help_lists() -> None:
    """The table of commands and the help of the program name the same."""
    named = set(re.findall(r"^\| `(?!dicomtls)([\w-]+)", README.read_text(), re.MULTILINE))
    listed = set(re.findall(r"^  (\w[\w-]+)  ", run_dicomtls("--help").stdout, re.MULTILINE))
    assert named == listed
