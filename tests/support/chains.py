"""Certificate chains with whatever fault a test is about, each certificate with an EC key of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.pki import Identity, general_name

# The fields that `cryptography` wants by name, none of which matters here but the first two and the sixth.
_CA_USAGE = (True, False, False, False, False, True, True, False, False)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    cert: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate."""
        return self.cert.public_bytes(Encoding.PEM)

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.cert.public_bytes(Encoding.DER)

    @property
    def key_pem(self) -> bytes:
        """The key, PKCS#8, not encrypted."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def write_as(self, directory: Path, *chain: "Issued", name: str = "identity") -> Identity:
        """Write `cert` (this one, then `chain`) and `key` of an identity."""
        identity = Identity(directory, name)
        identity.cert.write_bytes(b"".join(one.pem for one in (self, *chain)))
        identity.key.write_bytes(self.key_pem)
        return identity


def issue(
    name: str,
    issuer: Issued | None = None,
    *,
    hosts: Sequence[str] = ("localhost",),
    is_ca: bool = False,
    path_length: int | None = None,
    starts: timedelta = timedelta(days=-2),
    ends: timedelta = timedelta(days=30),
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> Issued:
    """A certificate with CN=`name`, self-signed where there is no `issuer`; each extension with whether it is critical.

    `starts` and `ends` count from now.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.cert.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + starts)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=path_length), critical=True)
    )
    if is_ca:
        builder = builder.add_extension(x509.KeyUsage(*_CA_USAGE), critical=True)
    elif hosts:
        names = x509.SubjectAlternativeName([general_name(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, critical=is_critical)
    return Issued(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)
