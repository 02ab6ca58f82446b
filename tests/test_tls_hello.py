"""dicomtls.tls.hello: what OpenSSL writes we read, what we write OpenSSL answers, hostile bytes end in ValueError."""

import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.tls.hello import (
    CLIENT_HELLO,
    SSL_3,
    TLS_1_0,
    TLS_1_2,
    TLS_1_3,
    ClientHello,
    ServerHello,
    message,
    records,
    version_name,
    version_names,
)
from dicomtls.tls.suites import known_suites, suite_name
from tests.support.mutations import mutations
from tests.support.peers import openssl_s_server
from tests.support.pki import PKI, server_context
from tests.support.raw import say

NUMBERS = st.integers(0, 0xFFFF).filter(lambda number: number & 0x0F0F != 0x0A0A and number not in (0xFF, 0x5600))
LISTS = st.lists(NUMBERS, max_size=40).map(tuple)
HELLOS = st.builds(
    ClientHello,
    version=st.sampled_from([TLS_1_0, TLS_1_2]),
    versions=LISTS.filter(lambda numbers: len(numbers) < 100),
    suites=LISTS,
    groups=LISTS,
    schemes=LISTS,
    server_name=st.none() | st.text("abc.-", min_size=1),
    alpn=st.lists(st.text(min_size=1, max_size=20), max_size=5).map(tuple),
)
RECORD_HEADER, MESSAGE_HEADER = 5, 4


SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"


