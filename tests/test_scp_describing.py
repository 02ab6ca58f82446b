"""dicomtls.scp.describing: what events say of a connection that came about."""

from dataclasses import replace

from dicomtls.scp.describing import describe_handshake, describe_tls, tls_facts
from dicomtls.tls.hello import ClientHello
from tests.support.probes import CERTIFICATE, negotiated

DEVICE = replace(CERTIFICATE, subject="CN=ct1", dns_names=())
NEGOTIATED = negotiated(peer=DEVICE, alpn="dicom", client_hello=ClientHello(server_name="pacs.example").encode()[4:])
ANONYMOUS = replace(NEGOTIATED, peer=None, group=None, client_certificate="requested", client_hello=b"")


def test_tls_is_a_few_words() -> None:
    """Whom we talk to, where that is known."""
    assert describe_tls(None) == "in clear"
    assert describe_tls(ANONYMOUS) == "TLSv1.3, no client certificate"
    assert describe_tls(NEGOTIATED) == "TLSv1.3, client CN=ct1"


def test_handshake_is_a_line_with_all_that_is_known() -> None:
    """And with its time; what is not known is left out."""
    assert describe_handshake(NEGOTIATED, 0.0123) == (
        "tls: TLSv1.3, TLS_AES_256_GCM_SHA384, x25519, client certificate sent, CN=ct1, issued by CN=ca, "
        "it calls us pacs.example (12.3 ms)"
    )
    assert describe_handshake(replace(ANONYMOUS, client_certificate=None), 0.0) == (
        "tls: TLSv1.3, TLS_AES_256_GCM_SHA384 (0.0 ms)"
    )


def test_facts_are_the_same_for_programs() -> None:
    """Every key is there in clear too."""
    facts = tls_facts(NEGOTIATED)
    assert (facts["server_name"], facts["client"], facts["alpn"]) == ("pacs.example", "CN=ct1", "dicom")
    assert facts["client_fingerprint_sha256"] == DEVICE.fingerprint_sha256
    assert tls_facts(None) == dict.fromkeys(facts)
    assert tls_facts(ANONYMOUS)["client"] is None
