"""An identity that proves nothing: a server has to have one, and here nobody ever looks at it."""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dicomtls.certificates.building import KeyType, dated_builder, signed


def throwaway_identity() -> bytes:
    """Return the PEM of a self-signed certificate with an EC key, and of that key, not encrypted."""
    key, nobody = KeyType.EC_P256.generate(), x509.Name([])
    certificate = signed(dated_builder(nobody, nobody, key.public_key(), days=1), key)
    return certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
