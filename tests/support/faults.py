"""Chains with one fault each, against which the verdict on the file and a real handshake are compared."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.support.chains import Issued, issue

_Extensions: TypeAlias = tuple[tuple[x509.ExtensionType, bool], ...]
_SERVER: _Extensions = ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),)
_CLIENT: _Extensions = ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),)
_CRITICAL: _Extensions = ((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"), True),)
_OVER: dict[str, Any] = {"starts": timedelta(days=-20), "ends": timedelta(days=-1)}
_EARLY: dict[str, Any] = {"starts": timedelta(days=1), "ends": timedelta(days=20)}


@dataclass(frozen=True)
class Case:
    """A chain as it is sent, the trust anchors and lists to verify it with, and what must come of it."""

    chain: tuple[Issued, ...]
    anchor: Issued
    code: str | None
    host: str = "localhost"
    crl: bytes = b""
    role: str = "server"
    hidden: tuple[str, ...] = field(default=())

    def write(self, folder: Path) -> dict[str, Any]:
        """Write chain, key, anchor and list; returns their paths by role."""
        identity = self.chain[0].write_as(folder, *self.chain[1:])
        (folder / "anchor.pem").write_bytes(self.anchor.pem)
        (folder / "crl.pem").write_bytes(self.crl)
        crl = (folder / "crl.pem",) if self.crl else ()
        return {"identity": identity, "ca": (folder / "anchor.pem",), "crl": crl}


def crl(issuer: Issued, *revoked: Issued, expired: bool = False) -> bytes:
    """A revocation list in PEM."""
    now = datetime.now(UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.cert.subject)
    builder = builder.last_update(now - timedelta(days=3)).next_update(now + timedelta(days=-1 if expired else 7))
    for one in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(one.cert.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(now - timedelta(days=2)).build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _chains() -> Iterator[tuple[str, Case]]:
    root, other = issue("root", is_ca=True), issue("other", is_ca=True)
    middle = issue("middle", root, is_ca=True)
    leaf, below = issue("leaf", root), issue("leaf", middle)
    yield "good", Case((leaf,), root, None)
    yield "good with intermediate", Case((below, middle), root, None)
    yield "good with root sent too", Case((below, middle, root), root, None)
    yield "wrong order", Case((below, root, middle), root, None)
    yield "pinned leaf", Case((leaf,), leaf, None)
    yield "pinned intermediate", Case((below,), middle, None)
    yield "name", Case((leaf,), root, "name-mismatch", host="pacs.example")
    yield "address", Case((leaf,), root, "name-mismatch", host="127.0.0.1")
    yield "no name", Case((issue("localhost", root, hosts=()),), root, "name-mismatch")
    yield "issuer", Case((leaf,), other, "unknown-issuer")
    yield "issuer, root sent", Case((leaf, root), other, "unknown-issuer")
    yield "incomplete", Case((below, middle), other, "incomplete-chain")
    yield "missing intermediate", Case((below,), root, "unknown-issuer")
    yield "self-signed", Case((issue("localhost"),), root, "self-signed")
    yield "expired", Case((issue("leaf", root, **_OVER),), root, "expired")
    yield "not yet valid", Case((issue("leaf", root, **_EARLY),), root, "not-yet-valid")
    old = issue("old", root, is_ca=True, **_OVER)
    yield "expired intermediate", Case((issue("leaf", old), old), root, "expired")
    two = issue("leaf", root, hosts=("elsewhere",), extensions=_CLIENT, **_OVER)
    yield "three faults", Case((two,), root, "wrong-purpose", hidden=("expired", "name-mismatch"))
    yield "purpose", Case((issue("leaf", root, extensions=_CLIENT),), root, "wrong-purpose")
    yield "critical", Case((issue("leaf", root, extensions=_CRITICAL),), root, "unknown-critical-extension")
    none = issue("none", root)
    yield "no CA", Case((issue("leaf", none), none), root, "invalid-ca")
    short = issue("short", is_ca=True, path_length=0)
    between = issue("between", short, is_ca=True)
    yield "path length", Case((issue("leaf", between), between), short, "path-length-exceeded")
    permitted = x509.NameConstraints([x509.DNSName("clinic.example")], None)
    strict = issue("strict", is_ca=True, extensions=((permitted, True),))
    yield "constraints", Case((issue("leaf", strict),), strict, "name-not-permitted")
    impostor = issue("root", is_ca=True)
    yield "signature", Case((leaf,), impostor, "bad-signature")
    yield "revoked", Case((leaf,), root, "revoked", crl=crl(root, leaf))
    yield "not revoked", Case((leaf,), root, None, crl=crl(root))
    yield "old list", Case((leaf,), root, "crl-expired", crl=crl(root, expired=True))
    yield "no list", Case((leaf,), root, "crl-missing", crl=crl(other))
    yield "client", Case((issue("leaf", root, hosts=(), extensions=_CLIENT),), root, None, role="client")
    yield "client purpose", Case((issue("leaf", root, extensions=_SERVER),), root, "wrong-purpose", role="client")
    yield "client issuer", Case((leaf,), other, "unknown-issuer", role="client")
    yield "client expired", Case((issue("leaf", root, **_OVER),), root, "expired", role="client")
    yield "client self-signed", Case((issue("leaf"),), root, "self-signed", role="client")
    yield "client revoked", Case((leaf,), root, "revoked", crl=crl(root, leaf), role="client")


def cases() -> dict[str, Case]:
    """All cases by name, made anew."""
    return dict(_chains())
