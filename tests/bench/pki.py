"""A throw-away PKI from the `openssl` command: RSA 2048, a CA, a server for localhost and a client."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_SERVER = "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n"
_CLIENT = "extendedKeyUsage=clientAuth\n"


@dataclass(frozen=True)
class PKI:
    """Paths of PEM files; the keys are not encrypted."""

    ca: Path
    server_cert: Path
    server_key: Path
    client_cert: Path
    client_key: Path


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def _make_ca(directory: Path) -> None:
    _openssl(
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=dicomtls benchmark CA"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        *("-keyout", directory / "ca.key", "-out", directory / "ca.pem"),
    )


def _issue(directory: Path, name: str, extensions: str) -> None:
    request, extension_file = directory / f"{name}.csr", directory / f"{name}.ext"
    extension_file.write_text("basicConstraints=CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\n" + extensions)
    _openssl(
        *("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN=dicomtls benchmark {name}"),
        *("-keyout", directory / f"{name}.key", "-out", request),
    )
    _openssl(
        *("x509", "-req", "-days", "2", "-in", request, "-extfile", extension_file),
        *("-CA", directory / "ca.pem", "-CAkey", directory / "ca.key", "-CAcreateserial"),
        *("-out", directory / f"{name}.pem"),
    )


def make_pki(directory: Path) -> PKI:
    """Make the PKI in an existing directory; raise CalledProcessError if openssl fails."""
    _make_ca(directory)
    _issue(directory, "server", _SERVER)
    _issue(directory, "client", _CLIENT)
    return PKI(
        ca=directory / "ca.pem",
        server_cert=directory / "server.pem",
        server_key=directory / "server.key",
        client_cert=directory / "client.pem",
        client_key=directory / "client.key",
    )
