"""The lines to type with a new PKI."""

import json
from pathlib import Path

import pytest

from dicomtls.cli.quick_start import lines_for_identity, lines_to_type
from dicomtls.cli.text import render


def typed(directory: Path, host: str, *, key_type: str = "rsa:2048", encrypted: bool = False) -> list[str]:
    """The lines as they are printed."""
    lines = lines_to_type(directory, host, key_type=key_type, encrypted=encrypted)
    return [render(line, colour=False).strip() for line in lines]


def test_lines_name_the_right_files_for_either_side() -> None:
    """The server gets the server's, the client the client's, both the CA; nobody gets its key."""
    lines = typed(Path("pki"), "pacs")
    assert "dicomtls serve --directory in --ca pki/ca.pem --cert pki/server.pem --key pki/server.key" in lines
    assert "dicomtls echo pacs --ca pki/ca.pem --cert pki/client.pem --key pki/client.key" in lines
    assert "storescp +tls pki/server.key pki/server.pem +cf pki/ca.pem 2762" in lines
    assert "echoscu +tls pki/client.key pki/client.pem +cf pki/ca.pem pacs 2762" in lines
    assert not any("ca.key" in line for line in lines)


def test_lines_survive_what_a_shell_would_read_otherwise() -> None:
    """Spaces and an IPv6 address are quoted as the shell wants it."""
    lines = typed(Path("my pki"), "::1")
    assert "dicomtls echo '[::1]' --ca 'my pki/ca.pem' --cert 'my pki/client.pem' --key 'my pki/client.key'" in lines
    assert "echoscu +tls 'my pki/client.key' 'my pki/client.pem' +cf 'my pki/ca.pem' ::1 2762" in lines


def test_orthanc_gets_valid_json_with_absolute_paths(tmp_path: Path) -> None:
    """Orthanc is started from anywhere."""
    lines = typed(tmp_path / 'a"b', "pacs")
    settings = json.loads("{" + "".join(line for line in lines if line.startswith('"')) + "}")
    assert settings["DicomTlsTrustedCertificates"] == str(tmp_path / 'a"b' / "ca.pem")
    assert settings["DicomTlsEnabled"] is True


def test_orthanc_is_not_promised_what_it_cannot_do() -> None:
    """There is no way to give it a passphrase."""
    lines = typed(Path("pki"), "pacs", encrypted=True)
    assert "Orthanc cannot be given a passphrase: it needs a key without one" in lines
    assert not any("DicomTlsPrivateKey" in line for line in lines)


def test_dcmtk_is_given_the_suite_that_it_lacks_for_ec_keys() -> None:
    """3.6.7 offers no ECDSA suite by itself at TLS 1.2."""
    lines = typed(Path("pki"), "pacs", key_type="ec:p256")
    dcmtk = [line for line in lines if line.startswith(("storescp +tls", "echoscu +tls"))]
    assert len(dcmtk) == 2
    assert all("+cs TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" in line for line in dcmtk)


@pytest.mark.parametrize(("host", "own"), [("pacs", "storescp"), (None, "storescu")])
def test_lines_for_one_identity_are_those_of_its_side(host: str | None, own: str) -> None:
    """A server's for all four, a client's for those that call."""
    made = lines_for_identity(Path("d"), "ct", Path("pki/ca.pem"), host=host, key_type="ec:p256", encrypted=False)
    lines = [render(line, colour=False).strip() for line in made]
    assert any(line.startswith(f"{own} ") and "--key-store d/ct.p12" in line for line in lines)
    assert any(line.startswith("keytool -importcert") and "-file pki/ca.pem" in line for line in lines)
    program = "storescp" if host else "echoscu"
    suite = "+cs TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
    assert any(line.startswith(f"{program} +tls d/ct.key d/ct.pem +cf pki/ca.pem {suite}") for line in lines)
    assert any(str(Path("pki/ca.pem").absolute()) in line for line in lines)


def test_lines_for_a_pki_have_dcm4che_too() -> None:
    """A trust store and both sides."""
    lines = typed(Path("pki"), "pacs")
    assert sum("--trust-store trust.p12" in line for line in lines) == 2
