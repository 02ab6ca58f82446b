"""dicomtls.certificates.load: identities, certificates and CRLs from files of any kind."""

import shutil
import ssl
import subprocess
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomtls.certificates.load import PEMIdentity, load_certificates, load_crls, load_identity
from dicomtls.errors import CredentialError
from tests.support.asn1 import pfx
from tests.support.certificates import make_certificate
from tests.support.credentials import Asker
from tests.support.mutations import mutations
from tests.support.openssl import PASSPHRASE, WRONG_PASSPHRASE, OpenSSLFiles, openssl
from tests.support.pki import PKI
from tests.support.processes import require


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> OpenSSLFiles:
    """One EC identity in every kind of file."""
    return OpenSSLFiles(tmp_path_factory.mktemp("load"))


def _accepted_by_openssl(identity: PEMIdentity, folder: Path) -> bool:
    """Whether the context takes it, as the TLS core gives it."""
    path = folder / "identity.pem"
    path.write_bytes(identity.chain_pem + identity.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, password=lambda: identity.key_passphrase)
    return True


def _refusal(load: Callable[[], object]) -> CredentialError:
    with pytest.raises(CredentialError) as caught:
        load()
    return caught.value


def _leaf(identity: PEMIdentity) -> bytes:
    return ssl.PEM_cert_to_DER_cert(
        identity.chain_pem.decode().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----"
    )


ARCHIVES = {
    "new": (),
    "RC2 and 3DES": ("-legacy",),
    "no MAC": ("-nomac",),
    "not encrypted inside": ("-keypbe", "NONE", "-certpbe", "NONE"),
}
KEYS = {
    "PBES2": (),
    "PBES2 in DER": ("-outform", "DER"),
    "scrypt": ("-scrypt",),
    "PKCS#12 3DES": ("-v1", "PBE-SHA1-3DES"),
    "RC2": ("-v1", "PBE-SHA1-RC2-40", "-provider", "legacy", "-provider", "default"),
}


@pytest.mark.parametrize("options", ARCHIVES.values(), ids=ARCHIVES)
def test_archive_is_an_identity(files: OpenSSLFiles, tmp_path: Path, options: tuple[str, ...]) -> None:
    """PKCS#12 of any age gives chain and key, the passphrase asked for once; a wrong one is said to be wrong."""
    path = files.pkcs12(*options, name=f"archive{'-'.join(options)}.p12")
    asker = Asker(PASSPHRASE)
    identity = load_identity(path, None, asker)
    assert _accepted_by_openssl(identity, tmp_path)
    assert _leaf(identity) == files.der
    assert asker.asked == [path]
    wrong = _refusal(lambda: load_identity(path, None, Asker(WRONG_PASSPHRASE)))
    assert (wrong.code, str(wrong)) == ("bad-passphrase", f"wrong passphrase for {path}")


@pytest.mark.parametrize("options", KEYS.values(), ids=KEYS)
def test_encrypted_key_is_opened(files: OpenSSLFiles, tmp_path: Path, options: tuple[str, ...]) -> None:
    """Every way in which OpenSSL encrypts PKCS#8 opens with the passphrase, and with no other."""
    path = files.encrypted_key(*options, name=f"key{'-'.join(options)}")
    assert _accepted_by_openssl(load_identity(files.cert, path, Asker(PASSPHRASE)), tmp_path)
    assert _refusal(lambda: load_identity(files.cert, path, Asker(WRONG_PASSPHRASE))).code == "bad-passphrase"
    assert _refusal(lambda: load_identity(files.cert, path, Asker(b""))).code == "bad-passphrase"


