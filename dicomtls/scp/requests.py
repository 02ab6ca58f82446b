"""What a peer asks on an association: its requests one after the other, their identifiers, and what it cancels."""

from collections import deque
from collections.abc import Mapping
from typing import Final

from dicomtls.association.association import Association, Message
from dicomtls.association.dimse import CommandField
from dicomtls.association.query import LEVELS, QUERY_RETRIEVE_LEVEL, Level, Model
from dicomtls.dataset.identifier import Element, decode
from dicomtls.errors import DataError

IDENTIFIER_MISMATCH: Final = 0xA900
UNABLE_TO_PROCESS: Final = 0xC000
LONGEST_IDENTIFIER: Final = 1 << 20
"""Bytes of an identifier: lists of 15,000 UIDs."""


class Refused(Exception):
    """A request that is answered with a failure status; `reason` is for the peer and for our log."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Requests:
    """The messages of an association; one that comes while another is being answered waits for its turn."""

    def __init__(self, association: Association) -> None:
        self._association = association
        self._waiting: Message | None = None
        self._put_back: deque[Message] = deque()
        self._is_released = False

    def next(self, timeout: float) -> Message | None:
        """The next message, waited for `timeout` seconds; None when the peer has released the association."""
        if self._is_released:
            return None
        if self._put_back:
            return self._put_back.popleft()
        message, self._waiting = self._waiting, None
        return message or self._association.receive(timeout)

    def put_back(self, message: Message) -> None:
        """Let a message without a dataset, or with one that nobody needs, be the next: it came amid something else."""
        self._put_back.append(message)

    def is_cancelled(self, request: Message) -> bool:
        """Whether the peer wants no more responses to a request; to be asked between two of them.

        A peer that has released the association wants none either. Raises what ends an association.
        """
        while self._waiting is None and not self._is_released and self._association.has_input():
            message = self._association.receive()
            if message is None:
                self._is_released = True
            elif message.command.command_field is not CommandField.C_CANCEL_RQ:
                self._waiting = message
            elif message.command.message_id_being_responded_to == request.command.message_id:
                return True
        return self._is_released

    @property
    def is_released(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._is_released


def read_identifier(
    association: Association, message: Message, *, longest: int = LONGEST_IDENTIFIER
) -> dict[int, Element]:
    """Take the dataset of a request and decode it; raises `Refused` where it is none, or has more than `longest` bytes.

    It is taken off the association to its end in any case, so that the next message can follow.
    """
    data = bytearray()
    length = 0
    for fragment in association.fragments():
        length += len(fragment)
        if length <= longest:
            data += fragment
    if length > longest:
        raise Refused(UNABLE_TO_PROCESS, f"the dataset has {length} bytes, more than {longest}")
    try:
        return decode(bytes(data), message.context.transfer_syntax)
    except DataError as error:
        raise Refused(UNABLE_TO_PROCESS, error.message) from error


def level_of(identifier: Mapping[int, Element], model: Model) -> Level:
    """The query/retrieve level of an identifier; raises `Refused` where the model has no such level."""
    element = identifier.get(QUERY_RETRIEVE_LEVEL)
    name = element.values[0] if element is not None and element.values else None
    level = next((level for level in LEVELS[model] if level == name), None)
    if level is None:
        what = repr(str(name)[:20]) if name is not None else "it is missing"
        raise Refused(IDENTIFIER_MISMATCH, f"no query/retrieve level of the {model} model: {what}")
    return level
