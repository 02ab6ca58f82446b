"""Keys, authorities, leaves and revocation lists of the test set, made in memory.

A key takes longer to find than a certificate to sign, so each key is made once, under a name, and many certificates
share it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dicomtls.certificates.building import key_usage, signature_hash, signer_identifier
from dicomtls.certificates.issue import BACKDATED, CA_DAYS, LEAF_DAYS, KeyType, PrivateKey
from dicomtls.certificates.names import general_names

SERVER_AUTH, CLIENT_AUTH = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
BOTH = (SERVER_AUTH, CLIENT_AUTH)
HOSTS = ("localhost", "127.0.0.1", "::1")
"""What servers' leaves are made out to, so that the cases can be tried on one machine."""
LEAF_KEY = "rsa-2048"
"""The key of every leaf that is not about keys."""
WEAK_KEY = "rsa-1024"
AUTHORITY_KEY = "rsa-2048"
"""The kind of key of the authorities that sign what is forged."""
QUICK_KEY = "ec-p256"
"""The kind of all other authorities' keys: it takes no time to make."""

BEGAN = timedelta(days=-LEAF_DAYS)
"""When authorities and lists begin, from now: before what has expired has expired."""
LEAF_BEGAN = -BACKDATED
"""When leaves begin, from now; so do all of these count."""
LEAF_ENDS = timedelta(days=LEAF_DAYS)
CA_ENDS = timedelta(days=CA_DAYS)

_WEAK_BITS = 1024

Extension = tuple[x509.ExtensionType, bool]
"""With whether it is critical."""


@dataclass(frozen=True)
class Authority:
    """Who issues certificates: its own one, and the key that it signs with."""

    name: str
    der: bytes
    key: PrivateKey = field(repr=False)

    @property
    def subject(self) -> x509.Name:
        """Its name, which is the issuer of what it signs."""
        return x509.load_der_x509_certificate(self.der).subject


@dataclass(frozen=True)
class RevocationList:
    """A CRL, and the name of its file."""

    name: str
    der: bytes


class Workshop:
    """Makes everything of one test set; all dates count from the moment at which it was opened."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self._keys: dict[str, PrivateKey] = {}

    def key(self, name: str) -> PrivateKey:
        """The key of this name, made when it is first asked for; the name's last word says its kind: `rsa-2048`."""
        if name not in self._keys:
            self._keys[name] = _generate(name.rsplit(maxsplit=1)[-1])
        return self._keys[name]

    @cached_property
    def root(self) -> Authority:
        """The trust anchor of every case that does not say otherwise."""
        return self.authority("root", key_kind=AUTHORITY_KEY)

    @cached_property
    def intermediate(self) -> Authority:
        """An authority below the root, with nothing wrong about it."""
        return self.authority("intermediate", self.root, path_length=0, key_kind=AUTHORITY_KEY)

    @cached_property
    def other_root(self) -> Authority:
        """An authority that nobody trusts."""
        return self.authority("other-root")

    def authority(
        self,
        name: str,
        issuer: Authority | None = None,
        *,
        is_ca: bool = True,
        path_length: int | None = None,
        usages: Sequence[str] = ("key_cert_sign", "crl_sign"),
        extra: Sequence[Extension] = (),
        ends: timedelta = CA_ENDS,
        key_kind: str = QUICK_KEY,
    ) -> Authority:
        """Make an authority with a key of its own, a root where it has no `issuer`."""
        key = self.key(f"{name} {key_kind}")
        constraints = x509.BasicConstraints(ca=is_ca, path_length=path_length)
        extensions = [(constraints, True), (key_usage(*usages), True), *extra]
        der = self.certificate(f"Test set {name}", key, issuer, extensions, ends=ends)
        return Authority(name, der, key)

    def leaf(
        self,
        issuer: Authority | None,
        *,
        subject: str = "Test set server",
        key: str = LEAF_KEY,
        hosts: Sequence[str] = HOSTS,
        purposes: Sequence[x509.ObjectIdentifier] = BOTH,
        extra: Sequence[Extension] = (),
        begins: timedelta = LEAF_BEGAN,
        ends: timedelta = LEAF_ENDS,
    ) -> bytes:
        """Make a leaf, self-signed where it has no `issuer`; without `hosts` it has no subject alternative name."""
        own = self.key(key)
        # Only RSA keys can encipher, which suites without forward secrecy want.
        usages = ["digital_signature", *(["key_encipherment"] if isinstance(own, rsa.RSAPrivateKey) else [])]
        extensions: list[Extension] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (key_usage(*usages), True),
            (x509.ExtendedKeyUsage(purposes), False),
            *extra,
        ]
        if hosts:
            # RFC 5280 section 4.2.1.6: critical where the subject is empty.
            extensions.append((x509.SubjectAlternativeName(general_names(hosts)), not subject))
        return self.certificate(subject, own, issuer, extensions, begins=begins, ends=ends)

    def certificate(
        self,
        subject: str,
        key: PrivateKey,
        issuer: Authority | None,
        extensions: Sequence[Extension],
        *,
        begins: timedelta = BEGAN,
        ends: timedelta = LEAF_ENDS,
    ) -> bytes:
        """Sign a certificate with these extensions and both key identifiers; it is self-signed without `issuer`."""
        name = _name(subject)
        signer = key if issuer is None else issuer.key
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name if issuer is None else issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now + begins)
            .not_valid_after(self.now + ends)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(signer_identifier(signer), critical=False)
        )
        for extension, is_critical in extensions:
            builder = builder.add_extension(extension, critical=is_critical)
        return builder.sign(signer, signature_hash(signer)).public_bytes(Encoding.DER)

    def revocation_list(
        self,
        name: str,
        issuer: Authority,
        revoked: Sequence[bytes] = (),
        *,
        begins: timedelta = BEGAN,
        ends: timedelta = LEAF_ENDS,
    ) -> RevocationList:
        """Sign a list of these certificates; `begins` and `ends` are its last and next update, from now."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.subject)
            .last_update(self.now + begins)
            .next_update(self.now + ends)
            .add_extension(x509.CRLNumber(1), critical=False)
            .add_extension(signer_identifier(issuer.key), critical=False)
        )
        for der in revoked:
            serial = x509.load_der_x509_certificate(der).serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(self.now + BEGAN)
            builder = builder.add_revoked_certificate(entry.build())
        return RevocationList(name, builder.sign(issuer.key, signature_hash(issuer.key)).public_bytes(Encoding.DER))


def _generate(kind: str) -> PrivateKey:
    if kind == WEAK_KEY:
        return rsa.generate_private_key(public_exponent=65537, key_size=_WEAK_BITS)
    return KeyType.parse(kind.replace("-", ":")).generate()


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])
