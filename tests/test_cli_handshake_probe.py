"""`dicomtls handshake-probe`, as users run it."""

import signal
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Result, run_dicomtls, serving, started_dicomtls
from tests.support.documents import assert_document
from tests.support.exchange import client_options, server_options
from tests.support.peers import dcmtk_storescp, orthanc, pynetdicom_scp
from tests.support.pki import PKI, server_context
from tests.support.processes import reserved_port
from tests.support.raw import raw_server, receive_until_end
from tests.support.targets import ANYWHERE, THOUSAND, Mix, mixed_targets, silent_port

TREE = ("name", "tcp", "tls", "association", "echo")


def probe(pki: PKI, *arguments: str | Path, **settings: Any) -> Result:
    """Run it with the test client's identity."""
    return run_dicomtls("handshake-probe", *arguments, *client_options(pki, pki.client), **settings)


def test_working_peer_is_shown_as_a_tree(pki: PKI) -> None:
    """Each stage, what TLS brought to light, the verdict; nothing on stderr."""
    with pynetdicom_scp(server_context(pki)) as scp:
        result = probe(pki, f"localhost:{scp.port}")
    lines = result.stdout.splitlines()
    assert (result.exit_status, result.stderr) == (0, "")
    assert tuple(line.split()[1] for line in lines if line.startswith("  ✓ ")) == TREE
    assert f"{' ' * 28}client authentication: required, ours was taken" in lines
    assert lines[-1].startswith(f"localhost:{scp.port}: works, TLSv1.3, both sides are authenticated, ")


def test_failing_peer_is_shown_as_far_as_the_road_goes(pki: PKI) -> None:
    """The tree on stdout, why and what to do on stderr, the exit status of the stage."""
    with pynetdicom_scp(server_context(pki)) as scp:
        result = run_dicomtls("handshake-probe", f"localhost:{scp.port}", *client_options(pki, None))
    assert result.exit_status == 4
    assert "  ✗ tls " in result.stdout
    assert result.stdout.count("not reached") == 2
    assert result.stderr.startswith("dicomtls: error: the peer requires a client certificate, and we sent none\n")
    assert "dicomtls: hint: " in result.stderr


@pytest.mark.parametrize(("client_auth", "told"), [("required", "required"), ("optional", "optional")])
def test_document_of_storescp_says_whether_it_insists(pki: PKI, tmp_path: Path, client_auth: str, told: str) -> None:
    """DCMTK's -rc and -vc; the further attempt is said."""
    with dcmtk_storescp(pki, tmp_path / "in", client_auth=client_auth) as scp:
        document = probe(pki, f"localhost:{scp.port}", "--json").json()
    assert_document(document, "handshake-probe")
    assert (document["ok"], document["client_authentication"]) == (True, told)
    assert [step["attempt"] for step in document["follow_up"]] == ["without our certificate"]
    assert document["stages"][3]["detail"].startswith("OFFIS_DCMTK_")


def test_orthanc_shows_what_it_accepts(pki: PKI, tmp_path: Path) -> None:
    """With `--contexts` a document has every SOP class, and no association but those is needed."""
    with orthanc(pki, tmp_path) as scp:
        document = probe(pki, f"ORTHANC@localhost:{scp.port}", "--contexts", "--format", "json").json()
    accepted = {one["sop_class_name"]: one["transfer_syntaxes"] for one in document["contexts"]}
    assert document["ok"]
    assert {"Verification SOP Class", "CT Image Storage"} <= set(accepted)
    assert {"uid": "1.2.840.10008.1.2", "name": "Implicit VR Little Endian"} in accepted["CT Image Storage"]


def test_peer_in_clear_has_no_tls_stage() -> None:
    """And nothing is said of certificates."""
    with pynetdicom_scp() as scp:
        result = run_dicomtls("handshake-probe", scp.address, "--no-tls")
        document = run_dicomtls("handshake-probe", scp.address, "--no-tls", "--json").json()
    assert result.exit_status == 0
    assert " tls " not in result.stdout
    assert_document(document, "handshake-probe")
    assert (document["tls"], document["client_authentication"]) == (None, "none")


def test_certificate_that_ends_soon_or_is_for_another_name_is_a_warning(pki: PKI) -> None:
    """It works, and there is something to be done."""
    with pynetdicom_scp(server_context(pki, pki.expiring)) as scp:
        expiring = probe(pki, f"localhost:{scp.port}", "--no-follow-up")
    with pynetdicom_scp(server_context(pki, pki.wrong_name)) as scp:
        other = probe(pki, f"localhost:{scp.port}", "--no-verify-name", "--no-follow-up")
    assert "days left" in expiring.stderr
    assert "dicomtls: warning: the peer's certificate is not for the name localhost\n" in other.stderr
    assert (expiring.exit_status, other.exit_status) == (0, 0)


