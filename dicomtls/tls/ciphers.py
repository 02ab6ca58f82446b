"""Cipher suites under their two names: IANA's (`TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384`) and OpenSSL's.

The names follow from each other by rule, so there is no table to keep; the tests compare the rule with
`openssl ciphers -stdname` for every suite that authenticates by certificate, which are all that DICOM knows.
"""

import re

_KEY_EXCHANGES = {
    "RSA": "",
    "DH_anon": "ADH",
    "ECDH_anon": "AECDH",
    "DHE_RSA": "DHE-RSA",
    "DHE_DSS": "DHE-DSS",
    "ECDHE_RSA": "ECDHE-RSA",
    "ECDHE_ECDSA": "ECDHE-ECDSA",
}
_LONGEST_FIRST = sorted(_KEY_EXCHANGES.items(), key=lambda item: -len(item[1]))
_ODD_CIPHERS = {
    "3DES_EDE_CBC_SHA": "DES-CBC3-SHA",
    "RC4_128_SHA": "RC4-SHA",
    "RC4_128_MD5": "RC4-MD5",
    "DES_CBC_SHA": "DES-CBC-SHA",
    "IDEA_CBC_SHA": "IDEA-CBC-SHA",
    "SEED_CBC_SHA": "SEED-SHA",
    "CHACHA20_POLY1305_SHA256": "CHACHA20-POLY1305",
}
_ODD_CIPHERS_TO_IANA = {openssl: iana for iana, openssl in _ODD_CIPHERS.items()}
_ARIA = "ARIA"  # OpenSSL leaves the RSA out of ECDHE-RSA here, and only here


def to_openssl(name: str) -> str:
    """Return OpenSSL's name of a cipher suite; a name that is not IANA's comes back as it is."""
    exchange, found, cipher = name.removeprefix("TLS_").partition("_WITH_")
    if not found or exchange not in _KEY_EXCHANGES or not name.startswith("TLS_"):
        return name
    first = _KEY_EXCHANGES[exchange]
    if first == "ECDHE-RSA" and cipher.startswith(_ARIA):
        first = "ECDHE"
    return "-".join(part for part in (first, _cipher_to_openssl(cipher)) if part)


def to_iana(name: str) -> str:
    """Return IANA's name of a cipher suite; a name that OpenSSL spells as IANA does comes back as it is."""
    if name.startswith("TLS_"):
        return name
    if name.startswith(f"ECDHE-{_ARIA}"):
        name = f"ECDHE-RSA-{name.removeprefix('ECDHE-')}"
    for iana, openssl in _LONGEST_FIRST:
        if openssl and name.startswith(f"{openssl}-"):
            return f"TLS_{iana}_WITH_{_cipher_to_iana(name.removeprefix(f'{openssl}-'))}"
    return f"TLS_RSA_WITH_{_cipher_to_iana(name)}"


def _cipher_to_openssl(cipher: str) -> str:
    if cipher in _ODD_CIPHERS:
        return _ODD_CIPHERS[cipher]
    joined = re.sub(r"^(AES|CAMELLIA|ARIA)_", r"\1", cipher)
    return joined.replace("_CBC_", "_").replace("CCM_8", "CCM8").replace("_", "-")


def _cipher_to_iana(cipher: str) -> str:
    if cipher in _ODD_CIPHERS_TO_IANA:
        return _ODD_CIPHERS_TO_IANA[cipher]
    match = re.fullmatch(r"(AES|CAMELLIA|ARIA)(\d+)-(.+)", cipher)
    if match is None:
        return cipher.replace("-", "_")
    mode = match[3].replace("CCM8", "CCM_8").replace("-", "_")
    if not mode.startswith(("GCM", "CCM")):
        mode = f"CBC_{mode}"
    return f"{match[1]}_{match[2]}_{mode}"