@cache
def python_hello() -> bytes:
    """The body of a ClientHello as this Python's OpenSSL writes it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Debian's Python leaves both to OpenSSL, which lists suites that it does not offer (PSK).
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SUITES)
    context.set_alpn_protocols(["dicom", "http/1.1"])
    outgoing = ssl.MemoryBIO()
    end = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="pacs.example")
    with pytest.raises(ssl.SSLWantReadError):
        end.do_handshake()
    return outgoing.read()[RECORD_HEADER + MESSAGE_HEADER :]


# Suites of SSL 2.0 itself (0x0700C0, 0x010080) beside one of TLS, no session, a challenge of 16 bytes.
SSL_2_BODY = bytes.fromhex("0103010009000000100700c000002f010080") + bytes(16)


def test_hello_in_the_form_of_ssl_2_is_read() -> None:
    """Its version and the suites that TLS knows; as a ClientHello of today it says the same."""
    hello = ClientHello.parse_ssl2(SSL_2_BODY)
    assert (version_names(hello.offered_versions), hello.suites) == ("TLSv1", (0x002F,))
    assert ClientHello.parse(hello.encode()[MESSAGE_HEADER:]) == hello
    assert version_name(ClientHello.parse_ssl2(b"\x01\x00\x02" + SSL_2_BODY[3:]).version) == "SSLv2"
    signalling = SSL_2_BODY.replace(bytes.fromhex("010080"), bytes.fromhex("0000ff"))
    assert ClientHello.parse_ssl2(signalling).suites == (0x002F,), "secure renegotiation is a signal, and no suite"
    with pytest.raises(ValueError, match="half a suite"):
        ClientHello.parse_ssl2(bytes.fromhex("010301000800000010") + SSL_2_BODY[9:])


@given(data=mutations(SSL_2_BODY) | st.binary(max_size=64))
def test_hostile_hello_of_ssl_2_is_a_value_error_at_most(data: bytes) -> None:
    """Whatever it is."""
    with suppress(ValueError):
        ClientHello.parse_ssl2(data).encode()


def test_hello_of_openssl_is_read_whole() -> None:
    """Its versions, suites, groups, schemes, the name and the protocols."""
    hello = ClientHello.parse(python_hello())
    assert hello.offered_versions == (TLS_1_3, TLS_1_2)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers(SUITES)
    assert set(hello.suites) == {int(one["id"]) & 0xFFFF for one in context.get_ciphers()}
    assert 0x001D in hello.groups
    assert 0x0804 in hello.schemes
    assert (hello.server_name, hello.alpn) == ("pacs.example", ("dicom", "http/1.1"))


@given(HELLOS)
def test_what_is_written_is_read_again(hello: ClientHello) -> None:
    """Whatever is offered."""
    encoded = hello.encode()
    assert encoded[0] == CLIENT_HELLO
    assert int.from_bytes(encoded[1:4]) == len(encoded) - MESSAGE_HEADER
    read = ClientHello.parse(encoded[MESSAGE_HEADER:])
    assert read == hello


def test_signals_and_grease_are_no_suites() -> None:
    """The signalling values, and what browsers throw in (RFC 8701)."""
    hello = ClientHello(suites=(0x00FF, 0x5600, 0x0A0A, 0xDADA, 0x1301, 0x0A1A)).encode()
    assert ClientHello.parse(hello[MESSAGE_HEADER:]).suites == (0x1301, 0x0A1A)


def test_old_hello_without_extensions_is_read() -> None:
    """As SSL 3.0 had it, which is also how we write that."""
    read = ClientHello.parse(ClientHello(version=SSL_3, suites=(0x000A,), server_name="x").encode()[MESSAGE_HEADER:])
    assert (read.offered_versions, read.suites, read.server_name) == ((SSL_3,), (0x000A,), None)


@pytest.mark.parametrize("parse", [ClientHello.parse, ServerHello.parse])
@given(data=st.binary(max_size=200))
def test_noise_is_refused(parse: Callable[[bytes], object], data: bytes) -> None:
    """With `ValueError`, and nothing else."""
    with suppress(ValueError):
        parse(data)


@given(mutations(python_hello()))
def test_damaged_hello_raises_nothing_else(data: bytes) -> None:
    """Or is read as what it has become."""
    with suppress(ValueError):
        ClientHello.parse(data)


def test_versions_have_the_names_that_openssl_gives_them() -> None:
    """Others are shown by their number."""
    assert version_names((TLS_1_3, TLS_1_2, TLS_1_0)) == "TLSv1.3, TLSv1.2 and TLSv1"
    assert (version_names((TLS_1_2,)), version_names(())) == ("TLSv1.2", "none")
    assert version_name(0x7F1C) == "0x7F1C"


def test_long_messages_are_cut_into_records() -> None:
    """At most 16 KiB in each."""
    sent = records(message(CLIENT_HELLO, bytes(40_000)))
    assert len(sent) == 40_000 + MESSAGE_HEADER + 3 * RECORD_HEADER
    assert sent[3:5] == (1 << 14).to_bytes(2)


@pytest.mark.parametrize(
    ("versions", "options", "chosen"),
    [
        ((), ["-tls1_2"], TLS_1_2),
        ((TLS_1_3,), ["-tls1_3"], TLS_1_3),
        ((), ["-tls1", "-cipher", "ALL:@SECLEVEL=0"], TLS_1_0),
    ],
)
def test_server_answers_our_hello(pki: PKI, versions: tuple[int, ...], options: list[str], chosen: int) -> None:
    """OpenSSL's server chooses a version and a suite from what we wrote by hand."""
    hello = ClientHello(
        versions=versions, suites=known_suites(), groups=(0x001D, 0x0017), schemes=(0x0804, 0x0401, 0x0403, 0x0201)
    )
    with openssl_s_server(pki, *options) as server:
        answer = say(server.port, records(hello.encode(), TLS_1_0))
    assert answer[0] == 22
    choice = ServerHello.parse(answer[RECORD_HEADER + MESSAGE_HEADER : RECORD_HEADER + int.from_bytes(answer[3:5])])
    assert choice.version == chosen
    assert suite_name(choice.suite).startswith("TLS_")


def test_server_that_wants_what_is_not_offered_sends_an_alert(pki: PKI) -> None:
    """The negative twin."""
    hello = ClientHello(suites=(0x000A,), groups=(0x0017,), schemes=(0x0401,))
    with openssl_s_server(pki, "-tls1_2") as server:
        assert say(server.port, records(hello.encode()))[0] == 21


def test_python_server_reads_our_hello(pki: PKI) -> None:
    """And takes the name and the protocol from it."""
    context = server_context(pki)
    context.set_alpn_protocols(["dicom"])
    names: list[str | None] = []
    context.sni_callback = lambda _tls, name, _context: names.append(name)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = ClientHello(
        suites=known_suites(), groups=(0x0017,), schemes=(0x0804, 0x0401), server_name="a.example", alpn=("dicom",)
    )
    incoming.write(records(hello.encode()))
    end = context.wrap_bio(incoming, outgoing, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        end.do_handshake()
    assert names == ["a.example"]
    assert b"dicom" in outgoing.read()
