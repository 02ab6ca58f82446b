"""What a handshake would say of a chain, without its private key: OpenSSL's own verdict, in memory.

Up to TLS 1.2 certificates are sent in clear and are verified as soon as they have been received, before anything is
asked of the key. So the other side is played by a few bytes: a server's ServerHello and Certificate, or a client's
ClientHello and Certificate. What judges them is the very context that a handshake would have had.
TLS 1.3 verifies the same way, by the same store, flags and security level.
"""

import ssl
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import IntFlag
from pathlib import Path

from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.tls.context import client_context, server_context
from dicomtls.tls.credentials import as_path
from dicomtls.tls.hello import CERTIFICATE, SERVER_HELLO, TLS_1_2, ClientHello, message, records, sized
from dicomtls.tls.server_name import checked_server_name
from dicomtls.tls.settings import ClientAuth, TLSSettings

_ECDHE_RSA, _ECDHE_ECDSA = 0xC02F, 0xC02B
_SUITES = ("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256")
_RENEGOTIATION_INFO = b"\xff\x01\x00\x01\x00"  # RFC 5746: without it OpenSSL looks at nothing else
_OLD_LEVEL = "bcp195-2015"
# X509_V_FLAG_… of OpenSSL; Python names only some of them.
_IGNORE_CRITICAL, _NO_CHECK_TIME = 0x10, 0x200000
_UNREADABLE = "OpenSSL cannot read a certificate of the chain"  # it gives no reason then


class Leave(IntFlag):
    """What a verdict leaves out, so that the fault behind another one can be seen."""

    NOTHING = 0
    TIMES = 1
    NAME = 2
    STRENGTH = 4
    REVOCATION = 8
    CRITICAL_EXTENSIONS = 16


@dataclass(frozen=True, kw_only=True)
class Question:
    """A chain as the other side would send it, leaf first, in the role that `role` names ("server" or "client").

    `settings` has the trust anchors, the CRLs and the profile; `anchors` are trusted besides, as far as OpenSSL
    can read them. `reference` is the name that a server's leaf is to have, None where any will do. `has_rsa_key` says
    it of the leaf.
    """

    chain: tuple[bytes, ...]
    role: str
    settings: TLSSettings
    has_rsa_key: bool
    reference: str | None = None
    anchors: tuple[bytes, ...] = ()


def judge(question: Question, *, leave: Leave = Leave.NOTHING, strict: bool = False) -> HandshakeFacts | None:
    """What the handshake would fail with; None where the chain is accepted.

    `strict` adds OpenSSL's X509_STRICT, which dicomtls does not set. What the settings relax is not relaxed here: pins,
    `insecure` and the like would accept everything. Raises `CredentialError` and `UsageError` where the settings cannot
    be had, or the reference is no name.
    """
    with ExitStack() as stack:
        context = _context(question, leave, stack)
        # By number, since the ssl module has no names for two of them.
        flags = int(context.verify_flags)
        flags |= int(ssl.VERIFY_X509_STRICT) if strict else 0
        flags |= _NO_CHECK_TIME if leave & Leave.TIMES else 0
        flags |= _IGNORE_CRITICAL if leave & Leave.CRITICAL_EXTENSIONS else 0
        context.verify_flags = ssl.VerifyFlags(flags)
        return _handshake(context, question)


def _context(question: Question, leave: Leave, stack: ExitStack) -> ssl.SSLContext:
    settings = replace(question.settings, tls_min="1.2", tls_max="1.2", ciphers=_SUITES, cert=(), key=(), keylog=None)
    settings = replace(settings, insecure=False, pins=(), remember=None, sni=True)
    if leave & Leave.STRENGTH:
        settings = replace(settings, profile=_OLD_LEVEL)
    if leave & Leave.REVOCATION:
        settings = replace(settings, crl=())
    if question.anchors:
        # One that OpenSSL cannot read fails in the chain, if it is there too; nobody's then stands for it.
        readable = filter(_is_readable, question.anchors)
        pem = "".join(map(ssl.DER_cert_to_PEM_cert, readable)).encode() or _nobody()
        settings = replace(settings, ca=(*settings.ca, Path(stack.enter_context(as_path(pem)))))
    if question.role == "server":
        is_named = question.reference is not None and not leave & Leave.NAME
        return client_context(replace(settings, verify_name=is_named))
    cert = Path(stack.enter_context(as_path(_nobody())))
    return server_context(replace(settings, cert=(cert,), client_auth=ClientAuth.REQUIRED))


def _nobody() -> bytes:
    from dicomtls.certificates.throwaway import throwaway_identity  # `cryptography`, that few questions need

    return throwaway_identity()


def _is_readable(der: bytes) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=der)
    except ssl.SSLError:
        return False
    return True


def _handshake(context: ssl.SSLContext, question: Question) -> HandshakeFacts | None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    is_server = question.role == "client"
    name = checked_server_name(question.reference or "localhost") if context.check_hostname else None
    end = context.wrap_bio(incoming, outgoing, server_side=is_server, server_hostname=name)
    certificate = message(CERTIFICATE, sized(3, b"".join(sized(3, der) for der in question.chain)))
    # Each step is what the other side has to say before it waits for us.
    steps = [_CLIENT_HELLO, certificate] if is_server else [b"", _server_hello(question) + certificate]
    for step in steps:
        incoming.write(records(step))
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            return _facts(error, question)
    return None


def _facts(error: ssl.SSLError, question: Question) -> HandshakeFacts:
    return HandshakeFacts(
        role="client" if question.role == "server" else "server",
        reason=error.reason or _UNREADABLE,
        verify_code=getattr(error, "verify_code", None),
        verify_message=getattr(error, "verify_message", None),
        reference_name=question.reference,
        chain_der=question.chain,
    )


def _server_hello(question: Question) -> bytes:
    """RFC 5246 section 7.4.1.3: no session, no compression, the suite that goes with the leaf's key."""
    suite = _ECDHE_RSA if question.has_rsa_key else _ECDHE_ECDSA
    hello = TLS_1_2.to_bytes(2) + bytes(32) + b"\0" + suite.to_bytes(2) + b"\0" + sized(2, _RENEGOTIATION_INFO)
    return message(SERVER_HELLO, hello)


# The group and the signature schemes that an ECDSA server needs.
_CLIENT_HELLO = ClientHello(
    suites=(_ECDHE_ECDSA,),
    groups=(0x0017,),
    schemes=(0x0403, 0x0503, 0x0603, 0x0804, 0x0401, 0x0807, 0x0808),
).encode()
