"""What `--force` does not reach."""

from pathlib import Path

import pytest

from dicomtls.certificates.building import KeyType, common_name
from dicomtls.certificates.guard import check_replaced, write_credentials
from dicomtls.certificates.issue import CredentialFiles, identity_files, make_self_signed
from dicomtls.certificates.signing_requests import request_files
from dicomtls.errors import UsageError
from tests.test_certificates_authority import new_ca

KIND = KeyType.EC_P256


def identity(name: str) -> CredentialFiles:
    """A certificate and its key."""
    return identity_files(make_self_signed("x", ["x"], key_type=KIND), name)


def test_files_of_a_ca_stay_whatever_is_to_take_their_place(tmp_path: Path) -> None:
    """In any folder that has a CA, with its record or without; other names may be replaced there."""
    new_ca(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for made in (identity("ca"), request_files(common_name("x"), (), KIND, "ca", None)):
        with pytest.raises(UsageError, match="a CA's own"):
            write_credentials(made, tmp_path, force=True)
    (tmp_path / "issued.txt").unlink()
    with pytest.raises(UsageError, match="a CA's own"):
        write_credentials(identity("ca"), tmp_path, force=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()}.items() <= before.items()
    for _ in range(2):
        assert len(write_credentials(identity("ct"), tmp_path, force=True)) == 2


def test_device_may_be_called_ca(tmp_path: Path) -> None:
    """No CA, no harm; nor where what is there is no certificate at all."""
    for content in (None, b"", b"nothing"):
        if content is not None:
            (tmp_path / "ca.pem").write_bytes(content)
        write_credentials(identity("ca"), tmp_path, force=True)


def test_key_is_not_lost_with_the_file_that_holds_it(tmp_path: Path) -> None:
    """Unless a new key takes its place by force; a symbolic link is replaced itself."""
    made = identity("ct")
    both = tmp_path / "ct.pem"
    both.write_bytes(b"".join(made.contents.values()))
    with pytest.raises(UsageError, match="holds a private key, which would be lost"):
        check_replaced({both: made.contents["ct.pem"]}, ())
    check_replaced({both: b"".join(made.contents.values())}, {both})
    (tmp_path / "link.pem").symlink_to(both)
    check_replaced({tmp_path / "link.pem": made.contents["ct.pem"]}, ())
    (tmp_path / "folder.pem").mkdir()
    check_replaced({tmp_path / "folder.pem": b""}, ())
