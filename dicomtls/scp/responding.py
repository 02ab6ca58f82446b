"""Pending responses with a dataset each, encoded once as far as they are alike, and many of them in one write.

A peer that does not read holds us up in the write: what waits is never more than one batch.
"""

import re
from collections.abc import Mapping
from time import monotonic
from typing import Final

from dicomtls.association.association import Association, Message
from dicomtls.association.dimse import Command, encode_command
from dicomtls.association.outbox import fragment_length, pack
from dicomtls.dataset.character_sets import UTF_8
from dicomtls.dataset.identifier import Element, Value, encode
from dicomtls.dataset.value_representations import TEXT
from dicomtls.errors import DataError

_BATCH_BYTES: Final = 64 * 1024
_BATCH_SECONDS: Final = 0.02
_ASCII: Final[tuple[str, ...]] = ()
_UNSAYABLE: Final = re.compile("[\x1b\ud800-\udfff]")
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")


class Responder:
    """Answers one request; `names` are the character sets that the peer is known to read."""

    def __init__(self, association: Association, request: Message, names: tuple[str, ...] = ()) -> None:
        self._association = association
        self._request = request
        self._sets = (_ASCII, *((names,) if names else ()), (UTF_8,))
        self._fragment = fragment_length(association.parameters.peer_maximum_length)
        self._commands: dict[int, bytes] = {}
        self._held = bytearray()
        self._flushed_at = 0.0

    def pending(self, status: int, identifier: Mapping[int, Element]) -> bool:
        """Send, or hold for a moment, a response with an identifier; says whether what was held is on its way."""
        context_id = self._request.context.context_id
        command = self._commands.get(status)
        if command is None:
            data = encode_command(self._response(status, has_dataset=True))
            command = self._commands[status] = pack(context_id, data, is_command=True, fragment=self._fragment)
        dataset = self._encode(identifier)
        self._held += command
        self._held += pack(context_id, dataset, is_command=False, fragment=self._fragment)
        if len(self._held) < _BATCH_BYTES and monotonic() - self._flushed_at < _BATCH_SECONDS:
            return False
        self.flush()
        return True

    def flush(self) -> None:
        """Send what is held."""
        held, self._held = self._held, bytearray()
        if held:
            self._association.write(held)
            self._flushed_at = monotonic()

    def finish(self, status: int, reason: str | None = None) -> None:
        """Send what is held, and the final response."""
        self.flush()
        self._association.send(self._request.context.context_id, self._response(status, reason=reason))

    def _response(self, status: int, *, has_dataset: bool = False, reason: str | None = None) -> Command:
        request = self._request.command
        return Command(
            command_field=request.command_field.response,
            message_id_being_responded_to=request.message_id,
            affected_sop_class_uid=self._request.context.abstract_syntax,
            status=status,
            has_dataset=has_dataset,
            error_comment=reason,
        )

    def _encode(self, identifier: Mapping[int, Element]) -> bytes:
        """In ASCII where that does, in the sets that the peer named, else in UTF-8."""
        syntax = self._request.context.transfer_syntax
        for names in self._sets:
            try:
                return encode(identifier, syntax, names)
            except DataError:
                continue
        return encode(_sayable(identifier, syntax), syntax, self._sets[-1])


def _sayable(identifier: Mapping[int, Element], syntax: str) -> dict[int, Element]:
    """What can be said of a match, so that one instance with a damaged name does not keep all others from being found.

    Characters that cannot be encoded, such as an escape in the middle of text that no set declares, become question
    marks; what is no value of its VR even so is left out.
    """
    return {tag: _sayable_element(tag, element, syntax) for tag, element in identifier.items()}


def _sayable_element(tag: int, element: Element, syntax: str) -> Element:
    unsayable = _UNSAYABLE if element.vr in TEXT else _NOT_ASCII
    values: list[Value] = []
    for value in element.values:
        if isinstance(value, Mapping):
            values.append(_sayable(value, syntax))
        else:
            values.append(unsayable.sub("?", value) if isinstance(value, str) else value)
    found = Element(element.vr, tuple(values))
    try:
        encode({tag: found}, syntax, (UTF_8,))
    except DataError:
        return Element(element.vr)
    return found
