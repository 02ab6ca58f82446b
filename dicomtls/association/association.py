"""An established association, in either role: messages in and out, release, abort.

The only place where codecs and I/O meet. Whatever the peer does that the protocol does not allow is answered with
an A-ABORT that gives the right source and reason (PS3.8 section 9.2, action AA-8), and then raised.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from time import monotonic
from types import MappingProxyType, TracebackType
from typing import Final, NamedTuple

from dicomtls.association.channel import Channel, WriteFailed
from dicomtls.association.dimse import Command, decode_command, encode_command
from dicomtls.association.negotiation import AcceptedContext
from dicomtls.association.outbox import Outbox, fragment_length, pack
from dicomtls.association.pdu import (
    Abort,
    Fragment,
    PDUType,
    ReleaseRequest,
    ReleaseResponse,
    encode,
    iterate_fragments,
    parse_header,
)
from dicomtls.association.reasons import AbortReason, AbortSource
from dicomtls.association.short_pdu import LINGER_SECONDS, aborted, read_short_pdu, send_abort, unexpected
from dicomtls.errors import (
    AssociationAborted,
    DicomTLSError,
    DIMSETimeout,
    HandshakeError,
    Interrupted,
    LocalProtocolError,
    RemoteProtocolError,
)
from dicomtls.tls import Negotiated
from dicomtls.waiting import Interrupt, deadline_in

MAXIMUM_COMMAND_LENGTH: Final = 64 * 1024
"""Command sets take some hundred bytes; only lists of offending elements or of attributes make them longer."""
_RELEASE_SECONDS: Final = 10.0
_HOLD_SECONDS: Final = 0.005
_LAST_WORDS_SECONDS: Final = 0.5


class AssociationParameters(NamedTuple):
    """What the negotiation fixed for the life of an association.

    Lengths are those of P-DATA-TF PDUs in bytes, 0 being no limit. `window` is how many of our requests may be
    outstanding, `peer_window` how many of the peer's; 0 is no limit (PS3.7 annex D.3.3.3). `is_requestor` says
    whether it was us who asked for the association. `extended` is what the acceptor granted of what was asked for,
    by SOP class (PS3.7 section D.3.3.5).
    """

    contexts: dict[int, AcceptedContext]
    maximum_length: int
    peer_maximum_length: int
    window: int
    peer_window: int
    calling_ae_title: str
    called_ae_title: str
    peer_implementation: str = ""
    is_requestor: bool = True
    extended: Mapping[str, bytes] = MappingProxyType({})


class Message(NamedTuple):
    """A command as it came, and the presentation context that it came in; its dataset follows it on the wire."""

    command: Command
    context: AcceptedContext


class Association:
    """Sends and receives messages over one channel; `timeout` is the seconds of silence that are too many.

    Every method raises `AssociationAborted`, `HandshakeError` (a certificate refused after the handshake),
    `DIMSETimeout`, `RemoteProtocolError` or `Interrupted` when the association is at its end; the peer has been
    told by then. After that, all but `release`, `abort` and `close` raise `LocalProtocolError`.
    """

    def __init__(self, channel: Channel, parameters: AssociationParameters, *, timeout: float) -> None:
        self.parameters = parameters
        self.timeout = timeout
        self.is_established = True
        self._channel = channel
        self._fragments: Iterator[Fragment] = iter(())
        self._dataset_context: int | None = None
        self._fragment_length = fragment_length(parameters.peer_maximum_length)
        self._responses = bytearray()
        self._held_since = 0.0
        self._patience = timeout

    @property
    def negotiated(self) -> Negotiated | None:
        """What the TLS handshake agreed on; None in clear."""
        return self._channel.negotiated

    # Sending

    def send(self, context_id: int, command: Command, dataset: bytes | None = None) -> None:
        """Send one message, its dataset already encoded in the context's transfer syntax."""
        pdus = pack(context_id, encode_command(command), is_command=True, fragment=self._fragment_length)
        if dataset is not None:
            pdus += pack(context_id, dataset, is_command=False, fragment=self._fragment_length)
        self.write(pdus)

    def outbox(self, before_flush: Callable[[], None] | None = None) -> Outbox:
        """A buffer in which many messages are laid out before they are written at once."""
        return Outbox(self, self.parameters.peer_maximum_length, before_flush)

    def write(self, pdus: bytes | bytearray | memoryview) -> None:
        """Write whole PDUs; `outbox` and `send` are what callers want."""
        with _Guard(self):
            self._channel.write(pdus, self.timeout)

    def write_ahead(self, pdus: memoryview) -> int:
        """Do for whole PDUs what can be done before they are sent; says for how many bytes. For `outbox` only."""
        with _Guard(self):
            return self._channel.write_ahead(pdus)

    def send_ahead(self) -> None:
        """Send what `write_ahead` took."""
        with _Guard(self):
            self._channel.send_ahead(self.timeout)

    def respond(self, context_id: int, response: Command) -> None:
        """Send a response without a dataset, or hold it for some milliseconds while requests keep coming.

        A peer with an asynchronous window sends on without waiting, and one write for many responses spares both
        sides most of the work; whoever waits for each response gets it at once.
        """
        if not self._responses:
            self._held_since = monotonic()
        self._responses += pack(context_id, encode_command(response), is_command=True, fragment=self._fragment_length)
        if self.parameters.peer_window == 1:
            self.flush_responses()

    def flush_responses(self) -> None:
        """Send the responses that are being held."""
        if self._responses:
            held, self._responses = self._responses, bytearray()
            self.write(held)

    # Receiving

    def receive(self, timeout: float | None = None) -> Message | None:
        """Return the next command; None when the peer has released the association, which is then over.

        What is left of the previous message's dataset is passed over. `timeout` is in seconds, the association's
        own where it is None.
        """
        with _Guard(self):
            if self._dataset_context is not None:
                for _ in self.fragments():
                    pass
            try:
                context_id, data = self._read_command(self._wait_for(self.timeout if timeout is None else timeout))
            except _Released:
                self._answer_release()
                return None
            command = decode_command(data)
            self._dataset_context = context_id if command.has_dataset else None
            return Message(command, self.parameters.contexts[context_id])

    def await_data(self) -> bool:
        """Return when the next PDU begins to come; says whether it is data, so that `receive` gets a message."""
        with _Guard(self):
            pdu_type, _ = self._read_header(self._wait_for(self.timeout))
            return pdu_type == PDUType.P_DATA_TF

    def await_message(self, interrupt: Interrupt | None, timeout: float | None = None) -> None:
        """Return when the next message, or the end, begins to come.

        Where `interrupt` is set before that, it raises `Interrupted` and leaves the association as it is, so that the
        peer can be told to cancel what it does. For an association that has been told to `ignore_interrupt`.
        """
        if interrupt is not None:
            interrupt.check()  # where something has always come already, nobody waits
        interrupted: Interrupted | None = None
        with _Guard(self):
            if self._dataset_context is not None:
                for _ in self.fragments():
                    pass
            if self._has_fragment() or self._channel.has_input():
                return
            self.flush_responses()
            try:
                self._channel.await_input(self._wait_for(self.timeout if timeout is None else timeout), interrupt)
            except Interrupted as error:
                interrupted = error
        if interrupted is not None:
            raise interrupted

    def ignore_interrupt(self) -> None:
        """From now on an interrupt ends no wait but that of `await_message`."""
        self._channel.ignore_interrupt()

    def fragments(self) -> Iterator[memoryview]:
        """Yield the dataset of the message that was received last; each view holds until the next one."""
        while self._dataset_context is not None:
            with _Guard(self):
                context_id, is_command, is_last, data = self._next_fragment(self._wait_for(self.timeout))
                if is_command or context_id != self._dataset_context:
                    msg = "a fragment of another message came in the middle of a dataset"
                    raise RemoteProtocolError(msg)
            if is_last:
                self._dataset_context = None
            yield data

    def has_input(self) -> bool:
        """Whether something has come already."""
        with _Guard(self):
            return self._has_fragment() or self._channel.has_input()

    def _has_fragment(self) -> bool:
        """Whether the next message, or more of this one, came in one PDU with what was read last."""
        waiting = next(self._fragments, None)
        if waiting is not None:
            self._fragments = chain((waiting,), self._fragments)
        return waiting is not None

    def _wait_for(self, seconds: float) -> float:
        """The deadline of a wait that begins now."""
        self._patience = seconds
        return deadline_in(seconds)

    def _read_command(self, deadline: float) -> tuple[int, bytes]:
        context_id, is_command, is_last, data = self._next_fragment(deadline, may_release=True)
        first_context = context_id
        whole = bytes(data)
        while True:
            if not is_command or context_id != first_context:
                msg = "a fragment of a dataset, or of another command, came where a command was due"
                raise RemoteProtocolError(msg)
            if len(whole) > MAXIMUM_COMMAND_LENGTH:
                msg = f"a command set has more than {MAXIMUM_COMMAND_LENGTH} bytes"
                raise RemoteProtocolError(msg)
            if is_last:
                return context_id, whole
            context_id, is_command, is_last, data = self._next_fragment(deadline)
            whole += data

    def _next_fragment(self, deadline: float, *, may_release: bool = False) -> Fragment:
        while True:
            for fragment in self._fragments:
                if fragment[0] not in self.parameters.contexts:
                    msg = f"the presentation context {fragment[0]} was never agreed on"
                    raise RemoteProtocolError(msg)
                return fragment
            self._read_data(deadline, may_release=may_release)

    def _read_data(self, deadline: float, *, may_release: bool) -> None:
        """Read one P-DATA-TF; anything else ends the association."""
        if self._responses and (monotonic() - self._held_since > _HOLD_SECONDS or not self._channel.has_input()):
            self.flush_responses()
        pdu_type, length = self._read_header(deadline)
        if pdu_type == PDUType.P_DATA_TF:
            self._check_length(length)
            self._fragments = iterate_fragments(self._channel.read_body(length, deadline))
            return
        pdu = read_short_pdu(self._channel, pdu_type, length, deadline)
        if isinstance(pdu, ReleaseRequest) and may_release:
            raise _Released
        if isinstance(pdu, Abort):
            raise aborted(pdu)
        raise unexpected(pdu_type)

    def _read_header(self, deadline: float) -> tuple[int, int]:
        if monotonic() > deadline:
            raise TimeoutError  # a peer that sends without end, but not what is due
        return parse_header(self._channel.read_header(deadline))

    def _check_length(self, length: int) -> None:
        limit = self.parameters.maximum_length
        if limit and length > limit:
            msg = f"a P-DATA-TF of {length} bytes is longer than the {limit} that we allow"
            raise RemoteProtocolError(msg)

    # The end

    def release(self) -> None:
        """Ask the peer to end the association and wait for its answer (PS3.8 section 7.2)."""
        if not self.is_established:
            return
        self.flush_responses()
        with _Guard(self):
            self._channel.write(encode(ReleaseRequest()), self.timeout)
            self._await_release(self._wait_for(min(self.timeout, _RELEASE_SECONDS)))
        self.is_established = False
        # After a collision an acceptor has the last word, and the peer is to read it.
        self._channel.close(0 if self.parameters.is_requestor else LINGER_SECONDS)

    def _await_release(self, deadline: float) -> None:
        has_collided = False
        while True:
            pdu_type, length = self._read_header(deadline)
            if pdu_type == PDUType.P_DATA_TF and not has_collided:
                # Data on its way when we asked is still ours to take (PS3.8 table 9-10, state 7, AR-6).
                self._check_length(length)
                self._channel.read_body(length, deadline)
                continue
            pdu = read_short_pdu(self._channel, pdu_type, length, deadline)
            if isinstance(pdu, ReleaseResponse):
                break
            if isinstance(pdu, Abort):
                raise aborted(pdu)
            if not isinstance(pdu, ReleaseRequest) or has_collided:
                raise unexpected(pdu_type)
            # Both asked at once: whoever requested the association answers first (AR-8, AR-9).
            has_collided = True
            if self.parameters.is_requestor:
                self._channel.write(encode(ReleaseResponse()), self.timeout)
        if has_collided and not self.parameters.is_requestor:
            self._channel.write(encode(ReleaseResponse()), self.timeout)

    def _answer_release(self) -> None:
        self.flush_responses()
        self._channel.write(encode(ReleaseResponse()), self.timeout)
        self.is_established = False
        self._channel.close(LINGER_SECONDS)

    def abort(self, source: int = AbortSource.SERVICE_USER, reason: int = AbortReason.REASON_NOT_SPECIFIED) -> None:
        """Send an A-ABORT, if the connection still takes one, and close (PS3.8 section 7.3)."""
        if self.is_established:
            self.is_established = False
            send_abort(self._channel, source, reason)

    def close(self) -> None:
        """Close without a word: for a connection that is gone."""
        self.is_established = False
        self._channel.close()

    def fail(self, error: BaseException) -> DicomTLSError | None:
        """End the association as `error` demands; returns what is to be raised in its place, if anything."""
        if isinstance(error, WriteFailed):
            lost = self._last_words()
            self.close()
            return lost
        if isinstance(error, RemoteProtocolError):
            self.abort(AbortSource.SERVICE_PROVIDER, error.abort_reason)
        elif isinstance(error, TimeoutError):
            self.abort()
            return DIMSETimeout(str(error) or f"the peer kept silent for {self._patience:g} s")
        elif isinstance(error, (AssociationAborted, HandshakeError)):
            self.close()
        else:
            self.abort()
        return None

    def _last_words(self) -> DicomTLSError:
        """Why the connection takes no more bytes: an alert or an A-ABORT may have come before it broke."""
        deadline = deadline_in(_LAST_WORDS_SECONDS)
        try:
            while True:
                self._read_data(deadline, may_release=False)
        except DicomTLSError as error:
            return error
        except TimeoutError:
            return AssociationAborted("the peer takes no more data")


class _Released(Exception):
    """The peer asked for the release between two messages."""


class _Guard:
    """Ends the association on the way of any exception out of it; a class, since it is entered per fragment.

    Made anew each time: an association that kept one would live until the next garbage collection, buffer and all.
    """

    def __init__(self, association: Association) -> None:
        self._association = association

    def __enter__(self) -> None:
        """Raise `LocalProtocolError` where the association has ended."""
        if not self._association.is_established:
            msg = "the association has ended"
            raise LocalProtocolError(msg)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and self._association.is_established:
            replacement = self._association.fail(error)
            if replacement is not None:
                raise replacement from (None if isinstance(error, TimeoutError) else error)
