"""`dicomtls echo`, as users run it."""

import re
import signal
import socket
import ssl
from pathlib import Path

from pynetdicom import evt

from tests.support.cli import Result, run_dicomtls, started_dicomtls
from tests.support.peers import dcmtk_storescp, pynetdicom_scp
from tests.support.pki import PKI, server_context
from tests.support.raw import raw_server, receive_pdu

REJECTED = bytes.fromhex("0300 0000 0004 00 01 01 07".replace(" ", ""))  # called AE title not recognized
LINE = re.compile(r"success \(0x0000\), TLSv1\.3, TLS_\w+, \w+, peer localhost, verified, \d+ days left, \d+\.\d ms\n")
MANY = re.compile(r".*, 3 round trips: minimum \d+\.\d ms, median \d+\.\d ms, maximum \d+\.\d ms\n")


def echo(pki: PKI, address: str, *options: str | Path) -> Result:
    """Run echo with the test client's identity."""
    identity = ("--ca", pki.ca, "--cert", pki.client.cert, "--key", pki.client.key)
    return run_dicomtls("echo", address, *identity, *options)


def answer(status: int) -> list[object]:
    """A handler that answers every C-ECHO with `status`."""
    return [(evt.EVT_C_ECHO, lambda _event: status)]


def test_answer_is_one_line_about_the_connection(pki: PKI) -> None:
    """Status, protocol, cipher, group, the peer's name, verified, days left, round trip; nothing on stderr."""
    with pynetdicom_scp(server_context(pki)) as scp:
        result = echo(pki, f"localhost:{scp.port}")
    assert LINE.fullmatch(result.stdout), result.stdout
    assert (result.exit_status, result.stderr) == (0, "")


def test_several_echoes_are_summed_up(pki: PKI) -> None:
    """With `--repeat` the line ends in minimum, median and maximum."""
    with pynetdicom_scp(server_context(pki)) as scp:
        result = echo(pki, scp.address, "--repeat", "3", "--interval", "0")
    assert MANY.fullmatch(result.stdout), result.stdout


def test_document_has_status_and_round_trips(pki: PKI) -> None:
    """The JSON document adds `status` and `round_trip_ms` to what all commands share."""
    with pynetdicom_scp(server_context(pki)) as scp:
        result = echo(pki, f"PACS@{scp.address}", "--repeat", "2", "--interval", "0", "--json", "--calling-aet", "WS1")
    written = result.json()
    assert (written["ok"], written["error"], written["status"], written["status_meaning"]) == (
        True,
        None,
        "0x0000",
        "success",
    )
    assert len(written["round_trip_ms"]) == 2
    assert written["peer"] == {
        "host": "127.0.0.1",
        "port": scp.port,
        "address": scp.address,
        "called_aet": "PACS",
        "calling_aet": "WS1",
    }
    assert written["tls"]["client_certificate"] == "sent"
    assert written["tls"]["peer"] == written["tls"]["chain"][0]
    assert all(milliseconds >= 0 for milliseconds in written["timing_ms"].values())
    assert result.exit_status == 0


def test_called_ae_title_of_the_option_wins(pki: PKI) -> None:
    """`--called-aet` replaces what stands before the `@`, in the document too."""
    with pynetdicom_scp(server_context(pki), ae_title="B") as scp:
        written = echo(pki, f"A@{scp.address}", "--called-aet", "B", "--json").json()
    assert written["peer"]["called_aet"] == "B"


def test_log_tells_the_stages_and_the_profile(pki: PKI) -> None:
    """`-v` writes the profile's full name and the time of each stage to stderr."""
    with pynetdicom_scp(server_context(pki)) as scp:
        result = echo(pki, scp.address, "-v")
    assert "dicomtls: info: profile: BCP 195 RFC 8996, 9325" in result.stderr
    stages = [line for line in result.stderr.splitlines() if line.endswith(" ms)")]
    expected = (
        r"name: 127\.0\.0\.1",
        rf"tcp: {scp.address}",
        r"tls: TLSv1\.3, TLS_AES_256_GCM_SHA384, \S+, peer localhost, verified, \d+ days left, client certificate sent",
        r"association: DICOMTLS to ANY-SCP",
    )
    assert len(stages) == len(expected)
    for line, pattern in zip(stages, expected, strict=True):
        assert re.fullmatch(rf"dicomtls: info: {pattern} \(\d+\.\d ms\)", line), line


