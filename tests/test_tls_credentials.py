"""dicomtls.tls.credentials: files of every kind on their way into a context, and what is said of those that fail."""

import os
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dicomtls.errors import MachineError
from dicomtls.tls import client_context, credentials, server_context
from tests.support.credentials import Asker, refusal
from tests.support.handshakes import client_settings, server_settings, shake_hands
from tests.support.pki import PASSPHRASE, PKI, Identity
from tests.support.source import REPOSITORY

# What each kind of file is called in the options: certificate, key, and whether a passphrase is needed.
FORMS: dict[str, tuple[Callable[[Identity], tuple[Path, Path | None]], bool]] = {
    "PEM": (lambda identity: (identity.cert, identity.key), False),
    "PEM with the key in it": (lambda identity: (identity.combined, None), False),
    "PEM given twice": (lambda identity: (identity.combined, identity.combined), False),
    "DER": (lambda identity: (identity.cert_der, identity.key_der), False),
    "DER and PEM": (lambda identity: (identity.cert_der, identity.key), False),
    "PEM and DER": (lambda identity: (identity.cert, identity.key_der), False),
    "encrypted key": (lambda identity: (identity.cert, identity.encrypted_key), True),
    "PKCS#12": (lambda identity: (identity.pkcs12, None), True),
    "PKCS#12 twice": (lambda identity: (identity.pkcs12, identity.pkcs12), True),
    "PEM and PKCS#12": (lambda identity: (identity.cert, identity.pkcs12), True),
}


def own(form: str, identity: Identity) -> dict[str, Any]:
    """The settings for an identity in one of the forms, with the right passphrase where one is needed."""
    files, is_encrypted = FORMS[form]
    cert, key = files(identity)
    passphrase = Asker(PASSPHRASE) if is_encrypted else Asker(None)
    return {"cert": (cert,), "key": (key,) if key else (), "passphrase": passphrase}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("role", ["server", "server_ec"])
def test_identity_serves_in_every_form(pki: PKI, form: str, role: str) -> None:
    """RSA and EC, as server and as client: the peer sees the certificate, whatever the file was."""
    server = server_settings(pki, **own(form, getattr(pki, role)))
    client = client_settings(pki, **own(form, pki.client_ec if role == "server_ec" else pki.client))
    pair = shake_hands(client, server)
    assert pair.codes == (None, None)
    assert pair.client.agreed.chain_der[0] == getattr(pki, role).cert_der.read_bytes()
    assert pair.server.agreed.peer is not None
    assert pair.server.agreed.peer.subject.startswith("CN=client")


@pytest.mark.parametrize("form", FORMS)
def test_passphrase_is_asked_for_once_and_only_where_needed(pki: PKI, form: str) -> None:
    """With the path of the file that is encrypted; nobody is bothered for the others."""
    settings = own(form, pki.server)
    context = server_context(server_settings(pki, **settings))
    assert context.cert_store_stats()["x509"] > 0
    asked = settings["passphrase"].asked
    _, is_encrypted = FORMS[form]
    if not is_encrypted:
        assert asked == []
    elif form == "encrypted key":
        assert asked == [pki.server.encrypted_key]
    else:
        assert set(asked) == {pki.server.pkcs12}


@pytest.mark.parametrize("form", [form for form, (_, is_encrypted) in FORMS.items() if is_encrypted])
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"wrong", "bad-passphrase"),
        (b"", "bad-passphrase"),
        (b"x" * 2000, "bad-passphrase"),
        (None, "passphrase-needed"),
    ],
    ids=["wrong", "empty", "very long", "none"],
)
def test_encrypted_identity_is_refused_without_its_passphrase(
    pki: PKI, form: str, answer: bytes | None, code: str
) -> None:
    """Wrong and missing are told apart, and the file is named."""
    files, _ = FORMS[form]
    cert, key = files(pki.server)
    settings = server_settings(pki, cert=(cert,), key=(key,) if key else (), passphrase=Asker(answer))
    error = refusal(settings)
    assert error.code == code
    assert str(key or cert) in error.message


def test_encrypted_key_is_refused_when_nobody_can_be_asked(pki: PKI) -> None:
    """No passphrase callable at all is the same as no passphrase."""
    error = refusal(server_settings(pki, key=(pki.server.encrypted_key,)))
    assert error.code == "passphrase-needed"
    assert any("--passphrase-file" in hint for hint in error.hints)


