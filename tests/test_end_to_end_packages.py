"""The sdist and the wheel: they build, hold what they must and nothing else, and work where nothing else is."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from dicomtls import __version__
from tests.support.source import REPOSITORY

DATA = {"dicomtls/py.typed", "dicomtls/tls/ffdhe2048.pem"}


def run(*command: str | Path, cwd: Path, home: Path) -> str:
    """What a program says on stdout, in an empty home and outside of the source tree."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "LANG": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def copy_of_the_tree(target: Path) -> Path:
    """What is under version control, as a fresh checkout has it: building must leave nothing in the tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        source = REPOSITORY / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(source.read_bytes())
    return target


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_packages_build_install_and_run(tmp_path: Path, home: Path) -> None:
    """From the sdist a wheel, from the wheel a new environment, in which the version and the demo work."""
    tree = copy_of_the_tree(tmp_path / "tree")
    build = tmp_path / "build"
    run(sys.executable, "-m", "venv", build, cwd=tmp_path, home=home)
    run(build / "bin/python", "-m", "pip", "install", "--quiet", "hatchling>=1.26", cwd=tmp_path, home=home)
    dist = tmp_path / "dist"
    run(build / "bin/python", "-m", "hatchling", "build", "-d", dist, cwd=tree, home=home)
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")

    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    sources = {str(path.relative_to(tree)) for path in (tree / "dicomtls").rglob("*.*")}
    assert {name for name in names if name.startswith("dicomtls/")} == sources
    assert sources >= DATA
    assert {name.partition("/")[0] for name in names} == {"dicomtls", f"dicomtls-{__version__}.dist-info"}
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert inside >= {*sources, "pyproject.toml", "README.md", "LICENSE", "completions/_dicomtls", "tests/conftest.py"}

    new = tmp_path / "new"
    run(sys.executable, "-m", "venv", new, cwd=tmp_path, home=home)
    run(new / "bin/python", "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path, home=home)
    for command in ((new / "bin/dicomtls",), (new / "bin/python", "-m", "dicomtls")):
        assert run(*command, "--version", cwd=tmp_path, home=home) == f"dicomtls {__version__}\n"
    assert "success (0x0000)" in run(new / "bin/dicomtls", "demo", cwd=tmp_path, home=home)
    typed = run(new / "bin/python", "-c", "import dicomtls; print(dicomtls.Peer('a', 1))", cwd=tmp_path, home=home)
    assert typed == "a:1\n"
