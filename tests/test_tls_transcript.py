"""dicomtls.tls.transcript: what the messages of a handshake tell, hostile ones too, on every Python."""

import ssl
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.certificates.describe import describe, spki_sha256
from dicomtls.tls import client_context, client_handshake, server_context, server_handshake, transcript
from dicomtls.tls.hello import ClientHello
from dicomtls.tls.transcript import ALERTS, Transcript, group_name
from dicomtls.waiting import deadline_in
from tests.support.chains import issue
from tests.support.handshakes import (
    DEADLINE,
    client_settings,
    connected_sockets,
    reach,
    server_settings,
    shake_hands,
)
from tests.support.mutations import mutations
from tests.support.openssl import openssl
from tests.support.peers import openssl_s_server
from tests.support.pki import PKI, Identity
from tests.support.pythons import OTHER_PYTHONS, find_python, verdicts

Message = tuple[str, int, int, bytes]

HEADER, ALERT, HANDSHAKE = 256, 21, 22
TLS_12, TLS_13 = 0x0303, 0x0304


@cache
def conversation(version: str) -> tuple[Message, ...]:
    """The messages of a real handshake with client certificate, as the client's callback gets them."""
    seen: list[Message] = []

    class Recorder(Transcript):
        """Keeps everything."""

        def record(self, direction: str, version: int, content_type: int, data: bytes) -> None:
            """Keep it."""
            if not self.server_side:
                seen.append((direction, int(version), int(content_type), bytes(data)))
            super().record(direction, version, content_type, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dicomtls.tls.stream.Transcript", Recorder)
        pki = PKI(_directories[0])
        client = client_settings(pki, pki.client, tls_min=version, tls_max=version)
        server_ssl = server_context(server_settings(pki))
        with connected_sockets() as (near, far), ThreadPoolExecutor(1) as thread:
            plain = thread.submit(server_handshake, far, server_ssl, deadline=deadline_in(DEADLINE))
            sock, _ = client_handshake(
                near, client_context(client), client, host="localhost", deadline=deadline_in(DEADLINE)
            )
            with sock, plain.result()[0]:
                return tuple(seen)


_directories: list[Path] = []


@pytest.fixture(autouse=True)
def _remember_pki(pki: PKI) -> None:
    """Hypothesis calls a test many times, a function-scoped argument only once."""
    _directories[:] = [pki.directory]


def message(kind: int, body: bytes) -> bytes:
    """A handshake message."""
    return bytes([kind]) + len(body).to_bytes(3) + body


def certificates(*ders: bytes, has_extensions: bool) -> bytes:
    """The body of a Certificate message."""
    entries = b"".join(len(der).to_bytes(3) + der + (b"\0\0" if has_extensions else b"") for der in ders)
    return (b"\0" if has_extensions else b"") + len(entries).to_bytes(3) + entries


def after(*messages: Message, server_side: bool = False) -> Transcript:
    """A transcript that has seen these."""
    seen = Transcript(server_side=server_side)
    for direction, version, content_type, data in messages:
        seen.record(direction, version, content_type, data)
    return seen


# -- tables -------------------------------------------------------------------------------------------------------


def test_alerts_are_all_that_python_knows() -> None:
    """With the spelling of the RFCs."""
    spellings = {"user_cancelled": "user_canceled"}
    known = {int(alert): alert.name.removeprefix("ALERT_DESCRIPTION_").casefold() for alert in ssl.AlertDescription}
    assert len(known) > 25
    assert {number: ALERTS[number] for number in known} == {
        number: spellings.get(name, name) for number, name in known.items()
    }


@pytest.mark.parametrize(
    ("number", "name"),
    [(0x1D, "x25519"), (0x17, "secp256r1"), (0x0100, "ffdhe2048"), (0x2A2A, "0x2A2A"), (0, "0x0000")],
)
def test_group_is_called_by_its_registered_name(number: int, name: str) -> None:
    """Others by their number, so that they can be looked up."""
    assert group_name(number) == name


# -- honest messages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_real_conversation_tells_everything(pki: PKI, version: str) -> None:
    """Certificates of both sides, the group, the request, no alert."""
    seen = after(*conversation(version))
    assert seen.client_certificate == "sent"
    assert seen.own_chain[0] == pki.client.cert_der.read_bytes()
    assert seen.certificate_requested
    assert seen.group
    assert seen.peer_chain[0] == pki.server.cert_der.read_bytes()
    assert (seen.alert_received, seen.alert_sent) == (None, None)
    assert ClientHello.parse(seen.client_hello).server_name == "localhost"
    assert not seen.is_flooded


@pytest.mark.parametrize(("level", "number"), [(2, 48), (1, 90), (2, 199)])
@pytest.mark.parametrize("direction", ["read", "write"])
def test_alert_is_known_by_name_and_direction(level: int, number: int, direction: str) -> None:
    """One without a name by its number."""
    seen = after((direction, TLS_12, ALERT, bytes([level, number])))
    name = ALERTS.get(number, str(number))
    assert (seen.alert_received, seen.alert_sent) == ((name, None) if direction == "read" else (None, name))


@pytest.mark.parametrize("data", [b"", b"\x02", b"\x02\x28\x00"])
def test_alert_of_another_length_is_passed_over(data: bytes) -> None:
    """TLS 1.3 encrypts alerts: what OpenSSL shows of the outside is none."""
    assert after(("read", TLS_12, ALERT, data)).alert_received is None


@pytest.mark.parametrize(
    ("version", "has_extensions"), [(0x0301, False), (TLS_12, False), (TLS_13, True)], ids=["1.0", "1.2", "1.3"]
)
def test_certificates_are_read_in_either_form(version: int, *, has_extensions: bool) -> None:
    """Received ones are the peer's chain; sent ones only say that there were some."""
    body = certificates(b"leaf", b"issuer" * 100, has_extensions=has_extensions)
    start = ("read", version, HEADER, b"\x16\x03\x03\0\0")
    received = after(start, ("read", version, HANDSHAKE, message(11, body)))
    assert received.peer_chain == (b"leaf", b"issuer" * 100)
    assert received.client_certificate == "not requested"
    sent = after(start, ("write", version, HANDSHAKE, message(11, body)))
    assert (sent.peer_chain, sent.client_certificate) == ((), "sent")
    assert after(start, ("write", version, HANDSHAKE, message(11, body)), server_side=True).client_certificate == (
        "not requested"
    )


@pytest.mark.parametrize("has_extensions", [False, True])
def test_empty_list_of_certificates_is_none_sent(*, has_extensions: bool) -> None:
    """How a client answers a request that it cannot meet."""
    version = TLS_13 if has_extensions else TLS_12
    request = ("read", version, HANDSHAKE, message(13, b"\0" * 10))
    empty = message(11, certificates(has_extensions=has_extensions))
    start = ("read", version, HEADER, b"\x16\x03\x03\0\0")
    assert after(start, request, ("write", version, HANDSHAKE, empty)).client_certificate == "requested"
    asked = ("write", version, HANDSHAKE, message(13, b"\0" * 10))
    assert after(start, asked, ("read", version, HANDSHAKE, empty), server_side=True).client_certificate == "requested"


def test_nothing_is_known_before_anything_came() -> None:
    """A silent peer has neither asked for a certificate nor not asked."""
    assert Transcript().client_certificate is None
    assert after(("write", TLS_12, HANDSHAKE, message(1, b""))).client_certificate is None


AUTHORITIES = (b"0\x00", b"0" + bytes(299))


@pytest.mark.parametrize("version", [TLS_12, TLS_13])
def test_authorities_are_read_in_either_form(version: int) -> None:
    """The names that a server accepts for clients, behind whatever else the request has."""
    names = b"".join(len(name).to_bytes(2) + name for name in AUTHORITIES)
    block = len(names).to_bytes(2) + names
    if version == TLS_13:
        extensions = b"\0\x0d\0\x04\0\x02\x08\x04" + b"\0\x2f" + len(block).to_bytes(2) + block
        body = b"\0" + len(extensions).to_bytes(2) + extensions
    else:
        body = b"\x02\x01\x40" + b"\0\x04\x08\x04\x04\x03" + block
    assert after(("read", version, HANDSHAKE, message(13, body))).authorities == AUTHORITIES
    assert after(("write", version, HANDSHAKE, message(13, body)), server_side=True).authorities == ()


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_authorities_of_a_real_server_are_known(pki: PKI, version: str) -> None:
    """OpenSSL names the CAs of its `-CAfile`; ours names none."""
    settings = client_settings(pki, pki.client, tls_min=version, tls_max=version)
    with openssl_s_server(pki, client_auth=True) as server:
        end = reach(server.port, settings, reads=False)
    assert end.agreed.certificate_authorities == (describe(pki.ca_der.read_bytes()).subject,)
    pair = shake_hands(settings, server_settings(pki))
    assert pair.client.agreed.certificate_authorities == ()


def test_group_comes_from_the_messages_of_each_version() -> None:
    """A key share of TLS 1.3; a named curve or a prime of TLS 1.2; none of these for a plain RSA key exchange."""

    def hello(extensions: bytes) -> bytes:
        return message(2, bytes(34) + b"\x04" + b"sess" + b"\x13\x01\0" + len(extensions).to_bytes(2) + extensions)

    share = b"\0\x2b\0\x02\x03\x04" + b"\0\x33\0\x04\0\x1d\0\0"
    assert after(("read", TLS_13, HANDSHAKE, hello(share))).group == "x25519"
    assert after(("read", TLS_12, HANDSHAKE, hello(b"\0\x17\0\0"))).group is None
    assert after(("read", TLS_12, HANDSHAKE, message(12, b"\x03\0\x17" + bytes(40)))).group == "secp256r1"
    assert after(("read", TLS_12, HANDSHAKE, message(12, b"\x01\0" + bytes(300)))).group == "dh2048"
    assert after(("read", TLS_12, HANDSHAKE, message(12, b"\x01\0" + bytes(20)))).group is None
    both = after(("read", TLS_13, HANDSHAKE, hello(share)), ("read", TLS_13, HANDSHAKE, hello(b"")))
    assert both.group == "x25519"


# -- hostile messages ---------------------------------------------------------------------------------------------


@given(
    messages=st.lists(
        st.tuples(
            st.sampled_from(["read", "write"]),
            st.sampled_from([0, 0x0301, TLS_12, TLS_13]),
            st.sampled_from([20, ALERT, HANDSHAKE, 23, HEADER, 257]),
            st.binary(max_size=80)
            | st.tuples(st.sampled_from([1, 2, 8, 11, 12, 13, 14]), st.binary(max_size=80)).map(lambda x: message(*x)),
        ),
        max_size=6,
    ),
    server_side=st.booleans(),
)
def test_any_message_is_taken(messages: list[Message], *, server_side: bool) -> None:
    """The callback must not raise: whatever a stranger sends, OpenSSL judges it."""
    seen = after(*messages, server_side=server_side)
    longest = max((len(data) for _, _, _, data in messages), default=0)
    assert sum(map(len, seen.peer_chain)) <= longest
    assert seen.client_certificate in ("sent", "requested", "not requested", None)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@given(data=st.data())
def test_damaged_conversation_is_taken(version: str, data: st.DataObject) -> None:
    """Real messages with bytes changed, left out, doubled or cut off."""
    original = conversation(version)
    damaged = data.draw(st.integers(0, len(original) - 1))
    direction, number, content_type, content = original[damaged]
    content = data.draw(mutations(content))
    seen = after(*original[:damaged], (direction, number, content_type, content), *original[damaged + 1 :])
    assert all(isinstance(der, bytes) for der in seen.peer_chain)
    assert sum(map(len, seen.peer_chain)) <= max(len(content), *(len(last) for *_, last in original))


def test_memory_is_bounded_whatever_comes() -> None:
    """A million promises, chains of thousands of certificates, the same message again and again."""
    chain = message(11, certificates(*[b"x"] * 5000, has_extensions=False))
    liar = message(11, b"\xff\xff\xff" * 2000)
    seen = Transcript()
    tracemalloc.start()
    try:
        for _ in range(200):
            for data in (chain, liar, message(2, b"\xff" * 9000), message(12, b"\xff" * 9000)):
                seen.record("read", TLS_12, HANDSHAKE, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200_000
    assert len(seen.peer_chain) <= 32


def test_flood_is_noticed_and_a_long_handshake_is_not() -> None:
    """The longest chain in the shortest records stays below the limit."""
    seen = Transcript()
    for _ in range(100 * 1024 // 64):
        seen.record("read", TLS_12, HEADER, b"\x16\x03\x03\0\x40")
    assert not seen.is_flooded
    for _ in range(1000):
        seen.record("read", TLS_12, HEADER, b"\x16\x03\x03\0\x04")
    assert seen.is_flooded


def test_callback_takes_sockets_that_nobody_watches() -> None:
    """A context of ours may be used with a plain `SSLObject`, which has no transcript."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = client_context(client_settings(PKI(_directories[0])))
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    assert outgoing.read().startswith(b"\x16")
    transcript._on_message(client, "read", TLS_12, HEADER, 0, b"\x16\x03\x03\0\0")


# -- other Pythons ------------------------------------------------------------------------------------------------


def plain_authority(directory: Path) -> tuple[Path, Identity]:
    """An authority made by `openssl req -x509`, which newer Pythons would refuse, and a server of it."""
    ca, leaf = directory / "plain-ca.pem", Identity(directory, "plain")
    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *new_key, "-keyout", directory / "plain-ca.key", "-out", ca, "-subj", "/CN=plain")
    request, san = directory / "plain.csr", "subjectAltName=DNS:localhost"
    openssl("req", *new_key, "-keyout", leaf.key, "-out", request, "-subj", "/CN=leaf", "-addext", san)
    signing = ("-CA", ca, "-CAkey", directory / "plain-ca.key", "-CAcreateserial", "-copy_extensions", "copy")
    openssl("x509", "-req", "-in", request, *signing, "-out", leaf.cert)
    return ca, leaf


def all_cases(pki: PKI, directory: Path) -> list[dict[str, Any]]:
    """Handshakes of every kind that needs the standard library only."""

    def own(identity: Identity) -> dict[str, Any]:
        return {"cert": [str(identity.cert)], "key": [str(identity.key)]}

    plain_ca, plain = plain_authority(directory)
    pin = spki_sha256(pki.self_signed.cert_der.read_bytes())
    client = {"ca": [str(pki.ca)], **own(pki.client)}
    server = {"ca": [str(pki.ca)], **own(pki.server)}
    root = issue("root", is_ca=True)
    partial = issue("partial", root).write_as(directory, name="partial")
    cases: list[dict[str, Any]] = [
        {"client": {**client, "tls_max": version, "tls_min": version}, "server": {**server, **own(identity)}}
        for version in ("1.2", "1.3")
        for identity in (
            *(pki.server, pki.server_ec, pki.chained, pki.expired, pki.not_yet_valid, pki.wrong_name),
            *(pki.only_common_name, pki.client_purpose, pki.self_signed, pki.other_server),
        )
    ]
    cases += [
        {"client": {**client, **own(identity), "tls_max": version, "tls_min": version}, "server": server}
        for version in ("1.2", "1.3")
        for identity in (pki.other_client, pki.server_purpose, pki.expired, pki.self_signed)
    ]
    cases += [
        {"client": {"ca": [str(pki.ca)], "tls_max": "1.2"}, "server": server},
        {"client": {"ca": [str(pki.ca)]}, "server": server},
        {"client": {"ca": [str(pki.ca)]}, "server": {**server, "client_auth": "optional"}},
        {"client": {**client, "ca": [str(plain_ca)]}, "server": {**server, **own(plain)}},
        {"client": {**client, "ca": [str(partial.cert)]}, "server": {**server, **own(partial)}},
        {"client": {**client, "pins": [pin]}, "server": {**server, **own(pki.self_signed)}},
        {"client": {**client, "pins": [pin]}, "server": server},
        {"client": {**client, "insecure": True}, "server": {**server, **own(pki.expired)}},
        {"client": {**client, "sni": False}, "server": {**server, **own(pki.wrong_name)}},
        {"client": {**client, "verify_name": False}, "server": {**server, **own(pki.wrong_name)}},
        {"client": client, "server": server, "host": "127.0.0.1"},
        {"client": client, "server": server, "host": "::1"},
        {"client": client, "server": server, "host": "räntgen.example"},
        {"client": {**client, "tls_max": "1.2"}, "server": {**server, "tls_min": "1.3"}},
        {"client": {**client, "tls_max": "1.2", "profile": "aes"}, "server": server},
        {"client": {**client, "tls_max": "1.2", "profile": "atna"}, "server": {**server, "profile": "atna"}},
        {"client": {**client, "alpn": False}, "server": server},
    ]
    return cases


@pytest.fixture(scope="module")
def judged(pki: PKI, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], list[Any]]:
    """The cases, and what this Python says of them."""
    cases = all_cases(pki, tmp_path_factory.mktemp("cases"))
    return cases, verdicts(sys.executable, cases)


@pytest.mark.parametrize("version", OTHER_PYTHONS)
def test_other_pythons_come_to_the_same_verdicts(judged: tuple[list[dict[str, Any]], list[Any]], version: str) -> None:
    """The same certificate, the same verdict, the same facts: partial chains, strictness, alerts, groups, names."""
    cases, ours = judged
    for case, expected, found in zip(cases, ours, verdicts(find_python(version), cases), strict=True):
        assert found == expected, case


def test_verdicts_are_those_of_the_pair_harness(pki: PKI, judged: tuple[list[dict[str, Any]], list[Any]]) -> None:
    """The script for other Pythons sees what every other test here sees, good and bad."""
    _, ours = judged
    assert sum("protocol" in client for client, _ in ours) > 10
    assert sum("reason" in client for client, _ in ours) > 10
    [[client, _], *_] = ours
    agreed = shake_hands(client_settings(pki, pki.client, tls_max="1.2"), server_settings(pki)).client.agreed
    assert (client["protocol"], client["cipher"], client["group"]) == (agreed.protocol, agreed.cipher, agreed.group)
    assert client["peer"] == str(agreed.peer)
