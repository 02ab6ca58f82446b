"""The targets of inspect-cert: what wins, and what each kind needs."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicomtls.certificates.load import load_certificates
from dicomtls.cli.app import main
from tests.support.chains import issue
from tests.support.cli import Running, run_dicomtls, serving
from tests.support.faults import crl
from tests.support.pki import PKI


@pytest.fixture(scope="module")
def server(pki: PKI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A peer that demands a client certificate."""
    options = ("--ca", pki.ca, "--cert", pki.chained.cert, "--key", pki.chained.key)
    with serving(tmp_path_factory.mktemp("in"), *options) as running:
        yield running


def test_chain_of_a_peer_is_fetched_though_it_wants_a_certificate(
    server: Running, pki: PKI, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is judged as echo would, and kept whole; what is there is not replaced."""
    saved = tmp_path / "chain.pem"
    arguments = ["inspect-cert", f"localhost:{server.port}", "--ca", str(pki.ca), "--save", str(saved), "--json"]
    assert main(arguments) == 0
    written = json.loads(capsys.readouterr().out)
    assert (written["kind"], written["peer"]["port"], written["tls"]["protocol"]) == ("peer", server.port, "TLSv1.3")
    assert load_certificates(saved) == load_certificates(pki.chained.cert)
    assert main(arguments) == 2
    assert main([*arguments, "--force"]) == 0


def test_peer_is_judged_by_its_name_and_its_issuer(
    server: Running, pki: PKI, capsys: pytest.CaptureFixture[str]
) -> None:
    """The name is that of the address, unless --host says another."""
    target = f"127.0.0.1:{server.port}"
    assert main(["inspect-cert", target]) == 0
    assert "not checked: chain" in capsys.readouterr().out
    assert main(["inspect-cert", target, "--host", "pacs.example"]) == 1
    assert "[name-mismatch]" in capsys.readouterr().out
    assert main(["inspect-cert", target, "--ca", str(pki.other_ca)]) == 1
    assert "[incomplete-chain]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "code"),
    [("", None), ('ca = "OTHER"', "incomplete-chain"), ('server-name = "other.example"', "name-mismatch")],
)
def test_peer_of_the_configuration_is_judged_by_what_holds_for_it(
    server: Running, pki: PKI, tmp_path: Path, settings: str, code: str | None
) -> None:
    """Its address, trust anchors and name; but `key` there is ours, and no leaf has to belong to it."""
    (tmp_path / "dicomtls.toml").write_text(
        f'[defaults]\nca = "{pki.ca}"\ncert = "{pki.client.cert}"\nkey = "{pki.client.key}"\n'
        f'[peers.pacs]\nhost = "localhost"\nport = {server.port}\n{settings.replace("OTHER", str(pki.other_ca))}\n'
    )
    ended = run_dicomtls("inspect-cert", "pacs", "--json", cwd=tmp_path)
    errors = [one["code"] for one in ended.json()["findings"] if one["severity"] == "error"]
    assert errors == ([] if code is None else [code])
    assert ended.exit_status == (0 if code is None else 1)
    several = run_dicomtls("inspect-cert", "pacs", str(pki.server.cert), cwd=tmp_path)
    assert several.exit_status == (2 if settings else 0), several.stderr
    assert ("hint: name it alone: dicomtls inspect-cert pacs\n" in several.stderr) == bool(settings)


def test_file_wins_over_a_peer(pki: PKI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same name; --save is then out of place."""
    monkeypatch.chdir(tmp_path)
    Path("localhost").write_bytes(pki.server.cert.read_bytes())
    assert main(["inspect-cert", "localhost"]) == 0
    assert main(["inspect-cert", "localhost", "--save", "x"]) == 2


def test_list_and_request_are_told_before_what_is_wrong_with_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whose name a list bears must have signed it, and a request its own key; without --ca that is not checked."""
    root, other = issue("root", is_ca=True), issue("root", is_ca=True)
    for name, content in (("list.pem", crl(root)), ("root.pem", root.pem), ("other.pem", other.pem)):
        (tmp_path / name).write_bytes(content)
    target = str(tmp_path / "list.pem")
    for ca, status, last in (
        (("--ca", "root.pem"), 0, "nothing wrong was found"),
        (("--ca", "other.pem"), 1, "[bad-signature]"),
        ((), 0, "not checked: signature of the revocation list of CN=root"),
    ):
        options = [str(tmp_path / one) if one.endswith("pem") else one for one in ca]
        assert main(["inspect-cert", target, *options]) == status
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == f"{target}:"
        assert any(last in line for line in lines[-3:])


def test_list_beside_a_certificate_is_judged_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file may hold both."""
    root = issue("root", is_ca=True)
    path = tmp_path / "both.pem"
    path.write_bytes(root.pem + crl(root, expired=True))
    assert main(["inspect-cert", str(path)]) == 1
    assert "[crl-expired]" in capsys.readouterr().out


def test_empty_target_is_not_this_folder(capsys: pytest.CaptureFixture[str]) -> None:
    """As a variable of a script that is not set would have it."""
    assert main(["inspect-cert", ""]) == 2
    assert "the target is empty" in capsys.readouterr().err


def test_what_is_no_file_and_no_peer_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file is not looked up as a host; nobody listens on port 0, or where nothing is."""
    assert main(["inspect-cert", "missing.pem"]) == 2
    assert "no such file: missing.pem" in capsys.readouterr().err
    assert main(["inspect-cert", "localhost:0"]) == 2
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert main(["inspect-cert", f"127.0.0.1:{port}"]) == 3


def test_folder_is_a_table_by_days_left(pki: PKI, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is expired comes first; other files are passed over; a folder without any is exit 2."""
    assert main(["inspect-cert", str(tmp_path)]) == 2
    for identity in (pki.server, pki.expired):
        (tmp_path / identity.cert.name).write_bytes(identity.cert.read_bytes())
    (tmp_path / "notes.txt").write_text("nothing")
    capsys.readouterr()
    assert main(["inspect-cert", str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[1:3]] == ["expired.pem", "server.pem"]
    assert lines[1].endswith("error: expired")
    assert main(["inspect-cert", str(tmp_path), "--json"]) == 1
    written = json.loads(capsys.readouterr().out)
    assert [Path(one["path"]).name for one in written["certificates"]] == ["expired.pem", "server.pem"]
    (error,) = [one for one in written["findings"] if one["severity"] == "error"]
    assert (error["code"], error["certificate"]) == ("expired", 0)


@pytest.mark.parametrize("option", ["--ca", "--key", "--crl"])
def test_option_that_cannot_be_read_is_not_blamed_on_the_folder(
    option: str, pki: PKI, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has certificates; what is said is which other file is missing."""
    (tmp_path / "server.pem").write_bytes(pki.server.cert.read_bytes())
    assert main(["inspect-cert", str(tmp_path), option, "missing"]) == 2
    assert "cannot read missing" in capsys.readouterr().err


def test_key_without_a_certificate_is_refused(pki: PKI) -> None:
    """There is nothing that --key could belong to."""
    assert main(["inspect-cert", str(pki.server.key), "--key", str(pki.server.key)]) == 2
