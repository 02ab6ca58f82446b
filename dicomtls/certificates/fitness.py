"""Whether a certificate is fit for a role under the two current profiles of PS3.15: B.12 and B.13.

B.12 has no rules of its own for certificates: they are RFC 9325's (section 4.5). B.13 lists its own: RSA of at least
2048 bits, EC of at least 256, SHA-256 or better, also for whoever signed.
"""

from collections.abc import Iterator, Sequence

from dicomtls.certificates.checks import SMALLEST_EC, SMALLEST_RSA, WEAK_HASHES
from dicomtls.certificates.describe import CertificateDescription
from dicomtls.certificates.fields import permits_client, permits_server

_SMALLEST_EC = {"bcp195": SMALLEST_EC, "bcp195-modified": 256}
PROFILE_NAMES = tuple(_SMALLEST_EC)
"""The profiles that `obstacles` knows."""
ROLES = ("server", "client")
"""Of TLS, as `obstacles` takes them."""


def obstacles(path: Sequence[CertificateDescription], profile: str, role: str) -> list[str]:
    """Say what keeps the leaf of this path, leaf first, out of a role under a profile; nothing where it is fit."""
    return list(dict.fromkeys(_obstacles(path, profile, role)))


def _obstacles(path: Sequence[CertificateDescription], profile: str, role: str) -> Iterator[str]:
    leaf = path[0]
    if not (permits_server if role == "server" else permits_client)(leaf.der):
        yield f"not made for a {role}"
    if role == "server" and not (leaf.dns_names or leaf.ip_addresses):
        yield "no subject alternative name"
    for certificate in path:
        smallest = SMALLEST_RSA if certificate.key_type == "RSA" else _SMALLEST_EC[profile]
        if certificate.key_type == "DSA":
            yield "a DSA key"
        elif certificate.key_bits is not None and certificate.key_bits < smallest:
            yield f"{certificate.key_type} {certificate.key_bits} (at least {smallest})"
        if profile == "bcp195-modified" and certificate.key_type in {"Ed25519", "Ed448"}:
            yield f"{certificate.key_type} (only RSA and ECDSA)"
        if certificate.signature_hash in WEAK_HASHES and not (certificate.self_signed and certificate is not leaf):
            yield f"signed with {certificate.signature_hash.upper()}"