def test_several_peers_are_a_table(pki: PKI, tmp_path: Path) -> None:
    """Named on the command line and in a list; the highest exit status wins."""
    with pynetdicom_scp(server_context(pki)) as scp, reserved_port() as nobody:
        targets = tmp_path / "targets"
        targets.write_text(f"localhost:{nobody}  # switched off\n")
        result = probe(pki, f"localhost:{scp.port}", "nowhere.invalid", "--targets", targets)
        documents = probe(
            pki, "--targets", "-", "--json", stdin=f"localhost:{scp.port}\nlocalhost:{nobody}"
        ).json_lines()
    rows = [line.split()[:3] for line in result.stdout.splitlines()]
    assert rows[:4] == [
        ["target", "result", "code"],
        [f"localhost:{scp.port}", "ok", "-"],
        ["nowhere.invalid", "failed", "name-not-found"],
        [f"localhost:{nobody}", "failed", "connection-refused"],
    ]
    assert result.stdout.splitlines()[-1].startswith("1 of 3 work, ")
    assert result.exit_status == 3
    assert f"dicomtls: error: localhost:{nobody}: nothing listens at 127.0.0.1:{nobody}\n" in result.stderr
    for document in documents:
        assert_document(document, "handshake-probe")
    assert sorted(document["ok"] for document in documents) == [False, True]


def test_target_listed_twice_is_probed_twice_one_after_the_other(pki: PKI, tmp_path: Path) -> None:
    """storescp serves one association at a time: two at once would wait for each other."""
    with dcmtk_storescp(pki, tmp_path / "in") as scp:
        peer = f"localhost:{scp.port}"
        documents = probe(pki, peer, peer, "--json").json_lines()
    assert [(document["target"], document["ok"]) for document in documents] == [(peer, True)] * 2


def test_result_for_ci_is_a_file(pki: PKI, tmp_path: Path) -> None:
    """JUnit, whole, and nothing on stdout."""
    path = tmp_path / "probe.xml"
    with pynetdicom_scp(server_context(pki)) as scp, reserved_port() as nobody:
        peers = (f"localhost:{scp.port}", f"localhost:{nobody}")
        result = probe(pki, *peers, "--format", "junit", "--output", path)
    root = ET.parse(path).getroot()  # noqa: S314 -- our own document
    assert [suite.get("failures") for suite in root] == ["0", "1"]
    assert (result.stdout, result.exit_status) == ("", 3)


def test_settings_that_cannot_be_had_are_found_out_before_anybody_is_probed(tmp_path: Path) -> None:
    """One document, without stages, and exit status 2; a file that is to be written is left alone."""
    path = tmp_path / "result"
    result = run_dicomtls("handshake-probe", "a", "b", "--ca", "/nowhere", "--json", "--output", path)
    document = result.json()
    assert_document(document, "handshake-probe")
    assert (document["error"]["code"], document["stages"], result.exit_status) == ("unreadable-file", [], 2)
    assert not path.exists()


def test_ctrl_c_keeps_what_was_learnt(pki: PKI) -> None:
    """The peer that was done is in the table; the silent one is not waited for."""
    with pynetdicom_scp(server_context(pki)) as scp, raw_server(receive_until_end) as silent:
        arguments = (f"localhost:{scp.port}", silent.address, "-v", "--connect-timeout", "60")
        with started_dicomtls("handshake-probe", *arguments, *client_options(pki, pki.client)) as running:
            running.wait_until(lambda: "  ✓ echo" in running.stdout_path.read_text(), "result of the first")
            result = running.stop(how=signal.SIGINT)
    assert result.exit_status == 130
    assert result.stdout.splitlines()[-1].startswith("1 of 1 work; ")
    assert "dicomtls: error: interrupted: 1 of 2 peers were probed\n" in result.stderr


def test_ctrl_c_shows_how_far_one_peer_was(pki: PKI) -> None:
    """The stage in which it came, and exit status 130."""
    with raw_server(receive_until_end) as silent:
        arguments = (silent.address, *client_options(pki, None), "--connect-timeout", "60", "--json")
        with started_dicomtls("handshake-probe", *arguments) as running:
            running.wait_until(lambda: silent.connections > 0, "connection")
            result = running.stop(how=signal.SIGINT)
    document = result.json()
    assert (result.exit_status, document["error"]["code"]) == (130, "interrupted")


def probe_mixed(pki: PKI, directory: Path, mix: Mix) -> Result:
    """Probe as many targets as the mix has, with one server for all that answer."""
    with (
        serving(directory / "in", "--listen", f"{ANYWHERE}:0", *server_options(pki)) as server,
        reserved_port() as nobody,
        silent_port(mix.silent) as silent,
    ):
        ports = {"good_port": server.port, "refusing_port": nobody, "silent_port": silent}
        (directory / "targets").write_text("\n".join(mixed_targets(mix, **ports)))
        # A hundred handshakes at once share the processors, and each is to end in its time.
        patience = "30" if mix == THOUSAND else "5"
        options = ("--jobs", "128", "--connect-timeout", patience, "--server-name", "localhost", "--json")
        return probe(pki, "--targets", directory / "targets", *options, timeout=280 if mix == THOUSAND else 50)


@pytest.mark.parametrize(
    "mix", [Mix(16, 2, 2), pytest.param(THOUSAND, marks=[pytest.mark.slow, pytest.mark.timeout(300)])]
)
def test_many_peers_are_each_told_as_they_are(pki: PKI, tmp_path: Path, mix: Mix) -> None:
    """Those that answer, those that refuse, those that keep silent; none of them delays the others."""
    result = probe_mixed(pki, tmp_path, mix)
    documents = result.json_lines()
    codes = [document["error"] and document["error"]["code"] for document in documents]
    assert {code: codes.count(code) for code in set(codes)} == {
        None: mix.good,
        "connection-refused": mix.refusing,
        "handshake-timeout": mix.silent,
    }
    assert len({document["target"] for document in documents}) == sum(mix)
    assert {document["client_authentication"] for document in documents if document["ok"]} == {"required"}
    assert result.exit_status == 4
