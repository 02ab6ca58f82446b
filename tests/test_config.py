"""dicomtls.config: what a file says, where it is looked for, and how its mistakes are told."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.config import LARGEST, Configuration, NamedPeer, find_file, load, user_file
from dicomtls.errors import UsageError

KNOWN = ("ca", "cert", "key", "profile", "calling-aet", "connect-timeout", "no-sni", "pin")
EXAMPLE = """
[defaults]
calling-aet = "WS1"
ca = ["hospital-ca.pem", "/etc/other.pem"]
cert = "ws1.pem"
connect-timeout = 2.5
no-sni = true

[peers.pacs]
host = "pacs.hospital.example"
port = 2762
aet = "PACS"
profile = "bcp195-modified"

[peers.ct-1]
host = "192.0.2.7"
"""


def write(folder: Path, text: str) -> Path:
    """A configuration file."""
    path = folder / "dicomtls.toml"
    path.write_text(text)
    return path


def test_file_is_read_whole(tmp_path: Path) -> None:
    """Defaults, peers, numbers as text, paths relative to the file."""
    path = write(tmp_path, EXAMPLE)
    found = load(path, KNOWN)
    assert found.defaults == {
        "calling-aet": "WS1",
        "ca": [str(tmp_path / "hospital-ca.pem"), "/etc/other.pem"],
        "cert": str(tmp_path / "ws1.pem"),
        "connect-timeout": "2.5",
        "no-sni": True,
    }
    assert found.peers["pacs"] == NamedPeer(
        "pacs", "pacs.hospital.example", 2762, "PACS", {"profile": "bcp195-modified"}
    )
    assert found.peers["ct-1"] == NamedPeer("ct-1", "192.0.2.7")


def test_peer_wins_over_the_defaults(tmp_path: Path) -> None:
    """And nobody over them where there is no such peer."""
    found = load(write(tmp_path, EXAMPLE + 'calling-aet = "CT"\n'), KNOWN)
    assert found.settings_for("ct-1")["calling-aet"] == "CT"
    assert found.settings_for("ct-1")["no-sni"] is True
    assert found.settings_for("pacs")["calling-aet"] == found.settings_for(None)["calling-aet"] == "WS1"


@pytest.mark.parametrize(
    ("text", "error", "hint"),
    [
        (
            '[defaults]\ncallingaet = "X"',
            "'callingaet' is not a key of [defaults] (line 2)",
            "did you mean calling-aet?",
        ),
        ('[peers.a]\nhost = "x"\nprot = 1', "'prot' is not a key of [peers.a] (line 3)", "did you mean port?"),
        ("[default]", "'default' is not a section (line 1)", "did you mean defaults?"),
        ("[peers.a]\nport = 1", "[peers.a] has no host (line 1)", 'add host = "ADDRESS"'),
        ('[peers.a]\nhost = "x"\nport = 70000', "is not a number from 1 to 65535 (line 3)", "README"),
        ('[peers.a]\nhost = "x"\nport = true', "is not a number from 1 to 65535", "README"),
        ('[peers.a]\nhost = "x"\naet = 1', "the aet of [peers.a] is not text (line 3)", "README"),
        ('[peers."a b"]\nhost = "x"', "not a name for a peer: 'a b'", "a letter or a digit"),
        ("[defaults]\nca = {}", "a list of texts (line 2)", "README"),
        ("[defaults]\nca = [[1]]", "ca of [defaults] is none of text", "README"),
        ('[defaults]\nca = ""', "ca is an empty path (line 2)", "leave the line out"),
        ('[defaults]\nkey = "a\\u0000b"', "key holds a NUL character (line 2)", "take it out"),
        ('[defaults]\nca = ["a", "\\u0000"]', "ca holds a NUL character (line 2)", "take it out"),
        (
            '[defaults]\nca = "~nobody-of-that-name/x"',
            "in the home of nobody: '~nobody-of-that-name/x' (line 2)",
            "write the whole path",
        ),
        ("defaults = 1", "defaults is a section of its own", "README"),
        ("x = ]\n", "(at line 1, column 5)", "README"),
        ("[a]\n" * 2, "line 2", "README"),
    ],
)
def test_mistake_is_told_with_its_place(tmp_path: Path, text: str, error: str, hint: str) -> None:
    """The file, the key, the line, and the nearest that there is."""
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load(path, KNOWN)
    assert caught.value.message.startswith(f"{path}: ")
    assert error in caught.value.message
    assert hint in caught.value.hints[0]


def test_origin_is_where_the_value_is_from(tmp_path: Path) -> None:
    """The peer's own line where it has one, else that of the defaults; none where it stands in braces."""
    text = '# x\n[defaults]\nca = "a"\nprofile = "b"\n\n[peers."pacs.example"] # ca\nhost = "x"\n"ca" = "c"\n'
    path = write(tmp_path, text)
    found = load(path, KNOWN)
    assert found.origin("ca", "pacs.example") == f"{path}: ca (line 8)"
    assert found.origin("ca", None) == found.origin("ca", "other") == f"{path}: ca (line 3)"
    assert found.origin("profile", "pacs.example") == f"{path}: profile (line 4)"
    path.write_text('defaults = { ca = "a" }\n')
    assert load(path, KNOWN).origin("ca", None) == f"{path}: ca"


