"""C-FIND against pynetdicom, and against peers that do not answer as they should."""

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pynetdicom.events import Event

from dicomtls.association.association import Association
from dicomtls.association.dimse import Command, CommandField, encode_command
from dicomtls.association.negotiation import answer
from dicomtls.association.pdu import AssociateAccept, AssociateRequest, data_header
from dicomtls.association.query import FIND_SOP_CLASSES, Model
from dicomtls.association.user_information import ExtendedNegotiation
from dicomtls.dataset import EXPLICIT_VR_LE, IMPLICIT_VR_LE
from dicomtls.dataset.identifier import decode
from dicomtls.dataset.keys import identifier_of, parse_keys
from dicomtls.errors import (
    DataError,
    Interrupted,
    NoPresentationContext,
    StatusFailure,
)
from dicomtls.peer import Peer
from dicomtls.scu import AssociationSettings
from dicomtls.scu import query as query_module
from dicomtls.scu.attempt import Requestor
from dicomtls.scu.query import FindOptions, FindResult, Match, find
from dicomtls.waiting import Interrupt
from tests.support.finding import (
    KEYS,
    ONE,
    PATIENTS,
    Answer,
    end_when_cancelled,
    find_matches,
    find_response,
    finding_scp,
    match,
    pending,
    put_match,
    received_query,
)
from tests.support.pairs import interrupted_after, interrupting
from tests.support.pki import PKI, server_context
from tests.support.servers import acceptor, client_tls, open_policy

if TYPE_CHECKING:
    from pydicom import Dataset

PATIENT_NAME, PATIENT_ID = 0x00100010, 0x00100020


def names(matches: list[Match]) -> list[str]:
    """The patients' names."""
    return [str(found.identifier[PATIENT_NAME].values[0]) for found in matches]


def test_matches_come_with_what_they_were_encoded_in(pki: PKI) -> None:
    """Over mutual TLS, decoded and as they came."""

    def handle(_event: Event) -> Iterator[Answer]:
        yield pending(match(PatientName="Doe^John", StudyInstanceUID="1.2"))
        yield pending(match(PatientName="Doe^Jane", StudyInstanceUID="1.3"))

    with finding_scp(handle, server_context(pki)) as scp:
        matches, result = find_matches(Peer(scp.host, scp.port), client_tls(pki))
    assert names(matches) == ["Doe^John", "Doe^Jane"]
    assert [decode(found.dataset, found.transfer_syntax) for found in matches] == [m.identifier for m in matches]
    assert (result.matches, result.status, result.is_cancelled, result.ignored_keys) == (2, 0x0000, False, False)


@pytest.mark.parametrize("syntax", [IMPLICIT_VR_LE, EXPLICIT_VR_LE])
def test_query_is_encoded_as_the_peer_wants_it(syntax: str) -> None:
    """And so are the answers."""
    seen: list[Dataset] = []

    def handle(event: Event) -> Iterator[Answer]:
        seen.append(event.identifier)
        yield pending(match(PatientName="A"))

    keys = identifier_of(
        parse_keys(["PatientName=D*", "ScheduledProcedureStepSequence[0].Modality=CT", "0009,1001=x "])
    )
    with finding_scp(handle, transfer_syntaxes=[syntax]) as scp:
        matches, _ = find_matches(Peer(scp.host, scp.port), keys=keys, model=Model.WORKLIST)
    assert names(matches) == ["A"]
    assert seen[0].PatientName == "D*"
    assert seen[0].ScheduledProcedureStepSequence[0].Modality == "CT"
    assert "SpecificCharacterSet" not in seen[0]


@pytest.mark.parametrize("model", list(Model))
def test_every_model_has_its_own_sop_class(model: Model) -> None:
    """Nothing is found where the peer has another one."""
    with acceptor(empty_handed, open_policy(supports=lambda uid: uid == FIND_SOP_CLASSES[model])) as peer:
        assert find_matches(peer.peer, model=model)[0] == []
        with pytest.raises(NoPresentationContext):
            find_matches(peer.peer, model=next(other for other in Model if other is not model))


def empty_handed(association: Association) -> None:
    """Nothing matches."""
    if association.parameters.contexts:
        received_query(association)
        association.send(1, find_response(0x0000))
    association.receive()


# Character sets


@pytest.mark.parametrize("patient", PATIENTS, ids=lambda patient: patient.patient_id)
def test_answers_are_decoded_by_their_own_character_set(patient: Any) -> None:
    """pydicom encodes, in every script."""

    def handle(_event: Event) -> Iterator[Answer]:
        dataset = match(PatientName=patient.name)
        if patient.character_set:
            dataset.SpecificCharacterSet = patient.character_set
        yield pending(dataset)

    with finding_scp(handle) as scp:
        assert names(find_matches(Peer(scp.host, scp.port))[0]) == [patient.name]


