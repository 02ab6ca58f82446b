"""A CA in its folder: what it may issue, what it writes down, and what a crash or another process may do to it."""

import multiprocessing
import os
import signal
import ssl
from collections.abc import Callable
from datetime import datetime, tzinfo
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from dicomtls import files as files_module
from dicomtls.certificates import authority as authority_module
from dicomtls.certificates.authority import Authority, authority_files, find_issued
from dicomtls.certificates.building import KeyType, Purpose, common_name, signed
from dicomtls.certificates.bundle import load_leaf
from dicomtls.certificates.describe import serial_hex
from dicomtls.certificates.issue import Issued, identity_files, make_authority
from dicomtls.certificates.names import general_names
from dicomtls.certificates.quiet import quiet
from dicomtls.certificates.record import RECORD_NAME
from dicomtls.errors import CredentialError, MachineError, UsageError
from dicomtls.files import alone_in
from tests.support.openssl import openssl, verify

KIND = KeyType.EC_P256


def new_ca(directory: Path, *, path_length: int | None = 0, days: int = 1000) -> Authority:
    """A root in a folder."""
    made = make_authority("Clinic", kind=KIND, path_length=path_length, days=days)
    authority_files(made, directory, None, passphrase=None, force=False)
    return Authority.load(directory, None)


def leaf_of(authority: Authority, name: str = "ct", *, days: int = 10) -> Issued:
    """A leaf, not written down anywhere."""
    names = general_names([f"{name}.example"])
    return authority.issue_identity(common_name(name), names, purpose=Purpose.BOTH, kind=KIND, days=days)


def deliver(authority: Authority, name: str, out: Path) -> Issued:
    """A leaf in a folder, and in the record."""
    issued = leaf_of(authority, name)
    authority.deliver(issued.certificate, identity_files(issued, name), out, force=False)
    return issued


@pytest.mark.parametrize("kind", list(KeyType))
def test_everything_in_a_chain_is_accepted_by_openssl(tmp_path: Path, kind: KeyType) -> None:
    """A root, an intermediate and a leaf of each kind of key, under OpenSSL's strictest rules."""
    root = make_authority("Clinic", kind=kind, path_length=1)
    authority_files(root, tmp_path / "root", None, passphrase=None, force=False)
    above = Authority.load(tmp_path / "root", None)
    below = above.issue_authority("Radiology", kind=kind, days=100, path_length=0)
    authority_files(below, tmp_path / "below", above, passphrase=None, force=False)
    authority = Authority.load(tmp_path / "below", None)
    assert authority.root == root.certificate
    assert authority.intermediates == (below.certificate,)
    issued = authority.issue_identity(
        common_name("ct"), general_names(["ct.example"]), purpose=Purpose.BOTH, kind=kind, days=10
    )
    authority.deliver(issued.certificate, identity_files(issued, "ct"), tmp_path, force=False)
    anchors = ("-CAfile", tmp_path / "root" / "ca.pem")
    chain = (*anchors, "-untrusted", tmp_path / "ct.pem")
    assert verify(tmp_path / "ct.pem", *chain, "-purpose", "sslserver", "-verify_hostname", "ct.example").endswith(
        "OK\n"
    )
    assert verify(tmp_path / "ct.pem", *chain, "-purpose", "sslclient").endswith("OK\n")
    assert verify(tmp_path / "below" / "ca.pem", *anchors).endswith("OK\n")
    assert len(above.record().entries) == len(authority.record().entries) == 1


@pytest.mark.parametrize(
    ("allowed", "wanted", "error", "hint"),
    [
        (0, 0, "may only issue to devices", "--path-length 1"),
        (1, 1, "must have less", "give --path-length 0"),
        (2, None, "must have less", "give --path-length 1"),
    ],
)
def test_path_length_is_kept(tmp_path: Path, allowed: int, wanted: int | None, error: str, hint: str) -> None:
    """What OpenSSL would refuse is not made."""
    authority = new_ca(tmp_path, path_length=allowed)
    with pytest.raises(UsageError, match=error) as caught:
        authority.issue_authority("Radiology", kind=KIND, days=10, path_length=wanted)
    assert hint in caught.value.hints[0]


def test_ca_without_a_path_length_may_have_any_below_it(tmp_path: Path) -> None:
    """None is no limit."""
    authority = new_ca(tmp_path, path_length=None)
    made = authority.issue_authority("Radiology", kind=KIND, days=10, path_length=None)
    assert made.intermediates == (authority.certificate,)