@given(st.text(max_size=80) | st.text("[]peersdefaults.=\"'\n{},1", max_size=60))
def test_any_text_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """With one kind of error."""
    path = tmp_path_factory.getbasetemp() / f"any{os.getpid()}.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(UsageError):
        assert isinstance(load(path, KNOWN), Configuration)


def test_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Missing, a folder, too large, another encoding, nested without end."""
    huge = tmp_path / "huge.toml"
    huge.write_bytes(b"#" * (LARGEST + 1))
    latin = tmp_path / "latin.toml"
    latin.write_bytes("# ü".encode("latin-1"))
    deep = write(tmp_path, "a = " + "[" * 5000)
    for path in (tmp_path / "missing.toml", tmp_path, huge, latin, deep):
        with pytest.raises(UsageError, match=str(path)):
            load(path, KNOWN)


def test_no_file_is_no_configuration() -> None:
    """Nothing is set, and nobody is known."""
    assert load(None, KNOWN) == Configuration()


def test_file_is_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one given, the variable's, that of the working folder, the user's own."""
    home, work = tmp_path / "home", tmp_path / "work"
    own = home / "dicomtls" / "dicomtls.toml"
    own.parent.mkdir(parents=True)
    work.mkdir()
    monkeypatch.chdir(work)
    environment = {"XDG_CONFIG_HOME": str(home)}
    assert find_file(None, environment) is None
    own.touch()
    assert find_file(None, environment) == user_file(environment) == own
    Path("dicomtls.toml").touch()
    assert find_file(None, environment) == Path("dicomtls.toml")
    named = {**environment, "DICOMTLS_CONFIG": "elsewhere.toml"}
    assert find_file(None, named) == Path("elsewhere.toml")
    assert find_file(Path("given.toml"), named) == Path("given.toml")


def test_home_is_meant_by_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a shell."""
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    found = load(write(tmp_path, '[defaults]\nca = "~/ca.pem"\nprofile = "~"'), KNOWN)
    assert found.defaults == {"ca": str(tmp_path / "me" / "ca.pem"), "profile": "~"}


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (NamedPeer("a", "pacs.example"), "pacs.example:2762"),
        (NamedPeer("a", "pacs.example", 11112, "PACS"), "PACS@pacs.example:11112"),
        (NamedPeer("a", "::1", None, None, {"no-tls": True}), "[::1]:104"),
    ],
)
def test_address_is_written_as_it_would_be_typed(peer: NamedPeer, address: str) -> None:
    """With the port that holds."""
    assert peer.address() == address


def test_any_key_will_do_where_none_is_known(tmp_path: Path) -> None:
    """For a shell's TAB, which wants the names alone; what is wrong otherwise is still refused."""
    path = write(tmp_path, '[peers.a]\nhost = "x"\nnix = "y"\n')
    assert [*load(path, None).peers] == ["a"]
    with pytest.raises(UsageError, match="nix"):
        load(path, KNOWN)
    with pytest.raises(UsageError, match="no host"):
        load(write(tmp_path, "[peers.a]\n"), None)