def test_log_tells_where_a_failure_came(pki: PKI) -> None:
    """The last stage that was begun is the one that failed."""
    with pynetdicom_scp() as scp:
        result = run_dicomtls("echo", scp.address, "--ca", pki.ca, "-v", "--no-follow-up")
    [name, tcp, tls] = [line for line in result.stderr.splitlines() if line.endswith(" ms)")]
    assert "failed" not in name + tcp
    assert tls.startswith("dicomtls: info: tls: failed, no handshake (")


def test_quiet_success_says_nothing(pki: PKI) -> None:
    """The exit status is all that a script wants."""
    with pynetdicom_scp(server_context(pki)) as scp:
        result = echo(pki, scp.address, "--quiet")
    assert (result.stdout, result.stderr, result.exit_status) == ("", "", 0)


def test_options_come_from_the_environment(pki: PKI) -> None:
    """The variables stand in for options, lists of paths split as PATH is, flags by 1 and 0."""
    env = {
        "DICOMTLS_CA": f"{pki.other_ca}:{pki.ca}",
        "DICOMTLS_CERT": str(pki.client.cert),
        "DICOMTLS_KEY": str(pki.client.key),
        "DICOMTLS_JSON": "1",
        "DICOMTLS_NO_SNI": "0",
        "DICOMTLS_CALLING_AET": "ENV",
    }
    with pynetdicom_scp(server_context(pki)) as scp:
        written = run_dicomtls("echo", scp.address, env=env).json()
        typed = run_dicomtls("echo", scp.address, "--calling-aet", "TYPED", env=env).json()
    assert (written["ok"], written["peer"]["calling_aet"]) == (True, "ENV")
    assert typed["peer"]["calling_aet"] == "TYPED"


def test_certificate_that_ends_soon_is_a_warning(pki: PKI) -> None:
    """The echo succeeds; stderr says how many days are left, unless fewer were asked for."""
    with pynetdicom_scp(server_context(pki, pki.expiring)) as scp:
        result = echo(pki, scp.address)
        calm = echo(pki, scp.address, "--warn-days", "0")
    assert re.fullmatch(r"dicomtls: warning: the peer's certificate has \d+ days left\n", result.stderr)
    assert (result.exit_status, calm.exit_status, calm.stderr) == (0, 0, "")


def test_own_certificate_that_ends_soon_is_a_warning(pki: PKI) -> None:
    """The commonest outage is announced by the connections before it, where the certificate was asked for."""
    own = ("--cert", pki.expiring.cert, "--key", pki.expiring.key)
    with pynetdicom_scp(server_context(pki)) as scp:
        result = run_dicomtls("echo", scp.address, "--ca", pki.ca, *own)
        calm = run_dicomtls("echo", scp.address, "--ca", pki.ca, *own, "--warn-days", "0")
    with pynetdicom_scp(server_context(pki, client_auth=ssl.CERT_NONE)) as scp:
        not_asked = run_dicomtls("echo", scp.address, "--ca", pki.ca, *own)
    assert re.fullmatch(r"dicomtls: warning: our certificate has \d+ days left\n", result.stderr)
    assert (result.exit_status, calm.exit_status, calm.stderr, not_asked.stderr) == (0, 0, "", "")


