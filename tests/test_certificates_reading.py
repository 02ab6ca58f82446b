"""dicomtls.certificates.reading: credential files are read bounded, and only where reading ends."""

import os
import socket
from pathlib import Path

import pytest

from dicomtls.certificates import reading
from dicomtls.certificates.reading import MAXIMUM_SIZE, files_in, read
from dicomtls.errors import CredentialError


def _refusal(path: Path) -> CredentialError:
    with pytest.raises(CredentialError) as caught:
        read(path)
    assert caught.value.code == "unreadable-file"
    return caught.value


def test_regular_file_is_read_whole(tmp_path: Path) -> None:
    """Also through a symbolic link, as the system's folder of certificates has them."""
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read(tmp_path / "file") == read(tmp_path / "link") == b"content"


def test_missing_file_is_named(tmp_path: Path) -> None:
    """Unlike Python's `ssl`, the error says which file is missing."""
    assert str(_refusal(tmp_path / "nope.pem")) == f"cannot read {tmp_path}/nope.pem: no such file or directory"


def test_impossible_name_is_refused() -> None:
    """A NUL in a path is an error like any other."""
    assert "no such name can exist" in str(_refusal(Path("a\0b")))


def test_fifo_is_refused_at_once(tmp_path: Path) -> None:
    """Nobody writes into it, and reading does not wait for somebody."""
    os.mkfifo(tmp_path / "fifo")
    refusal = _refusal(tmp_path / "fifo")
    assert "is a FIFO (pipe), not a regular file" in str(refusal)
    assert refusal.hints


def test_fifo_is_refused_when_it_takes_a_file_s_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that became a FIFO after it was looked at does not hang us either."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").touch()
    monkeypatch.setattr(Path, "stat", lambda _self: os.stat(tmp_path / "file"))  # noqa: PTH116 - the method is replaced
    assert "FIFO" in str(_refusal(tmp_path / "fifo"))


def test_device_folder_and_socket_are_refused(tmp_path: Path) -> None:
    """Neither has an end or a content."""
    assert "is a device" in str(_refusal(Path("/dev/zero")))
    assert "is a folder" in str(_refusal(tmp_path))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        assert "is a socket" in str(_refusal(tmp_path / "s"))


def test_large_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A terabyte takes no memory."""
    path = tmp_path / "large"
    path.touch()
    os.truncate(path, 1 << 40)
    assert "larger than 8 MB" in str(_refusal(path))
    os.truncate(path, MAXIMUM_SIZE)
    assert len(read(path)) == MAXIMUM_SIZE


def test_folder_gives_its_files_by_name(tmp_path: Path) -> None:
    """Links to files count, subfolders, dangling links and FIFOs do not."""
    for name in ("b", "a"):
        (tmp_path / name).touch()
    (tmp_path / "c").symlink_to("a")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    assert [path.name for path in files_in(tmp_path)] == ["a", "b", "c"]


def test_folder_is_refused_when_it_is_missing_or_crowded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of a million entries is refused before they are listed in memory."""
    with pytest.raises(CredentialError, match="cannot read"):
        list(files_in(tmp_path / "nope"))
    monkeypatch.setattr(reading, "MAXIMUM_FILES", 2)
    for name in "abc":
        (tmp_path / name).touch()
    with pytest.raises(CredentialError, match="more than 2 entries"):
        list(files_in(tmp_path))
