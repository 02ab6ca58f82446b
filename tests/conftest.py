"""What holds for every test: an environment of its own, and the PKI of the run."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import hypothesis
import pytest

from tests.support.authority import certgen
from tests.support.cases import Entry, write_cases
from tests.support.following import bench
from tests.support.pki import PKI, shared_pki
from tests.support.source import REPOSITORY, visible_names

__all__ = ["bench", "certgen"]

# Whatever of the user's environment could change what dicomtls, OpenSSL, DCMTK or a terminal library does.
FOREIGN_PREFIXES = ("DICOMTLS_", "_DICOMTLS_", "XDG_", "SSL_CERT_", "OPENSSL_", "CLICOLOR", "DCM", "TCP_")
FOREIGN_VARIABLES = frozenset(
    {
        "ALL_PROXY",
        "COLORTERM",
        "COLUMNS",
        "FORCE_COLOR",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "LC_ALL",
        "LINES",
        "NO_COLOR",
        "PYTHONDONTWRITEBYTECODE",  # each of thousands of processes would compile it all again
        "PYTHONIOENCODING",
        "SSLKEYLOGFILE",
        "TERM",
        "TTY_COMPATIBLE",
    }
)
# Times on a machine that runs several things at once prove nothing.
hypothesis.settings.register_profile(
    "dicomtls",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
hypothesis.settings.load_profile("dicomtls")


def _clean_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(FOREIGN_PREFIXES) or name.upper() in FOREIGN_VARIABLES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for variable, folder in (
        ("CONFIG", ".config"),
        ("DATA", ".local/share"),
        ("STATE", ".local/state"),
        ("CACHE", ".cache"),
    ):
        monkeypatch.setenv(f"XDG_{variable}_HOME", str(home / folder))
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture(scope="session", autouse=True)
def _clean_run(tmp_path_factory: pytest.TempPathFactory) -> object:
    """The same for peers that live longer than one test."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        _clean_environment(tmp_path_factory.mktemp("home"), monkeypatch)
        yield


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left_in_the_tree() -> object:
    """Programs write where they are started: no test may start one in the source tree."""
    before = visible_names(REPOSITORY)
    yield
    assert visible_names(REPOSITORY) <= before


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where they are. Pytest would look for a free number among all that there are: seconds, with some thousands."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in count())


@pytest.fixture(autouse=True)
def home(_homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for every test: no configuration, no pins, no identity; subprocesses inherit it."""
    home = next(_homes)
    home.mkdir()
    _clean_environment(home, monkeypatch)
    return home


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> PKI:
    """The PKI of the run, shared between workers; see `tests.support.pki` for the roles."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    return shared_pki(shared / "pki")


@pytest.fixture(scope="session")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    """The cases of a test set as `certgen test-set` writes it, for reading only."""
    return write_cases(tmp_path_factory.mktemp("cases"))