def test_relaxation_is_said_on_every_run(pki: PKI) -> None:
    """`--insecure` warns on stderr and says in the result that nothing was verified."""
    with pynetdicom_scp(server_context(pki, pki.self_signed)) as scp:
        result = echo(pki, scp.address, "--insecure", "--quiet")
        shown = echo(pki, scp.address, "--insecure")
    assert result.stderr == "dicomtls: warning: the peer's certificate is not verified (--insecure)\n"
    assert "not verified (--insecure)" in shown.stdout
    assert (result.exit_status, shown.exit_status) == (0, 0)


def test_association_in_clear_says_so() -> None:
    """`--no-tls` is a warning, and the line says that there is no TLS."""
    with pynetdicom_scp() as scp:
        result = run_dicomtls("echo", scp.address, "--no-tls")
        written = run_dicomtls("echo", scp.address, "--no-tls", "--json").json()
    assert result.stdout.startswith("success (0x0000), no TLS, ")
    assert result.stderr == "dicomtls: warning: everything is sent in clear (--no-tls)\n"
    assert written["tls"] is None
    assert written["timing_ms"]["handshake"] is None


def test_failure_status_is_exit_1_with_the_status_in_the_document(pki: PKI) -> None:
    """The peer answered, and the answer is no: said in the line, the error and the document."""
    with pynetdicom_scp(server_context(pki), answer(0x0122)) as scp:
        result = echo(pki, scp.address, "--json")
        shown = echo(pki, scp.address)
    written = result.json()
    assert (result.exit_status, written["ok"], written["status"]) == (1, False, "0x0122")
    assert written["error"]["code"] == "status-failure"
    assert written["error"]["stage"] == "dimse"
    assert shown.stdout.startswith("refused: SOP class not supported (0x0122), TLSv1.3")


def test_key_passphrase_is_read_from_its_file(pki: PKI, tmp_path: Path) -> None:
    """An encrypted key works with the passphrase, and is exit 2 with a wrong one or none."""
    secret, wrong = tmp_path / "secret", tmp_path / "wrong"
    secret.write_text("correct horse battery staple\n")
    wrong.write_text("wrong\n")
    identity = ("--ca", pki.ca, "--cert", pki.client.cert, "--key", pki.client.encrypted_key)
    with pynetdicom_scp(server_context(pki)) as scp:
        good = run_dicomtls("echo", scp.address, *identity, "--passphrase-file", secret)
        bad = run_dicomtls("echo", scp.address, *identity, "--passphrase-file", wrong, "--json")
        none = run_dicomtls("echo", scp.address, *identity, "--json")
    assert (good.exit_status, bad.exit_status, none.exit_status) == (0, 2, 2)
    assert bad.json()["error"]["code"] == "bad-passphrase"
    assert none.json()["error"]["code"] == "passphrase-needed"


def failure(result: Result) -> tuple[int, str, str]:
    """Exit status, code and stage of a run with `--json`."""
    error = result.json()["error"]
    return result.exit_status, error["code"], error["stage"]


def test_name_that_does_not_exist_is_exit_3() -> None:
    """Reserved for that purpose by RFC 6761."""
    assert failure(run_dicomtls("echo", "nowhere.invalid", "--json")) == (3, "name-not-found", "name")


