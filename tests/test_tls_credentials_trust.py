"""dicomtls.tls.credentials: trust anchors and revocation lists on their way into a context."""

import ssl
from pathlib import Path

import pytest

from dicomtls.tls import TLSSettings, client_context
from tests.support.chains import issue
from tests.support.credentials import Asker, refusal
from tests.support.handshakes import client_settings, server_settings, shake_hands
from tests.support.openssl import openssl
from tests.support.pki import PASSPHRASE, PKI, Identity


def anchors(settings: TLSSettings) -> set[bytes]:
    """What a client trusts."""
    return set(client_context(settings).get_ca_certs(binary_form=True))


def test_anchors_are_taken_from_files_of_any_kind(pki: PKI, tmp_path: Path) -> None:
    """PEM, DER, several in one file with text around them, PKCS#12 and PKCS#7: the same authority each time."""
    ca = pki.ca_der.read_bytes()
    other = ssl.PEM_cert_to_DER_cert(pki.other_ca.read_text())
    bundle = tmp_path / "bundle.txt"
    bundle.write_bytes(b"# ours\n" + pki.ca.read_bytes() + b"\ntheirs:\n" + pki.other_ca.read_bytes())
    archive = tmp_path / "ca.p12"
    openssl("pkcs12", "-export", "-nokeys", "-in", pki.ca, "-out", archive, "-passout", "pass:")
    seven = tmp_path / "ca.p7b"
    openssl("crl2pkcs7", "-nocrl", "-certfile", pki.ca, "-out", seven)
    for path, expected in (
        (pki.ca, {ca}),
        (pki.ca_der, {ca}),
        (bundle, {ca, other}),
        (archive, {ca}),
        (seven, {ca}),
    ):
        assert anchors(client_settings(pki, ca=(path,))) == expected, path
    assert anchors(client_settings(pki, ca=(pki.ca, pki.other_ca))) == {ca, other}


def test_anchors_are_taken_from_a_folder(pki: PKI, tmp_path: Path) -> None:
    """Every certificate in it, whatever the files are called; other files are passed over."""
    (tmp_path / "one").write_bytes(pki.ca.read_bytes())
    (tmp_path / "two.cer").write_bytes(ssl.PEM_cert_to_DER_cert(pki.other_ca.read_text()).ljust(0))
    (tmp_path / "readme.txt").write_text("not a certificate")
    assert len(anchors(client_settings(pki, ca=(tmp_path,)))) == 2


def test_folder_without_a_certificate_is_refused(pki: PKI, tmp_path: Path) -> None:
    """Trusting nobody is never what was meant."""
    error = refusal(server_settings(pki, ca=(tmp_path,)))
    assert error.code == "not-a-certificate"
    assert str(tmp_path) in error.message


def test_archive_of_anchors_asks_for_its_passphrase(pki: PKI, tmp_path: Path) -> None:
    """An encrypted PKCS#12 with the authority in it."""
    archive = tmp_path / "ca.p12"
    openssl("pkcs12", "-export", "-nokeys", "-in", pki.ca, "-out", archive, "-passout", f"pass:{PASSPHRASE.decode()}")
    good = client_settings(pki, ca=(archive,), passphrase=Asker(PASSPHRASE))
    assert anchors(good) == {pki.ca_der.read_bytes()}
    for answer, code in ((b"wrong", "bad-passphrase"), (None, "passphrase-needed")):
        assert refusal(server_settings(pki, ca=(archive,), passphrase=Asker(answer))).code == code


