"""Handshakes between two ends of dicomtls on whatever Python runs this, which has the standard library only.

Reads a list of cases from stdin, each `{"client": {...}, "server": {...}, "host": "..."}` with fields of `TLSSettings`,
and writes what the two ends say of each as JSON. Nothing here may import anything but `dicomtls.tls` and what it needs.
"""

import json
import socket
import ssl
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dicomtls.errors import HandshakeError
from dicomtls.tls import (
    Negotiated,
    TLSSettings,
    TLSStream,
    client_context,
    client_handshake,
    read_failure,
    server_context,
    server_handshake,
)
from dicomtls.waiting import Waiter, deadline_in

_SECONDS = 20.0
_PATHS = frozenset({"ca", "cert", "key", "crl"})


def load_plain_crl(ssl_context: ssl.SSLContext, path: Path) -> None:
    """Let OpenSSL read a list in PEM: dicomtls has `cryptography` look at it first, which other Pythons lack."""
    ssl_context.load_verify_locations(cafile=path)


def main() -> None:
    """Judge all cases."""
    cases = json.load(sys.stdin)
    with patch("dicomtls.tls.context.load_crl", load_plain_crl):
        json.dump([judge(case) for case in cases], sys.stdout)


def judge(case: Mapping[str, Any]) -> list[object]:
    """What client and server say of one case."""
    client, server = settings(case["client"]), settings(case["server"])
    client_ssl, server_ssl = client_context(client), server_context(server)
    deadline = deadline_in(_SECONDS)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    near.settimeout(0)
    far.settimeout(0)
    with ThreadPoolExecutor(1) as thread:
        serving = thread.submit(verdict, lambda: server_handshake(far, server_ssl, deadline=deadline))
        connecting = verdict(
            lambda: client_handshake(near, client_ssl, client, host=case.get("host", "localhost"), deadline=deadline)
        )
        return [connecting, serving.result()]


def settings(fields: Mapping[str, Any]) -> TLSSettings:
    """Settings out of JSON."""
    values: dict[str, Any] = dict(fields)
    for name, value in fields.items():
        if isinstance(value, list):
            values[name] = tuple(map(Path, value)) if name in _PATHS else tuple(value)
    return TLSSettings(**values)


def verdict(handshake: Callable[[], tuple[TLSStream, Negotiated]]) -> object:
    """What one end says: what was agreed, or which error it was."""
    try:
        stream, negotiated = handshake()
        with stream:
            greet(stream, negotiated)
    except HandshakeError as error:
        return refusal(error)
    return {
        name: getattr(negotiated, name)
        for name in ("protocol", "cipher", "bits", "group", "alpn", "resumed", "client_certificate", "verified")
    } | {"name_matched": negotiated.name_matched, "verified_by": negotiated.verified_by, "peer": str(negotiated.peer)}


def greet(stream: TLSStream, negotiated: Negotiated) -> None:
    """Send and receive one byte, which proves the handshake."""
    with suppress(OSError):  # the read then says why
        stream.put(memoryview(b"!"))
        stream.push()
    received = 0
    while not received:
        try:
            received = stream.read(1, memoryview(bytearray(1)))
        except BlockingIOError:
            Waiter(stream.sock).readable(deadline_in(_SECONDS))
            continue
        except OSError as error:
            raise read_failure(error, negotiated) from error
        if not received:
            raise read_failure(None, negotiated)


def refusal(error: HandshakeError) -> object:
    """The facts that decide."""
    facts = error.facts
    return {
        "code": error.code,
        "reason": facts.reason,
        "verify_code": facts.verify_code,
        "alert_received": facts.alert_received,
        "alert_sent": facts.alert_sent,
        "client_certificate": facts.client_certificate,
        "after_handshake": facts.after_handshake,
    }


if __name__ == "__main__":
    main()
