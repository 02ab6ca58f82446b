"""dicomtls.handshake_facts: what a log shows of them."""

from dicomtls.handshake_facts import HandshakeFacts


def test_handshake_facts_do_not_show_certificates() -> None:
    """A log of the facts is one line, not the certificates of a chain."""
    assert "chain_der" not in repr(HandshakeFacts(chain_der=(b"\x30" * 2000,)))
