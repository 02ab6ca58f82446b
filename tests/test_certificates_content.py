"""dicomtls.certificates.content: what a file is, by its bytes."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.certificates import content
from dicomtls.certificates.content import Contents, conversion_hints, recognise
from tests.support.certificates import make_certificate
from tests.support.mutations import mutations
from tests.support.openssl import OpenSSLFiles, openssl


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> OpenSSLFiles:
    """One EC identity in every kind of file."""
    return OpenSSLFiles(tmp_path_factory.mktemp("content"))


def _convert(files: OpenSSLFiles, *arguments: str, name: str) -> bytes:
    return files.convert(*arguments, name=name).read_bytes()


def test_pem_blocks_are_found_in_any_order_with_text_around(files: OpenSSLFiles) -> None:
    """Bag attributes, comments and line ends of any kind do not matter."""
    certificate, key = files.cert.read_bytes(), files.key.read_bytes()
    mixed = b"Bag Attributes\n  localKeyID: 01\r\n" + key + b"-----\n# comment\n" + certificate.replace(b"\n", b"\r\n")
    contents = recognise(mixed)
    assert contents.certificates == [files.der]
    assert len(contents.keys) == 1
    assert contents.kind() == "a certificate and a private key"


def test_utf_16_pem_is_read(files: OpenSSLFiles) -> None:
    """PowerShell's `>` writes UTF-16 with a byte order mark, which OpenSSL cannot read."""
    assert recognise(files.cert.read_text().encode("utf-16")).certificates == [files.der]


def test_trusted_certificate_is_read(files: OpenSSLFiles) -> None:
    """OpenSSL's own form has trust settings behind the certificate."""
    pem = _convert(files, "x509", "-in", str(files.cert), "-addtrust", "serverAuth", name="trusted.pem")
    assert b"TRUSTED" in pem
    assert recognise(pem).certificates == [files.der]


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_pkcs7_gives_its_certificates(files: OpenSSLFiles, form: str) -> None:
    """A bundle, as Windows exports it, is as good as the certificates."""
    assert recognise(files.pkcs7(form).read_bytes()).certificates == [files.der]


def test_der_certificate_is_read_with_a_line_feed_behind_it(files: OpenSSLFiles) -> None:
    """DER needs no name to be known by, nor a clean end."""
    assert recognise(files.der + b"\n").certificates == [files.der]


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_request_is_recognised(files: OpenSSLFiles, form: str) -> None:
    """A CSR is told from a certificate."""
    data = _convert(files, "req", "-in", str(files.request()), "-outform", form, name=f"request.{form}")
    contents = recognise(data)
    assert contents.kind() == "a certificate signing request (CSR)"
    assert not contents.certificates


def test_keys_are_recognised_in_der(files: OpenSSLFiles) -> None:
    """PKCS#8 plain and encrypted and SEC1 are keys; only the encrypted one says so."""
    plain = _convert(files, "pkcs8", "-topk8", "-nocrypt", "-in", str(files.key), "-outform", "DER", name="p8.der")
    sec1 = _convert(files, "ec", "-in", str(files.key), "-outform", "DER", name="sec1.der")
    encrypted = files.encrypted_key("-outform", "DER", name="encrypted.der").read_bytes()
    old = files.encrypted_key("-outform", "DER", "-v1", "PBE-SHA1-3DES", name="old.der").read_bytes()
    found = [recognise(data).keys for data in (plain, sec1, encrypted, old)]
    assert [[key.encrypted for key in keys] for keys in found] == [[False], [False], [True], [True]]


def test_archive_is_recognised_in_der_and_pem(files: OpenSSLFiles) -> None:
    """PKCS#12 is not opened here."""
    data = files.pkcs12().read_bytes()
    assert recognise(data).archives == [data]
    pem = _convert(files, "base64", "-in", str(files.pkcs12()), name="p12.b64")
    block = b"-----BEGIN PKCS12-----\n" + pem + b"-----END PKCS12-----\n"
    assert recognise(block).archives == [data]


def test_public_key_is_recognised(files: OpenSSLFiles) -> None:
    """In both forms: it is what people export when they mean the certificate."""
    for form in ("PEM", "DER"):
        data = _convert(files, "pkey", "-in", str(files.key), "-pubout", "-outform", form, name=f"public.{form}")
        assert recognise(data).kind() == "a public key"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"hello", "none of the kinds of file that we know"),
        (b"0 is how this text begins", "none of the kinds of file that we know"),
        (b"\xfe\xed\xfe\xed\0\0\0\2", "a Java keystore"),
        (b"\xce\xce\xce\xce\0\0\0\2", "a Java keystore (JCEKS)"),
        (b"ssh-ed25519 AAAA me@here", "an SSH public key"),
        (b"PuTTY-User-Key-File-3: ssh-rsa", "a PuTTY private key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "an OpenSSH private key"),
        (b"-----BEGIN PGP MESSAGE-----\nAAAA\n-----END PGP MESSAGE-----", "a PGP message or key"),
        (b"-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----", "a PEM block 'DH PARAMETERS'"),
        (b"%PDF-1.7", "a PDF document"),
        (bytes(128) + b"DICM", "a DICOM file"),
        (b"PK\x03\x04", "a ZIP archive"),
    ],
)
def test_other_kinds_are_named(data: bytes, kind: str) -> None:
    """What people give by mistake is called by its name."""
    assert recognise(data).kind() == kind


