"""dicomtls.diagnosis.foreign: what speaks by its first bytes, and who calls in plain DICOM."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.association.pdu import encode
from dicomtls.diagnosis import diagnose
from dicomtls.diagnosis.foreign import calling_ae_title, foreign_code
from dicomtls.errors import HandshakeError
from dicomtls.handshake_facts import HandshakeFacts
from tests.support.messages import proposal

REQUEST = encode(proposal()._replace(calling_ae_title="CT1"))


def test_calling_ae_title_is_read_from_a_request() -> None:
    """The fixed part is enough."""
    assert calling_ae_title(REQUEST[:80]) == "CT1"
    facts = HandshakeFacts(role="server", first_bytes=REQUEST[:80])
    diagnosis = diagnose(HandshakeError("x", facts))
    assert diagnosis.code == "peer-speaks-plain-dicom"
    assert diagnosis.message == "the client speaks plain DICOM, not TLS: its calling AE title is CT1"


@pytest.mark.parametrize("data", [b"", REQUEST[:41], b"\x07" + REQUEST[1:80], REQUEST[:26] + b" " * 16])
def test_what_names_nobody_has_no_title(data: bytes) -> None:
    """Cut off, another PDU, only spaces."""
    assert calling_ae_title(data) is None


@given(st.binary(max_size=80))
def test_any_beginning_has_a_code(data: bytes) -> None:
    """None at all too; and a title that can be shown."""
    assert foreign_code(data) in {"peer-speaks-http", "peer-speaks-plain-dicom", "peer-is-not-tls"}
    assert (calling_ae_title(data) or "").isascii()
