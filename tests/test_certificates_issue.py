"""dicomtls.certificates.issue: a small PKI, or one self-signed identity, as strict verifiers want them."""

import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from dicomtls.certificates.describe import CertificateDescription, describe
from dicomtls.certificates.issue import (
    CA_DAYS,
    LEAF_DAYS,
    SELF_SIGNED_DAYS,
    CredentialFiles,
    Issued,
    KeyType,
    identity_files,
    make_pki,
    make_self_signed,
    pki_files,
)
from dicomtls.certificates.load import load_identity
from dicomtls.errors import UsageError
from tests.support.openssl import PASSPHRASE, openssl, verify

HOSTS = ["pacs.example", "192.0.2.7", "::1"]
EC = KeyType.EC_P256


def _write(files: CredentialFiles, folder: Path) -> Path:
    for name, content in files.contents.items():
        (folder / name).write_bytes(content)
    return folder


def _described(issued: Issued) -> CertificateDescription:
    return describe(issued.certificate.public_bytes(Encoding.DER))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `certgen pki --pkcs12` writes, with a passphrase."""
    files = pki_files(make_pki("St. Example", HOSTS, key_type=EC), passphrase=PASSPHRASE, pkcs12=True)
    return _write(files, tmp_path_factory.mktemp("pki"))


@pytest.mark.parametrize("key_type", [KeyType.RSA_2048, KeyType.EC_P256, KeyType.EC_P384, KeyType.ED25519])
def test_pki_passes_openssl_s_strict_checks(tmp_path: Path, key_type: KeyType) -> None:
    """Each identity verifies for its purposes and under its names, whatever the kind of key."""
    _write(pki_files(make_pki("St. Example", HOSTS, key_type=key_type)), tmp_path)
    trusting = ("-CAfile", tmp_path / "ca.pem")
    server, client = tmp_path / "server.pem", tmp_path / "client.pem"
    for purpose in ("sslserver", "sslclient"):
        assert verify(server, *trusting, "-purpose", purpose) == f"{server}: OK\n"
    assert verify(server, *trusting, "-verify_hostname", "pacs.example") == f"{server}: OK\n"
    assert verify(server, *trusting, "-verify_ip", "::1") == f"{server}: OK\n"
    assert verify(client, *trusting, "-purpose", "sslclient") == f"{client}: OK\n"


def test_pki_fails_openssl_s_checks_where_it_should(folder: Path) -> None:
    """The client is no server, another host is not covered, and without the CA nothing verifies."""
    trusting = ("-CAfile", folder / "ca.pem")
    assert "unsuitable certificate purpose" in verify(folder / "client.pem", *trusting, "-purpose", "sslserver")
    assert "hostname mismatch" in verify(folder / "server.pem", *trusting, "-verify_hostname", "other.example").lower()
    assert "unable to get local issuer" in verify(folder / "server.pem", "-no-CAfile", "-no-CApath", "-no-CAstore")
    as_ca = verify(folder / "client.pem", "-CAfile", folder / "server.pem", "-partial_chain")
    assert "OK" not in as_ca


def test_pki_describes_itself_as_promised() -> None:
    """Purposes, names, usages and lifetimes are those of the contract."""
    pki = make_pki("St. Example", HOSTS, key_type=EC)
    ca, server, client = map(_described, (pki.ca, pki.server, pki.client))
    assert (ca.subject, ca.is_ca, ca.self_signed) == ("CN=St. Example CA,O=St. Example", True, True)
    assert ca.key_usage == ("keyCertSign", "cRLSign")
    assert (server.subject, server.issuer) == ("CN=St. Example server,O=St. Example", ca.subject)
    assert server.extended_key_usage == ("serverAuth", "clientAuth")
    assert (server.dns_names, server.ip_addresses) == (("pacs.example",), ("192.0.2.7", "::1"))
    assert client.extended_key_usage == ("clientAuth",)
    assert [server.is_ca, client.is_ca, client.dns_names] == [False, False, ()]
    assert server.key_usage == ("digitalSignature",)
    assert {one.signature_hash for one in (ca, server, client)} == {"sha256"}
    assert (ca.days_left, server.days_left) == (CA_DAYS - 1, LEAF_DAYS - 1)


def test_certificates_begin_in_the_past() -> None:
    """A device whose clock runs an hour late accepts them today."""
    not_before = _described(make_self_signed("serve", ["localhost"], key_type=EC)).not_before
    assert not_before is not None
    assert timedelta(hours=23) < datetime.now(UTC) - not_before < timedelta(hours=25)


def test_serial_numbers_are_random_and_positive() -> None:
    """Two CAs of the same name must not issue the same number (RFC 5280: 20 bytes at most)."""
    pki = make_pki("St. Example", HOSTS, key_type=EC)
    serials = [one.certificate.serial_number for one in (pki.ca, pki.server, pki.client)]
    assert len(set(serials)) == 3
    assert all(2**64 < serial < 2**159 for serial in serials)


def test_ca_outlives_its_leaves() -> None:
    """A leaf that outlives its CA would fail on a day that its own dates do not tell."""
    pki = make_pki("St. Example", HOSTS, key_type=EC, days=5000)
    assert pki.ca.certificate.not_valid_after_utc >= pki.server.certificate.not_valid_after_utc


def test_rsa_leaf_may_encipher_keys() -> None:
    """TLS 1.2 suites without forward secrecy, which old devices choose, need it."""
    issued = make_self_signed("serve", ["localhost"])
    description = _described(issued)
    assert description.key_usage == ("digitalSignature", "keyEncipherment")
    assert (description.key_type, description.key_bits) == ("RSA", 2048)


def test_self_signed_identity_is_its_own_trust_anchor(tmp_path: Path) -> None:
    """Given as a CA file it verifies, strictly and in both roles; it can sign nothing else."""
    issued = make_self_signed("serve", HOSTS, key_type=EC)
    _write(identity_files(issued, "identity"), tmp_path)
    path = tmp_path / "identity.pem"
    for purpose in ("sslserver", "sslclient"):
        assert verify(path, "-CAfile", path, "-purpose", purpose, "-verify_ip", "192.0.2.7") == f"{path}: OK\n"
    description = _described(issued)
    assert description.self_signed
    assert not description.is_ca
    assert description.days_left == SELF_SIGNED_DAYS - 1
    assert description.extended_key_usage == ("serverAuth", "clientAuth")


def test_self_signed_identity_connects_both_ways(tmp_path: Path) -> None:
    """A handshake with mutual authentication, each side trusting just this certificate."""
    _write(identity_files(make_self_signed("serve", ["localhost"], key_type=EC), "identity"), tmp_path)
    cert, key = tmp_path / "identity.pem", tmp_path / "identity.key"
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for context in (server, client):
        context.load_cert_chain(cert, key)
        context.load_verify_locations(cert)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname="localhost"),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    for _ in range(4):
        for end in ends:
            _step(end)
    assert [end.getpeercert(binary_form=True) for end in ends] == [ssl.PEM_cert_to_DER_cert(cert.read_text())] * 2


def _step(end: ssl.SSLObject) -> None:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return


def test_pki_files_are_named_and_marked(folder: Path) -> None:
    """Ten files; whatever holds a key is private."""
    files = pki_files(make_pki("St. Example", HOSTS, key_type=EC), pkcs12=True)
    assert sorted(files.contents) == sorted(path.name for path in folder.iterdir())
    assert set(files.contents) - files.private == {"ca.pem", "server.pem", "client.pem", "issued.txt"}
    assert "ca.p12" not in files.contents
    contents, private = files.below(Path("there"))
    assert set(contents) == {Path("there") / name for name in files.contents}
    assert private == {Path("there") / name for name in files.private}


def test_keys_and_archives_are_encrypted_when_a_passphrase_is_given(folder: Path, tmp_path: Path) -> None:
    """OpenSSL opens them with it and not without; identities load."""
    given = f"pass:{PASSPHRASE.decode()}"
    for name in ("ca.key", "server.key", "client.key"):
        assert "BEGIN ENCRYPTED PRIVATE KEY" in (folder / name).read_text()
        assert openssl("pkey", "-in", folder / name, "-passin", given, "-noout").returncode == 0
    for name in ("server", "client"):
        archive = folder / f"{name}.p12"
        told = openssl("pkcs12", "-info", "-in", archive, "-passin", given, "-nodes").stdout
        assert "BEGIN PRIVATE KEY" in told
        assert told.count("BEGIN CERTIFICATE") == 2
        assert openssl("pkcs12", "-in", archive, "-passin", "pass:wrong", check=False).returncode != 0
        identity = load_identity(archive, None, lambda _: PASSPHRASE)
        assert identity.chain_pem.startswith((folder / f"{name}.pem").read_bytes())
    plain = _write(pki_files(make_pki("x", HOSTS, key_type=EC), pkcs12=True), tmp_path)
    assert "BEGIN PRIVATE KEY" in (plain / "server.key").read_text()
    assert openssl("pkcs12", "-info", "-in", plain / "server.p12", "-passin", "pass:", "-nodes").returncode == 0


def test_archive_is_read_by_keytool(folder: Path) -> None:
    """Java takes the archive as a keystore with one private key entry."""
    command = ["keytool", "-list", "-keystore", str(folder / "server.p12"), "-storepass", PASSPHRASE.decode()]
    try:
        told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
    except FileNotFoundError:
        pytest.skip("no keytool on this machine")
    assert "PrivateKeyEntry" in told


def test_intermediates_stand_between_leaf_and_root() -> None:
    """`NAME.pem` holds what a peer must be sent: the leaf and the intermediates, never the root."""
    pki = make_pki("St. Example", HOSTS, key_type=EC)
    server = Issued(pki.server.certificate, pki.server.key, (pki.client.certificate,))
    files = identity_files(server, "s", pkcs12=True, ca=pki.ca.certificate)
    leaf, intermediate = (one.certificate.public_bytes(Encoding.PEM) for one in (pki.server, pki.client))
    assert files.contents["s.pem"] == leaf + intermediate
    archive = pkcs12.load_pkcs12(files.contents["s.p12"], None)
    assert [one.certificate for one in archive.additional_certs] == [pki.client.certificate, pki.ca.certificate]


def test_no_private_key_is_in_a_repr() -> None:
    """Neither the PKI nor the laid out files show keys."""
    pki = make_pki("St. Example", HOSTS, key_type=EC)
    assert "key" not in repr(pki).lower()
    assert "PRIVATE" not in repr(pki_files(pki))


@pytest.mark.parametrize("text", ["rsa:2048", "RSA:3072", "ec:p256", "ec:P384", "ed25519"])
def test_key_types_are_read(text: str) -> None:
    """In any case of letters; what is made is of that kind."""
    kind, _, size = text.lower().partition(":")
    description = _described(make_self_signed("x", [], key_type=text))
    assert description.key_type.lower() == kind
    assert description.key_bits == int(size.removeprefix("p") or 256)


@pytest.mark.parametrize("text", ["", "rsa", "rsa:1024", "rsa:512", "ec:p521", "dsa"])
def test_other_key_types_are_refused(text: str) -> None:
    """The hint lists what there is."""
    with pytest.raises(UsageError) as caught:
        make_self_signed("x", ["localhost"], key_type=text)
    assert "ec:p256" in caught.value.hints[0]


@pytest.mark.parametrize("days", [0, -1, 36526, 10**12])
def test_absurd_lifetimes_are_refused(days: int) -> None:
    """Before they overflow a date."""
    with pytest.raises(UsageError, match="days"):
        make_self_signed("x", ["localhost"], key_type=EC, days=days)
    with pytest.raises(UsageError, match="days"):
        make_pki("x", ["localhost"], key_type=EC, days=days)


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "\u00fc" * 33, "a\nb", "a\x1b[31m", "\ud800"])
def test_unusable_names_are_refused(name: str) -> None:
    """X.509 allows 64 characters, counted in UTF-8, and we no control characters."""
    with pytest.raises(UsageError, match="name for a certificate"):
        make_self_signed(name, ["localhost"], key_type=EC)
    with pytest.raises(UsageError, match="name for a certificate"):
        make_pki(name, ["localhost"], key_type=EC)


def test_hosts_are_needed_and_checked() -> None:
    """A server without a name would be refused by every verifier; a bad one is named."""
    with pytest.raises(UsageError) as caught:
        make_pki("x", [], key_type=EC)
    assert "--host" in caught.value.hints[0]
    with pytest.raises(UsageError, match="pacs:2762"):
        make_pki("x", ["pacs:2762"], key_type=EC)


@pytest.mark.parametrize("passphrase", [b"", b"x" * 1024])
def test_passphrases_that_others_cannot_use_are_refused(passphrase: bytes) -> None:
    """OpenSSL reads no passphrase of more than 1023 bytes; an empty one protects nothing."""
    issued = make_self_signed("x", [], key_type=EC)
    with pytest.raises(UsageError, match="passphrase has"):
        identity_files(issued, "x", passphrase=passphrase)


def test_archive_passphrase_must_be_text() -> None:
    """PKCS#12 turns the passphrase into UTF-16, which bytes that are no UTF-8 cannot become."""
    issued = make_self_signed("x", [], key_type=EC)
    assert identity_files(issued, "x", passphrase=b"\xff").private == {"x.key"}
    with pytest.raises(UsageError, match="UTF-8"):
        identity_files(issued, "x", passphrase=b"\xff", pkcs12=True)
