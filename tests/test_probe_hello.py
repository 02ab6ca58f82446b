"""dicomtls.probe.hello: what a peer would choose, and answers that are none."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.probe.hello import Answer, offer_everything, read_answer
from dicomtls.probe.inquiry import Inquiry
from dicomtls.tls import TLSSettings
from dicomtls.tls.hello import TLS_1_0, TLS_1_2, TLS_1_3, message, records
from dicomtls.tls.suites import suite_name
from tests.support.inquiries import target
from tests.support.peers import openssl_s_server, raw_server, receive_until_end
from tests.support.pki import PKI

HELLO = bytes.fromhex("0303") + bytes(32) + b"\0\xc0\x2f\0"
SERVER_HELLO = message(2, HELLO)


def asked(port: int, *, tls13: bool) -> tuple[Answer, Inquiry]:
    """What a peer answers to everything."""
    inquiry = Inquiry(target(port, TLSSettings()))
    return offer_everything(inquiry, tls13=tls13, server_name="localhost", alpn=("dicom",)), inquiry


@pytest.mark.parametrize(
    ("options", "tls13", "version"),
    [
        (["-tls1", "-cipher", "ALL:@SECLEVEL=0"], False, TLS_1_0),
        (["-tls1_2", "-cipher", "AES128-SHA"], False, TLS_1_2),
        (["-tls1_3"], True, TLS_1_3),
    ],
)
def test_peer_chooses(pki: PKI, options: list[str], version: int, *, tls13: bool) -> None:
    """What OpenSSL would have agreed to, and the log says so."""
    with openssl_s_server(pki, *options) as server:
        answer, inquiry = asked(server.port, tls13=tls13)
    assert answer.chosen is not None
    assert answer.chosen.version == version
    assert inquiry.log[0]["outcome"] == answer.words
    assert suite_name(answer.chosen.suite) in answer.words


@pytest.mark.parametrize(("options", "tls13"), [(["-tls1_3"], False), (["-tls1_2"], True)])
def test_peer_refuses_with_an_alert(pki: PKI, options: list[str], *, tls13: bool) -> None:
    """The negative twin."""
    with openssl_s_server(pki, *options) as server:
        answer, inquiry = asked(server.port, tls13=tls13)
    assert (answer.chosen, answer.alert) == (None, "protocol_version")
    assert inquiry.log[0]["outcome"] == "it refuses with the alert protocol_version"


def test_peer_that_goes_away_has_chosen_nothing() -> None:
    """And that is said."""
    with raw_server(lambda connection: connection.recv(5)) as server:
        answer, inquiry = asked(server.port, tls13=False)
    assert (answer.chosen, answer.alert) == (None, None)
    assert inquiry.log[0]["outcome"] in ("it closes the connection", "it resets the connection")


@pytest.mark.parametrize(
    ("said", "seconds", "words"),
    [(b"SSH-2.0-OpenSSH\r\n", 20.0, "it answers with something else"), (b"\x16", 0.3, "it says nothing")],
    ids=["SSH", "half a record"],
)
def test_answer_that_is_none_is_put_in_words(said: bytes, seconds: float, words: str) -> None:
    """And it is no hanging up."""

    def speak(connection: socket.socket) -> None:
        connection.sendall(said)
        receive_until_end(connection)

    with raw_server(speak) as server:
        inquiry = Inquiry(target(server.port, TLSSettings(), connect_timeout=seconds))
        answer = offer_everything(inquiry, tls13=False, server_name=None, alpn=())
    assert inquiry.log[0]["outcome"] == answer.words == words
    assert not answer.hung_up


def test_message_in_many_records_is_put_together() -> None:
    """As slow or odd servers send it."""
    pieces = [SERVER_HELLO[start : start + 7] for start in range(0, len(SERVER_HELLO), 7)]
    heard = b"".join(records(piece) for piece in pieces)
    chosen = read_answer(heard, "answered").chosen
    assert chosen is not None
    assert (chosen.version, suite_name(chosen.suite)) == (TLS_1_2, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")


@given(st.binary(max_size=100) | st.binary(max_size=60).map(lambda tail: records(SERVER_HELLO[:20]) + tail))
def test_noise_is_no_choice(heard: bytes) -> None:
    """Whatever comes, there is an answer in words."""
    assert read_answer(heard, "eof").words