PROMPTING = """
import sys
from pathlib import Path
from dicomtls.errors import CredentialError
from dicomtls.tls import TLSSettings, client_context
try:
    client_context(TLSSettings(insecure=True, cert=(Path(sys.argv[1]),), key=(Path(sys.argv[2]),)))
except CredentialError as error:
    print(error.code)
"""


@pytest.mark.parametrize("terminal", [False, True], ids=["stdin closed", "a terminal"])
def test_openssl_never_prompts_by_itself(pki: PKI, *, terminal: bool) -> None:
    """Neither hangs nor asks on a terminal: asking is the command line's business."""
    command = [sys.executable, "-c", PROMPTING, str(pki.server.cert), str(pki.server.encrypted_key)]
    controller, terminal_end = os.openpty()
    try:
        done = subprocess.run(
            command,
            stdin=terminal_end if terminal else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=30,
            check=False,
            cwd=REPOSITORY,
            start_new_session=True,
        )
    finally:
        os.close(controller)
        os.close(terminal_end)
    assert done.stdout == "passphrase-needed\n"


def test_passphrase_of_an_asker_that_fails_is_not_swallowed(pki: PKI) -> None:
    """Ctrl-C at the prompt ends the program, it does not become a broken file."""

    def interrupted(_path: Path) -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client_context(
            client_settings(pki, cert=(pki.client.cert,), key=(pki.client.encrypted_key,), passphrase=interrupted)
        )


def test_key_of_another_certificate_is_refused(pki: PKI) -> None:
    """Both files are named."""
    error = refusal(server_settings(pki, key=(pki.client.key,)))
    assert error.code == "key-mismatch"
    assert str(pki.client.key) in error.message
    assert str(pki.server.cert) in error.message


def test_exchanged_files_are_refused_with_the_reason(pki: PKI) -> None:
    """`--cert` and `--key` the wrong way round."""
    error = refusal(server_settings(pki, cert=(pki.server.key,), key=(pki.server.cert,)))
    assert error.code == "not-a-certificate"
    assert str(pki.server.key) in error.message
    assert any("exchanged" in hint for hint in error.hints)


def test_certificate_without_a_key_is_refused(pki: PKI) -> None:
    """Where `--key` was left out and the file has none, DER or PEM."""
    for cert in (pki.server.cert, pki.server.cert_der):
        error = refusal(server_settings(pki, cert=(cert,), key=()))
        assert error.code == "no-private-key"
        assert str(cert) in error.message


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "unreadable-file"),
        (b"", "not-a-certificate"),
        (b"hello", "not-a-certificate"),
        (b"-----BEGIN CERTIFICATE-----\nhello\n-----END CERTIFICATE-----\n", "unreadable-file"),
    ],
    ids=["missing", "empty", "text", "damaged"],
)
def test_file_that_is_no_certificate_is_named(pki: PKI, tmp_path: Path, content: bytes | None, code: str) -> None:
    """Python's own errors say neither which file it is nor what is wrong with it."""
    path = tmp_path / "mine.pem"
    if content is not None:
        path.write_bytes(content)
    for settings in (server_settings(pki, cert=(path,)), server_settings(pki, ca=(path,))):
        error = refusal(settings)
        assert error.code == code
        assert str(path) in error.message


def test_path_that_cannot_exist_is_an_error_of_its_own(pki: PKI) -> None:
    """A NUL in an environment variable, say."""
    for settings in (server_settings(pki, cert=(Path("a\0b"),)), server_settings(pki, key=(Path("a\0b"),))):
        assert refusal(settings).code == "unreadable-file"


@pytest.mark.parametrize("option", ["ca", "crl", "cert"])
def test_name_that_is_too_long_is_an_error_of_the_file(pki: PKI, option: str) -> None:
    """Python's own questions about a path raise there."""
    others: dict[str, Any] = {option: (Path("a" * 300),)}
    assert refusal(server_settings(pki, **others)).code == "unreadable-file"


@pytest.mark.parametrize("option", ["ca", "crl"])
def test_pipe_is_refused_rather_than_waited_for(pki: PKI, tmp_path: Path, option: str) -> None:
    """A FIFO that nobody writes to would block for ever."""
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    others: dict[str, Any] = {option: (fifo,)}
    assert refusal(server_settings(pki, **others)).code == "unreadable-file"


