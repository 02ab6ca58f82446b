"""What dicomtls says of real peers that it cannot talk to: DCMTK, Orthanc, pynetdicom, OpenSSL, web servers, others."""

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dicomtls.diagnosis import Diagnosis
from dicomtls.errors import By, Stage
from dicomtls.tls import TLSSettings
from tests.support.handshakes import client_settings, reach
from tests.support.openssl import openssl
from tests.support.peers import (
    dcmtk_storescp,
    openssl_s_server,
    orthanc,
    pynetdicom_scp,
    raw_server,
    receive_exactly,
    receive_until_end,
)
from tests.support.pki import PKI, server_context

both_versions = pytest.mark.parametrize("version", ["1.2", "1.3"])
SOON = 0.2


def only(version: str) -> dict[str, Any]:
    """The settings that allow one version of TLS."""
    return {"tls_min": version, "tls_max": version}


def asked(port: int, settings: TLSSettings, **options: Any) -> Diagnosis:
    """Why a peer cannot be talked to; always of stage TLS, always with a hint."""
    diagnosis = reach(port, settings, **options).diagnosis
    assert diagnosis.stage is Stage.TLS
    assert diagnosis.hints
    return diagnosis


# -- DCMTK --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def storescp(pki: PKI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A storescp that demands a client certificate, with its widest profile."""
    with dcmtk_storescp(pki, tmp_path_factory.mktemp("storescp"), "+px") as scp:
        yield scp.port


@both_versions
@pytest.mark.parametrize(
    ("client", "code", "alert"),
    [
        (None, "client-certificate-required", None),
        ("other_client", "client-certificate-refused", "unknown_ca"),
        ("expired", "client-certificate-refused", "certificate_expired"),
        ("server_purpose", "client-certificate-refused", "unsupported_certificate"),
    ],
)
def test_storescp_refuses_our_certificate(
    pki: PKI, storescp: int, version: str, client: str | None, code: str, alert: str | None
) -> None:
    """Its log has one line for all of these; we say which it was."""
    identity = getattr(pki, client) if client else None
    diagnosis = asked(storescp, client_settings(pki, identity, **only(version)))
    assert (diagnosis.code, diagnosis.by) == (code, By.PEER)
    if alert:
        assert alert in diagnosis.message
        assert diagnosis.evidence["alert_received"] == alert
    assert diagnosis.evidence["after_handshake"] is (version == "1.3")


@both_versions
def test_storescp_is_refused_for_its_certificate(pki: PKI, storescp: int, version: str) -> None:
    """Another authority, another name."""
    diagnosis = asked(storescp, client_settings(pki, pki.client, ca=(pki.other_ca,), **only(version)))
    assert (diagnosis.code, diagnosis.by) == ("unknown-issuer", By.US)
    assert "CN=dicomtls test CA" in diagnosis.message
    diagnosis = asked(storescp, client_settings(pki, pki.client, **only(version)), host="pacs.example")
    assert (diagnosis.code, diagnosis.by) == ("name-mismatch", By.US)
    assert "it has localhost" in diagnosis.message


def test_storescp_has_no_suite_in_common(pki: PKI, storescp: int) -> None:
    """With an RSA certificate it cannot use a suite for EC."""
    settings = client_settings(pki, pki.client, tls_max="1.2", ciphers=("ECDHE-ECDSA-AES128-GCM-SHA256",))
    diagnosis = asked(storescp, settings)
    assert (diagnosis.code, diagnosis.by) == ("no-shared-cipher", By.PEER)


def test_storescp_has_no_version_in_common(pki: PKI, tmp_path: Path) -> None:
    """Its non-downgrading profile against a client that knows TLS 1.0 only."""
    with dcmtk_storescp(pki, tmp_path / "received", "+py") as scp:
        diagnosis = asked(scp.port, client_settings(pki, pki.client, profile="bcp195-2015", tls_max="1.0"))
    assert (diagnosis.code, diagnosis.by) == ("no-shared-protocol", By.PEER)


def test_storescp_in_clear_is_not_tls(pki: PKI, tmp_path: Path) -> None:
    """It drops the connection over our hello without a word; the hint is to try without TLS."""
    with dcmtk_storescp(pki, tmp_path / "received", tls=False) as scp:
        diagnosis = asked(scp.port, client_settings(pki, pki.client))
    assert diagnosis.code in ("peer-closed", "connection-reset", "peer-speaks-plain-dicom")
    assert any("--no-tls" in hint for hint in diagnosis.hints)


