"""--trust-on-first-use: a peer is met, remembered, and refused once it shows another certificate."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Result, run_dicomtls
from tests.support.peers import pynetdicom_scp
from tests.support.pki import PKI, Identity, server_context
from tests.support.processes import reserved_port


def asked(port: int, pki: PKI, home: Path, *options: str, command: str = "echo") -> tuple[dict[str, Any], Result]:
    """What a client says that trusts nobody else."""
    own = ("--cert", pki.client.cert, "--key", pki.client.key)
    environment = {"XDG_DATA_HOME": str(home)}
    result = run_dicomtls(command, f"localhost:{port}", *own, *options, "--json", env=environment)
    document: dict[str, Any] = result.json()
    return document, result


@pytest.mark.parametrize("command", ["echo", "handshake-probe"])
def test_peer_is_met_once_and_refused_when_it_changes(pki: PKI, tmp_path: Path, command: str) -> None:
    """Until it is forgotten by hand; a stranger's first certificate is taken whatever its chain and name."""
    trust = ("--trust-on-first-use",)
    with pynetdicom_scp(server_context(pki, pki.self_signed)) as scp:
        assert asked(scp.port, pki, tmp_path, *trust, command=command)[1].exit_status == 0
        document, result = asked(scp.port, pki, tmp_path, *trust, command=command)
        assert (result.exit_status, document["tls"]["verified"]) == (0, True), result.stderr
        known = tmp_path / "dicomtls" / "known-peers.txt"
        line = known.read_text().splitlines()[1]
        assert line.startswith(f"localhost:{scp.port}\tsha256:{document['tls']['peer']['fingerprint_sha256']}\t")
        assert asked(scp.port, pki, tmp_path, command=command)[0]["error"]["code"] == "self-signed"
        known.write_text(known.read_text().replace(line.split("\t")[1], "sha256:" + "0" * 64))
        changed, result = asked(scp.port, pki, tmp_path, *trust, command=command)
        assert result.exit_status == 4
        assert (changed["error"]["code"], changed["error"]["by"]) == ("pin-mismatch", "us")
        assert any("peers forget" in hint for hint in changed["error"]["hints"])
        known.unlink()
        assert asked(scp.port, pki, tmp_path, *trust, command=command)[1].exit_status == 0


@pytest.mark.parametrize(("name", "code"), [("expired", "expired"), ("client_purpose", "wrong-purpose")])
def test_first_use_stands_for_no_dates_and_no_purpose(pki: PKI, tmp_path: Path, name: str, code: str) -> None:
    """And nothing is remembered of such a peer."""
    identity: Identity = getattr(pki, name)
    with pynetdicom_scp(server_context(pki, identity)) as scp:
        document, _ = asked(scp.port, pki, tmp_path, "--trust-on-first-use")
    assert document["error"]["code"] == code
    assert not (tmp_path / "dicomtls" / "known-peers.txt").exists()


def test_damaged_memory_is_no_first_meeting(pki: PKI, tmp_path: Path) -> None:
    """It is told before anybody is called."""
    (tmp_path / "dicomtls").mkdir()
    (tmp_path / "dicomtls" / "known-peers.txt").write_text("rubbish\n")
    with reserved_port() as port:
        document, result = asked(port, pki, tmp_path, "--trust-on-first-use")
    assert result.exit_status == 2
    assert document["error"]["code"] == "unreadable-file"


@pytest.mark.parametrize("other", [("--insecure",), ("--pin", "sha256:" + "0" * 64)])
def test_it_is_one_way_to_trust(pki: PKI, tmp_path: Path, other: tuple[str, ...]) -> None:
    """Two at once contradict each other."""
    with reserved_port() as port:
        document, result = asked(port, pki, tmp_path, "--trust-on-first-use", *other)
    assert (result.exit_status, document["error"]["code"]) == (2, "configuration")