def test_folder_without_a_ca_is_named(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(CredentialError, match="there is no CA in") as caught:
        Authority.load(tmp_path, None)
    assert "--ca-dir" in caught.value.hints[0]


def test_leaf_is_no_ca(tmp_path: Path) -> None:
    """A certificate of a device cannot issue."""
    authority = new_ca(tmp_path / "ca")
    issued = leaf_of(authority)
    (tmp_path / "leaf").mkdir()
    for name, content in identity_files(issued, "ca").contents.items():
        (tmp_path / "leaf" / name).write_bytes(content)
    with pytest.raises(UsageError, match="not that of a CA"):
        Authority.load(tmp_path / "leaf", None)


def test_key_of_another_ca_is_refused(tmp_path: Path) -> None:
    """Everything that it signed would be worth nothing."""
    new_ca(tmp_path / "one")
    other = new_ca(tmp_path / "other")
    (tmp_path / "one" / "ca.key").write_bytes((tmp_path / "other" / "ca.key").read_bytes())
    with pytest.raises(CredentialError) as caught:
        Authority.load(tmp_path / "one", None)
    assert caught.value.code == "key-mismatch"
    assert not other.above


def test_expired_ca_issues_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its certificates would be refused everywhere."""
    new_ca(tmp_path, days=1)

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Later":
            return cls(2200, 1, 1, tzinfo=tz)

    monkeypatch.setattr(authority_module, "datetime", Later)
    with pytest.raises(UsageError, match="the CA was valid until"):
        Authority.load(tmp_path, None)


def answering(passphrase: bytes | None) -> Callable[[Path], bytes | None]:
    """What gives this passphrase for any file."""
    return lambda _path: passphrase


def test_ca_of_tomorrow_issues_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is what to look at then."""
    new_ca(tmp_path)

    class Earlier(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Earlier":
            return cls(2000, 1, 1, tzinfo=tz)

    monkeypatch.setattr(authority_module, "datetime", Earlier)
    with pytest.raises(UsageError, match="not valid before") as caught:
        Authority.load(tmp_path, None)
    assert "clock" in caught.value.hints[0]
    assert Authority.load(tmp_path, None, today=False).is_root


def test_nothing_is_issued_under_the_name_of_the_ca_itself(tmp_path: Path) -> None:
    """It would look self-signed, and its issuer would not be sent along."""
    authority = new_ca(tmp_path, path_length=1)
    with pytest.raises(UsageError, match="name of the CA itself"):
        authority.issue_authority("Clinic", kind=KIND, days=10, path_length=0)
    key = KIND.generate().public_key()
    purposes = Purpose.BOTH.extended_key_usage
    with pytest.raises(UsageError, match="name of the CA itself"):
        authority.issue(authority.certificate.subject, (), purposes=purposes, key=key, days=1)


def test_certificate_without_a_subject_is_known_by_its_names(tmp_path: Path) -> None:
    """They are critical then (RFC 5280 section 4.2.1.6), which strict verifiers ask for; without any it is refused."""
    authority = new_ca(tmp_path / "ca")
    key, purposes = KIND.generate().public_key(), Purpose.BOTH.extended_key_usage
    with pytest.raises(UsageError, match="nobody's"):
        authority.issue(x509.Name([]), (), purposes=purposes, key=key, days=1)
    made = authority.issue(x509.Name([]), general_names(["ct.example"]), purposes=purposes, key=key, days=1)
    assert made.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical
    (tmp_path / "ct.pem").write_bytes(made.public_bytes(Encoding.PEM))
    assert verify(tmp_path / "ct.pem", "-CAfile", tmp_path / "ca" / "ca.pem").endswith("OK\n")


def test_key_that_cannot_sign_here_is_named(tmp_path: Path) -> None:
    """A CA of another tool, with an Ed448 key."""
    openssl("genpkey", "-algorithm", "ed448", "-out", tmp_path / "ca.key")
    subject = ("-subj", "/CN=Other", "-days", "9")
    openssl("req", "-x509", "-key", tmp_path / "ca.key", *subject, "-out", tmp_path / "ca.pem")
    with pytest.raises(UsageError, match="of a kind that cannot sign here"):
        Authority.load(tmp_path, None)


def test_encrypted_key_is_opened_with_its_passphrase(tmp_path: Path) -> None:
    """And only with that."""
    made = make_authority("Clinic", kind=KIND)
    authority_files(made, tmp_path, None, passphrase=b"secret", force=False)
    assert Authority.load(tmp_path, lambda _: b"secret").certificate == made.certificate
    for answer, code in ((b"wrong", "bad-passphrase"), (None, "passphrase-needed")):
        with pytest.raises(CredentialError) as caught:
            Authority.load(tmp_path, answering(answer))
        assert caught.value.code == code


def test_new_ca_never_takes_the_place_of_the_one_above_it(tmp_path: Path) -> None:
    """Not even by force: its key would be lost."""
    above = new_ca(tmp_path, path_length=1)
    made = above.issue_authority("Radiology", kind=KIND, days=10, path_length=0)
    with pytest.raises(UsageError, match="the place of the one above"):
        authority_files(made, tmp_path, above, passphrase=None, force=True)
    assert Authority.load(tmp_path, None).certificate == above.certificate


# -- the record -----------------------------------------------------------------------------------------------------


def test_record_has_what_was_delivered_and_nothing_else(tmp_path: Path) -> None:
    """A file that is in the way leaves record and folder as they were."""
    authority = new_ca(tmp_path / "ca")
    issued = deliver(authority, "ct", tmp_path)
    [entry] = authority.record().entries
    assert (entry.serial, entry.subject) == (issued.certificate.serial_number, "CN=ct")
    with pytest.raises(UsageError, match=r"ct\.pem exists already"):
        deliver(authority, "ct", tmp_path)
    assert authority.record().entries == (entry,)


def test_failed_write_leaves_record_and_folder_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up in the middle of it."""
    authority = new_ca(tmp_path / "ca")
    before = (tmp_path / "ca" / RECORD_NAME).read_bytes()
    real, left = files_module._Draft.place, [2]

    def place(draft: files_module._Draft, *, force: bool) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise files_module.machine_error(OSError(28, "No space left on device"), "x")
        real(draft, force=force)

    monkeypatch.setattr(files_module._Draft, "place", place)
    with pytest.raises(MachineError):
        deliver(authority, "ct", tmp_path)
    assert (tmp_path / "ca" / RECORD_NAME).read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"ca"}


def _die_before_the_last_file(directory: Path, out: Path) -> None:
    real, left = files_module._Draft.place, [2]

    def place(draft: files_module._Draft, *, force: bool) -> None:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        real(draft, force=force)

    pytest.MonkeyPatch().setattr(files_module._Draft, "place", place)  # for good: in a process of its own
    deliver(Authority.load(directory, None), "ct", out)


def test_killed_process_leaves_no_certificate_that_is_not_in_the_record(tmp_path: Path) -> None:
    """The record comes first; whatever else is there can be revoked."""
    authority = new_ca(tmp_path / "ca")
    process = multiprocessing.get_context("fork").Process(
        target=_die_before_the_last_file, args=(tmp_path / "ca", tmp_path / "out")
    )
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    [entry] = authority.record().entries
    assert load_leaf(tmp_path / "out" / "ct.pem").serial_number == entry.serial
    deliver(authority, "mr", tmp_path / "out")
    assert len(authority.record().entries) == 2


def _issue_some(directory: Path, prefix: str, count: int) -> None:
    authority = Authority.load(directory, None)
    for number in range(count):
        deliver(authority, f"{prefix}{number}", directory.parent / "out")


def test_processes_at_the_same_time_lose_no_line(tmp_path: Path) -> None:
    """Each waits for the others' lock."""
    authority = new_ca(tmp_path / "ca")
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_issue_some, args=(tmp_path / "ca", name, 5)) for name in "abc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(40)
        assert process.exitcode == 0
    assert len(authority.record().entries) == 15


def test_lock_is_not_waited_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that hangs with it is named after ten seconds, here fewer."""
    authority = new_ca(tmp_path / "ca")
    monkeypatch.setattr("dicomtls.files._LOCK_SECONDS", 0.1)
    with alone_in(tmp_path / "ca", "the CA"), pytest.raises(UsageError, match="another process has been busy"):
        deliver(authority, "ct", tmp_path)
    deliver(authority, "ct", tmp_path)


# -- revoking and renewing ------------------------------------------------------------------------------------------


def test_revoked_certificate_is_refused_by_openssl(tmp_path: Path) -> None:
    """With the list; the other one, and the same without a list, is not."""
    authority = new_ca(tmp_path / "ca")
    bad, _ = (deliver(authority, name, tmp_path) for name in ("bad", "good"))
    authority.revoke(bad.certificate.serial_number, "keyCompromise")
    crl = authority.write_crl(tmp_path / "crl.pem", 30, force=False)
    anchors = ("-CAfile", tmp_path / "ca" / "ca.pem")
    checked = (*anchors, "-crl_check", "-CRLfile", tmp_path / "crl.pem")
    assert "certificate revoked" in verify(tmp_path / "bad.pem", *checked)
    assert verify(tmp_path / "good.pem", *checked).endswith("OK\n")
    assert verify(tmp_path / "bad.pem", *anchors).endswith("OK\n")
    [revoked] = crl
    assert revoked.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise
    assert "verify OK" in openssl("crl", "-in", tmp_path / "crl.pem", "-noout", *anchors).stderr


def test_each_list_has_the_next_number_and_no_reason_where_none_was_given(tmp_path: Path) -> None:
    """RFC 5280 sections 5.2.3 and 5.3.1."""
    authority = new_ca(tmp_path)
    authority.revoke(deliver(authority, "ct", tmp_path).certificate.serial_number, "unspecified")
    for number in (1, 2):
        crl = authority.write_crl(tmp_path / "crl.pem", 30, force=number > 1)
        assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == number
        assert [len(revoked.extensions) for revoked in crl] == [0]
    with pytest.raises(UsageError, match=r"crl\.pem exists already"):
        authority.write_crl(tmp_path / "crl.pem", 30, force=False)
    assert authority.record().crl_number == 2


def test_unknown_reason_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """Nothing is written."""
    authority = new_ca(tmp_path)
    with pytest.raises(UsageError, match="not a reason") as caught:
        authority.revoke(1, "bored")
    assert "keyCompromise" in caught.value.hints[0]


def test_certificate_is_meant_by_its_file_or_its_serial_number(tmp_path: Path) -> None:
    """What is neither, or another CA's, is an error."""
    authority, other = new_ca(tmp_path / "ca"), new_ca(tmp_path / "other")
    serial = deliver(authority, "ct", tmp_path).certificate.serial_number
    assert find_issued(authority, str(tmp_path / "ct.pem")) == (serial, load_leaf(tmp_path / "ct.pem"))
    assert find_issued(authority, serial_hex(serial)) == (serial, None)
    with pytest.raises(UsageError, match="this CA has not issued"):
        find_issued(other, str(tmp_path / "ct.pem"))
    with pytest.raises(UsageError, match="neither a file that is there nor a serial number"):
        find_issued(authority, "nothing.pem")
    with pytest.raises(UsageError, match="neither a file that is there nor a serial number"):
        find_issued(authority, "0" * 300)


@pytest.mark.parametrize("name", ["ca", "../ca/ca"])
def test_files_of_the_ca_are_never_replaced(tmp_path: Path, name: str) -> None:
    """Not even by force: a CA's key that is lost is lost."""
    authority = new_ca(tmp_path / "ca")
    before = {path: path.read_bytes() for path in (tmp_path / "ca").iterdir()}
    issued = leaf_of(authority)
    with pytest.raises(UsageError, match="a CA's own"):
        authority.deliver(issued.certificate, identity_files(issued, name), tmp_path / "ca", force=True)
    assert {path: path.read_bytes() for path in (tmp_path / "ca").iterdir()} == before


def test_certificate_that_the_record_has_lost_can_still_be_revoked(tmp_path: Path) -> None:
    """The CA's own signature says that it is one of its own; its serial number alone does not."""
    authority = new_ca(tmp_path)
    certificate = leaf_of(authority).certificate
    with pytest.raises(UsageError, match="no record of"):
        authority.revoke(certificate.serial_number, "superseded")
    record = authority.revoke(certificate.serial_number, "superseded", certificate)
    assert [entry.serial for entry in record.revoked()] == [certificate.serial_number]


@pytest.mark.parametrize("serial", [0, 2**159, 2**167], ids=["zero", "160 bits", "21 octets"])
def test_serial_number_that_no_list_can_name_is_not_revoked(tmp_path: Path, serial: int) -> None:
    """Noted all the same, it would keep the CA from making any list, and its record from being read."""
    authority, good = new_ca(tmp_path), leaf_of(new_ca(tmp_path / "other")).certificate
    names = (authority.certificate.subject, good.subject)
    dates = (good.not_valid_before_utc, good.not_valid_after_utc)
    with quiet():
        odd = signed(x509.CertificateBuilder(*names, good.public_key(), serial, *dates, []), authority.key)
        (tmp_path / "odd.pem").write_bytes(odd.public_bytes(Encoding.PEM))
        found, certificate = find_issued(authority, str(tmp_path / "odd.pem"))
        with pytest.raises(UsageError, match="is not positive, or is over 20 octets long"):
            authority.revoke(found, "superseded", certificate)
    assert len(authority.record().entries) == 0
    assert len(authority.write_crl(tmp_path / "crl.pem", 7, force=False)) == 0


def test_ca_with_a_name_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """`cryptography` finds that out only when it is asked for the name."""
    made = make_authority("Clinic", kind=KIND)
    damaged = made.der.replace(b"Clinic CA", b"Clini\xff\xfeCA")
    (tmp_path / "ca.pem").write_text(ssl.DER_cert_to_PEM_cert(damaged))
    (tmp_path / "ca.key").write_bytes(identity_files(made, "ca").contents["ca.key"])
    with pytest.raises(CredentialError, match="a name that cannot be read"):
        Authority.load(tmp_path, None)