# -- pynetdicom ---------------------------------------------------------------------------------------------------


def test_pynetdicom_in_clear_speaks_plain_dicom(pki: PKI) -> None:
    """It answers our hello with an A-ABORT, which says all."""
    with pynetdicom_scp() as scp:
        diagnosis = asked(scp.port, client_settings(pki, pki.client))
    assert (diagnosis.code, diagnosis.by) == ("peer-speaks-plain-dicom", By.NEITHER)
    assert str(diagnosis.evidence["first_bytes"]).startswith("0700")
    assert any("--no-tls" in hint for hint in diagnosis.hints)


@pytest.mark.parametrize(
    ("client", "code"), [(None, "client-certificate-required"), ("other_client", "client-certificate-refused")]
)
def test_pynetdicom_refuses_our_certificate(pki: PKI, client: str | None, code: str) -> None:
    """On the first read, since its handshake is over by then."""
    with pynetdicom_scp(server_context(pki)) as scp:
        diagnosis = asked(scp.port, client_settings(pki, getattr(pki, client) if client else None))
    assert (diagnosis.code, diagnosis.by) == (code, By.PEER)


# -- OpenSSL ------------------------------------------------------------------------------------------------------


@both_versions
@pytest.mark.parametrize(
    ("client", "code"), [(None, "client-certificate-required"), ("other_client", "client-certificate-refused")]
)
def test_s_server_refuses_our_certificate(pki: PKI, version: str, client: str | None, code: str) -> None:
    """OpenSSL itself as the peer, at either version."""
    with openssl_s_server(pki, client_auth=True) as server:
        diagnosis = asked(server.port, client_settings(pki, getattr(pki, client) if client else None, **only(version)))
    assert (diagnosis.code, diagnosis.by) == (code, By.PEER)


@pytest.mark.parametrize(
    ("server", "client", "code"),
    [
        (["-tls1_2"], {"tls_min": "1.3"}, "no-shared-protocol"),
        (["-tls1_3"], {"tls_max": "1.2"}, "no-shared-protocol"),
        (["-tls1_2", "-cipher", "AES128-SHA"], {}, "no-shared-cipher"),
        (["-tls1_3", "-groups", "ffdhe2048"], {"tls_max": "1.2"}, "no-shared-protocol"),
    ],
    ids=["only 1.2", "only 1.3", "only an old suite", "only 1.3 and one group"],
)
def test_s_server_has_nothing_in_common(pki: PKI, server: list[str], client: dict[str, Any], code: str) -> None:
    """It refuses with an alert."""
    with openssl_s_server(pki, *server) as peer:
        diagnosis = asked(peer.port, client_settings(pki, **client))
    assert (diagnosis.code, diagnosis.by) == (code, By.PEER)


@pytest.mark.parametrize(
    ("options", "verdict"),
    [(("-alpn", "dicom"), "dicom"), ((), None), (("-alpn", "h2"), None)],
    ids=["dicom", "none", "another"],
)
def test_s_server_may_do_with_alpn_as_it_likes(pki: PKI, options: tuple[str, ...], verdict: str | None) -> None:
    """A server that insists on another protocol refuses by an alert of its own; one that ignores it is fine."""
    with openssl_s_server(pki, *options) as server:
        end = reach(server.port, client_settings(pki), reads=False)
    if end.error is None:
        assert end.agreed.alpn == verdict
    else:
        assert (options, end.diagnosis.code) == (("-alpn", "h2"), "alert-no_application_protocol")


