"""The lines to type with a new PKI."""

import json
from pathlib import Path

import pytest

from dicomtls.certificates.authority import Authority
from dicomtls.certificates.building import KeyType, Purpose, common_name
from dicomtls.certificates.issue import make_authority
from dicomtls.certificates.names import general_names
from dicomtls.cli.quick_start import UNKNOWN_KEY, lines_for_certificate, lines_for_identity, lines_to_type
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


@pytest.mark.parametrize("key_type", ["ec:p256", "ec:p384", "ed25519"])
def test_dcmtk_is_given_the_suite_that_it_lacks_for_ec_keys(key_type: str) -> None:
    """3.6.7 offers no ECDSA suite by itself at TLS 1.2."""
    lines = typed(Path("pki"), "pacs", key_type=key_type)
    dcmtk = [line for line in lines if line.startswith(("storescp +tls", "echoscu +tls"))]
    assert len(dcmtk) == 2
    assert all("+cs TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" in line for line in dcmtk)


@pytest.mark.parametrize(("is_server", "own"), [(True, "storescp"), (False, "storescu")])
def test_lines_for_one_identity_are_those_of_its_side(own: str, *, is_server: bool) -> None:
    """A server's for all four, a client's for those that call."""
    base = (Path("d"), "ct", Path("pki/ca.pem"))
    made = lines_for_identity(*base, is_server=is_server, key_type="ec:p256", encrypted=False)
    lines = [render(line, colour=False).strip() for line in made]
    assert any(line.startswith(f"{own} ") and "--key-store d/ct.p12" in line for line in lines)
    assert any(line.startswith("keytool -importcert") and "-file pki/ca.pem" in line for line in lines)
    program = "storescp" if is_server else "echoscu"
    suite = "+cs TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
    assert any(line.startswith(f"{program} +tls d/ct.key d/ct.pem +cf pki/ca.pem {suite}") for line in lines)
    assert any(str(Path("pki/ca.pem").absolute()) in line for line in lines)


@pytest.mark.parametrize(
    ("purpose", "program"), [(Purpose.BOTH, "storescp"), (Purpose.SERVER, "storescp"), (Purpose.CLIENT, "echoscu")]
)
def test_lines_for_a_certificate_follow_from_what_stands_in_it(purpose: Purpose, program: str) -> None:
    """Its purpose and its kind of key; its own key's file, or a word that stands for it; how its archive is made."""
    ca = make_authority("Clinic", kind=KeyType.EC_P256)
    authority = Authority(Path(), ca.certificate, ca.key)
    names = general_names(["ct.example"])
    made = authority.issue_identity(common_name("ct"), names, purpose=purpose, kind=KeyType.EC_P256, days=9)
    for key, shown in ((UNKNOWN_KEY, "KEY"), (Path("k/ct.key"), str(Path("k/ct.key").absolute()))):
        found = lines_for_certificate(Path("d"), "ct", Path("ca.pem"), made.der, key=key, encrypted=False)
        lines = [render(line, colour=False).strip() for line in found]
        assert any(line.startswith(f"{program} +tls {key} d/ct.pem +cf ca.pem +cs TLS_ECDHE_ECDSA") for line in lines)
        assert f'"DicomTlsPrivateKey": "{shown}",' in lines
        bundle = f"dicomtls certgen bundle d/ct.pem --key {key} --pkcs12 --ask-passphrase --name ct --out d/java"
        assert bundle in lines
        assert any("--key-store d/java/ct.p12" in line for line in lines)


def test_lines_for_a_pki_have_dcm4che_too() -> None:
    """A trust store and both sides."""
    lines = typed(Path("pki"), "pacs")
    assert sum("--trust-store trust.p12" in line for line in lines) == 2