def test_kinds_are_counted() -> None:
    """A file with several things says how many of each."""
    contents = Contents(certificates=[b"", b""], crls=[b""], others=["a public key", "a public key"])
    assert contents.kind() == "2 certificates, a certificate revocation list (CRL) and a public key"


@pytest.mark.parametrize(
    ("data", "damage"),
    [
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "certificate 1 cannot be read"),
        (b"-----BEGIN CERTIFICATE-----\nMII!\n-----END CERTIFICATE-----", "certificate 1 cannot be read"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB", "the PEM block 'CERTIFICATE' has no end"),
        (b"-----BEGIN CERTIFICATE-----\n-----END X509 CRL-----", "the PEM block 'CERTIFICATE' has no end"),
        (b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----", "CRL 1 cannot be read"),
        (
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n!\n-----END ENCRYPTED PRIVATE KEY-----",
            "its encrypted private key cannot be read",
        ),
        (make_certificate()[:-1], "it begins like DER, but is cut short or nothing that we know"),
    ],
)
def test_damage_is_named(data: bytes, damage: str) -> None:
    """A file cut short or garbled says where."""
    assert recognise(data).damaged == [damage]


def test_conversions_are_offered_for_foreign_formats() -> None:
    """A Java keystore comes with the keytool line, quoted for a shell."""
    (hint,) = conversion_hints(recognise(b"\xfe\xed\xfe\xed"), Path("my store.jks"))
    assert hint.startswith("convert it: keytool -importkeystore -srckeystore 'my store.jks' ")
    assert conversion_hints(recognise(b"hello"), Path("x")) == ()


def test_private_bytes_are_in_no_repr(files: OpenSSLFiles) -> None:
    """Neither keys nor archives can reach a log by way of a repr."""
    data = files.key.read_bytes()
    base64 = data.splitlines()[1].decode()
    for one in (recognise(data), next(content._blocks(data))):
        assert base64 not in repr(one)


def test_file_of_many_things_is_called_by_some_of_them() -> None:
    """A hundred thousand labels would be megabytes of a message."""
    blocks = (b"-----BEGIN L%d-----\n-----END L%d-----\n" % (number, number) for number in range(1000))
    kind = recognise(b"".join(blocks)).kind()
    assert kind.startswith("a PEM block 'L0', ")
    assert kind.endswith("a PEM block 'L4' and 995 more")


def test_recognition_takes_linear_time() -> None:
    """Megabytes of beginnings without ends are no trap."""
    start = time.process_time()
    recognise(b"-----BEGIN CERTIFICATE-----" * 40_000)
    assert time.process_time() - start < 2


@given(st.binary(max_size=300) | mutations(make_certificate()))
def test_nothing_is_raised_whatever_the_bytes(data: bytes) -> None:
    """Recognition has always an answer, and one that can be put into words."""
    assert recognise(data).kind()


@given(st.data())
def test_nothing_is_raised_at_mutated_files(files: OpenSSLFiles, data: st.DataObject) -> None:
    """The same for every kind of file that OpenSSL writes, damaged."""
    kinds: list[Path] = [files.cert, files.key, files.pkcs12(), files.request(), files.pkcs7("DER"), files.pkcs7()]
    original = data.draw(st.sampled_from(kinds)).read_bytes()
    assert recognise(data.draw(mutations(original))).kind()


def test_crl_is_recognised(tmp_path: Path, files: OpenSSLFiles) -> None:
    """A CRL is told from a certificate, in both forms."""
    (tmp_path / "index.txt").touch()
    config = tmp_path / "ca.cnf"
    config.write_text(
        f"[ca]\ndefault_ca=c\n[c]\ndatabase={tmp_path}/index.txt\ndefault_md=sha256\ndefault_crl_days=9\n"
    )
    signer = ("-cert", files.cert, "-keyfile", files.key)
    openssl("ca", "-gencrl", "-config", config, *signer, "-out", tmp_path / "crl.pem")
    openssl("crl", "-in", tmp_path / "crl.pem", "-outform", "DER", "-out", tmp_path / "crl.der")
    der = (tmp_path / "crl.der").read_bytes()
    assert recognise(der).crls == recognise((tmp_path / "crl.pem").read_bytes()).crls == [der]
