"""A throw-away PKI made once a run: good chains and one of each fault, as files named by role.

Made with `cryptography` and not with dicomtls, so that what dicomtls issues and loads meets another hand.
Only paths are shared between tests; contexts are built anew by whoever needs one.
"""

import fcntl
import ipaddress
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

PASSPHRASE = b"correct horse battery staple"
HOSTS = ("localhost", "127.0.0.1", "::1")
SERVER_AUTH = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT_AUTH = ExtendedKeyUsageOID.CLIENT_AUTH
BOTH = (SERVER_AUTH, CLIENT_AUTH)
# Certificates begin in the past, so that a clock that steps back during a run harms no test.
BACKDATED = timedelta(days=2)


@dataclass(frozen=True)
class Identity:
    """A certificate with its key, in every form that users bring; encrypted forms are under `PASSPHRASE`."""

    directory: Path
    name: str

    @property
    def cert(self) -> Path:
        """PEM: leaf first, then the intermediates, if there are any."""
        return self.directory / f"{self.name}.pem"

    @property
    def key(self) -> Path:
        """PEM: PKCS#8, not encrypted."""
        return self.directory / f"{self.name}.key"

    @property
    def encrypted_key(self) -> Path:
        """PEM: PKCS#8, encrypted."""
        return self.directory / f"{self.name}.encrypted.key"

    @property
    def combined(self) -> Path:
        """PEM: what `cert` holds, then what `key` holds."""
        return self.directory / f"{self.name}.combined.pem"

    @property
    def leaf(self) -> Path:
        """PEM: the leaf alone."""
        return self.directory / f"{self.name}.leaf.pem"

    @property
    def cert_der(self) -> Path:
        """DER: the leaf alone."""
        return self.directory / f"{self.name}.der"

    @property
    def key_der(self) -> Path:
        """DER: PKCS#8, not encrypted."""
        return self.directory / f"{self.name}.key.der"

    @property
    def pkcs12(self) -> Path:
        """PKCS#12: key, leaf and intermediates, encrypted."""
        return self.directory / f"{self.name}.p12"


class PKI:
    """Where each role's files lie.

    `server` and `server_ec` are good for `HOSTS` and both purposes, `client` and `client_ec` for clientAuth only.
    The identities with a fault carry exactly that one, have both purposes otherwise, and share the key of `server`.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ca = directory / "ca.pem"
        self.ca_key = directory / "ca.key"
        self.ca_der = directory / "ca.der"
        self.other_ca = directory / "other_ca.pem"
        self.intermediate = directory / "intermediate.pem"
        self.crl = directory / "crl.pem"
        self.crl_der = directory / "crl.der"
        self.expired_crl = directory / "expired_crl.pem"
        self.server = Identity(directory, "server")
        self.server_ec = Identity(directory, "server_ec")
        self.client = Identity(directory, "client")
        self.client_ec = Identity(directory, "client_ec")
        self.chained = Identity(directory, "chained")
        self.expired = Identity(directory, "expired")
        self.expiring = Identity(directory, "expiring")
        self.not_yet_valid = Identity(directory, "not_yet_valid")
        self.valid_soon = Identity(directory, "valid_soon")
        self.wrong_name = Identity(directory, "wrong_name")
        self.only_common_name = Identity(directory, "only_common_name")
        self.client_purpose = Identity(directory, "client_purpose")
        self.server_purpose = Identity(directory, "server_purpose")
        self.self_signed = Identity(directory, "self_signed")
        self.revoked = Identity(directory, "revoked")
        self.weak_key = Identity(directory, "weak_key")
        self.other_server = Identity(directory, "other_server")
        self.other_client = Identity(directory, "other_client")


def server_context(
    pki: PKI,
    identity: Identity | None = None,
    *,
    client_auth: ssl.VerifyMode = ssl.CERT_REQUIRED,
    protocol: ssl.TLSVersion | None = None,
) -> ssl.SSLContext:
    """A peer's context in the server role, built without dicomtls; `protocol` allows that version only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = client_auth
    return _finished(context, pki, identity or pki.server, protocol)