@pytest.mark.parametrize(
    ("chosen", "name", "expected"),
    [
        (None, "DOE*", None),
        (None, "Müller*", "ISO_IR 192"),
        (("ISO_IR 100",), "Müller*", "ISO_IR 100"),
        (("ISO_IR 100",), "DOE*", "ISO_IR 100"),
        (("GB18030",), "王*", "GB18030"),
        (("", "ISO 2022 IR 87"), "*=山田*", ["", "ISO 2022 IR 87"]),
        (("", "ISO 2022 IR 149"), "*=洪*", ["", "ISO 2022 IR 149"]),
    ],
)
def test_query_says_its_character_set(chosen: tuple[str, ...] | None, name: str, expected: object) -> None:
    """None where ASCII suffices, UTF-8 where it does not, or what was chosen; pydicom reads it."""
    seen: list[Dataset] = []

    def handle(event: Event) -> Iterator[Answer]:
        dataset = event.identifier
        dataset.decode()
        seen.append(dataset)
        yield from ()

    keys = identifier_of(parse_keys([f"PatientName={name}"]))
    with finding_scp(handle) as scp:
        find_matches(Peer(scp.host, scp.port), keys=keys, character_sets=chosen)
    assert seen[0].PatientName == name
    assert seen[0].get("SpecificCharacterSet") == expected


def test_query_that_its_character_set_does_not_have_bothers_nobody() -> None:
    """It fails before anybody is called."""
    with pytest.raises(DataError, match="does not have"):
        find_matches(
            Peer("192.0.2.1", 1), keys=identifier_of(parse_keys(["PatientName=山"])), character_sets=("ISO_IR 100",)
        )


# Extended negotiation


@pytest.mark.parametrize(
    ("options", "proposed", "answered", "not_granted"),
    [
        ({}, None, None, ()),
        ({"relational": True}, b"\1", b"\1", ()),
        ({"relational": True}, b"\1", b"\0", ("relational",)),
        ({"relational": True}, b"\1", None, ("relational",)),
        ({"fuzzy": True}, b"\0\0\1", b"\0\0\1", ()),
        ({"fuzzy": True}, b"\0\0\1", b"\1", ("fuzzy",)),
        ({"relational": True, "fuzzy": True}, b"\1\0\1", b"\1\0\0", ("fuzzy",)),
        ({"relational": True, "fuzzy": True}, b"\1\0\1", b"", ("relational", "fuzzy")),
        ({"fuzzy": True, "model": Model.WORKLIST}, b"\0\0\1", b"\0\0\1\0\0\0", ()),
    ],
)
def test_relational_and_fuzzy_are_negotiated(
    options: dict[str, Any], proposed: bytes | None, answered: bytes | None, not_granted: tuple[str, ...]
) -> None:
    """Byte by byte (PS3.4 C.5.1.1); what the peer leaves out, it does not grant."""
    seen: list[tuple[ExtendedNegotiation, ...]] = []

    def decide(request: AssociateRequest) -> AssociateAccept:
        seen.append(request.user_information.extended)
        accept = answer(request, open_policy())
        sop_class = request.contexts[0].abstract_syntax
        extended = () if answered is None else (ExtendedNegotiation(sop_class, answered),)
        return accept._replace(user_information=replace(accept.user_information, extended=extended))

    with acceptor(empty_handed, decide=decide) as peer:
        _, result = find_matches(peer.peer, **options)
    sop_class = FIND_SOP_CLASSES[options.get("model", Model.STUDY_ROOT)]
    assert seen == [() if proposed is None else (ExtendedNegotiation(sop_class, proposed),)]
    assert result.not_granted == not_granted


# The end


def test_limit_cancels_and_the_rest_is_thrown_away() -> None:
    """A C-CANCEL goes out after the last match that is wanted; nothing beyond it is yielded."""
    cancels: list[Command] = []

    def script(association: Association) -> None:
        received_query(association)
        for _ in range(5):
            put_match(association, ONE)
        message = association.receive()
        assert message is not None
        cancels.append(message.command)
        put_match(association, ONE)
        association.send(1, find_response(0xFE00))
        assert association.receive() is None

    with acceptor(script) as peer:
        matches, result = find_matches(peer.peer, limit=2)
    assert (len(matches), result.matches, result.status, result.is_cancelled) == (2, 2, 0xFE00, True)
    assert cancels[0].command_field is CommandField.C_CANCEL_RQ
    assert cancels[0].message_id_being_responded_to == 1
    assert peer.ends == []


def test_limit_that_is_not_reached_cancels_nothing() -> None:
    """All is there before."""
    with acceptor(one_match) as peer:
        matches, result = find_matches(peer.peer, limit=2)
    assert (len(matches), result.status, result.is_cancelled) == (1, 0x0000, False)


def one_match(association: Association) -> None:
    """One match, and success."""
    received_query(association)
    put_match(association, ONE)
    association.send(1, find_response(0x0000))
    association.receive()


def test_pynetdicom_hears_the_cancel() -> None:
    """Its handler sees it, and says so."""
    heard: list[bool] = []

    def handle(event: Event) -> Iterator[Answer]:
        for number in itertools.count():
            if event.is_cancelled:
                heard.append(True)
                yield 0xFE00, None
                return
            yield pending(match(PatientName=f"N{number}"))

    with finding_scp(handle) as scp:
        matches, result = find_matches(Peer(scp.host, scp.port), limit=3)
    assert (len(matches), heard, result.status) == (3, [True], 0xFE00)


