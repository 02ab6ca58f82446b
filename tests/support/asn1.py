"""Writes the bits of ASN.1 that hostile credential files are made of."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

DATA = bytes.fromhex("2a864886f70d010701")
ENCRYPTED_DATA = bytes.fromhex("2a864886f70d010706")
AES256_CBC = bytes.fromhex("60864801650304012a")
HMAC_SHA256 = bytes.fromhex("2a864886f70d0209")
PBES2 = bytes.fromhex("2a864886f70d01050d")
PBKDF2 = bytes.fromhex("2a864886f70d01050c")
SCRYPT = bytes.fromhex("2b06010401da47040b")
SHA256 = bytes.fromhex("608648016503040201")
SHROUDED_KEY_BAG = bytes.fromhex("2a864886f70d010c0a0102")


def element(tag: int, content: bytes) -> bytes:
    """Write a type-length-value in DER."""
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(digits)]) + digits + content


def sequence(*parts: bytes) -> bytes:
    """Write a SEQUENCE."""
    return element(0x30, b"".join(parts))


def integer(value: int) -> bytes:
    """Write a non-negative INTEGER."""
    return element(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(content: bytes, chunk: int | None = None) -> bytes:
    """Write an OCTET STRING, as BER allows it in chunks of so many bytes where that is given."""
    if chunk is None:
        return element(0x04, content)
    pieces = (element(0x04, content[start : start + chunk]) for start in range(0, len(content), chunk))
    return b"\x24\x80" + b"".join(pieces) + b"\x00\x00"


def oid(content: bytes) -> bytes:
    """Write an OBJECT IDENTIFIER from its encoded content."""
    return element(0x06, content)


def encrypted_key(derivation: bytes, parameters: bytes) -> bytes:
    """Write an EncryptedPrivateKeyInfo (RFC 5958) whose derivation has these parameters after the salt."""
    function = sequence(oid(derivation), sequence(octets(b"saltsalt"), parameters))
    cipher = sequence(oid(AES256_CBC), octets(bytes(16)))
    return sequence(sequence(oid(PBES2), sequence(function, cipher)), octets(bytes(48)))


def hiding_pfx(iterations: int) -> bytes:
    """Write a PKCS#12 archive whose key bag, and what it asks for, lie in contents encrypted under no passphrase."""
    bag = sequence(oid(SHROUDED_KEY_BAG), element(0xA0, encrypted_key(PBKDF2, integer(iterations))))
    plain = sequence(bag)
    padding = 16 - len(plain) % 16
    key = PBKDF2HMAC(hashes.SHA256(), 32, b"saltsalt", 1).derive(b"")
    encryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor()
    sealed = encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()
    hmac = sequence(oid(HMAC_SHA256), element(0x05, b""))
    function = sequence(oid(PBKDF2), sequence(octets(b"saltsalt"), integer(1), hmac))
    scheme = sequence(oid(PBES2), sequence(function, sequence(oid(AES256_CBC), octets(bytes(16)))))
    encrypted = sequence(integer(0), sequence(oid(DATA), scheme, element(0x80, sealed)))
    contents = sequence(sequence(oid(ENCRYPTED_DATA), element(0xA0, encrypted)))
    return sequence(integer(3), sequence(oid(DATA), element(0xA0, octets(contents))))


def pfx(*, mac_iterations: int = 1, bag_iterations: int = 1, chunk: int | None = None) -> bytes:
    """Write a PKCS#12 archive (RFC 7292) with one shrouded key bag."""
    bag = sequence(oid(SHROUDED_KEY_BAG), element(0xA0, encrypted_key(PBKDF2, integer(bag_iterations))))
    contents = sequence(oid(DATA), element(0xA0, octets(sequence(bag), chunk)))
    mac = sequence(
        sequence(sequence(oid(SHA256), element(0x05, b"")), octets(bytes(32))),
        octets(b"saltsalt"),
        integer(mac_iterations),
    )
    return sequence(integer(3), sequence(oid(DATA), element(0xA0, octets(sequence(contents), chunk))), mac)
