"""Other interpreters of this machine, and what dicomtls says there of handshakes with itself."""

import json
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.source import REPOSITORY

OTHER_PYTHONS = ("3.12", "3.13", "3.14")


def find_python(version: str) -> str:
    """Another interpreter of this machine, on PATH or under the user's pyenv; the test is skipped without."""
    versions = Path(os.environ.get("PYENV_ROOT") or Path(pwd.getpwuid(os.getuid()).pw_dir, ".pyenv")) / "versions"
    candidates = [shutil.which(f"python{version}"), *map(str, sorted(versions.glob(f"{version}.*/bin/python")))]
    for candidate in filter(None, candidates):
        probe = [candidate, "-c", "import ssl, sys; print('%d.%d' % sys.version_info[:2])"]
        done = subprocess.run(probe, capture_output=True, text=True, check=False, timeout=30)
        if done.stdout.strip() == version:  # a shim of pyenv may stand there for nothing
            return candidate
    pytest.skip(f"there is no Python {version} here")


def run_on(python: str, *arguments: str, stdin: str) -> str:
    """What that Python writes when it runs these arguments in this tree, with every warning an error."""
    done = subprocess.run(
        [python, "-W", "error", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        env={"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def verdicts(python: str, cases: list[dict[str, Any]]) -> list[Any]:
    """What both ends say of each case on that Python."""
    said = run_on(python, str(REPOSITORY / "tests" / "support" / "verdicts.py"), stdin=json.dumps(cases))
    found: list[Any] = json.loads(said)
    return found
