"""dicomtls.diagnosis.client: what a server saw of a client that failed."""

from hypothesis import given
from hypothesis import strategies as st

from dicomtls.certificates.describe import describe
from dicomtls.diagnosis.client import about_client, client_evidence
from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.tls.hello import ClientHello
from tests.support.chains import issue

AUTHORITY = issue("authority", is_ca=True)
DEVICE = issue("device", AUTHORITY)
HELLO = ClientHello(server_name="pacs.example").encode()[4:]
REQUEST = b"\x01\x00\x00\x00\x00\xcd\x00\x01\x00\x00" + b"PACS".ljust(16) + b"CT1".ljust(16) + bytes(32)


def test_certificate_and_name_stand_behind_the_message() -> None:
    """Subject, issuer and days; then the name that it sent."""
    begins, ends = DEVICE.cert.not_valid_before_utc.date(), DEVICE.cert.not_valid_after_utc.date()
    facts = HandshakeFacts(role="server", chain_der=(DEVICE.der,), client_hello=HELLO)
    certificate = f"; its certificate: CN=device, issued by CN=authority, valid {begins} to {ends}"
    assert about_client(facts) == f"{certificate}; it calls us pacs.example"


def test_nothing_is_said_where_nothing_is_known() -> None:
    """Neither a certificate nor a name, or none that can be read."""
    for facts in (HandshakeFacts(), HandshakeFacts(chain_der=(b"junk",), client_hello=b"junk")):
        assert about_client(facts) == ""
        assert client_evidence(facts) == {}


def test_evidence_has_certificate_and_calling_ae_title() -> None:
    """For programs, under names of their own."""
    described = describe(DEVICE.der).as_json()
    keys = ("subject", "issuer", "serial", "not_before", "not_after", "fingerprint_sha256")
    assert client_evidence(HandshakeFacts(chain_der=(DEVICE.der,))) == {
        "certificate": {key: described[key] for key in keys}
    }
    assert client_evidence(HandshakeFacts(first_bytes=REQUEST)) == {"calling_aet": "CT1"}


@given(chain=st.lists(st.binary(max_size=200), max_size=3), hello=st.binary(max_size=200), first=st.binary(max_size=60))
def test_strangers_break_nothing(chain: list[bytes], hello: bytes, first: bytes) -> None:
    """Whatever the bytes are."""
    facts = HandshakeFacts(role="server", chain_der=tuple(chain), client_hello=hello, first_bytes=first)
    assert isinstance(about_client(facts), str)
    assert isinstance(client_evidence(facts), dict)
