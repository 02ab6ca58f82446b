"""The identity that a server makes for itself."""

import hashlib
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from dicomtls.certificates.issue import identity_files, make_self_signed
from dicomtls.errors import CredentialError, MachineError
from dicomtls.scp.identity import OwnIdentity, own_identity
from dicomtls.tls import ClientAuth, TLSSettings, server_context


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> OwnIdentity:
    """A new identity in a folder that was not there; nobody changes it."""
    return own_identity(tmp_path_factory.mktemp("data") / "a" / "b")


def certificate(identity: OwnIdentity) -> x509.Certificate:
    """What the identity shows to its peers."""
    return x509.load_pem_x509_certificate(identity.cert.read_bytes())


def test_identity_is_what_the_contract_says(made: OwnIdentity) -> None:
    """RSA 2048, five years, self-signed, for this machine under its usual names."""
    leaf = certificate(made)
    key = leaf.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 2048
    assert leaf.issuer == leaf.subject
    assert timedelta(days=1825) < leaf.not_valid_after_utc - datetime.now(UTC) <= timedelta(days=1826)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert made.is_new


def test_fingerprint_is_that_of_the_certificate(made: OwnIdentity) -> None:
    """SHA-256 over DER, as `--pin` wants it."""
    assert made.fingerprint_sha256 == hashlib.sha256(certificate(made).public_bytes(Encoding.DER)).hexdigest()


def test_archive_holds_the_same(made: OwnIdentity) -> None:
    """For peers that want PKCS#12; it opens without a passphrase."""
    archive = pkcs12.load_pkcs12(made.cert.with_suffix(".p12").read_bytes(), None)
    assert archive.key is not None
    assert archive.cert is not None
    assert archive.cert.certificate == certificate(made)


def test_private_files_are_the_owners_alone(made: OwnIdentity) -> None:
    """Key and archive, whatever the umask."""
    modes = {path.name: path.stat().st_mode & 0o077 for path in made.cert.parent.iterdir()}
    assert (modes["serve.key"], modes["serve.p12"]) == (0, 0)


def test_server_can_be_started_with_it(made: OwnIdentity) -> None:
    """OpenSSL takes both files."""
    server_context(TLSSettings(cert=(made.cert,), key=(made.key,), client_auth=ClientAuth.NONE))


def test_second_start_finds_it(made: OwnIdentity) -> None:
    """The pins of the peers stay good."""
    again = own_identity(made.cert.parent)
    assert (again.fingerprint_sha256, again.is_new) == (made.fingerprint_sha256, False)


def test_servers_that_start_together_agree(tmp_path: Path) -> None:
    """One of them makes it, the others wait for that."""
    found: list[OwnIdentity] = []
    threads = [threading.Thread(target=lambda: found.append(own_identity(tmp_path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({identity.fingerprint_sha256 for identity in found}) == 1
    assert [identity.is_new for identity in found].count(True) == 1


def test_expired_one_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No peer would take it any more."""
    first = own_identity(tmp_path)
    later = datetime.now(UTC) + timedelta(days=1827)

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]  # one caller, one way to call
            assert tz is UTC
            return later

    monkeypatch.setattr("dicomtls.scp.identity.datetime", Later)
    second = own_identity(tmp_path)
    assert second.is_new
    assert second.fingerprint_sha256 != first.fingerprint_sha256


def test_certificate_without_its_key_is_replaced(tmp_path: Path) -> None:
    """Half an identity is none."""
    own_identity(tmp_path).key.unlink()
    assert own_identity(tmp_path).is_new


def test_damaged_certificate_is_an_error_that_names_it(tmp_path: Path) -> None:
    """A user's file that is something else now is not thrown away."""
    identity = own_identity(tmp_path)
    identity.cert.write_text("nonsense")
    with pytest.raises(CredentialError, match=r"serve\.pem"):
        own_identity(tmp_path)


def test_folder_that_cannot_be_made_is_an_error_of_the_machine(tmp_path: Path) -> None:
    """A file has its name."""
    (tmp_path / "data").write_text("a file")
    with pytest.raises(MachineError):
        own_identity(tmp_path / "data")


def test_host_name_that_no_certificate_can_hold_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of the loopback remain."""
    monkeypatch.setattr("socket.gethostname", lambda: "my host_!")
    names = certificate(own_identity(tmp_path)).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]


def test_system_without_locks_goes_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    monkeypatch.setitem(__import__("sys").modules, "fcntl", None)
    assert own_identity(tmp_path).is_new


def test_nothing_else_is_left_behind(tmp_path: Path) -> None:
    """No temporary or lock file."""
    own_identity(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["serve.key", "serve.p12", "serve.pem"]  # noqa: PTH208 -- names are enough


def test_identity_files_of_somebody_else_are_used(tmp_path: Path) -> None:
    """Whoever puts an identity of their own there is served with it."""
    issued = make_self_signed("mine", ["localhost"], key_type="ec:p256")
    for path, content in identity_files(issued, "serve").below(tmp_path)[0].items():
        path.write_bytes(content)
    assert not own_identity(tmp_path).is_new