def test_legacy_encrypted_pem_is_opened(files: OpenSSLFiles, tmp_path: Path) -> None:
    """`Proc-Type: 4,ENCRYPTED`, from before PKCS#8."""
    path = tmp_path / "traditional.key"
    openssl("ec", "-aes256", "-in", files.key, "-passout", f"pass:{PASSPHRASE.decode()}", "-out", path)
    assert "Proc-Type: 4,ENCRYPTED" in path.read_text()
    assert _accepted_by_openssl(load_identity(files.cert, path, Asker(PASSPHRASE)), tmp_path)
    assert _refusal(lambda: load_identity(files.cert, path, Asker(WRONG_PASSPHRASE))).code == "bad-passphrase"


def test_traditional_rsa_key_is_opened(tmp_path: Path) -> None:
    """PKCS#1, encrypted and not, as older OpenSSL writes it."""
    key, cert, encrypted = tmp_path / "rsa.key", tmp_path / "rsa.pem", tmp_path / "aes.key"
    openssl("genrsa", "-traditional", "-out", key, "2048")
    openssl("req", "-x509", "-key", key, "-subj", "/CN=rsa", "-out", cert)
    openssl("rsa", "-aes256", "-traditional", "-in", key, "-passout", f"pass:{PASSPHRASE.decode()}", "-out", encrypted)
    openssl("rsa", "-in", key, "-traditional", "-outform", "DER", "-out", tmp_path / "rsa.der")
    for path in (key, encrypted, tmp_path / "rsa.der"):
        assert _accepted_by_openssl(load_identity(cert, path, Asker(PASSPHRASE)), tmp_path)


def test_passphrase_is_not_asked_for_when_nothing_needs_it(files: OpenSSLFiles) -> None:
    """Neither for plain files nor for an archive with an empty passphrase."""
    empty = files.pkcs12("-passout", "pass:", name="empty.p12")
    asker = Asker(PASSPHRASE)
    load_identity(files.cert, files.key, asker)
    load_identity(empty, None, asker)
    load_certificates(files.cert, asker)
    assert asker.asked == []


def test_encrypted_key_is_left_alone_when_a_plain_one_belongs(files: OpenSSLFiles, tmp_path: Path) -> None:
    """In a file of several keys the passphrase is asked for only when no plain key fits."""
    path = tmp_path / "keys.pem"
    path.write_bytes(files.encrypted_key().read_bytes() + files.key.read_bytes())
    asker = Asker(None)
    load_identity(files.cert, path, asker)
    assert asker.asked == []


@pytest.mark.parametrize("passphrase", [None, Asker(None)], ids=["no callable", "no answer"])
def test_passphrase_is_needed_when_there_is_none(files: OpenSSLFiles, passphrase: Asker | None) -> None:
    """The error names the file and the options; nothing prompts."""
    for cert, key in ((files.cert, files.encrypted_key()), (files.pkcs12(), None)):
        refusal = _refusal(lambda cert=cert, key=key: load_identity(cert, key, passphrase))  # type: ignore[misc] # bound now
        assert refusal.code == "passphrase-needed"
        assert str(key or cert) in str(refusal)
        assert "--passphrase-file" in refusal.hints[0]
        assert "--passphrase-env" in refusal.hints[0]


def test_passphrase_is_asked_once_for_key_and_archive_in_one_file(files: OpenSSLFiles, tmp_path: Path) -> None:
    """The certificate's file is also the key's where both options name it."""
    path = files.pkcs12()
    asker = Asker(PASSPHRASE)
    assert _accepted_by_openssl(load_identity(path, path, asker), tmp_path)
    assert asker.asked == [path]


def test_leaf_comes_first_wherever_it_stands(pki: PKI, tmp_path: Path) -> None:
    """The leaf is the key's certificate; issuers follow it in order, strangers last, each once."""
    leaf, intermediate = pki.chained.leaf.read_bytes(), pki.intermediate.read_bytes()
    root, stranger = pki.ca.read_bytes(), pki.other_ca.read_bytes()
    path = tmp_path / "mixed.pem"
    path.write_bytes(b"text\n" + root + stranger + intermediate + root + leaf + intermediate)
    identity = load_identity(path, pki.chained.key, None)
    expected = [leaf, intermediate, root, stranger]
    assert load_certificates_of(identity.chain_pem, tmp_path) == [
        ssl.PEM_cert_to_DER_cert(pem.decode()) for pem in expected
    ]
    assert _accepted_by_openssl(identity, tmp_path)


