"""dicomtls.certificates.inventory: whatever a file holds, or one clear error."""

import os
import tempfile
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomtls.certificates.inventory import key_of, take_inventory
from dicomtls.errors import CredentialError
from tests.support.asn1 import hiding_pfx, pfx
from tests.support.certificates import make_certificate
from tests.support.chains import issue
from tests.support.faults import crl
from tests.support.mutations import mutations
from tests.support.openssl import PASSPHRASE, OpenSSLFiles


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> OpenSSLFiles:
    """One EC identity in every kind of file."""
    return OpenSSLFiles(tmp_path_factory.mktemp("inventory"))


def answer(_path: Path) -> bytes:
    """The passphrase."""
    return PASSPHRASE


def test_each_kind_is_known_by_its_content(files: OpenSSLFiles, tmp_path: Path) -> None:
    """And its content is described."""
    kinds = {
        files.cert: "certificate",
        files.key: "private-key",
        files.pkcs12(): "pkcs12",
        files.pkcs12("-legacy", name="old.p12"): "pkcs12",
        files.pkcs7(): "pkcs7",
        files.pkcs7("DER"): "pkcs7",
        files.request(): "request",
        files.encrypted_key(): "private-key",
    }
    assert {path: take_inventory(path, answer).kind for path in kinds} == kinds
    (key,) = take_inventory(files.key, None).keys
    assert (key.key_type, key.key_bits, key.encrypted) == ("EC", 256, False)
    (request,) = take_inventory(files.request(), None).requests
    assert (request.subject, request.signature_valid) == ("CN=leaf", True)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(b"text\n" + issue("one").pem + b"between\n" + issue("two").pem)
    assert (take_inventory(chain, None).kind, len(take_inventory(chain, None).certificates)) == ("chain", 2)


def test_names_of_a_request_are_readable_whatever_their_kind(tmp_path: Path) -> None:
    """As they are written elsewhere, and not as Python shows its objects."""
    number = x509.ObjectIdentifier("2.25.1")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")])
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ip_address("127.0.0.1")),
        x509.DirectoryName(subject),
        x509.RegisteredID(number),
        x509.OtherName(number, b"\x05\x00"),
    ]
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    path = tmp_path / "request.csr"
    path.write_bytes(builder.sign(issue("key").key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (request,) = take_inventory(path, None).requests
    assert request.names == ("localhost", "127.0.0.1", "CN=leaf", "2.25.1", "2.25.1")


def test_signature_of_a_list_is_checked_with_the_keys_of_its_namesakes(tmp_path: Path) -> None:
    """One of them is enough; without any, nothing can be said."""
    root, namesake, other = (issue(name, is_ca=True) for name in ("root", "root", "other"))
    path = tmp_path / "crl.pem"
    path.write_bytes(crl(root))
    (one,) = take_inventory(path, None).crls
    assert one.is_signed_by([namesake.der, root.der]) is True
    assert one.is_signed_by([namesake.der, other.der]) is False
    assert one.is_signed_by([other.der]) is None
    assert one.is_signed_by([]) is None
    assert "der=" not in repr(one)


def test_revocation_list_is_described(tmp_path: Path) -> None:
    """With the number of its entries, and whether it is still current."""
    root = issue("root", is_ca=True)
    for expired in (False, True):
        path = tmp_path / "crl.pem"
        path.write_bytes(crl(root, issue("one", root), expired=expired))
        (found,) = take_inventory(path, None).crls
        assert (found.issuer, found.revoked, found.number, found.is_expired) == ("CN=root", 1, None, expired)
        assert str(found.as_json()["next_update"]).endswith("Z")


def test_encrypted_key_stays_closed_without_a_passphrase(files: OpenSSLFiles) -> None:
    """It is named as what it is; an archive, whose certificates are inside, needs its passphrase."""
    (key,) = take_inventory(files.encrypted_key(), None).keys
    assert (key.key_type, key.encrypted, key.spki_sha256) == (None, True, None)
    (key,) = take_inventory(files.encrypted_key(), answer).keys
    assert (key.key_type, key.encrypted) == ("EC", True)
    with pytest.raises(CredentialError) as caught:
        take_inventory(files.pkcs12(), None)
    assert caught.value.code == "passphrase-needed"


def test_key_is_the_first_of_its_file(files: OpenSSLFiles) -> None:
    """A certificate is none."""
    assert key_of(files.key, None).spki_sha256 == take_inventory(files.key, None).keys[0].spki_sha256
    with pytest.raises(CredentialError) as caught:
        key_of(files.cert, None)
    assert caught.value.code == "no-private-key"


def _hostile() -> dict[str, bytes]:
    pem = b"-----BEGIN CERTIFICATE-----\n"
    return {
        "empty": b"",
        "noise": bytes(range(256)) * 16000,
        "cut": make_certificate()[:200],
        "marks": pem * 100_000,
        "deep": b"\x30\x80" * 100_000,
        "deep sequence": b"\x30\x84\x00\x7f\xff\xff" * 100_000,
        "billion": pfx(mac_iterations=1_000_000_000),
        "billion hidden in encrypted contents": hiding_pfx(1_000_000_000),
        "billion inside": pfx(bag_iterations=1_000_000_000),
    }


@pytest.mark.parametrize("name", _hostile())
def test_hostile_file_is_one_error_in_time(name: str, tmp_path: Path) -> None:
    """Whatever it is, it is said within two seconds of a processor, a child's included."""
    path = tmp_path / "hostile"
    path.write_bytes(_hostile()[name])
    started = sum(os.times()[:4])
    with pytest.raises(CredentialError):
        take_inventory(path, answer)
    assert sum(os.times()[:4]) - started < 2


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
def test_damage_raises_nothing_but_our_own_error(files: OpenSSLFiles, data: st.DataObject) -> None:
    """Any file, bytes of it changed."""
    paths = [files.cert, files.key, files.pkcs7("DER"), files.request(), files.pkcs12()]
    original = data.draw(st.sampled_from(paths)).read_bytes()
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data.draw(mutations(original)))
        with suppress(CredentialError):
            take_inventory(Path(file.name), answer)
