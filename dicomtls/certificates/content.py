"""Recognises what a file holds by its content, never by its name: PEM with anything around it, DER, or neither.

Nothing is decrypted here, so nothing asks for a passphrase. What is recognised but of no use (an SSH key, a Java
keystore) is named, because that is what people give by mistake.
"""

import binascii
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key, pkcs7

from dicomtls.certificates.der import INTEGER, OCTET_STRING, OID, SEQUENCE, DERError, first_element, tokens
from dicomtls.certificates.quiet import quiet

REFUSALS = (
    ValueError,
    TypeError,
    OverflowError,
    KeyError,  # cryptography 44, at a name with a type of string that there is none of
    UnsupportedAlgorithm,
    InternalError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises at bytes that it cannot read; all of them mean just that.

InternalError too: it is what a damaged scrypt key ends in, for one."""

_MARK = re.compile(rb"-----(BEGIN|END) ([^\r\n-]{1,64})-----")
_CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
_REQUEST_LABELS = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
_BUNDLE_LABELS = ("PKCS7", "PKCS #7 SIGNED DATA", "CMS")
_KEY_LABELS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
# Stands before the key in what `openssl ecparam -genkey` and `openssl dsaparam` write.
_PARAMETER_LABELS = ("EC PARAMETERS", "DSA PARAMETERS")

_JAVA_KEYSTORE = "a Java keystore"
_JCEKS_KEYSTORE = "a Java keystore (JCEKS)"
_OPENSSH_KEY = "an OpenSSH private key"
_PUTTY_KEY = "a PuTTY private key"
_MAGIC = (
    (b"\xfe\xed\xfe\xed", _JAVA_KEYSTORE),
    (b"\xce\xce\xce\xce", _JCEKS_KEYSTORE),
    (b"PuTTY-User-Key-File", _PUTTY_KEY),
    (b"ssh-", "an SSH public key"),
    (b"ecdsa-sha2-", "an SSH public key"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"%PDF", "a PDF document"),
)
_DICOM_PREFIX = slice(128, 132)
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")

_TO_PKCS12 = "-destkeystore converted.p12 -deststoretype PKCS12"

_PKCS7 = bytes.fromhex("2a864886f70d0107")
_PASSWORD_BASED = (bytes.fromhex("2a864886f70d0105"), bytes.fromhex("2a864886f70d010c01"))
_PKCS12_VERSION = b"\x03"
_OPENING_TOKENS = 4
_MOST_NAMED = 5  # of the things in a file that we do not read
_LONG_LENGTH = b"\x80"


@dataclass(frozen=True, slots=True)
class SealedKey:
    """A private key as it stands in the file."""

    data: bytes = field(repr=False)
    is_pem: bool
    encrypted: bool


@dataclass(slots=True)
class Contents:
    """What was found, in the order of the file. Certificates, CRLs and requests are DER and parse."""

    certificates: list[bytes] = field(default_factory=list)
    keys: list[SealedKey] = field(default_factory=list)
    archives: list[bytes] = field(default_factory=list, repr=False)
    crls: list[bytes] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    is_empty: bool = False
    is_bundle: bool = False

    @property
    def is_useless(self) -> bool:
        """Whether there is nothing in it that we can read."""
        return not (self.certificates or self.keys or self.archives or self.crls or self.requests)

    def slug(self) -> str:
        """Say for programs what the file is; what it holds first of these, where it holds several."""
        if self.archives:
            return "pkcs12"
        if self.certificates:
            return "pkcs7" if self.is_bundle else "certificate" if len(self.certificates) == 1 else "chain"
        return "request" if self.requests else "crl" if self.crls else "private-key"

    def kind(self) -> str:
        """Say in words what the file is: `a private key`, `2 certificates and a private key`."""
        counted = (
            (len(self.certificates), "a certificate", "certificates"),
            (len(self.keys), "a private key", "private keys"),
            (len(self.archives), "a PKCS#12 archive", "PKCS#12 archives"),
            (len(self.crls), "a certificate revocation list (CRL)", "certificate revocation lists (CRLs)"),
            (len(self.requests), "a certificate signing request (CSR)", "certificate signing requests (CSRs)"),
        )
        words = [one if count == 1 else f"{count} {many}" for count, one, many in counted if count]
        others = list(dict.fromkeys(self.others))
        words += others[:_MOST_NAMED]
        words += [f"{len(others) - _MOST_NAMED} more"] if len(others) > _MOST_NAMED else []
        if not words:
            return "empty" if self.is_empty else "none of the kinds of file that we know"
        return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


@dataclass(frozen=True, slots=True)
class _Block:
    label: str
    text: bytes = field(repr=False)  # with its BEGIN and END lines
    body: bytes | None = field(repr=False)  # None: the END is missing


def recognise(data: bytes) -> Contents:
    """Sort out what the bytes hold; never raises."""
    contents = Contents(is_empty=not data.strip())
    if data.startswith(_BYTE_ORDER_MARKS):  # what PowerShell's `>` makes of a PEM file
        data = data.decode("utf-16", "ignore").encode()
    has_block = False
    with quiet():
        for block in _blocks(data):
            has_block = True
            _sort_block(block, contents)
        if not has_block:
            _sort_bytes(data, contents)
    return contents


def conversion_hints(contents: Contents, file: Path) -> tuple[str, ...]:
    """Give the command, ready for a shell, that turns a file of a foreign kind into one that we read."""
    path = shlex.quote(str(file))
    hints = {
        _JAVA_KEYSTORE: f"keytool -importkeystore -srckeystore {path} {_TO_PKCS12}",
        _JCEKS_KEYSTORE: f"keytool -importkeystore -srckeystore {path} -srcstoretype JCEKS {_TO_PKCS12}",
        _OPENSSH_KEY: f"ssh-keygen -p -m PKCS8 -f {path}",
        _PUTTY_KEY: f"puttygen {path} -O private-openssh -o converted.key",
    }
    return tuple(f"convert it: {hints[other]}" for other in dict.fromkeys(contents.others) if other in hints)


def _blocks(data: bytes) -> Iterator[_Block]:
    """Yield each BEGIN with what stands before its END, in one pass whatever the bytes are."""
    begin: re.Match[bytes] | None = None
    for mark in _MARK.finditer(data):
        if begin is not None:
            label = begin[2].decode("ascii", "backslashreplace")
            is_whole = mark[1] == b"END" and mark[2] == begin[2]
            body = data[begin.end() : mark.start()] if is_whole else None
            yield _Block(label, data[begin.start() : mark.end()], body)
        begin = mark if mark[1] == b"BEGIN" else None
    if begin is not None:
        yield _Block(begin[2].decode("ascii", "backslashreplace"), b"", None)


def _sort_block(block: _Block, contents: Contents) -> None:
    if block.body is None:
        contents.damaged.append(f"the PEM block {block.label!r} has no end")
    elif block.label in _KEY_LABELS:
        _sort_key(block, block.body, contents)
    elif block.label in _CERTIFICATE_LABELS:
        _sort_certificate(block.label, decode(block.body), contents)
    elif block.label in _BUNDLE_LABELS:
        _sort_bundle(decode(block.body), contents)
    elif block.label == "X509 CRL":
        _keep(decode(block.body), x509.load_der_x509_crl, contents.crls, contents, "CRL")
    elif block.label in _REQUEST_LABELS:
        _keep(decode(block.body), x509.load_der_x509_csr, contents.requests, contents, "CSR")
    elif block.label == "PKCS12":
        _sort_der(decode(block.body), contents)
    elif block.label not in _PARAMETER_LABELS:
        contents.others.append(_name_label(block.label))


def _sort_key(block: _Block, body: bytes, contents: Contents) -> None:
    if block.label == "ENCRYPTED PRIVATE KEY":
        # As DER, so that the bytes whose derivation cost is checked are the bytes that are opened.
        der = decode(body)
        contents.keys += [SealedKey(der, is_pem=False, encrypted=True)] if der else []
        contents.damaged += [] if der else ["its encrypted private key cannot be read"]
    else:
        encrypted = b"Proc-Type: 4,ENCRYPTED" in body  # RFC 1421: MD5, one iteration
        contents.keys.append(SealedKey(block.text + b"\n", is_pem=True, encrypted=encrypted))


def _sort_certificate(label: str, der: bytes, contents: Contents) -> None:
    if label == "TRUSTED CERTIFICATE":  # OpenSSL's own: its trust settings follow the certificate
        der = _without_tail(der)
    _keep(der, x509.load_der_x509_certificate, contents.certificates, contents, "certificate")


def _keep(der: bytes, parse: Callable[[bytes], object], found: list[bytes], contents: Contents, kind: str) -> None:
    try:
        parse(der)
    except REFUSALS:
        contents.damaged.append(f"{kind} {len(found) + 1} cannot be read")
    else:
        found.append(der)


def _sort_bundle(der: bytes, contents: Contents) -> None:
    try:
        certificates = pkcs7.load_der_pkcs7_certificates(der)
    except REFUSALS:
        contents.others.append("a PKCS#7 file without certificates")
    else:
        contents.certificates += [certificate.public_bytes(Encoding.DER) for certificate in certificates]
        contents.is_bundle = True


def _name_label(label: str) -> str:
    if label == "OPENSSH PRIVATE KEY":
        return _OPENSSH_KEY
    if label.startswith("PGP"):
        return "a PGP message or key"
    if label.endswith("PUBLIC KEY"):
        return "a public key"
    return f"a PEM block {label!r}"


def _sort_bytes(data: bytes, contents: Contents) -> None:
    """Sort what is not PEM."""
    magic = next((name for start, name in _MAGIC if data.startswith(start)), None)
    if data[_DICOM_PREFIX] == b"DICM":
        magic = "a DICOM file"
    if magic is not None:
        contents.others.append(magic)
    elif data[:1] == bytes([SEQUENCE]):
        _sort_der(_without_tail(data), contents)


def _sort_der(der: bytes, contents: Contents) -> None:
    """Sort one DER element by how it opens; what opens like a certificate is tried as each thing that does."""
    opening = _opening(der)
    tags = [tag for tag, _ in opening]
    content = dict(opening)
    if tags[1:] == [INTEGER, SEQUENCE, OID] and content[INTEGER] == _PKCS12_VERSION and content[OID].startswith(_PKCS7):
        contents.archives.append(der)
    elif tags[1:2] == [OID] and content[OID].startswith(_PKCS7):
        _sort_bundle(der, contents)
    elif tags[1:3] == [SEQUENCE, OID] and content[OID].startswith(_PASSWORD_BASED):
        contents.keys.append(SealedKey(der, is_pem=False, encrypted=True))
    elif tags[1:3] in ([INTEGER, SEQUENCE], [INTEGER, INTEGER], [INTEGER, OCTET_STRING]):
        contents.keys.append(SealedKey(der, is_pem=False, encrypted=False))  # PKCS#8, PKCS#1, SEC1
    else:
        _try_der(der, contents)


def _try_der(der: bytes, contents: Contents) -> None:
    attempts: tuple[tuple[Callable[[bytes], object], list[bytes]], ...] = (
        (x509.load_der_x509_certificate, contents.certificates),
        (x509.load_der_x509_crl, contents.crls),
        (x509.load_der_x509_csr, contents.requests),
    )
    for parse, found in attempts:
        try:
            parse(der)
        except REFUSALS:
            continue
        found.append(der)
        return
    try:
        load_der_public_key(der)
    except REFUSALS:
        if der[1:2] >= _LONG_LENGTH:  # else it may well be a text that begins with "0"
            contents.damaged.append("it begins like DER, but is cut short or nothing that we know")
    else:
        contents.others.append("a public key")


def _opening(der: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    try:
        for token in tokens(der):
            found.append(token)
            if len(found) == _OPENING_TOKENS:
                break
    except DERError:
        pass  # what came before it may tell enough
    return found


def decode(body: bytes) -> bytes:
    """Decode the base64 of a PEM block's body, empty where it is none."""
    try:
        return binascii.a2b_base64(b"".join(body.split()), strict_mode=True)
    except binascii.Error:
        return b""


def _without_tail(der: bytes) -> bytes:
    try:
        return first_element(der)
    except DERError:
        return der