def load_certificates_of(pem: bytes, folder: Path) -> list[bytes]:
    """Split a PEM chain."""
    path = folder / "chain.pem"
    path.write_bytes(pem)
    return load_certificates(path)


def test_every_form_of_an_identity_loads(pki: PKI, tmp_path: Path) -> None:
    """What another hand wrote, in DER, PEM and one file, is the same identity."""
    server = pki.server
    for cert, key in ((server.cert_der, server.key_der), (server.combined, None), (server.cert_der, server.key)):
        assert _accepted_by_openssl(load_identity(cert, key, None), tmp_path)


def test_key_mismatch_names_both(files: OpenSSLFiles) -> None:
    """A key of another certificate is told before any handshake, with both public keys."""
    refusal = _refusal(lambda: load_identity(files.cert, files.other_key, None))
    assert refusal.code == "key-mismatch"
    assert refusal.evidence["certificate"] == str(files.cert)
    assert refusal.evidence["key"] == str(files.other_key)
    assert refusal.evidence["certificate_spki_sha256"] != refusal.evidence["key_spki_sha256"]


def test_files_that_are_exchanged_are_said_to_be(files: OpenSSLFiles) -> None:
    """The key as --cert and the certificate as --key is a common mistake."""
    refusal = _refusal(lambda: load_identity(files.key, files.cert, None))
    assert refusal.code == "not-a-certificate"
    assert "is a private key, not a certificate" in str(refusal)
    assert "exchanged" in refusal.hints[0]


def test_missing_private_key_is_told(files: OpenSSLFiles) -> None:
    """A certificate alone is no identity, and a certificate as --key is no key."""
    alone = _refusal(lambda: load_identity(files.cert, None, None))
    assert (alone.code, str(alone)) == ("no-private-key", f"{files.cert} is a certificate, without the private key")
    assert "--key" in alone.hints[0]
    twice = _refusal(lambda: load_identity(files.cert, files.pkcs7(), None))
    assert (twice.code, str(twice)) == ("no-private-key", f"{files.pkcs7()} is a certificate, not a private key")
    archive = files.convert(
        "pkcs12", "-export", "-nokeys", "-in", str(files.cert), "-passout", f"pass:{PASSPHRASE.decode()}", name="no.p12"
    )
    keyless = _refusal(lambda: load_identity(archive, None, Asker(PASSPHRASE)))
    assert (keyless.code, str(keyless)) == (
        "no-private-key",
        f"{archive} is a PKCS#12 archive, without the private key",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty, not a certificate"),
        (b"\xfe\xed\xfe\xed\0\0\0\2", "is a Java keystore, not a certificate"),
        (bytes(128) + b"DICM", "is a DICOM file, not a certificate"),
        (b"just text", "is none of the kinds of file that we know, not a certificate"),
    ],
)
def test_wrong_file_is_named_for_what_it_is(tmp_path: Path, content: bytes, message: str) -> None:
    """Given as an identity or as trust anchors, the answer is the same."""
    path = tmp_path / "wrong"
    path.write_bytes(content)
    for load in (lambda: load_identity(path, None, None), lambda: load_certificates(path)):
        refusal = _refusal(load)
        assert refusal.code == "not-a-certificate"
        assert str(refusal) == f"{path} {message}"


def test_archive_without_certificates_is_told(files: OpenSSLFiles) -> None:
    """An archive that holds only the key is no identity."""
    given = f"pass:{PASSPHRASE.decode()}"
    path = files.convert("pkcs12", "-export", "-nocerts", "-inkey", files.key, "-passout", given, name="only.p12")
    refusal = _refusal(lambda: load_identity(path, None, Asker(PASSPHRASE)))
    assert (refusal.code, str(refusal)) == ("not-a-certificate", f"{path} is a PKCS#12 archive, without a certificate")
    assert "export it again" in refusal.hints[0]


