"""Sending instances over one association without ever waiting for nothing.

While a response is on its way the next instance is laid out already; where the peer grants an asynchronous window,
several are outstanding, and small ones share one write.
"""

import os
import stat
from collections.abc import Callable, Container, Mapping
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Final, NamedTuple, Protocol

from dicomtls.association.dimse import Command, CommandField, Priority, encode_command
from dicomtls.association.outbox import FileShrank
from dicomtls.dataset import is_deflated
from dicomtls.errors import AssociationError, DIMSEError
from dicomtls.scu.instances import Instance, open_instance, reason_of
from dicomtls.scu.response import receive_response

if TYPE_CHECKING:
    from dicomtls.association.association import Association
    from dicomtls.scu.transcode import Transcoder

_BATCH_BYTES: Final = 64 * 1024
_HIGHEST_MESSAGE_ID: Final = 0xFFFF
_CHANGED: Final = "the file has changed since it was looked at"


class Work(Protocol):
    """What a sender sends, and where it books what became of that (`scu.ledger.Ledger`)."""

    def take(self) -> Instance | None:
        """The next instance, or None where no more is to be sent."""

    def answered(self, instance: Instance, status: int, size: int) -> None:
        """A response came; `size` is what the dataset had, in bytes."""

    def not_sent(self, instance: Instance, reason: str, *, code: str) -> None:
        """There will be no response."""

    def sending(self, octets: int) -> None:
        """So many bytes are about to be written."""


class Originator(NamedTuple):
    """Whose C-MOVE it is that instances are sent for: the AE title, and the message identifier (PS3.7 table 9.3-1)."""

    ae_title: str
    message_id: int


Receive = Callable[["Association", CommandField, Container[int]], Command]
"""Waits for a response to one of our requests, as `receive_response` does."""