def test_chain_in_the_wrong_order_is_put_right(pki: PKI, tmp_path: Path) -> None:
    """Intermediate first, leaf last: peers get the leaf first, and the server proves it."""
    shuffled = tmp_path / "chain.pem"
    shuffled.write_bytes(pki.intermediate.read_bytes() + pki.chained.leaf.read_bytes())
    server = server_settings(pki, pki.chained, cert=(shuffled,))
    pair = shake_hands(client_settings(pki, pki.client), server)
    assert pair.codes == (None, None)
    leaf, intermediate = pair.client.agreed.chain_der
    assert leaf == pki.chained.cert_der.read_bytes()
    assert intermediate == ssl.PEM_cert_to_DER_cert(pki.intermediate.read_text())


@pytest.mark.parametrize("form", ["PEM", "PKCS#12"])
def test_chain_is_sent_whole(pki: PKI, form: str) -> None:
    """Leaf and intermediate, so that a client with the root alone can verify."""
    server = server_settings(pki, **own(form, pki.chained))
    assert len(shake_hands(client_settings(pki, pki.client), server).client.agreed.chain_der) == 2


def test_small_key_is_refused_with_the_reason(pki: PKI) -> None:
    """The file is in order, but not for the profile; the retired one for old devices takes it."""
    error = refusal(server_settings(pki, pki.weak_key))
    assert str(pki.weak_key.cert) in error.message
    assert "too small" in error.message
    assert error.evidence["reason"] == "EE_KEY_TOO_SMALL"
    assert any("--profile bcp195-2015" in hint for hint in error.hints)
    server_context(server_settings(pki, pki.weak_key, profile="bcp195-2015"))


# -- keys in passing ----------------------------------------------------------------------------------------------


def test_converted_key_touches_no_disk(pki: PKI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system can hold a file in memory, nothing is written, and nothing stays open."""
    if not hasattr(os, "memfd_create"):
        pytest.skip("this system has no memfd_create")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = {path.name for path in Path("/proc/self/fd").iterdir()}
    server_context(server_settings(pki, **own("DER", pki.server)))
    assert list(tmp_path.iterdir()) == []
    assert {path.name for path in Path("/proc/self/fd").iterdir()} <= before


def test_converted_key_is_encrypted_in_a_private_file_elsewhere(
    pki: PKI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no such thing: 0600, never the key in clear, and gone afterwards, also after a failure."""
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[tuple[int, bytes]] = []
    real = ssl.SSLContext.load_cert_chain

    def spy(context: ssl.SSLContext, certfile: Any, *args: Any, **options: Any) -> None:
        if Path(certfile).parent == tmp_path:
            seen.append((Path(certfile).stat().st_mode & 0o777, Path(certfile).read_bytes()))
        real(context, certfile, *args, **options)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", spy)
    server = server_settings(pki, **own("DER", pki.server))
    assert shake_hands(client_settings(pki, pki.client), server).codes == (None, None)
    refusal(server_settings(pki, pki.weak_key))
    assert len(seen) == 3
    for mode, content in seen:
        assert mode == 0o600
        assert b"BEGIN ENCRYPTED PRIVATE KEY" in content
        assert b"BEGIN PRIVATE KEY" not in content
    assert list(tmp_path.iterdir()) == []


def test_converted_key_is_in_a_file_where_descriptors_have_no_names(
    pki: PKI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a chroot without /proc; and a machine that takes no file says so."""
    monkeypatch.setattr(credentials, "_DESCRIPTORS", str(tmp_path / "none"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    settings = server_settings(pki, **own("DER", pki.server))
    server_context(settings)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(MachineError, match="cannot write a temporary file"):
        server_context(settings)


def test_certificates_that_openssl_refuses_are_an_error_of_the_file(pki: PKI, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `cryptography` took and OpenSSL does not: the file is named, and OpenSSL's reason is evidence."""
    real = ssl.SSLContext.load_verify_locations

    def refuse(context: ssl.SSLContext, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
        if cadata is not None:
            error = ssl.SSLError(1, "[X509] no")
            error.reason = "NO"
            raise error
        real(context, cafile, capath, cadata)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", refuse)
    error = refusal(server_settings(pki, ca=(pki.ca_der,)))
    assert error.code == "not-a-certificate"
    assert str(pki.ca_der) in error.message
    assert error.evidence["reason"] == "NO"


def test_socket_is_not_mistaken_for_pem(tmp_path: Path, pki: PKI) -> None:
    """Only regular files are opened to be looked at; what cannot be opened is none."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        assert not credentials._is_pem(path)
    assert not credentials._is_pem(tmp_path / "nowhere")
    assert not credentials._is_pem(tmp_path / ("x" * 300))
    assert credentials._is_pem(pki.ca)
