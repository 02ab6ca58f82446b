"""dicomtls.certificates.cases.case: what a case is called, and where its files lie."""

from dicomtls.certificates.cases.case import Case, Purpose
from dicomtls.certificates.cases.workshop import Authority, RevocationList, Workshop


def test_entry_has_what_the_contract_names() -> None:
    """Paths are relative, and what there is none of is null."""
    ca = Authority("root", b"", Workshop().key("ec-p256"))
    case = Case("expired", "too late", "expired", (b"",), ca)
    assert case.entry() == {
        "file": "server/expired.pem",
        "key": "keys/rsa-2048.key",
        "ca": "ca/root.pem",
        "crl": None,
        "host": "localhost",
        "purpose": "server",
        "code": "expired",
        "title": "too late",
    }
    case = Case("fine", "", None, (b"",), ca, "ec-p256", Purpose.CLIENT, None, RevocationList("root", b""))
    entry = case.entry()
    assert (entry["file"], entry["key"], entry["crl"]) == ("client/fine.pem", "keys/ec-p256.key", "crl/root.pem")
    assert (entry["host"], entry["purpose"], entry["code"]) == (None, "client", None)