def test_request_comes_with_advice(files: OpenSSLFiles) -> None:
    """A CSR is what one has before the CA answers."""
    refusal = _refusal(lambda: load_certificates(files.request()))
    assert "is a certificate signing request (CSR), not a certificate" in str(refusal)
    assert "the CA" in refusal.hints[0]


def test_keystore_comes_with_a_keytool_line_that_works(files: OpenSSLFiles, tmp_path: Path) -> None:
    """The line in the hint turns the keystore into a file that loads."""
    require("keytool")
    store, password = tmp_path / "my store.jks", PASSPHRASE.decode()
    given = ("-storetype", "JKS", "-storepass", password, "-noprompt")
    keytool = ["keytool", "-importcert", "-alias", "ca", "-file", str(files.cert), "-keystore", str(store), *given]
    subprocess.run(keytool, check=True, capture_output=True, timeout=30)
    (hint,) = _refusal(lambda: load_certificates(store)).hints
    command = hint.removeprefix("convert it: ") + f" -srcstorepass '{password}' -deststorepass '{password}' -noprompt"
    subprocess.run(["sh", "-c", command], check=True, capture_output=True, timeout=30, cwd=tmp_path)
    assert load_certificates(tmp_path / "converted.p12", Asker(PASSPHRASE)) == [files.der]