class Sender:
    """Sends what the ledger hands out; `outstanding` has what was laid out or sent and is not answered.

    `contexts` are the presentation contexts to send in, by SOP class and transfer syntax, all unless they are given.
    """

    def __init__(
        self,
        association: "Association",
        ledger: Work,
        *,
        window: int,
        transcoder: "Transcoder | None" = None,
        originator: Originator | None = None,
        contexts: Mapping[tuple[str, str], int] | None = None,
        receive: Receive = receive_response,
    ) -> None:
        self.outstanding: dict[int, tuple[Instance, int]] = {}
        self._originator = originator
        self._receive_response = receive
        self._association = association
        self._ledger = ledger
        self._window = window
        self._transcoder = transcoder
        self._outbox = association.outbox(self._make_way)
        self._unsent = 0
        self._message_id = 0
        self._contexts = (
            contexts
            if contexts is not None
            else {
                (context.abstract_syntax, context.transfer_syntax): context_id
                for context_id, context in association.parameters.contexts.items()
            }
        )

    def run(self) -> None:
        """Send until the ledger has no more, and release; raises what ends an association otherwise."""
        self.send_all()
        # Every instance has its response: how the peer says goodbye changes nothing.
        with suppress(AssociationError, DIMSEError):
            self._association.release()

    def send_all(self) -> None:
        """Send until the ledger has no more, and wait for every response."""
        while (instance := self._ledger.take()) is not None:
            self._send(instance)
        self._flush()
        while self.outstanding:
            self._receive()

    def flush(self) -> None:
        """Send all that is laid out, so that another message can follow."""
        self._flush()

    def _send(self, instance: Instance) -> None:
        context_id = self._contexts.get((instance.sop_class_uid, instance.transfer_syntax))
        if context_id is None:
            self._send_otherwise(instance)
            return
        try:
            descriptor = open_instance(instance.path)
        except OSError as error:
            self._ledger.not_sent(instance, reason_of(error), code="unreadable-file")
            return
        try:
            self._send_as_it_is(instance, context_id, descriptor)
        finally:
            os.close(descriptor)

    def _send_as_it_is(self, instance: Instance, context_id: int, descriptor: int) -> None:
        status = os.fstat(descriptor)
        size = status.st_size
        if size < instance.size or not stat.S_ISREG(status.st_mode):
            self._ledger.not_sent(instance, _CHANGED, code="unreadable-file")
            return
        length = size - instance.offset
        if length % 2 == 0 or not is_deflated(instance.transfer_syntax):
            self._lay_out(instance, context_id, descriptor, instance.offset, size)
            return
        try:
            padded = _padded(descriptor, instance.offset)
        except OSError as error:
            self._ledger.not_sent(instance, reason_of(error), code="unreadable-file")
            return
        with padded as file:
            self._lay_out(instance, context_id, file.fileno(), 0, _size(file))

    def _send_otherwise(self, instance: Instance) -> None:
        """Transcode where that is asked for and can be done; the peer does not take the instance as it is."""
        if self._transcoder is None:
            self._ledger.not_sent(
                instance,
                f"the peer accepts no presentation context for {instance.sop_class_uid} in the transfer syntax"
                f" {instance.transfer_syntax}",
                code="no-presentation-context",
            )
            return
        transcoded = self._transcoder.transcode(instance, self._contexts)
        if isinstance(transcoded, str):
            self._ledger.not_sent(instance, transcoded, code="no-presentation-context")
            return
        with transcoded.file as file:
            self._lay_out(instance, transcoded.context_id, file.fileno(), 0, _size(file))

    def _lay_out(self, instance: Instance, context_id: int, descriptor: int, offset: int, end: int) -> None:
        if end <= offset or (end - offset) % 2:
            self._ledger.not_sent(instance, _CHANGED, code="unreadable-file")
            return
        self._message_id = self._message_id % _HIGHEST_MESSAGE_ID + 1
        command = Command(
            command_field=CommandField.C_STORE_RQ,
            message_id=self._message_id,
            affected_sop_class_uid=instance.sop_class_uid,
            affected_sop_instance_uid=instance.sop_instance_uid,
            priority=Priority.MEDIUM,
            has_dataset=True,
            move_originator_ae_title=self._originator.ae_title if self._originator else None,
            move_originator_message_id=self._originator.message_id if self._originator else None,
        )
        self.outstanding[self._message_id] = instance, end - offset
        self._unsent += 1
        self._outbox.put_command(context_id, encode_command(command))
        try:
            self._outbox.put_file(context_id, descriptor, offset, end)
        except FileShrank:
            self._break_off(instance, "the file was cut short while it was being sent")
            raise
        except OSError as error:
            self._break_off(instance, reason_of(error))
            raise FileShrank from error
        if len(self.outstanding) >= self._window or self._outbox.used >= _BATCH_BYTES:
            self._flush()

    def _break_off(self, instance: Instance, reason: str) -> None:
        """Give up a message that is under way and cannot be completed: only an abort tells the peer."""
        del self.outstanding[self._message_id]
        self._ledger.not_sent(instance, reason, code="unreadable-file")
        self._association.abort()

    def _flush(self) -> None:
        if self._window == 1 and len(self.outstanding) == 2:  # noqa: PLR2004 -- the one that is answered, and the next
            # Encrypted while the peer is busy, and under way as soon as its response begins to come: a near peer does
            # not fall asleep in between, and 2,000 instances take storescp a tenth less time.
            self._outbox.get_ready()
            if self._association.await_data():
                self._outbox.begin()
        self._make_way()
        self._outbox.flush()
        while len(self.outstanding) > self._unsent and self._association.has_input():
            self._receive()

    def _make_way(self) -> None:
        """Wait until the window has room for all that is laid out; what is laid out counts as sent from here on."""
        while len(self.outstanding) > self._window:
            self._receive()
        self._count_as_sent()

    def _count_as_sent(self) -> None:
        self._unsent = 0
        self._ledger.sending(self._outbox.used)

    def _receive(self) -> None:
        response = self._receive_response(self._association, CommandField.C_STORE_RSP, self.outstanding)
        instance, size = self.outstanding.pop(response.message_id_being_responded_to or 0)
        self._ledger.answered(instance, response.status or 0, size)


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _padded(descriptor: int, offset: int) -> IO[bytes]:
    """Copy a deflated dataset, with the zero behind it that makes its length even (PS3.5 section A.5)."""
    import tempfile  # hardly ever: most writers pad the file already
    from shutil import copyfileobj

    file = tempfile.TemporaryFile()  # noqa: SIM115 -- it outlives this function on purpose
    with open(descriptor, "rb", closefd=False) as source:
        source.seek(offset)
        copyfileobj(source, file)
    file.write(b"\0")
    file.flush()
    return file