def test_damaged_bundle_is_refused_rather_than_half_trusted(pki: PKI, tmp_path: Path) -> None:
    """One good certificate and one that is cut off: the error names the file."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(pki.ca.read_bytes() + pki.other_ca.read_bytes()[:200])
    error = refusal(server_settings(pki, ca=(bundle,)))
    assert error.code == "unreadable-file"
    assert str(bundle) in error.message


def test_authority_made_by_plain_openssl_is_accepted(tmp_path: Path, pki: PKI) -> None:
    """`openssl req -x509` writes no key usage; DCMTK, Java and Orthanc accept it, and so do we on every Python."""
    ca, leaf = tmp_path / "ca.pem", Identity(tmp_path, "leaf")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *new_key, "-keyout", tmp_path / "ca.key", "-out", ca, "-subj", "/CN=plain")
    request = tmp_path / "leaf.csr"
    openssl(
        *("req", *new_key, "-keyout", leaf.key, "-out", request, "-subj", "/CN=leaf"),
        *("-addext", "subjectAltName=DNS:localhost"),
    )
    signing = ("-CA", ca, "-CAkey", tmp_path / "ca.key", "-CAcreateserial", "-copy_extensions", "copy")
    openssl("x509", "-req", "-in", request, *signing, "-out", leaf.cert)
    pair = shake_hands(client_settings(pki, pki.client, ca=(ca,)), server_settings(pki, leaf))
    assert pair.codes == (None, None)


@pytest.mark.parametrize("who", ["leaf", "intermediate", "intermediate that is not sent"])
def test_partial_chain_is_an_anchor(pki: PKI, tmp_path: Path, who: str) -> None:
    """A pinned leaf or an intermediate given as `--ca` is trusted without the root."""
    root = issue("root", is_ca=True)
    middle = issue("middle", root, is_ca=True)
    leaf = issue("leaf", middle)
    identity = leaf.write_as(tmp_path, *(() if who.endswith("sent") else (middle,)))
    anchor = tmp_path / "anchor.pem"
    anchor.write_bytes(leaf.pem if who == "leaf" else middle.pem)
    pair = shake_hands(client_settings(pki, pki.client, ca=(anchor,)), server_settings(pki, identity))
    assert pair.codes == (None, None)


# -- revocation lists ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["crl", "crl_der"])
def test_revocation_list_is_taken_in_either_form(pki: PKI, form: str) -> None:
    """PEM and DER: the revoked certificate is refused, the others are not."""
    client = client_settings(pki, pki.client, crl=(getattr(pki, form),))
    assert shake_hands(client, server_settings(pki)).codes == (None, None)
    assert shake_hands(client, server_settings(pki, pki.revoked)).codes[0] == "revoked"


@pytest.mark.parametrize("wrong", ["ca", "server.key", "nothing"])
def test_file_that_is_no_revocation_list_is_named(pki: PKI, wrong: str) -> None:
    """A certificate, a key, a file that is not there."""
    path = {"ca": pki.ca, "server.key": pki.server.key, "nothing": pki.directory / "nothing.pem"}[wrong]
    error = refusal(server_settings(pki, crl=(path,)))
    assert error.code == "unreadable-file"
    assert str(path) in error.message


def test_revocation_list_is_no_anchor(pki: PKI) -> None:
    """OpenSSL takes it where certificates are wanted, and then trusts nobody; a file of both is both."""
    for anchors in ((pki.crl,), (pki.ca, pki.crl)):
        error = refusal(server_settings(pki, ca=anchors))
        assert (error.code, str(pki.crl) in error.message) == ("not-a-certificate", True)


def test_anchor_may_be_given_twice(pki: PKI) -> None:
    """The second time adds nothing, and is no fault."""
    assert client_context(client_settings(pki, ca=(pki.ca, pki.ca))).cert_store_stats()["x509"] == 1


def test_revocation_list_that_openssl_refuses_is_an_error_of_the_file(pki: PKI, tmp_path: Path) -> None:
    """A name that is no UTF-8: `cryptography` looks at it only when it is asked."""
    damaged = tmp_path / "crl.der"
    damaged.write_bytes(pki.crl_der.read_bytes().replace(b"dicomtls test CA", b"dicomtls \xff\xfest CA"))
    error = refusal(server_settings(pki, crl=(damaged,)))
    assert error.code == "unreadable-file"
    assert str(damaged) in error.message