def test_damaged_files_are_said_to_be(files: OpenSSLFiles, tmp_path: Path) -> None:
    """One bad block of many is counted; a bad key is a key."""
    bundle, key = tmp_path / "bundle.pem", tmp_path / "bad.key"
    bundle.write_bytes(files.cert.read_bytes() + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    key.write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    damaged = _refusal(lambda: load_certificates(bundle))
    assert (damaged.code, str(damaged)) == ("unreadable-file", f"{bundle} is damaged: certificate 2 cannot be read")
    assert _refusal(lambda: load_identity(files.cert, key, None)).code == "unreadable-file"


@pytest.mark.parametrize(
    "content",
    [pfx(mac_iterations=1_000_000_000), pfx(bag_iterations=1_000_000_000)],
    ids=["in the MAC", "in a key bag"],
)
def test_billion_iterations_are_refused_at_once(tmp_path: Path, content: bytes) -> None:
    """The counts are read before the passphrase is even asked for."""
    path = tmp_path / "slow.p12"
    path.write_bytes(content)
    asker = Asker(PASSPHRASE)
    start = time.process_time()
    refusal = _refusal(lambda: load_identity(path, None, asker))
    assert time.process_time() - start < 1
    assert (refusal.code, asker.asked) == ("unreadable-file", [])
    assert "more than 10000000 iterations" in str(refusal)


def test_archive_in_ber_is_opened(files: OpenSSLFiles, tmp_path: Path) -> None:
    """Indefinite lengths, as NSS writes them, load without a warning."""
    der = files.pkcs12().read_bytes()
    assert der[:2] == b"\x30\x82"
    path = tmp_path / "ber.p12"
    path.write_bytes(b"\x30\x80" + der[4:] + b"\x00\x00")
    assert _accepted_by_openssl(load_identity(path, None, Asker(PASSPHRASE)), tmp_path)


def test_folder_gives_the_certificates_of_all_its_files(files: OpenSSLFiles, pki: PKI, tmp_path: Path) -> None:
    """By name, each once; keys, archives that are encrypted, and noise are passed over without a question."""
    shutil.copy(files.cert, tmp_path / "b.pem")
    shutil.copy(files.cert, tmp_path / "c.crt")
    shutil.copy(pki.ca_der, tmp_path / "a.bin")
    shutil.copy(files.key, tmp_path / "d.key")
    shutil.copy(files.pkcs12(), tmp_path / "e.p12")
    (tmp_path / "README").write_text("hello")
    (tmp_path / "folder").mkdir()
    assert load_certificates(tmp_path, Asker(WRONG_PASSPHRASE)) == [pki.ca_der.read_bytes(), files.der]


def test_folder_without_certificates_is_refused(files: OpenSSLFiles, tmp_path: Path) -> None:
    """Silently trusting nobody would show as an unknown issuer much later."""
    shutil.copy(files.key, tmp_path)
    refusal = _refusal(lambda: load_certificates(tmp_path))
    assert refusal.code == "not-a-certificate"
    assert refusal.evidence["files"] == 1


@pytest.mark.parametrize("kind", ["crl", "crl_der"])
def test_crls_are_loaded(pki: PKI, kind: str) -> None:
    """PEM and DER give the same bytes."""
    assert load_crls(getattr(pki, kind)) == [pki.crl_der.read_bytes()]


def test_crl_is_refused_when_it_is_none(files: OpenSSLFiles) -> None:
    """A certificate given as a CRL is called what it is."""
    refusal = _refusal(lambda: load_crls(files.cert))
    assert refusal.code == "unreadable-file"
    assert "is a certificate, not a certificate revocation list" in str(refusal)


def test_too_many_certificates_are_no_chain(files: OpenSSLFiles, tmp_path: Path) -> None:
    """A bundle of hundreds is fine as trust anchors and no identity."""
    path = tmp_path / "many.pem"
    path.write_bytes(files.cert.read_bytes() * 101)
    assert load_certificates(path) == [files.der]
    refusal = _refusal(lambda: load_identity(path, files.key, None))
    assert "holds 101 certificates, more than 100" in str(refusal)
    path.write_bytes(files.other_key.read_bytes() * 101)
    assert "holds 101 private keys" in str(_refusal(lambda: load_identity(files.cert, path, None)))


def test_secrets_are_in_no_repr_and_no_traceback(files: OpenSSLFiles) -> None:
    """Neither the passphrase nor a key can reach a terminal or a log by way of an error."""
    identity = load_identity(files.pkcs12(), None, Asker(PASSPHRASE))
    assert identity.key_passphrase.decode() not in repr(identity)
    assert "PRIVATE" not in repr(identity)
    error = _refusal(lambda: load_identity(files.cert, files.encrypted_key(), Asker(WRONG_PASSPHRASE)))
    told = "".join(traceback.format_exception(error)) + repr(error) + repr(error.evidence)
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert WRONG_PASSPHRASE.decode() not in told
    one_time = load_identity(files.cert, files.key, None).key_passphrase
    assert one_time != load_identity(files.cert, files.key, None).key_passphrase


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_only_credential_errors_come_out_of_damaged_files(
    files: OpenSSLFiles, tmp_path: Path, data: st.DataObject
) -> None:
    """Whatever a file's bytes, loading ends with a result or a `CredentialError`."""
    kinds = [files.cert, files.key, files.pkcs12(), files.encrypted_key(), files.request(), files.pkcs7("DER")]
    original = data.draw(st.sampled_from(kinds)).read_bytes()
    path = tmp_path / "damaged"
    path.write_bytes(data.draw(mutations(original)))
    asker = Asker(PASSPHRASE)
    for load in (
        lambda: load_identity(path, None, asker),
        lambda: load_identity(files.cert, path, asker),
        lambda: load_certificates(path, asker),
        lambda: load_crls(path),
    ):
        try:
            assert load()
        except CredentialError as error:
            assert str(path) in str(error)  # noqa: PT017 - either way is right


@given(mutations(make_certificate()))
def test_only_credential_errors_come_out_of_damaged_der(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """The same for a bare certificate."""
    path = tmp_path_factory.getbasetemp() / "damaged.der"
    path.write_bytes(data)
    try:
        assert load_certificates(path)
    except CredentialError as error:
        assert error.code in {"unreadable-file", "not-a-certificate"}  # noqa: PT017 - either way is right
