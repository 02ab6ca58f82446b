"""The lines to type on either side with new files: dicomtls, DCMTK, Orthanc, dcm4che."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from dicomtls.cli.text import Line, Style, Styled

UNKNOWN_KEY = Path("KEY")
"""Stands in the lines for the key's file where only the device knows it."""

_PORT = 2762
_RSA_SUITE = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
_ECDSA_SUITE = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"  # Ed25519 goes with it, too (RFC 8422 section 2)
# DCMTK 3.6.7 offers no ECDSA suite by itself at TLS 1.2.
_DCMTK_ECDSA = f" +cs {_ECDSA_SUITE}"


def lines_to_type(directory: Path, host: str, *, key_type: str, encrypted: bool) -> Iterator[Line]:
    """Return what to type for a server called `host` and its client; `encrypted` where the keys have a passphrase."""
    ca, server, client = (_Files(directory, role) for role in ("ca", "server", "client"))
    ecdsa = "" if _is_rsa(key_type) else _DCMTK_ECDSA
    address = shlex.quote(f"[{host}]" if ":" in host else host)
    yield from _section(
        "dicomtls",
        f"dicomtls serve --directory in --ca {ca.cert} --cert {server.cert} --key {server.key}",
        f"dicomtls echo {address} --ca {ca.cert} --cert {client.cert} --key {client.key}",
        f"dicomtls store {address} FILES --ca {ca.cert} --cert {client.cert} --key {client.key}",
    )
    yield from _section(
        "DCMTK",
        f"storescp +tls {server.key} {server.cert} +cf {ca.cert}{ecdsa} {_PORT}",
        f"echoscu +tls {client.key} {client.cert} +cf {ca.cert}{ecdsa} {shlex.quote(host)} {_PORT}",
    )
    if encrypted:
        yield "Orthanc cannot be given a passphrase: it needs a key without one"
    else:
        yield from _section("Orthanc (orthanc.json)", *_orthanc(directory, "server", directory / "ca.pem"))
    yield from _section(
        "dcm4che (with --pkcs12 and a passphrase)",
        _trust_store(ca.cert),
        f"storescp -b {_PORT} {_dcm4che(directory, 'server', key_type)}",
        f"storescu -c ANY-SCP@{address}:{_PORT} {_dcm4che(directory, 'client', key_type)} FILES",
    )


def lines_for_identity(
    directory: Path,
    name: str,
    ca: Path,
    *,
    is_server: bool,
    key_type: str,
    encrypted: bool,
    key: Path | None = None,
    has_archive: bool = True,
) -> Iterator[Line]:
    """Return what to type with one identity, on its own side.

    `key` where it is not `NAME.key` beside the certificate; `has_archive` is false where the command makes none.
    """
    own, anchors = _Files(directory, name, key), shlex.quote(str(ca))
    archives = directory if has_archive else directory / "java"
    ecdsa = "" if _is_rsa(key_type) else _DCMTK_ECDSA
    if is_server:
        ours = f"dicomtls serve --directory in --ca {anchors} --cert {own.cert} --key {own.key}"
        dcmtk = f"storescp +tls {own.key} {own.cert} +cf {anchors}{ecdsa} {_PORT}"
        dcm4che = f"storescp -b {_PORT} {_dcm4che(archives, name, key_type)}"
    else:
        ours = f"dicomtls echo PEER --ca {anchors} --cert {own.cert} --key {own.key}"
        dcmtk = f"echoscu +tls {own.key} {own.cert} +cf {anchors}{ecdsa} PEER {_PORT}"
        dcm4che = f"storescu -c ANY-SCP@PEER:{_PORT} {_dcm4che(archives, name, key_type)} FILES"
    yield from _section("dicomtls", ours)
    yield from _section("DCMTK", dcmtk)
    if not encrypted:
        yield from _section("Orthanc (orthanc.json)", *_orthanc(directory, name, ca, key))
    if has_archive:
        yield from _section("dcm4che (with --pkcs12 and a passphrase)", _trust_store(anchors), dcm4che)
    else:
        yield from _section("dcm4che", _archive_of(archives, name, own), _trust_store(anchors), dcm4che)


def lines_for_certificate(
    directory: Path, name: str, ca: Path, der: bytes, *, key: Path, encrypted: bool
) -> Iterator[Line]:
    """Return the same for a certificate (DER) whose key is elsewhere, by what stands in it."""
    from dicomtls.certificates.describe import describe
    from dicomtls.certificates.fields import permits_server

    return lines_for_identity(
        directory,
        name,
        ca,
        is_server=permits_server(der),
        key_type=f"{describe(der).key_type.lower()}:",
        encrypted=encrypted,
        key=key,
        has_archive=False,
    )


def _archive_of(folder: Path, name: str, own: "_Files") -> str:
    """Into a folder of its own: the command writes the certificate and the key again, the latter encrypted."""
    where = f"--name {shlex.quote(name)} --out {shlex.quote(str(folder))}"
    return f"dicomtls certgen bundle {own.cert} --key {own.key} --pkcs12 --ask-passphrase {where}"


def _trust_store(ca: str) -> str:
    """What only keytool does: Java takes no anchors from an archive that is not marked as a trust store."""
    return f"keytool -importcert -noprompt -alias ca -file {ca} -keystore trust.p12 -storepass secret"


def _dcm4che(directory: Path, name: str, key_type: str) -> str:
    """Only an option with suites turns TLS on, its `--tls12` alone does not; `--tls` has those of B.1 and B.3 alone."""
    archive = shlex.quote(str(directory / f"{name}.p12"))
    suite = _RSA_SUITE if _is_rsa(key_type) else _ECDSA_SUITE
    stores = f"--key-store {archive} --key-store-pass PASS --trust-store trust.p12 --trust-store-pass secret"
    return f"--tls-cipher {suite} {stores}"


def _is_rsa(key_type: str) -> bool:
    return key_type.startswith("rsa:")


def _section(heading: str, *lines: str) -> Iterator[Line]:
    yield (Styled(heading, Style.STRONG),)
    yield from (f"  {line}" for line in lines)


def _orthanc(directory: Path, name: str, ca: Path, key: Path | None = None) -> Iterator[str]:
    from json import dumps

    folder = directory.absolute()
    yield '"DicomTlsEnabled": true, "DicomTlsRemoteCertificateRequired": true,'
    yield f'"DicomTlsCertificate": {dumps(str(folder / f"{name}.pem"))},'
    yield f'"DicomTlsPrivateKey": {dumps(str(folder / f"{name}.key") if key is None else _absolute(key))},'
    yield f'"DicomTlsTrustedCertificates": {dumps(str(ca.absolute()))}'


def _absolute(key: Path) -> str:
    return str(key) if key == UNKNOWN_KEY else str(key.absolute())


class _Files:
    """How to write the files of one role on a command line."""

    def __init__(self, directory: Path, role: str, key: Path | None = None) -> None:
        self.cert = shlex.quote(str(directory / f"{role}.pem"))
        self.key = shlex.quote(str(directory / f"{role}.key" if key is None else key))
