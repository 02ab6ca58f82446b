"""Writes the bits of ASN.1 that hostile credential files are made of."""

DATA = bytes.fromhex("2a864886f70d010701")
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
    cipher = sequence(oid(bytes.fromhex("60864801650304012a")), octets(bytes(16)))
    return sequence(sequence(oid(PBES2), sequence(function, cipher)), octets(bytes(48)))


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
