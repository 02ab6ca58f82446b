"""The JSON documents, key by key."""

import json

from dicomtls.certificates.load import load_certificates
from dicomtls.cli.documents import envelope
from dicomtls.diagnosis import diagnose
from dicomtls.errors import NetworkError
from dicomtls.peer import Peer
from dicomtls.scu import Attempt
from dicomtls.tls import Negotiated
from tests.support.documents import CERTIFICATE
from tests.support.pki import PKI


def negotiated(*chain: bytes) -> Negotiated:
    """What a handshake agreed on, with that chain received."""
    return Negotiated(
        protocol="TLSv1.2",
        cipher="TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        cipher_openssl="ECDHE-RSA-AES128-GCM-SHA256",
        bits=128,
        group=None,
        alpn="dicom",
        resumed=False,
        client_certificate="not requested",
        verified=True,
        verified_by="chain",
        name_matched=None,
        peer=None,
        chain_der=chain,
    )


def test_document_of_a_success_has_the_keys_of_the_contract(pki: PKI) -> None:
    """What all commands share, then the command's own, `error` null; certificates described from what was received."""
    attempt = Attempt(
        Peer("pacs", 2762, "PACS"),
        "WS1",
        address="192.0.2.7:2762",
        negotiated=negotiated(*load_certificates(pki.chained.cert)),
        timing_ms={"resolve": 1.23456, "total": 2.0},
    )
    written = json.loads(json.dumps(envelope("echo", attempt, None, {"status": "0x0000"})))
    assert list(written) == ["command", "ok", "version", "peer", "tls", "timing_ms", "status", "error"]
    assert (written["command"], written["ok"], written["error"]) == ("echo", True, None)
    assert written["peer"] == {
        "host": "pacs",
        "port": 2762,
        "address": "192.0.2.7:2762",
        "called_aet": "PACS",
        "calling_aet": "WS1",
    }
    assert written["timing_ms"] == {
        "resolve": 1.235,
        "connect": None,
        "handshake": None,
        "associate": None,
        "total": 2.0,
    }
    tls = written["tls"]
    chain = tls.pop("chain")
    assert len(chain) == 2
    assert tls.pop("peer") == chain[0]
    assert set(chain[0]) == set(CERTIFICATE)
    assert tls == {
        "protocol": "TLSv1.2",
        "cipher": "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "cipher_openssl": "ECDHE-RSA-AES128-GCM-SHA256",
        "bits": 128,
        "group": None,
        "alpn": "dicom",
        "resumed": False,
        "client_certificate": "not requested",
        "verified": True,
        "name_matched": None,
    }


def test_document_of_a_failure_says_who_and_why() -> None:
    """`ok` is false, what was not reached is null, and the error has its six keys."""
    error = NetworkError("nothing listens", code="connection-refused", hints=("look",), evidence={"address": "a"})
    written = json.loads(json.dumps(envelope("echo", None, diagnose(error), {})))
    assert (written["ok"], written["peer"], written["tls"], written["timing_ms"]) == (False, None, None, None)
    assert written["error"] == {
        "code": "connection-refused",
        "stage": "tcp",
        "by": "neither",
        "message": "nothing listens",
        "hints": ["look"],
        "evidence": {"address": "a"},
    }


def test_certificate_that_cannot_be_read_is_null() -> None:
    """A peer can send bytes that OpenSSL takes and `cryptography` does not: no reason to fail."""
    attempt = Attempt(Peer("pacs", 2762), "WS1", negotiated=negotiated(b"\x30\x00"))
    tls = envelope("echo", attempt, None, {})["tls"]
    assert isinstance(tls, dict)
    assert (tls["peer"], tls["chain"]) == (None, [None])
