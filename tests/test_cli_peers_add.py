"""`dicomtls peers add`."""

import pytest

from tests.support.peer_files import PeerFiles, peer_files

__all__ = ["peer_files"]


def test_peer_is_written_into_the_users_own_file(peer_files: PeerFiles) -> None:
    """Which is made, and read again."""
    result = peer_files.peers("add", "pacs", "PACS@pacs.example:11112", "--set", "profile=bcp195-modified")
    assert result.exit_status == 0, result.stderr
    path = peer_files.home / "config" / "dicomtls" / "dicomtls.toml"
    assert path.read_text() == (
        '[peers.pacs]\nhost = "pacs.example"\nport = 11112\naet = "PACS"\nprofile = "bcp195-modified"\n'
    )
    assert "pacs  PACS@pacs.example:11112" in peer_files.peers("list").stdout


def test_what_is_there_stays_as_it_is(peer_files: PeerFiles) -> None:
    """Comments too."""
    before = '# ours\n[defaults]\ncalling-aet = "X"'
    path = peer_files.write(before)
    assert peer_files.peers("add", "ct.1", "192.0.2.7", "--set", "no-sni=true").exit_status == 0
    assert path.read_text() == before + '\n\n[peers."ct.1"]\nhost = "192.0.2.7"\nno-sni = true\n'


def test_files_are_those_of_the_working_folder(peer_files: PeerFiles) -> None:
    """As they were typed, and completed: into another folder's configuration goes the whole path."""
    work = peer_files.folder
    given = ("--set", "ca=../ca.pem", "--set", "cert=ws1.pem", "--set", "key=/etc/ws1.key", "--set", "keylog=~/keys")
    assert peer_files.peers("add", "pacs", "192.0.2.7", *given).exit_status == 0
    (written,) = (peer_files.home / "config").rglob("dicomtls.toml")
    assert written.read_text().splitlines()[2:] == [
        f'ca = "{work / ".." / "ca.pem"}"',
        f'cert = "{work / "ws1.pem"}"',
        'key = "/etc/ws1.key"',
        'keylog = "~/keys"',
    ]
    beside = peer_files.write("")
    assert peer_files.peers("add", "pacs", "192.0.2.7", *given[:4]).exit_status == 0
    assert beside.read_text().splitlines()[2:] == ['ca = "../ca.pem"', 'cert = "ws1.pem"']


def test_file_that_is_named_is_made(peer_files: PeerFiles) -> None:
    """Where it is not there yet; the other commands say that it is missing."""
    path = peer_files.home / "new" / "mine.toml"
    missing = peer_files.peers("list", "--config", path)
    assert (missing.exit_status, "cannot read the configuration" in missing.stderr) == (2, True)
    added = peer_files.peers("add", "pacs", "192.0.2.7", "--config", path)
    assert added.exit_status == 0, added.stderr
    assert path.read_text() == '[peers.pacs]\nhost = "192.0.2.7"\n'
    assert "pacs  192.0.2.7:2762" in peer_files.peers("list", "--config", path).stdout


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("old", "x"), "has a peer called old already"),
        (("new", "x", "--set", "profil=aes"), "'profil' is not a key of [peers.new]"),
        (("new", "x", "--set", "profile"), "not KEY=VALUE: 'profile'"),
        (("a b", "x"), "not a name for a peer: 'a b'"),
        (("new", "x:99999"), "not a TCP port"),
        (("new", "TOO LONG AN AE TITLE@x"), "has more than 16 characters"),
    ],
)
def test_mistake_changes_nothing(peer_files: PeerFiles, arguments: tuple[str, ...], error: str) -> None:
    """The file is as it was."""
    before = '[peers.old]\nhost = "x"\n'
    path = peer_files.write(before)
    result = peer_files.peers("add", *arguments)
    assert result.exit_status == 2
    assert error in result.stderr
    assert path.read_text() == before
