"""dicomtls.probe.negotiation: what the two sides could have agreed on."""

import socket
from pathlib import Path
from typing import Any

import pytest

from dicomtls.errors import By
from dicomtls.probe.explain import explain
from tests.support.inquiries import attempts, explained, failure, target
from tests.support.peers import dcmtk_storescp, openssl_s_server, raw_server, receive_until_end
from tests.support.pki import PKI
from tests.support.servers import client_tls


@pytest.mark.parametrize(
    ("options", "settings", "code", "facts", "hint"),
    [
        (["-tls1_3"], {"tls_max": "1.2"}, "no-shared-protocol", ["TLSv1.3", "TLSv1.2 at most"], "without --tls-max"),
        (["-tls1_2"], {"tls_min": "1.3"}, "no-shared-protocol", ["TLSv1.2 at most", "TLSv1.3"], "without --tls-min"),
        (
            ["-tls1_2", "-cipher", "AES256-SHA"],
            {},
            "no-shared-cipher",
            ["TLS_RSA_WITH_AES_256_CBC_SHA"],
            "--ciphers TLS_RSA_WITH_AES_256_CBC_SHA",
        ),
        (["-tls1_2", "-cipher", "AES128-SHA"], {}, "no-shared-cipher", ["AES_128"], "--profile bcp195-2015"),
        (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], {}, "no-shared-protocol", ["TLSv1.1 at most"], "bcp195-2015"),
        (["-alpn", "h2"], {}, "alert-no_application_protocol", ["without the protocol's name"], "--no-alpn"),
    ],
    ids=["only 1.3", "only 1.2", "old suite", "suite of a profile", "only 1.1", "ALPN"],
)
def test_remedy_is_found_and_tried(
    pki: PKI, options: list[str], settings: dict[str, Any], code: str, facts: list[str], hint: str
) -> None:
    """What the peer speaks stands in the message, what works in the hint."""
    with openssl_s_server(pki, *options) as server:
        diagnosis = explained(target(server.port, client_tls(pki, **settings)))
    assert (diagnosis.code, diagnosis.by) == (code, By.PEER)
    for fact in facts:
        assert fact in diagnosis.message
    assert diagnosis.hints[0].startswith("it connects with")
    assert hint in diagnosis.hints[0]
    assert len(diagnosis.hints) <= 3
    assert attempts(diagnosis)


def test_plain_dicom_that_hangs_up_is_recognised(pki: PKI, tmp_path: Path) -> None:
    """DCMTK drops a hello without a word; an association in clear tells what it is."""
    with dcmtk_storescp(pki, tmp_path, tls=False) as scp:
        diagnosis = explained(target(scp.port, client_tls(pki)))
    assert (diagnosis.code, diagnosis.by) == ("peer-speaks-plain-dicom", By.NEITHER)
    assert attempts(diagnosis) == ["an association in clear (Verification only)"]


def test_peer_that_always_hangs_up_is_said_to(pki: PKI) -> None:
    """A firewall, or a list of allowed addresses."""
    with raw_server(lambda connection: connection.recv(1)) as server:
        diagnosis = explained(target(server.port, client_tls(pki)))
    assert diagnosis.code in ("peer-closed", "connection-reset")
    assert "it does so whatever we say" in diagnosis.message
    assert server.connections <= 12


def test_peer_that_hangs_up_on_tls_and_is_silent_in_clear_is_not_said_to(pki: PKI) -> None:
    """It does something else, and nothing more is asked of it."""

    def choose(connection: socket.socket) -> None:
        if connection.recv(1) != b"\x16":
            receive_until_end(connection)

    with raw_server(choose) as server:
        diagnosis = explained(target(server.port, client_tls(pki), association_timeout=0.2))
    assert attempts(diagnosis) == ["an association in clear (Verification only)"]
    assert diagnosis.code in ("peer-closed", "connection-reset")
    assert "whatever we say" not in diagnosis.message


def test_peer_that_cannot_be_reached_again_is_not_said_to_hang_up(pki: PKI) -> None:
    """A limit on connections, or our own on descriptors."""
    with raw_server(lambda connection: connection.recv(1)) as server:
        who = target(server.port, client_tls(pki))
        error = failure(who)
    diagnosis = explain(error, who)
    assert diagnosis.code in ("peer-closed", "connection-reset")
    assert "whatever we say" not in diagnosis.message
    assert diagnosis.evidence["follow_up"] == [
        {"attempt": "an association in clear (Verification only)", "outcome": "it cannot be reached any more"},
        {"attempt": "a hello that offers everything up to TLS 1.2", "outcome": "connection-refused"},
        {"attempt": "a hello that offers everything at TLS 1.3", "outcome": "connection-refused"},
    ]
