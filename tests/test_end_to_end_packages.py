"""The sdist and the wheel: they build, hold what they must and nothing else, and work where nothing else is."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from dicomtls import __version__
from tests.support.cli import serving
from tests.support.pki import PKI
from tests.support.quick_start import INSTANCES, follow_quick_start, section, type_into
from tests.support.source import REPOSITORY

DATA = {"dicomtls/py.typed", "dicomtls/tls/ffdhe2048.pem"}
SHARED = {
    "share/bash-completion/completions/dicomtls": "dicomtls.bash",
    "share/zsh/site-functions/_dicomtls": "_dicomtls",
    "share/fish/vendor_completions.d/dicomtls.fish": "dicomtls.fish",
}


def bare(home: Path, *folders: Path) -> list[str]:
    """Before a command: an environment with nothing but an empty home and a short `PATH`."""
    path = ":".join([*map(str, folders), "/usr/bin", "/bin"])
    return ["env", "-i", f"HOME={home}", f"PATH={path}", "LANG=C.UTF-8", "PIP_DISABLE_PIP_VERSION_CHECK=1"]


def run(*command: str | Path, cwd: Path, home: Path) -> str:
    """What a program says on stdout, in an empty home and outside of the source tree."""
    line = [*bare(home), *map(str, command)]
    done = subprocess.run(line, cwd=cwd, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def new_environment(folder: Path, *packages: str | Path, home: Path) -> Path:
    """Where the programs of a new virtual environment with these packages are."""
    run(sys.executable, "-m", "venv", folder, cwd=home, home=home)
    run(folder / "bin/python", "-m", "pip", "install", "--quiet", *packages, cwd=home, home=home)
    return folder / "bin"


def copy_of_the_tree(target: Path) -> Path:
    """What is under version control, as a fresh checkout has it: building must leave nothing in the tree."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        source = REPOSITORY / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(source.read_bytes())
    return target


