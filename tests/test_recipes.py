"""docs/recipes.md for Orthanc, stunnel and HAProxy: each configuration is run as it stands there, but for its paths."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.cli import Running, run_dicomtls, serving
from tests.support.instances import make_instances
from tests.support.markdown import blocks
from tests.support.peers import orthanc
from tests.support.pki import PKI
from tests.support.processes import PeerProcess, require, reserved_port, running
from tests.support.source import REPOSITORY

RECIPES = blocks((REPOSITORY / "docs" / "recipes.md").read_text(encoding="utf-8"))
CLIENT = ("--ca", "pki/ca.pem", "--cert", "pki/client.pem", "--key", "pki/client.key")


def recipe(language: str, word: str) -> str:
    """The block of that language which has that word."""
    (found,) = (block.text for block in RECIPES if block.language == language and word in block.text)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its first command, and a study to send."""
    made = tmp_path_factory.mktemp("recipes")
    done = run_dicomtls("certgen", "pki", "pki", "--name", "Clinic", "--host", "localhost", cwd=made)
    assert done.exit_status == 0, done.stderr
    done = run_dicomtls("certgen", "issue", "--ca-dir", "pki", "--name", "ws1", "--host", "x", "--out", "ws1", cwd=made)
    assert done.exit_status == 0, done.stderr
    (made / "pki/server.both.pem").write_text(
        (made / "pki/server.pem").read_text() + (made / "pki/server.key").read_text()
    )
    make_instances(made / "study", 2, pixel_bytes=1000)
    return made


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that knows no TLS."""
    with serving(tmp_path_factory.mktemp("device"), "--no-tls") as started:
        yield started


@contextmanager
def stunnel(folder: Path, device: Running) -> Iterator[PeerProcess]:
    """In the foreground, which a service of the system does not want."""
    program = require("stunnel4")
    with reserved_port() as port:
        text = recipe("ini", "verifyChain").replace("/etc/stunnel", str(folder / "pki"))
        text = text.replace("accept = 2762", f"accept = 127.0.0.1:{port}").replace(":104", f":{device.port}")
        path = folder / "stunnel.conf"
        path.write_text(f"foreground = yes\npid =\n{text}")
        with running([program, path], port) as peer:
            peer.wait_until(lambda: peer.listens_on(port), "listening port")
            yield peer


@contextmanager
def haproxy(folder: Path, device: Running) -> Iterator[PeerProcess]:
    """In the foreground, too."""
    program = require("haproxy")
    with reserved_port() as port:
        text = recipe("haproxy", "frontend").replace("/etc/haproxy", str(folder / "pki"))
        text = text.replace("bind :2762", f"bind 127.0.0.1:{port}").replace(":104", f":{device.port}")
        path = folder / "haproxy.cfg"
        path.write_text(text)
        with running([program, "-db", "-f", path], port) as peer:
            peer.wait_until(lambda: peer.listens_on(port), "listening port")
            yield peer


@pytest.mark.parametrize("proxy", [stunnel, haproxy])
def test_proxy_speaks_tls_for_a_device(proxy: object, folder: Path, device: Running) -> None:
    """Whoever has a certificate reaches the device; nobody else does."""
    with proxy(folder, device) as peer:  # type: ignore[operator]  # one of the two above
        address = f"localhost:{peer.port}"
        sent = run_dicomtls("store", address, "study", *CLIENT, "--json", cwd=folder)
        assert (sent.exit_status, sent.json()["sent"], sent.json()["tls"]["verified"]) == (0, 2, True), sent.stderr
        refused = run_dicomtls("echo", address, *CLIENT[:2], "--json", cwd=folder)
        assert refused.json()["error"]["code"] == "client-certificate-required"


def test_orthanc_is_reached_and_commits(pki: PKI, folder: Path, tmp_path: Path) -> None:
    """Both of its blocks together; the second command of that recipe, with other ports."""
    settings = json.loads(recipe("json", "DicomTlsEnabled").replace("/etc/orthanc", str(folder)))
    known = json.loads(recipe("json", "DicomModalities"))["DicomModalities"]
    with reserved_port() as port:
        known["ws1"].update(Host="127.0.0.1", Port=port)
        with orthanc(pki, tmp_path, modalities=known, settings={**settings, "DicomAlwaysAllowFind": False}) as peer:
            address = f"ORTHANC@localhost:{peer.port}"
            (line,) = (line for block in RECIPES for line in block.lines if "--commit" in line)
            words = line.replace("11113", str(port)).replace("ORTHANC@pacs.clinic.example:4242", address).split()
            done = run_dicomtls(*words[1:], "--json", cwd=folder)
            assert (done.exit_status, done.json()["sent"], done.json()["committed"]) == (0, 2, 2), done.stderr
            found = run_dicomtls("find", address, "--calling-aet", "WS1", *CLIENT, cwd=folder)
            assert (found.exit_status, len(found.stdout.splitlines())) == (0, 1), found.stderr


def test_recipes_are_found() -> None:
    """The instrument itself; what is replaced above is there."""
    assert re.search(r"accept = 2762\nconnect = 127\.0\.0\.1:104\n", recipe("ini", "verifyChain"))
    assert "bind :2762 ssl crt /etc/haproxy/server.both.pem" in recipe("haproxy", "frontend")
    assert '"/etc/orthanc/pki/ca.pem"' in recipe("json", "DicomTlsEnabled")
