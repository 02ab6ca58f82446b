"""dicomtls.tls.ciphers: IANA's names and OpenSSL's, held against OpenSSL's own table."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.tls.ciphers import to_iana, to_openssl
from tests.support.openssl import openssl

# Suites without certificates: keys that are shared beforehand, and passwords. DICOM knows neither.
WITHOUT_CERTIFICATES = re.compile("PSK|SRP")
# What this OpenSSL lacks, and peers still name.
OLD_SUITES = {
    "TLS_RSA_WITH_3DES_EDE_CBC_SHA": "DES-CBC3-SHA",
    "TLS_RSA_WITH_RC4_128_SHA": "RC4-SHA",
    "TLS_RSA_WITH_RC4_128_MD5": "RC4-MD5",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA": "ECDHE-RSA-DES-CBC3-SHA",
    "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA": "DHE-RSA-DES-CBC3-SHA",
    "TLS_RSA_WITH_DES_CBC_SHA": "DES-CBC-SHA",
    "TLS_RSA_WITH_IDEA_CBC_SHA": "IDEA-CBC-SHA",
    "TLS_DHE_RSA_WITH_SEED_CBC_SHA": "DHE-RSA-SEED-SHA",
}
NAMES = st.text(string.ascii_letters + string.digits + "_-+:@!=. ", max_size=60)


def table() -> dict[str, str]:
    """OpenSSL's names by IANA's, of every suite with certificates that this OpenSSL knows."""
    lines = openssl("ciphers", "-stdname", "ALL:eNULL:@SECLEVEL=0").stdout.splitlines()
    pairs = {iana: name for iana, _, name, *_ in (line.split() for line in lines)}
    return {iana: name for iana, name in pairs.items() if not WITHOUT_CERTIFICATES.search(iana)}


def test_names_are_those_of_openssl_for_every_suite() -> None:
    """Both ways, for every suite that authenticates by certificate or not at all."""
    known = table()
    assert len(known) > 80
    assert {iana: to_openssl(iana) for iana in known} == known
    assert {name: to_iana(name) for name in known.values()} == {name: iana for iana, name in known.items()}


@pytest.mark.parametrize("iana", OLD_SUITES)
def test_names_are_right_for_suites_that_openssl_no_longer_has(iana: str) -> None:
    """What old devices offer, and what OpenSSL has with its legacy provider."""
    assert to_openssl(iana) == OLD_SUITES[iana]
    assert to_iana(OLD_SUITES[iana]) == iana


@pytest.mark.parametrize(
    "name",
    ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_PSK_WITH_AES_128_GCM_SHA256", "TLS_FALLBACK_SCSV"],
)
def test_name_that_is_the_same_in_both_stays(name: str) -> None:
    """TLS 1.3 has one name for each suite; what has no rule here is left alone."""
    assert to_openssl(name) == name
    assert to_iana(name) == name


@pytest.mark.parametrize("name", ["HIGH", "DEFAULT", "!aNULL", "@SECLEVEL=0", "ECDHE+AESGCM", "ECDHE-RSA-AES128-SHA"])
def test_openssl_own_words_stay(name: str) -> None:
    """Whoever knows OpenSSL's cipher strings may use them."""
    assert to_openssl(name) == name


@given(name=NAMES)
def test_any_name_has_an_answer(name: str) -> None:
    """A user types it, or a peer sends it: nothing raises, and what was IANA's stays so."""
    assert isinstance(to_openssl(name), str)
    assert to_iana(to_iana(name)) == to_iana(name)