@pytest.mark.parametrize("kind", ["matches", "fragments", "silence", "abort", "nonsense"])
def test_peer_that_does_not_stop_is_left(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a deadline, whatever it does in the meantime; the matches that were wanted are there."""
    monkeypatch.setattr(query_module, "DRAIN_SECONDS", 0.3)

    def script(association: Association) -> None:
        received_query(association)
        put_match(association, ONE)
        if kind == "abort":
            association.receive()
            association.abort()
        elif kind == "nonsense":
            association.receive()
            association.send(
                1, Command(command_field=CommandField.C_ECHO_RSP, message_id_being_responded_to=1, status=0)
            )
        elif kind == "silence":
            association.receive()
        elif kind == "fragments":
            command = encode_command(find_response(0xFF00, has_dataset=True))
            association.write(data_header(1, len(command), is_command=True, is_last=True) + command)
            while True:
                association.write(data_header(1, 2, is_command=False, is_last=False) + b"xx")
        while kind == "matches":
            put_match(association, ONE)
        association.receive()

    with acceptor(script) as peer:
        matches, result = find_matches(peer.peer, limit=1)
    assert (len(matches), result.is_cancelled) == (1, True)


def test_closing_the_iterator_cancels_the_query() -> None:
    """Whoever took the matches has gone away."""
    seen: list[Command] = []

    def script(association: Association) -> None:
        received_query(association)
        put_match(association, ONE)
        put_match(association, ONE)
        seen.append(end_when_cancelled(association))

    result = FindResult()
    with acceptor(script) as peer:
        requestor = Requestor(peer.peer, None, AssociationSettings())
        with closing(find(requestor, KEYS, FindOptions(), result=result)) as matches:
            next(matches)
    assert [command.command_field for command in seen] == [CommandField.C_CANCEL_RQ]
    assert (result.matches, result.status) == (1, 0xFE00)


@pytest.mark.parametrize("busy", [False, True])
def test_interrupt_cancels_the_query(*, busy: bool) -> None:
    """Whether the peer is silent or sends as fast as it can; the association is released."""
    seen: list[Command] = []

    def script(association: Association) -> None:
        received_query(association)
        put_match(association, ONE)
        while busy and not association.has_input():
            put_match(association, ONE)
        seen.append(end_when_cancelled(association))

    with acceptor(script) as peer, closing(Interrupt()) as interrupt:
        requestor = Requestor(peer.peer, None, AssociationSettings(), interrupt=interrupt)
        found = find(requestor, KEYS, FindOptions(), result=FindResult())
        next(found)  # the query is under way
        with interrupting(interrupt, 0.2), pytest.raises(Interrupted):
            list(found)
    assert [command.command_field for command in seen] == [CommandField.C_CANCEL_RQ]
    assert peer.ends == []


def test_interrupt_before_the_query_sends_none() -> None:
    """The association is aborted while it is being made."""
    with acceptor(one_match) as peer, interrupted_after(0) as interrupt, pytest.raises(Interrupted):
        find_matches(peer.peer, interrupt=interrupt)


@pytest.mark.parametrize("status", [0xA700, 0xA900, 0xC001, 0x0122, 0xD123])
def test_failure_status_is_raised_after_the_matches(status: int) -> None:
    """With its meaning, the peer's comment, and the offending elements by name."""

    def script(association: Association) -> None:
        received_query(association)
        put_match(association, ONE)
        association.send(1, find_response(status, error_comment="no way", offending_element=(PATIENT_ID, 0x00091001)))
        association.receive()

    with acceptor(script) as peer, pytest.raises(StatusFailure) as caught:
        find_matches(peer.peer)
    error = caught.value
    assert error.status == status
    assert f"(0x{status:04X}): no way" in error.message
    assert error.evidence["offending_elements"] == ["PatientID", "(0009,1001)"]
    assert error.evidence["matches"] == 1
    assert peer.ends == []


def test_peer_that_cancels_by_itself_has_failed() -> None:
    """Nobody asked it to."""

    def script(association: Association) -> None:
        received_query(association)
        association.send(1, find_response(0xFE00))
        association.receive()

    with acceptor(script) as peer, pytest.raises(StatusFailure, match="by itself"):
        find_matches(peer.peer)


@pytest.mark.parametrize("status", [0xB001, 0x0001])
def test_warning_is_told_and_no_failure(status: int) -> None:
    """There may be more than came."""

    def script(association: Association) -> None:
        received_query(association)
        association.send(1, find_response(status))
        association.receive()

    with acceptor(script) as peer:
        _, result = find_matches(peer.peer)
    assert result.status == status
    assert result.warning is not None


def test_keys_that_the_peer_ignores_are_told() -> None:
    """Status FF01."""

    def handle(_event: Event) -> Iterator[Answer]:
        yield pending(match(PatientName="A"), 0xFF01)

    with finding_scp(handle) as scp:
        _, result = find_matches(Peer(scp.host, scp.port))
    assert result.ignored_keys
