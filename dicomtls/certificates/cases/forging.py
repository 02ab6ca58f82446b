"""What `cryptography` rightly refuses to make, by laying out the certificate (RFC 5280 section 4.1) again by hand.

The signatures here are real ones, made with the issuer's RSA key, but for the one that is wrong on purpose.
"""

from collections.abc import Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from dicomtls.certificates.cases.workshop import Authority
from dicomtls.certificates.der import BIT_STRING, SEQUENCE, Element, children

_VERSION, _EXTENSIONS = 0xA0, 0xA3
_SHA1_WITH_RSA = bytes.fromhex("300d06092a864886f70d0101050500")
_ALGORITHM = 1
"""Where the signature's algorithm stands in a TBSCertificate, once its version is left out."""
_LONG_FORM = 0x80


def with_sha1(der: bytes, issuer: Authority) -> bytes:
    """Sign the same certificate with SHA-1, as PKIs from before 2016 did; the issuer's key is RSA."""
    version, *fields = _fields(der)
    fields[_ALGORITHM] = Element(SEQUENCE, b"", _SHA1_WITH_RSA)
    return _signed((version, *fields), issuer, _SHA1_WITH_RSA, hashes.SHA1())  # noqa: S303 -- weak is what it is for


def as_version_1(der: bytes, issuer: Authority) -> bytes:
    """Sign the same certificate as X.509 version 1, which has no extensions; the issuer's key is RSA."""
    fields = [field for field in _fields(der) if field.tag not in (_VERSION, _EXTENSIONS)]
    return _signed(fields, issuer, fields[_ALGORITHM].raw, hashes.SHA256())


def with_bad_signature(der: bytes) -> bytes:
    """Change one bit of the signature, which is the end of a certificate, and of a revocation list."""
    return der[:-1] + bytes([der[-1] ^ 1])


def _fields(der: bytes) -> list[Element]:
    """The fields of the TBSCertificate."""
    (certificate,) = children(der)
    return children(children(certificate.content)[0].content)


def _signed(fields: Sequence[Element], issuer: Authority, algorithm: bytes, digest: hashes.HashAlgorithm) -> bytes:
    if not isinstance(issuer.key, rsa.RSAPrivateKey):
        msg = "only RSA keys sign these"
        raise TypeError(msg)
    to_sign = _element(SEQUENCE, b"".join(field.raw for field in fields))
    signature = issuer.key.sign(to_sign, padding.PKCS1v15(), digest)
    return _element(SEQUENCE, to_sign + algorithm + _element(BIT_STRING, b"\0" + signature))


def _element(tag: int, content: bytes) -> bytes:
    """Write a type-length-value in DER (X.690 section 8.1.3.5); nothing in a certificate's outside is short."""
    digits = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes([tag, _LONG_FORM | len(digits)]) + digits + content