@dataclass(frozen=True)
class Built:
    """The packages, the tree that they are from, and where the programs that built them are."""

    sdist: Path
    wheel: Path
    tree: Path
    tools: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Both packages, built once."""
    folder = tmp_path_factory.mktemp("packages")
    tree = copy_of_the_tree(folder / "tree")
    tools = new_environment(folder / "tools", "hatchling>=1.26", "pipx", home=folder)
    run(tools / "python", "-m", "hatchling", "build", "-d", folder / "dist", cwd=tree, home=folder)
    (sdist,), (wheel,) = (folder / "dist").glob("*.tar.gz"), (folder / "dist").glob("*.whl")
    return Built(sdist, wheel, tree, tools)


def test_oldest_dependencies_are_the_lower_bounds() -> None:
    """What `make test-oldest` installs is the oldest that the package allows, each of them."""
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    lower = {re.sub(r"[>,<].*", "", one): one.partition(">=")[2].partition(",")[0] for one in declared}
    installed = re.findall(r"^([\w-]+)==([\d.]+)$", (REPOSITORY / "tests" / "oldest.txt").read_text(), re.MULTILINE)
    assert {name: re.sub(r"(\.0)+$", "", version) for name, version in installed} == lower


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_packages_hold_what_they_must_and_nothing_else(built: Built, tmp_path: Path, home: Path) -> None:
    """The sdist has the tests too, and the wheel that is built from it is the same."""
    with zipfile.ZipFile(built.wheel) as archive:
        names = set(archive.namelist())
        for place, name in SHARED.items():
            shared = archive.read(f"dicomtls-{__version__}.data/data/{place}")
            assert shared == (REPOSITORY / "completions" / name).read_bytes()
    sources = {str(path.relative_to(built.tree)) for path in (built.tree / "dicomtls").rglob("*.*")}
    assert {name for name in names if name.startswith("dicomtls/")} == sources
    assert sources >= DATA
    apart = {f"dicomtls-{__version__}.dist-info", f"dicomtls-{__version__}.data"}
    assert {name.partition("/")[0] for name in names} == {"dicomtls", *apart}
    with tarfile.open(built.sdist) as packed:
        inside = {name.partition("/")[2] for name in packed.getnames()}
        packed.extractall(tmp_path, filter="data")
    assert inside >= {*sources, "pyproject.toml", "README.md", "LICENSE", "tests/conftest.py", "tests/oldest.txt"}
    (unpacked,) = tmp_path.glob("dicomtls-*")
    run(built.tools / "python", "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path, cwd=unpacked, home=home)
    assert (tmp_path / built.wheel.name).read_bytes() == built.wheel.read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_wheel_works_where_nothing_else_is(built: Built, tmp_path: Path, home: Path) -> None:
    """In a new environment the version, the demo and the library work."""
    new = new_environment(tmp_path / "new", built.wheel, home=home)
    for command in ((new / "dicomtls",), (new / "python", "-m", "dicomtls")):
        assert run(*command, "--version", cwd=tmp_path, home=home) == f"dicomtls {__version__}\n"
    assert "success (0x0000)" in run(new / "dicomtls", "demo", cwd=tmp_path, home=home)
    typed = run(new / "python", "-c", "import dicomtls; print(dicomtls.Peer('a', 1))", cwd=tmp_path, home=home)
    assert typed == "a:1\n"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_readme_leads_from_the_install_to_a_found_instance_and_a_report(
    built: Built, tmp_path: Path, home: Path
) -> None:
    """Line by line in a bare environment, from a checkout, by pipx as it says; nothing is configured."""
    programs = home / ".local" / "bin"
    (install,) = section("Install")
    done = type_into([*bare(home, programs, built.tools), "bash"], install.text, built.tree)
    assert done.exit_status == 0, done
    steps = follow_quick_start([*bare(home, programs), "bash"], tmp_path)
    assert steps[-1].exit_status == 0, steps[-1]
    assert len(list((tmp_path / "in").rglob("*.dcm"))) == INSTANCES
    (found,) = [step for step in steps if "dicomtls find" in step.typed]
    assert found.stdout == "Müller^Jürgen\t20240229\n"
    assert "<testsuite" in (tmp_path / "probe.xml").read_text()
    assert {place for place in SHARED if (home / ".local" / place).is_file()} == set(SHARED)


JOB = (REPOSITORY / "docs" / "recipes.md").read_text()
JOBS = {
    "GitHub": re.findall(r"^      - run: (.*)$", JOB, re.MULTILINE),
    "GitLab": re.findall(r"^    - (.*)$", JOB.partition("# GitLab")[2].partition("```")[0], re.MULTILINE),
}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("answers", [True, False])
def test_job_of_the_recipe_makes_a_report(
    built: Built, pki: PKI, tmp_path: Path, home: Path, name: str, *, answers: bool
) -> None:
    """As it stands there, with the wheel beside it; it fails when a system does not answer, and reports that too."""
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / built.wheel.name).write_bytes(built.wheel.read_bytes())
    for name_there, source in (("ca.pem", pki.ca), ("ci.pem", pki.client.cert), ("secret", pki.client.key)):
        (tmp_path / name_there).write_bytes(source.read_bytes())
    folders = [home / ".local" / "bin", built.tools]
    if name == "GitLab":
        folders = [new_environment(tmp_path / "image", "pip", home=home)]
    secret = (tmp_path / "secret").read_text() if name == "GitHub" else "secret"
    shell = [*bare(home, *folders), f"CI_KEY={secret}", "bash"]
    server = ("--ca", pki.ca, "--cert", pki.server.cert, "--key", pki.server.key)
    with serving(tmp_path / "in", *server) as running:
        peers = [f"localhost:{running.port}", *([] if answers else ["localhost:1"])]
        (tmp_path / "peers.txt").write_text("".join(f"{peer}\n" for peer in peers))
        done = type_into(shell, "\n".join(JOBS[name]), tmp_path)
    assert done.exit_status == (0 if answers else 3), done
    report = (tmp_path / "probe.xml").read_text()
    assert ("<failure" in report or "<error" in report) is not answers
