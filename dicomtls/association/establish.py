"""Establishing an association over a connected channel, in both roles (PS3.8 sections 7.1 and 9.2)."""

from collections.abc import Callable
from typing import Final, NamedTuple

from dicomtls.association.association import Association, AssociationParameters
from dicomtls.association.channel import Channel, WriteFailed
from dicomtls.association.negotiation import accepted_contexts, effective_window
from dicomtls.association.pdu import (
    MAXIMUM_ASSOCIATE_LENGTH,
    Abort,
    AssociateAccept,
    AssociateReject,
    AssociateRequest,
    PDUType,
    decode,
    encode,
    parse_header,
)
from dicomtls.association.reasons import AbortReason, AbortSource, describe_reject
from dicomtls.association.short_pdu import aborted, read_short_pdu, send_abort, unexpected
from dicomtls.errors import (
    AssociationAborted,
    AssociationRejected,
    AssociationTimeout,
    By,
    DicomTLSError,
    HandshakeError,
    PeerExpectsTLS,
    RemoteProtocolError,
)
from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.waiting import deadline_in

_TLS_RECORDS: Final = frozenset({0x14, 0x15, 0x16, 0x17})
_HTTP: Final = (b"HTTP/", b"<html", b"<!DOC", b"GET ", b"POST ", b"HEAD ", b"PUT ", b"OPTION", b"CONNEC", b"DELETE")
_LINGER_SECONDS: Final = 2.0


class Rejection(NamedTuple):
    """What an acceptor answers instead of an A-ASSOCIATE-AC; `comment` is for our own log."""

    pdu: AssociateReject
    comment: str


def request(channel: Channel, proposal: AssociateRequest, *, timeout: float, dimse_timeout: float) -> Association:
    """Ask the peer for an association and wait `timeout` seconds for its answer.

    `dimse_timeout` is the association's own limit of silence. Raises `AssociationRejected`,
    `AssociationAborted`, `AssociationTimeout`, `PeerExpectsTLS`, `RemoteProtocolError`, `HandshakeError` (our
    certificate refused after the handshake), `Interrupted`; the channel is closed by then.
    """
    with _Establishing(channel, timeout):
        channel.write(encode(proposal), timeout)
        parameters = _parameters(proposal, _read_answer(channel, timeout), is_requestor=True)
        return Association(channel, parameters, timeout=dimse_timeout)


def accept(
    channel: Channel,
    decide: Callable[[AssociateRequest], AssociateAccept | Rejection],
    *,
    timeout: float,
    dimse_timeout: float,
) -> Association:
    """Wait `timeout` seconds for an A-ASSOCIATE-RQ (the ARTIM timer) and answer it as `decide` says.

    Raises as `request` does; `AssociationRejected` here says that we rejected.
    """
    with _Establishing(channel, timeout, is_acceptor=True):
        proposal = _read_request(channel, timeout)
        answer = decide(proposal)
        if isinstance(answer, Rejection):
            channel.write(encode(answer.pdu), timeout)
            raise _rejected(answer.pdu, answer.comment, By.US)
        parameters = _parameters(proposal, answer, is_requestor=False)
        association = Association(channel, parameters, timeout=dimse_timeout)
        channel.write(encode(answer), timeout)
        return association


def _parameters(proposal: AssociateRequest, answer: AssociateAccept, *, is_requestor: bool) -> AssociationParameters:
    """What the two sides agreed on, as one of them sees it."""
    asked, granted = proposal.user_information, answer.user_information
    window = effective_window(asked.operations_window, granted.operations_window)
    ours, theirs = (asked, granted) if is_requestor else (granted, asked)
    return AssociationParameters(
        contexts=accepted_contexts(proposal, answer),
        maximum_length=ours.maximum_length,
        peer_maximum_length=theirs.maximum_length,
        window=window.invoked if is_requestor else window.performed,
        peer_window=window.performed if is_requestor else window.invoked,
        calling_ae_title=proposal.calling_ae_title,
        called_ae_title=proposal.called_ae_title,
        peer_implementation=theirs.implementation_version_name or theirs.implementation_class_uid,
        is_requestor=is_requestor,
        extended=_granted_extended(proposal, answer),
    )


def _granted_extended(proposal: AssociateRequest, answer: AssociateAccept) -> dict[str, bytes]:
    asked = {item.sop_class_uid for item in proposal.user_information.extended}
    granted = reversed(answer.user_information.extended)
    return {item.sop_class_uid: item.information for item in granted if item.sop_class_uid in asked}