def test_s_server_with_a_small_diffie_hellman_key_is_refused(pki: PKI, tmp_path: Path) -> None:
    """As old devices have them: said of the key exchange, not of the certificate."""
    parameters = tmp_path / "dh.pem"
    openssl("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "dh_rfc5114:1", "-out", parameters)
    options = ("-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0", "-dhparam", str(parameters))
    with openssl_s_server(pki, *options) as server:
        diagnosis = asked(server.port, client_settings(pki, profile="atna"))
    assert (diagnosis.code, diagnosis.by) == ("weak-key", By.US)
    assert "Diffie-Hellman" in diagnosis.message


# -- other protocols ----------------------------------------------------------------------------------------------


@contextmanager
def web_server() -> Iterator[int]:
    """Python's own web server."""

    class Quiet(http.server.BaseHTTPRequestHandler):
        """Logs nothing."""

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_web_server_speaks_http(pki: PKI) -> None:
    """It answers our hello with an error page."""
    with web_server() as port:
        diagnosis = asked(port, client_settings(pki))
    assert (diagnosis.code, diagnosis.by) == ("peer-speaks-http", By.NEITHER)
    assert any("web interface" in hint for hint in diagnosis.hints)


def test_orthanc_in_clear_is_not_tls_on_either_port(pki: PKI, tmp_path: Path) -> None:
    """The two ports that people mistake for the TLS one; both may drop the connection without a word."""
    with orthanc(pki, tmp_path, tls=False) as peer:
        dicom, web = (asked(port, client_settings(pki)) for port in (peer.port, peer.http_port))
    assert dicom.code in ("peer-closed", "connection-reset", "peer-speaks-plain-dicom")
    assert web.code in ("peer-closed", "connection-reset", "peer-speaks-http")


def receive_hello(connection: socket.socket) -> None:
    """Take the client's hello."""
    header = receive_exactly(connection, 5)
    receive_exactly(connection, int.from_bytes(header[3:]))


def saying(data: bytes) -> Callable[[socket.socket], object]:
    """A server that answers the hello with `data`."""

    def answer(connection: socket.socket) -> None:
        receive_hello(connection)
        connection.sendall(data)
        receive_until_end(connection)

    return answer


@pytest.mark.parametrize(
    ("data", "code", "hint"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "peer-speaks-http", "web interface"),
        (b"\x07\0\0\0\0\x04\0\0\x02\x01", "peer-speaks-plain-dicom", "--no-tls"),
        (b"\x03\0\0\0\0\x04\0\x01\x01\x01", "peer-speaks-plain-dicom", "--no-tls"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "peer-is-not-tls", "check the port"),
        (b"220 mail ESMTP\r\n", "peer-is-not-tls", "check the port"),
    ],
    ids=["HTTP", "A-ABORT", "A-ASSOCIATE-RJ", "SSH", "SMTP"],
)
def test_other_protocol_is_recognised_by_its_first_bytes(pki: PKI, data: bytes, code: str, hint: str) -> None:
    """Nobody refused: the two speak of different things."""
    with raw_server(saying(data)) as server:
        diagnosis = asked(server.port, client_settings(pki))
    assert (diagnosis.code, diagnosis.by) == (code, By.NEITHER)
    assert any(hint in text for text in diagnosis.hints)


def test_silent_peer_is_a_timeout(pki: PKI) -> None:
    """It may wait for plain DICOM."""
    with raw_server(receive_until_end) as server:
        diagnosis = asked(server.port, client_settings(pki), seconds=SOON)
    assert (diagnosis.code, diagnosis.by) == ("handshake-timeout", By.NEITHER)
    assert any("--connect-timeout" in hint for hint in diagnosis.hints)


# -- hellos by hand -----------------------------------------------------------------------------------------------


def server_hello(version: bytes, suite: bytes = b"\xc0\x30") -> bytes:
    """A ServerHello without extensions, as libraries before 2010 sent it."""
    body = version + bytes(32) + b"\x00" + suite + b"\x00"
    message = b"\x02" + len(body).to_bytes(3) + body
    return b"\x16\x03\x03" + len(message).to_bytes(2) + message


@pytest.mark.parametrize(
    ("version", "code"),
    [
        (b"\x03\x00", "no-shared-protocol"),
        (b"\x03\x01", "no-shared-protocol"),
        (b"\x09\x09", "no-shared-protocol"),
        (b"\x03\x03", "unsafe-renegotiation"),
    ],
    ids=["SSLv3", "TLS 1.0", "nonsense", "without RFC 5746"],
)
def test_server_hello_that_we_do_not_take_is_our_refusal(pki: PKI, version: bytes, code: str) -> None:
    """The limit is ours, and so is the alert."""
    with raw_server(saying(server_hello(version))) as server:
        diagnosis = asked(server.port, client_settings(pki))
    assert (diagnosis.code, diagnosis.by) == (code, By.US)
    assert "alert_sent" in diagnosis.evidence


def test_suite_that_we_never_offered_is_an_error_that_stays_visible(pki: PKI) -> None:
    """No row of the table: OpenSSL's own reason is in the message."""
    with raw_server(saying(server_hello(b"\x03\x03", b"\x00\x2f"))) as server:
        diagnosis = asked(server.port, client_settings(pki))
    assert (diagnosis.code, diagnosis.by) == ("tls-error", By.NEITHER)
    assert "WRONG_CIPHER_RETURNED" in diagnosis.message