def test_port_where_nobody_listens_is_exit_3() -> None:
    """A port that was just given back refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert failure(run_dicomtls("echo", f"127.0.0.1:{port}", "--json")) == (3, "connection-refused", "tcp")


def test_certificate_that_we_do_not_trust_is_exit_4(pki: PKI) -> None:
    """The peer is known and reached, its address is in the document, TLS is not."""
    with pynetdicom_scp(server_context(pki)) as scp:
        result = run_dicomtls("echo", scp.address, "--ca", pki.other_ca, "--json")
    assert failure(result) == (4, "unknown-issuer", "tls")
    assert result.json()["error"]["by"] == "us"
    assert result.json()["peer"]["address"] == scp.address


def test_missing_client_certificate_is_exit_4(pki: PKI, tmp_path: Path) -> None:
    """At TLS 1.3 the peer's alert comes after our handshake; it is the handshake's failure all the same."""
    with dcmtk_storescp(pki, tmp_path) as scp:
        result = run_dicomtls("echo", scp.address, "--ca", pki.ca, "--json")
    assert failure(result) == (4, "client-certificate-required", "tls")
    assert result.json()["error"]["by"] == "peer"


def test_rejected_association_is_exit_5() -> None:
    """A-ASSOCIATE-RJ, with its numbers in the evidence."""

    def reject(connection: socket.socket) -> None:
        receive_pdu(connection)
        connection.sendall(REJECTED)
        connection.recv(1)

    with raw_server(reject) as peer:
        result = run_dicomtls("echo", peer.address, "--no-tls", "--json")
    assert failure(result) == (5, "association-rejected", "association")
    assert result.json()["error"]["evidence"] == {"result": 1, "source": 1, "reason": 7}


def keep_silent(connection: socket.socket) -> None:
    """Take the request for an association, and wait until the other side has had enough."""
    receive_pdu(connection)
    connection.recv(1)


def test_silent_peer_is_exit_5_after_the_time_that_was_given() -> None:
    """`--association-timeout` bounds the wait for the answer."""
    with raw_server(keep_silent) as peer:
        result = run_dicomtls("echo", peer.address, "--no-tls", "--association-timeout", "0.2", "--json")
    assert failure(result) == (5, "association-timeout", "association")


def test_ctrl_c_is_exit_130_with_a_document() -> None:
    """Interrupted while waiting for the peer: one document, one line, no traceback."""
    with raw_server(keep_silent) as peer, started_dicomtls("echo", peer.address, "--no-tls", "--json") as running:
        running.wait_until(lambda: bool(peer.connections), "connection")
        result = running.stop(how=signal.SIGINT)
    assert failure(result) == (130, "interrupted", "local")
    assert "Traceback" not in result.stderr


def test_stages_are_logged_as_they_are_reached() -> None:
    """With `-v`, while a peer still lets us wait, and each once."""
    with raw_server(keep_silent) as peer, started_dicomtls("echo", peer.address, "--no-tls", "-v") as running:
        log = running.wait_for_log("dicomtls: info: tcp: ")
        assert f"dicomtls: info: name: {peer.host}" in log
        assert "association" not in log
        result = running.stop(how=signal.SIGINT)
    assert result.stderr.count("dicomtls: info: tcp: ") == 1
    assert "dicomtls: info: association: failed, DICOMTLS to ANY-SCP" in result.stderr


def test_hostile_names_are_shown_harmless(pki: PKI) -> None:
    """A host that brings control characters is refused, and written so that it does nothing."""
    result = run_dicomtls("echo", "\x1b[31mpacs", "--ca", pki.ca)
    assert result.exit_status == 2
    assert "\x1b" not in result.stderr


def test_contradiction_is_found_before_anything_is_read_or_sent(pki: PKI) -> None:
    """Options that exclude each other are a mistake of the command line alone."""
    result = run_dicomtls("echo", "localhost", "--no-tls", "--ca", pki.ca, "--json")
    assert result.exit_status == 2
    assert result.json()["error"]["message"] == "--no-tls and --ca contradict each other"


def test_every_pdu_is_logged_with_two_v(pki: PKI) -> None:
    """Direction, type and length; with one there is only what concerns the whole."""
    with pynetdicom_scp(server_context(pki)) as scp:
        result = echo(pki, scp.address, "-vv")
        less = echo(pki, scp.address, "-v")
    assert re.findall(r"dicomtls: info: (sent|received) ([\w-]+), \d+ bytes\n", result.stderr) == [
        ("sent", "A-ASSOCIATE-RQ"),
        ("received", "A-ASSOCIATE-AC"),
        ("sent", "P-DATA-TF"),
        ("received", "P-DATA-TF"),
        ("sent", "A-RELEASE-RQ"),
        ("received", "A-RELEASE-RP"),
    ]
    assert "P-DATA-TF" not in less.stderr