class _Establishing:
    """Ends the connection on the way of any exception, with the farewell that the exception calls for.

    While an acceptor waits for the A-ASSOCIATE-RQ, it aborts as the service-user, without a reason, and closes
    without a word on a peer that says nothing (PS3.8 table 9-10, state 2, actions AA-1 and AA-2).
    """

    def __init__(self, channel: Channel, timeout: float, *, is_acceptor: bool = False) -> None:
        self._channel = channel
        self._timeout = timeout
        self._is_acceptor = is_acceptor

    def __enter__(self) -> None:
        """Nothing to set up."""

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None:
            return
        if isinstance(error, WriteFailed):
            lost = _last_words(self._channel)
            self._channel.close()
            raise lost from error
        if isinstance(error, RemoteProtocolError) and not self._is_acceptor:
            send_abort(self._channel, AbortSource.SERVICE_PROVIDER, error.abort_reason)
        elif isinstance(error, AssociationRejected) and error.by is By.US:
            self._channel.close(_LINGER_SECONDS)
        elif isinstance(error, _WORDLESS) or (isinstance(error, TimeoutError) and self._is_acceptor):
            self._channel.close()
            self._suspect_tls(error)
        else:
            send_abort(self._channel, AbortSource.SERVICE_USER, AbortReason.REASON_NOT_SPECIFIED)
        if isinstance(error, TimeoutError):
            msg = f"nothing came for {self._timeout:g} s while the association was being established"
            hints = () if self._channel.negotiated is None else _SLOW_OVER_TLS
            raise AssociationTimeout(msg, hints=hints) from None

    def _suspect_tls(self, error: BaseException) -> None:
        """A TLS server that is asked in clear often just hangs up."""
        if self._is_acceptor or self._channel.negotiated is not None:
            return
        if isinstance(error, AssociationAborted) and error.source is None:
            error.hints = ("the peer may expect TLS at this port: leave out --no-tls", "or see the peer's log")


_SLOW_OVER_TLS: Final = (
    "check that a DICOM service listens behind TLS at this port",
    "give a slow peer more time with --association-timeout",
)
_WORDLESS: Final = (AssociationAborted, AssociationRejected, HandshakeError, PeerExpectsTLS)


def _last_words(channel: Channel) -> DicomTLSError:
    """Why our A-ASSOCIATE-RQ could not be written: the alert or the answer that came before it."""
    try:
        _read_answer(channel, _LAST_WORDS_SECONDS)
    except DicomTLSError as error:
        return error
    except TimeoutError:
        pass
    return AssociationAborted("the peer closed the connection without an answer")


_LAST_WORDS_SECONDS: Final = 0.5


def _read_answer(channel: Channel, timeout: float) -> AssociateAccept:
    deadline = deadline_in(timeout)
    header = channel.read_header(deadline)
    _check_foreign(bytes(header), in_clear=channel.negotiated is None)
    pdu_type, length = parse_header(header)
    if pdu_type == PDUType.A_ASSOCIATE_AC:
        pdu = decode(pdu_type, _read_associate(channel, length, deadline))
        if isinstance(pdu, AssociateAccept):
            return pdu
    short = read_short_pdu(channel, pdu_type, length, deadline)
    if isinstance(short, AssociateReject):
        raise _rejected(short, describe_reject(short.result, short.source, short.reason), By.PEER)
    raise aborted(short) if isinstance(short, Abort) else unexpected(pdu_type)


def _read_request(channel: Channel, timeout: float) -> AssociateRequest:
    deadline = deadline_in(timeout)
    header = channel.read_header(deadline)
    _check_foreign(bytes(header), in_clear=channel.negotiated is None, role="server")
    pdu_type, length = parse_header(header)
    if pdu_type == PDUType.A_ASSOCIATE_RQ:
        pdu = decode(pdu_type, _read_associate(channel, length, deadline))
        if isinstance(pdu, AssociateRequest):
            return pdu
    short = read_short_pdu(channel, pdu_type, length, deadline)
    raise aborted(short) if isinstance(short, Abort) else unexpected(pdu_type)


def _read_associate(channel: Channel, length: int, deadline: float) -> memoryview:
    if length > MAXIMUM_ASSOCIATE_LENGTH:
        msg = f"an A-ASSOCIATE PDU claims {length} bytes, more than the {MAXIMUM_ASSOCIATE_LENGTH} that we allow"
        raise RemoteProtocolError(msg)
    return channel.read_body(length, deadline)


def _check_foreign(header: bytes, *, in_clear: bool, role: str = "client") -> None:
    """Recognise TLS and HTTP where PDUs are due; `role` is ours."""
    if in_clear and header[0] in _TLS_RECORDS and header[1] == 3:  # noqa: PLR2004 -- the major version of every TLS record
        msg = "the peer speaks TLS, and we speak in clear"
        raise PeerExpectsTLS(msg, evidence={"first_bytes": header.hex()})
    if header.startswith(_HTTP):
        facts = HandshakeFacts(role=role, first_bytes=header)
        msg = "the peer speaks HTTP"
        raise HandshakeError(msg, facts, code="peer-speaks-http")


def _rejected(pdu: AssociateReject, message: str, by: By) -> AssociationRejected:
    error = AssociationRejected(message, result=pdu.result, source=pdu.source, reason=pdu.reason)
    error.by = by
    return error
