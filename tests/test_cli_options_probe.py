"""The options of `handshake-probe`; where they are used as users do is in test_cli_handshake_probe."""

import io
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.cli.options import AssociationOptions
from dicomtls.cli.options.probe import Named, ProbeOutputOptions, ProbingOptions
from dicomtls.config import Configuration, NamedPeer
from dicomtls.errors import UsageError
from dicomtls.peer import Peer

LIST = "# our devices\r\npacs.example\r\n\r\n  CT#1@ct1.example:11112  # the old one\n[::1]:104\n"
LISTED = [
    Named("pacs.example", Peer("pacs.example", 2762)),
    Named("CT#1@ct1.example:11112", Peer("ct1.example", 11112, "CT#1")),
    Named("[::1]:104", Peer("::1", 104)),
]


def named(peers: tuple[str, ...] = (), *, targets: str | None = None, no_tls: bool = False) -> list[Named]:
    """The peers of one command line."""
    return ProbingOptions(targets=targets).named(peers, AssociationOptions(), no_tls=no_tls)


def test_list_has_one_peer_a_line_with_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a file, with the mark that some editors begin it with or without, or from the standard input."""
    path = tmp_path / "peers.txt"
    path.write_bytes(b"\xef\xbb\xbf" + LIST.encode())
    assert named(targets=str(path)) == LISTED
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LIST.encode())))
    assert named(("first",), targets="-") == [Named("first", Peer("first", 2762)), *LISTED]


def test_port_by_default_is_that_of_plain_dicom_in_clear(tmp_path: Path) -> None:
    """In the list as on the command line."""
    (tmp_path / "peers.txt").write_text("b")
    assert [one.peer.port for one in named(("a",), targets=str(tmp_path / "peers.txt"), no_tls=True)] == [104, 104]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"good\n\na:b:c\n", r"peers\.txt, line 3: an IPv6 address needs brackets: 'a:b:c'"),
        (b"good\nhost:0\n", r"peers\.txt, line 2: nobody listens on port 0"),
        (b"# nothing\n\n", r"nobody to probe: .*peers\.txt lists no peer"),
        (b"\xff\xfea\0", r"cannot read the list of peers from .*peers\.txt: it is not text"),
    ],
)
def test_mistake_in_the_list_is_named_with_file_and_line(tmp_path: Path, content: bytes, message: str) -> None:
    """Before anybody is probed."""
    path = tmp_path / "peers.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        named(targets=str(path))


@given(st.binary() | st.text(alphabet="ab1:@[]#.% \t\r\n\\\0é").map(str.encode))
def test_any_list_is_read_or_refused(content: bytes) -> None:
    """Whatever stands in it: peers that an association can be asked of, or an error of usage."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        found = []
        with suppress(UsageError):
            found = named(targets=file.name)
    assert all(one.peer.host and 0 < one.peer.port <= 65535 for one in found)


def test_list_with_a_peer_that_has_settings_of_its_own_is_refused(tmp_path: Path) -> None:
    """They are not used for a list; who has none is called by its name."""
    path = tmp_path / "peers.txt"
    peers = {"ct": NamedPeer("ct", "192.0.2.7"), "mr": NamedPeer("mr", "192.0.2.8", settings={"no-sni": True})}
    association = AssociationOptions(configuration=Configuration(tmp_path / "dicomtls.toml", peers=peers))
    path.write_text("ct\n")
    assert ProbingOptions(targets=str(path)).named((), association, no_tls=False)[0].peer.host == "192.0.2.7"
    path.write_text("ct\nmr\n")
    with pytest.raises(UsageError, match="line 2: mr has settings of its own") as caught:
        ProbingOptions(targets=str(path)).named((), association, no_tls=False)
    assert caught.value.hints == ("with them: dicomtls peers check mr",)


@pytest.mark.parametrize("targets", ["/nowhere/peers.txt", "a\0b", "/"])
def test_list_that_cannot_be_read_is_an_error_of_usage(targets: str) -> None:
    """Missing, impossible, a folder."""
    with pytest.raises(UsageError, match="cannot read the list of peers from"):
        named(targets=targets)


def test_list_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """No memory is taken for more than any list can have."""
    monkeypatch.setattr("dicomtls.cli.options.probe._LARGEST_LIST", 1 << 20)
    with pytest.raises(UsageError, match="it has more than 1 MB"):
        named(targets="/dev/zero")


def test_nobody_named_is_an_error_of_usage() -> None:
    """With what to give."""
    with pytest.raises(UsageError, match="nobody to probe: no PEER is given") as caught:
        named()
    assert "--targets" in caught.value.hints[0]


@pytest.mark.parametrize(
    ("options", "form", "is_json"),
    [
        (ProbeOutputOptions(), "text", False),
        (ProbeOutputOptions(json=True), "json", True),
        (ProbeOutputOptions(format="json"), "json", True),
        (ProbeOutputOptions(format="json", json=True), "json", True),
        (ProbeOutputOptions(format="junit"), "junit", False),
    ],
)
def test_json_is_one_of_the_formats(options: ProbeOutputOptions, form: str, *, is_json: bool) -> None:
    """`--json` is `--format json`."""
    assert (options.chosen(), options.open("handshake-probe").json) == (form, is_json)


def test_two_formats_are_too_many() -> None:
    """And the file must be one that can be written."""
    with pytest.raises(UsageError, match="--json and --format junit contradict each other"):
        ProbeOutputOptions(json=True, format="junit").chosen()
    with pytest.raises(UsageError, match="the result cannot be written to /nowhere/result: there is no such folder"):
        ProbeOutputOptions(output=Path("/nowhere/result")).chosen()