def client_context(
    pki: PKI, identity: Identity | None = None, *, anonymous: bool = False, protocol: ssl.TLSVersion | None = None
) -> ssl.SSLContext:
    """A peer's context in the client role, built without dicomtls; `protocol` allows that version only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return _finished(context, pki, None if anonymous else identity or pki.client, protocol)


def _finished(
    context: ssl.SSLContext, pki: PKI, identity: Identity | None, protocol: ssl.TLSVersion | None
) -> ssl.SSLContext:
    if identity is not None:
        context.load_cert_chain(identity.cert, identity.key)
    context.load_verify_locations(pki.ca)
    if protocol is not None:
        context.minimum_version = context.maximum_version = protocol
    return context


def shared_pki(directory: Path) -> PKI:
    """The PKI of the whole run below `directory`: the first worker that asks makes it, the others wait for that."""
    directory.mkdir(parents=True, exist_ok=True)
    finished = directory / "finished"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            _Maker(directory).make()
            finished.touch()
    return PKI(directory)


@dataclass(frozen=True)
class _Issued:
    cert: x509.Certificate
    key: Key


class _Maker:
    """Makes every file of a `PKI`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.now = datetime.now(UTC).replace(microsecond=0)
        # RSA keys take time to find: one for the servers, one for the clients.
        self.server_key = _rsa_key()
        self.client_key = _rsa_key()
        self.ca = self.issue("dicomtls test CA", _rsa_key(), is_ca=True)
        self.other_ca = self.issue("another test CA", _ec_key(), is_ca=True)
        self.intermediate = self.issue("dicomtls test intermediate", _ec_key(), issuer=self.ca, is_ca=True)

    def make(self) -> None:
        """Write everything."""
        pki = PKI(self.directory)
        for path, authority in (
            (pki.ca, self.ca),
            (pki.other_ca, self.other_ca),
            (pki.intermediate, self.intermediate),
        ):
            path.write_bytes(authority.cert.public_bytes(Encoding.PEM))
        pki.ca_der.write_bytes(self.ca.cert.public_bytes(Encoding.DER))
        pki.ca_key.write_bytes(_key_bytes(self.ca.key, Encoding.PEM))
        self.make_good(pki)
        self.make_faulty(pki)
        self.make_foreign(pki)
        self.make_revoked(pki)

    def make_good(self, pki: PKI) -> None:
        """What must pass."""
        self.write(pki.server, self.issue("server", self.server_key))
        self.write(pki.server_ec, self.issue("server ec", _ec_key()))
        self.write(pki.client, self.issue("client", self.client_key, hosts=(), purposes=(CLIENT_AUTH,)))
        self.write(pki.client_ec, self.issue("client ec", _ec_key(), hosts=(), purposes=(CLIENT_AUTH,)))
        chained = self.issue("chained", self.server_key, issuer=self.intermediate)
        self.write(pki.chained, chained, self.intermediate.cert)
        self.write(pki.expiring, self.issue("expiring", self.server_key, days=10))

    def make_faulty(self, pki: PKI) -> None:
        """What must not pass, for one reason each."""
        key = self.server_key
        self.write(pki.expired, self.issue("expired", key, days=-1))
        self.write(pki.not_yet_valid, self.issue("not yet valid", key, starts_in=timedelta(days=30)))
        # As a clock that stands in another time zone makes them.
        self.write(pki.valid_soon, self.issue("valid soon", key, starts_in=timedelta(hours=3, minutes=30)))
        self.write(pki.wrong_name, self.issue("wrong name", key, hosts=("pacs.hospital.example", "192.0.2.1")))
        self.write(pki.only_common_name, self.issue("localhost", key, hosts=()))
        self.write(pki.client_purpose, self.issue("client purpose", key, purposes=(CLIENT_AUTH,)))
        self.write(pki.server_purpose, self.issue("server purpose", key, purposes=(SERVER_AUTH,)))
        self.write(pki.weak_key, self.issue("weak key", _rsa_key(1024)))

    def make_foreign(self, pki: PKI) -> None:
        """What `ca` did not issue."""
        self.write(pki.self_signed, self.issue("self-signed", self.server_key, self_signed=True))
        self.write(pki.other_server, self.issue("other server", self.server_key, issuer=self.other_ca))
        other = self.issue("other client", self.client_key, issuer=self.other_ca, hosts=(), purposes=(CLIENT_AUTH,))
        self.write(pki.other_client, other)

    def make_revoked(self, pki: PKI) -> None:
        """A revoked certificate and the lists that say so."""
        revoked = self.issue("revoked", self.server_key)
        self.write(pki.revoked, revoked)
        current = self.revocation_list(revoked, next_update=self.now + timedelta(days=30))
        pki.crl.write_bytes(current.public_bytes(Encoding.PEM))
        pki.crl_der.write_bytes(current.public_bytes(Encoding.DER))
        stale = self.revocation_list(revoked, next_update=self.now - timedelta(days=1))
        pki.expired_crl.write_bytes(stale.public_bytes(Encoding.PEM))

    def issue(
        self,
        name: str,
        key: Key,
        *,
        issuer: _Issued | None = None,
        hosts: Sequence[str] = HOSTS,
        purposes: Sequence[ObjectIdentifier] = BOTH,
        is_ca: bool = False,
        self_signed: bool = False,
        days: int = 365,
        starts_in: timedelta = -BACKDATED,
    ) -> _Issued:
        """One certificate; `days` counts from now, a leaf without `issuer` is issued by the test CA."""
        if issuer is None and not is_ca and not self_signed:
            issuer = self.ca
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.cert.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now + starts_in)
            .not_valid_after(self.now + timedelta(days=days))
        )
        builder = _with_key_identifiers(builder, key, issuer.key if issuer else key)
        builder = _with_ca_extensions(builder) if is_ca else _with_leaf_extensions(builder, hosts, purposes)
        return _Issued(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)

    def revocation_list(self, revoked: _Issued, *, next_update: datetime) -> x509.CertificateRevocationList:
        """A CRL of the test CA with one entry."""
        entry = x509.RevokedCertificateBuilder().serial_number(revoked.cert.serial_number)
        entry = entry.revocation_date(self.now - BACKDATED)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.ca.cert.subject)
        builder = builder.last_update(self.now - BACKDATED).next_update(next_update)
        return builder.add_revoked_certificate(entry.build()).sign(self.ca.key, hashes.SHA256())

    def write(self, identity: Identity, issued: _Issued, *intermediates: x509.Certificate) -> None:
        """Every form of one identity."""
        pem = issued.cert.public_bytes(Encoding.PEM)
        chain = pem + b"".join(cert.public_bytes(Encoding.PEM) for cert in intermediates)
        key = _key_bytes(issued.key, Encoding.PEM)
        encryption = BestAvailableEncryption(PASSPHRASE)
        identity.cert.write_bytes(chain)
        identity.leaf.write_bytes(pem)
        identity.cert_der.write_bytes(issued.cert.public_bytes(Encoding.DER))
        identity.key.write_bytes(key)
        identity.key_der.write_bytes(_key_bytes(issued.key, Encoding.DER))
        identity.combined.write_bytes(chain + key)
        identity.encrypted_key.write_bytes(issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
        archive = pkcs12.serialize_key_and_certificates(
            identity.name.encode(), issued.key, issued.cert, intermediates or None, encryption
        )
        identity.pkcs12.write_bytes(archive)


def _rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def _ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _key_bytes(key: Key, encoding: Encoding) -> bytes:
    return key.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())


def general_name(host: str) -> x509.GeneralName:
    """The kind of name that `host` is: an IP address or a DNS name."""
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _with_key_identifiers(builder: x509.CertificateBuilder, key: Key, issuer_key: Key) -> x509.CertificateBuilder:
    subject = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return builder.add_extension(subject, critical=False).add_extension(authority, critical=False)


def _with_ca_extensions(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.add_extension(_key_usage(signs_certificates=True), critical=True)


def _with_leaf_extensions(
    builder: x509.CertificateBuilder, hosts: Sequence[str], purposes: Sequence[ObjectIdentifier]
) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    if hosts:
        names = x509.SubjectAlternativeName([general_name(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    return builder


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
