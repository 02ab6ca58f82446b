"""dicomtls.remembered: one readable file, safe under parallel use, and mistakes in it told by their line."""

import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.errors import CredentialError
from dicomtls.remembered import RememberedPeers

ONE, OTHER = "1" * 64, "2" * 64


def test_peer_is_remembered_until_it_is_forgotten(tmp_path: Path) -> None:
    """By host, in any case, and port."""
    known = RememberedPeers(tmp_path / "new" / "folder")
    assert known.pin_of("pacs.example", 2762) is None
    assert known.all() == []
    known.remember("PACS.example.", 2762, ONE, "CN=pacs")
    known.remember("::1", 104, OTHER, "CN=\n\tx")
    assert known.pin_of("pacs.example", 2762) == f"sha256:{ONE}"
    assert known.pin_of("pacs.example", 104) is None
    assert [(one.address, one.subject) for one in known.all()] == [
        ("pacs.example:2762", "CN=pacs"),
        ("[::1]:104", "CN=??x"),
    ]
    assert known.path.read_text().startswith("# dicomtls:")
    assert known.forget("pacs.example", 2762)
    assert not known.forget("pacs.example", 2762)
    assert known.pin_of("pacs.example", 2762) is None
    assert known.pin_of("::1", 104) is not None
    assert known.pin_of("0:0:0:0:0:0:0:1", 104) == known.pin_of("::1", 104)
    assert known.pin_of("nonsense::%:", 104) is None
    assert known.forget("0:0::1", 104)


def test_same_certificate_twice_is_one_line_and_another_is_refused(tmp_path: Path) -> None:
    """Two processes may meet a peer at once; if they saw two, one of them was deceived."""
    known = RememberedPeers(tmp_path)
    known.remember("a", 1, ONE, "x")
    known.remember("a", 1, ONE, "x")
    assert len(known.all()) == 1
    with pytest.raises(CredentialError, match="with two certificates at once") as caught:
        known.remember("a", 1, OTHER, "x")
    assert "dicomtls peers forget a:1" in caught.value.hints[0]
    assert known.pin_of("a", 1) == f"sha256:{ONE}"


def test_nothing_to_forget_makes_no_file(tmp_path: Path) -> None:
    """Nor a folder."""
    known = RememberedPeers(tmp_path / "none")
    assert not known.forget("a", 1)
    assert not known.path.parent.exists()


def test_folder_that_cannot_be_looked_at_is_told() -> None:
    """Its name is too long, or nobody may look: not that nobody was remembered."""
    known = RememberedPeers(Path("a" * 300))
    for ask in (known.all, lambda: known.forget("a", 1)):
        with pytest.raises(CredentialError, match="file name too long"):
            ask()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x", "line 2 is not HOST:PORT"),
        (f"a:1\tsha256:{ONE}\t2026-01-01", "line 2"),
        (f"a:1\tsha256:{ONE[:-1]}\t2026-01-01\tx", "line 2"),
        (f"a:1\t{ONE}\t2026-01-01\tx", "line 2"),
    ],
)
def test_damaged_line_is_named_and_nothing_is_lost(tmp_path: Path, line: str, reason: str) -> None:
    """A peer must not become unknown, and so be trusted anew, because a line cannot be read."""
    known = RememberedPeers(tmp_path)
    known.path.write_text(f"# header\n{line}\n")
    for ask in (known.all, lambda: known.pin_of("b", 1), lambda: known.remember("b", 1, ONE, "x")):
        with pytest.raises(CredentialError, match=reason):
            ask()
    assert known.path.read_text() == f"# header\n{line}\n"


@given(content=st.binary(max_size=200))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """With one kind of error."""
    known = RememberedPeers(tmp_path_factory.mktemp("any"))
    known.path.write_bytes(content)
    try:
        found = known.all()
    except CredentialError:
        return
    assert all(one.pin.startswith("sha256:") for one in found)


def _remember_some(folder: Path, name: str) -> None:
    for number in range(5):
        RememberedPeers(folder).remember(name, number + 1, ONE, "x")


def test_processes_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each waits for the others."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_remember_some, args=(tmp_path, name)) for name in "abc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(40)
        assert process.exitcode == 0
    assert len(RememberedPeers(tmp_path).all()) == 15
