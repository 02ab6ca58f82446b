"""dicomtls.probe.negotiation: what the two sides could have agreed on."""

from pathlib import Path
from typing import Any

import pytest

from dicomtls.errors import By
from tests.support.inquiries import attempts, explained, target
from tests.support.peers import dcmtk_storescp, openssl_s_server, raw_server
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
