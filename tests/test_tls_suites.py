"""dicomtls.tls.suites: numbers and names, held against OpenSSL's own table."""

import re

import pytest

from dicomtls.tls.suites import is_tls13_suite, known_suites, local_suites, suite_name, suite_names
from tests.support.openssl import openssl

WITHOUT_CERTIFICATES = re.compile("PSK|SRP|_anon_")


def table() -> dict[int, str]:
    """Names by number, of every suite with certificates that the command `openssl` knows."""
    lines = openssl("ciphers", "-V", "-stdname", "ALL:eNULL:@SECLEVEL=0").stdout.splitlines()
    parts = [line.split() for line in lines]
    pairs = {int(number.replace(",0x", ""), 16): name for number, _, name, *_ in parts}
    return {number: name for number, name in pairs.items() if not WITHOUT_CERTIFICATES.search(name)}


def test_local_suites_are_those_of_openssl() -> None:
    """Every one, by number and name; the command and Python's library may be of two builds."""
    known = table()
    assert len(known) > 50
    assert {number: suite_name(number) for number in known} == known


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0x000A, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
        (0x0005, "TLS_RSA_WITH_RC4_128_SHA"),
        (0xC012, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"),
        (0x1301, "TLS_AES_128_GCM_SHA256"),
        (0xEEEE, "0xEEEE"),
    ],
)
def test_retired_suites_have_names_too(number: int, name: str) -> None:
    """What nobody registered is shown by its number."""
    assert suite_name(number) == name


def test_all_known_suites_are_there_once() -> None:
    """The local ones and the retired ones."""
    assert len(set(known_suites())) == len(known_suites()) > len(local_suites())
    assert [number for number in known_suites() if is_tls13_suite(number)]
    assert not is_tls13_suite(0x000A)


def test_long_lists_are_cut_short() -> None:
    """For a message."""
    assert suite_names(()) == "none"
    assert suite_names((0x000A,)) == "TLS_RSA_WITH_3DES_EDE_CBC_SHA"
    assert suite_names((0x000A, 0x1301, 0x1302), most=2) == (
        "TLS_RSA_WITH_3DES_EDE_CBC_SHA, TLS_AES_128_GCM_SHA256 and 1 more"
    )
