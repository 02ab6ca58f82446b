"""Pending responses: batched, encoded in a set that has the text."""

from typing import Any

import pytest

from dicomtls.association.association import AssociationParameters, Message
from dicomtls.association.dimse import Command, decode_command
from dicomtls.association.negotiation import AcceptedContext
from dicomtls.association.pdu import HEADER_LENGTH, iterate_fragments, parse_header
from dicomtls.dataset import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomtls.dataset.identifier import Element, decode
from dicomtls.scp import responding as responding_module
from dicomtls.scp.responding import Responder
from tests.support.keeping import PATIENT_NAME, keys
from tests.support.queries import PENDING, SUCCESS, find_request

CONTEXT = AcceptedContext(1, "1.2.840.10008.5.1.4.1.2.2.1", EXPLICIT_VR_LE, scu_role=True, scp_role=False)


class Written:
    """An association that keeps what is written."""

    def __init__(self, maximum_length: int = 16384) -> None:
        self.parameters = AssociationParameters({1: CONTEXT}, 16384, maximum_length, 1, 1, "A", "B")
        self.writes: list[bytes] = []

    def write(self, pdus: bytes | bytearray) -> None:
        """Keep it."""
        self.writes.append(bytes(pdus))

    def send(self, _context_id: int, command: Command) -> None:
        """Keep it, as a note."""
        self.writes.append(f"{command.status:04X} {command.error_comment}".encode())


def responder(written: Written, names: tuple[str, ...] = ()) -> Responder:
    """What answers one request."""
    return Responder(written, Message(find_request(3), CONTEXT), names)  # type: ignore[arg-type]  # a stand-in


def messages(data: bytes, syntax: str = EXPLICIT_VR_LE) -> list[tuple[Command, dict[int, Element]]]:
    """The responses in what was written."""
    found: list[Any] = []
    parts = {True: b"", False: b""}
    position = 0
    while position < len(data):
        _, length = parse_header(memoryview(data)[position : position + HEADER_LENGTH])
        body = memoryview(data)[position + HEADER_LENGTH : position + HEADER_LENGTH + length]
        for _, is_command, is_last, fragment in iterate_fragments(body):
            parts[is_command] += bytes(fragment)
            if is_last and not is_command:
                found.append((decode_command(parts[True]), decode(parts[False], syntax)))
                parts = {True: b"", False: b""}
        position += HEADER_LENGTH + length
    return found


@pytest.mark.parametrize("maximum_length", [0, 64, 16384])
def test_responses_come_whole_in_fragments_that_the_peer_takes(maximum_length: int) -> None:
    """With the number of the request."""
    written = Written(maximum_length)
    answer = responder(written)
    matches = [keys({PATIENT_NAME: f"Name{number}" * 10}) for number in range(50)]
    for match in matches:
        answer.pending(PENDING, match)
    answer.flush()
    got = messages(b"".join(written.writes))
    assert [match for _, match in got] == matches
    assert {(one.status, one.message_id_being_responded_to, one.has_dataset) for one, _ in got} == {(PENDING, 3, True)}


def test_first_response_goes_out_at_once_and_the_next_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until there is enough of them, or some time has passed."""
    now = [100.0]
    monkeypatch.setattr(responding_module, "monotonic", lambda: now[0])
    written = Written()
    answer = responder(written)
    assert answer.pending(PENDING, keys({PATIENT_NAME: "A"}))
    assert [answer.pending(PENDING, keys({PATIENT_NAME: "B"})) for _ in range(3)] == [False] * 3
    now[0] += 1
    assert answer.pending(PENDING, keys({PATIENT_NAME: "C"}))
    assert [len(messages(data)) for data in written.writes] == [1, 4]
    assert [answer.pending(PENDING, keys({PATIENT_NAME: "D" * 30_000})) for _ in range(3)] == [False, False, True]
    answer.pending(PENDING, keys({PATIENT_NAME: "E"}))
    answer.finish(SUCCESS)
    assert len(messages(written.writes[3])) == 1
    assert written.writes[4:] == [b"0000 None"]


@pytest.mark.parametrize(
    ("text", "names", "declared"),
    [
        ("ASCII", (), ()),
        ("ASCII", ("ISO_IR 144",), ()),
        ("Müller", ("ISO_IR 100",), ("ISO_IR 100",)),
        ("Люкс", ("ISO_IR 100",), ("ISO_IR 192",)),
        ("Люкс", ("ISO_IR 144",), ("ISO_IR 144",)),
        ("山田", ("", "ISO 2022 IR 87"), ("", "ISO 2022 IR 87")),
        ("山田", ("nonsense", "\x1b"), ("ISO_IR 192",)),
    ],
)
def test_text_is_in_a_set_that_has_it(text: str, names: tuple[str, ...], declared: tuple[str, ...]) -> None:
    """ASCII, the peer's, or UTF-8."""
    written = Written()
    responder(written, names).pending(PENDING, keys({PATIENT_NAME: text}))
    [(_, match)] = messages(written.writes[0])
    assert match[PATIENT_NAME].values == (text,)
    assert match.get(0x00080005, Element("CS")).values == declared


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LE, IMPLICIT_VR_LE])
def test_what_nothing_can_encode_keeps_nobody_from_an_answer(syntax: str) -> None:
    """An escape in text whose set does not declare it, letters where there are none, numbers that are none."""
    written = Written()
    odd = {
        PATIENT_NAME: Element("PN", ("M\xfcller\x1b$B;3", "Yama\ud800da")),
        0x0020000D: Element("UI", ("1.2.\xfc",)),
        0x00280010: Element("US", (b"abc",)),
        0x00081190: Element("UR", ("http://h",)),
        0x00081140: Element("SQ", ({PATIENT_NAME: Element("PN", ("\xdf\x1b",)), 0x00280010: Element("US", (7,))},)),
    }
    message = Message(find_request(3), CONTEXT._replace(transfer_syntax=syntax))
    Responder(written, message).pending(PENDING, odd)  # type: ignore[arg-type]  # a stand-in
    [(_, match)] = messages(written.writes[0], syntax)
    assert {tag: element.values for tag, element in match.items()} == {
        0x00080005: ("ISO_IR 192",),
        PATIENT_NAME: ("M\xfcller?$B;3", "Yama?da"),
        0x0020000D: ("1.2.?",),
        0x00280010: (),
        0x00081190: ("http://h",),
        0x00081140: ({PATIENT_NAME: Element("PN", ("\xdf?",)), 0x00280010: Element("US", (7,))},),
    }
