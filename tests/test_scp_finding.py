"""C-FIND over the wire: matches, statuses, cancels, and peers that ask for nonsense."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dicomtls.association.association import Association
from dicomtls.association.dimse import CommandField
from dicomtls.association.query import FIND_SOP_CLASSES, QUERY_RETRIEVE_LEVEL, RETRIEVE_AE_TITLE, Level, Model
from dicomtls.association.user_information import ExtendedNegotiation
from dicomtls.dataset.identifier import Element
from dicomtls.errors import MachineError
from dicomtls.scp.finding import grant_extended
from dicomtls.scp.index import Query
from dicomtls.scp.querying import find_offer
from tests.support.keeping import (
    INSTANCE_UID,
    MODALITY,
    PATIENT_ID,
    PATIENT_NAME,
    STUDY_UID,
    instance,
    keys,
    write_instance,
    write_instances,
)
from tests.support.kept import DATASET, UID
from tests.support.queries import (
    CANCELLED,
    FIND_CONTEXTS,
    PENDING,
    PENDING_WITHOUT_KEYS,
    SUCCESS,
    archive,
    ask_for,
    cancel_request,
    find_request,
    responses,
    send_find,
    with_level,
    write_worklist,
)
from tests.support.servers import (
    CT_CONTEXT,
    ECHO_CONTEXT,
    VERIFICATION,
    RunningServer,
    context_of,
    echo_request,
    our_server,
    put_store,
    response_of,
)

COUNT = 80
STUDY = FIND_SOP_CLASSES[Model.STUDY_ROOT]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """An archive of two patients, and a worklist of one item."""
    root, worklist = tmp_path_factory.mktemp("kept"), tmp_path_factory.mktemp("worklist")
    write_instances(root, COUNT)
    write_instance(root, instance(400, x00100010="Ωmega^Ü", x00100020="PX"))
    write_worklist(worklist, [keys({PATIENT_NAME: "Müller^J", 0x00401001: "1"})])
    with archive(root, worklist=worklist) as running:
        yield running


@pytest.fixture
def association(server: RunningServer) -> Iterator[Association]:
    """One for queries, storage and Verification."""
    made = server.associate(*FIND_CONTEXTS, CT_CONTEXT, ECHO_CONTEXT)
    yield made
    made.abort()


def test_matches_come_as_pending_responses(association: Association) -> None:
    """Then success, without an identifier; each match says its level and where it can be retrieved."""
    asked = with_level(Level.STUDY, keys({PATIENT_ID: "P1", STUDY_UID: None, PATIENT_NAME: None}))
    statuses, matches, final = ask_for(association, asked)
    assert statuses == [PENDING, PENDING]
    assert [match[STUDY_UID].values for match in matches] == [("1.2.2",), ("1.2.3",)]
    assert matches[0] == {
        QUERY_RETRIEVE_LEVEL: Element("CS", ("STUDY",)),
        RETRIEVE_AE_TITLE: Element("AE", ("ANY-SCP",)),
        **keys({PATIENT_ID: "P1", STUDY_UID: "1.2.2", PATIENT_NAME: "Patient1^Test"}),
    }
    assert (final.status, final.command_field, final.has_dataset) == (SUCCESS, CommandField.C_FIND_RSP, False)
    assert (final.affected_sop_class_uid, final.message_id_being_responded_to) == (STUDY, 1)


def test_each_find_is_told(tmp_path: Path) -> None:
    """What was asked for, and how much was found."""
    write_instances(tmp_path, COUNT)
    with archive(tmp_path) as server:
        association = server.associate(*FIND_CONTEXTS)
        ask_for(association, with_level(Level.STUDY, keys({PATIENT_ID: "P1", STUDY_UID: None})))
        event = server.wait_for("find")
        assert (event.facts["matches"], event.facts["level"], event.facts["model"]) == (2, "STUDY", "study-root")
        association.abort()


def test_no_match_is_a_success(association: Association) -> None:
    """With no pending response at all."""
    assert ask_for(association, with_level(Level.STUDY, keys({PATIENT_ID: "none"})))[0] == []


@pytest.mark.parametrize("key", [0x00081140, 0x00091001, MODALITY, 0x00400275])
def test_keys_that_are_not_supported_are_told(association: Association, key: int) -> None:
    """By the status of each match; a sequence, a private one, one of a level below: none of them comes back."""
    asked = with_level(Level.STUDY, {**keys({STUDY_UID: "1.2.1"}), key: Element("SQ" if key != MODALITY else "CS")})
    statuses, [match], _ = ask_for(association, asked)
    assert statuses == [PENDING_WITHOUT_KEYS]
    assert key not in match


@pytest.mark.parametrize(
    ("identifier", "model", "status"),
    [
        (with_level(None, keys({STUDY_UID: None})), Model.STUDY_ROOT, 0xA900),
        (with_level("PATIENT", keys({PATIENT_ID: None})), Model.STUDY_ROOT, 0xA900),
        (with_level("study", keys({STUDY_UID: None})), Model.STUDY_ROOT, 0xA900),
        (with_level("\x1b[2J", keys({STUDY_UID: None})), Model.PATIENT_ROOT, 0xA900),
        ({QUERY_RETRIEVE_LEVEL: Element("SQ", ({},))}, Model.PATIENT_ROOT, 0xA900),
        ({}, Model.PATIENT_ROOT, 0xA900),
        (b"", Model.PATIENT_ROOT, 0xA900),
        (b"\x08\0\x52\0CS\xff\xff", Model.STUDY_ROOT, 0xC000),
        (b"\x08\0\x52\0SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff" * 40, Model.STUDY_ROOT, 0xC000),
        (bytes(1_100_000), Model.STUDY_ROOT, 0xC000),
    ],
)
def test_nonsense_is_refused_and_the_association_goes_on(
    association: Association, identifier: dict[int, Element] | bytes, model: Model, status: int
) -> None:
    """With a reason in its comment."""
    statuses, _, final = ask_for(association, identifier, model=model)
    assert (statuses, final.status) == ([], status)
    assert final.error_comment
    assert final.error_comment.isprintable()
    assert ask_for(association, with_level("STUDY", keys({STUDY_UID: "1.2.1"})))[0] == [PENDING]


def test_sop_class_of_another_context_is_refused(association: Association) -> None:
    """As for C-STORE."""
    request = find_request(model=Model.PATIENT_ROOT)
    association.send(context_of(association, STUDY), request, b"")
    assert response_of(association).status == 0x0122


def test_request_without_an_identifier_is_refused(association: Association) -> None:
    """And nothing is waited for."""
    from dataclasses import replace

    association.send(context_of(association, STUDY), replace(find_request(), has_dataset=False))
    assert response_of(association).status == 0xA900


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=60))
def test_any_bytes_get_an_answer(association: Association, data: bytes) -> None:
    """A level, and then whatever."""
    level = b"\x08\0\x52\0CS\6\0STUDY "
    final = ask_for(association, level + data)[2]
    assert final.status in {0x0000, 0xC000, 0xA900}


@pytest.mark.parametrize(
    "value",
    ["*" * 10_000, "*a" * 5_000, "?" * 10_000, "'" * 10_000],
    ids=["stars", "stars and letters", "marks", "quotes"],
)
def test_hostile_patterns_are_answered_in_time(association: Association, value: str) -> None:
    """As many wildcards as fit."""
    asked = with_level(Level.IMAGE, keys({PATIENT_NAME: value, PATIENT_ID: value, INSTANCE_UID: None}))
    assert ask_for(association, asked)[2].status == SUCCESS


def test_long_list_of_uids_is_answered(association: Association) -> None:
    """As a radiologist's client may send it; longer ones than an explicit VR takes come in implicit VR."""
    uids = tuple(f"1.2.{number}" for number in range(7_000))
    assert len(ask_for(association, with_level(Level.STUDY, keys({STUDY_UID: uids})))[0]) == 5


@pytest.mark.parametrize(
    ("names", "declared"),
    [
        ((), ("ISO_IR 192",)),
        (("ISO_IR 192",), ("ISO_IR 192",)),
        (("ISO_IR 100",), ("ISO_IR 192",)),
        (("GB18030",), ("GB18030",)),
        (("ISO_IR 999",), ("ISO_IR 192",)),
    ],
)
def test_text_comes_in_a_set_that_has_it(
    association: Association, names: tuple[str, ...], declared: tuple[str, ...]
) -> None:
    """In the peer's where that does, in UTF-8 else; ASCII needs none."""
    asked = with_level(Level.STUDY, keys({PATIENT_ID: "PX", PATIENT_NAME: None}))
    if names:
        asked[0x00080005] = Element("CS", names)
    _, [match], _ = ask_for(association, asked)
    assert match[PATIENT_NAME].values == ("Ωmega^Ü",)
    assert match[0x00080005].values == declared
    _, [plain], _ = ask_for(association, with_level(Level.STUDY, keys({STUDY_UID: "1.2.1", PATIENT_NAME: None})))
    assert 0x00080005 not in plain


def test_key_is_read_in_its_character_set(association: Association) -> None:
    """And found in another one."""
    for names in (("ISO_IR 192",), ("GB18030",), ("ISO_IR 126",)):
        asked = with_level(Level.STUDY, keys({PATIENT_NAME: "ωmega*" if "126" in names[0] else "ωmega^ü"}))
        assert ask_for(association, asked, names=names)[0] == [PENDING], names


def test_patients_are_found_in_their_model(association: Association) -> None:
    """Which has four levels."""
    asked = with_level(Level.PATIENT, keys({PATIENT_ID: None, 0x00201200: None, 0x00201204: None}))
    _, matches, _ = ask_for(association, asked, model=Model.PATIENT_ROOT)
    counted = {match[PATIENT_ID].values[0]: (match[0x00201200].values, match[0x00201204].values) for match in matches}
    assert counted == {"P0": (("2",), ("40",)), "P1": (("2",), ("40",)), "PX": (("1",), ("1",))}


def test_worklist_is_found_in_its_files(association: Association) -> None:
    """Without a level."""
    _, [match], final = ask_for(
        association, keys({PATIENT_NAME: "müller*"}), model=Model.WORKLIST, names=("ISO_IR 192",)
    )
    assert match[PATIENT_NAME].values == ("Müller^J",)
    assert QUERY_RETRIEVE_LEVEL not in match
    assert final.status == SUCCESS


def test_cancel_ends_the_matches(tmp_path: Path) -> None:
    """Between two of them; the association goes on."""
    write_instances(tmp_path, 3000)
    with archive(tmp_path, maximum_length=16384) as server:
        association = server.associate(*FIND_CONTEXTS, ECHO_CONTEXT)
        asked = with_level(Level.IMAGE, keys({INSTANCE_UID: None, PATIENT_NAME: None}))
        send_find(association, asked, message_id=7)
        stream = responses(association)
        next(stream)
        context_id = context_of(association, STUDY)
        association.send(context_id, cancel_request(9))  # of something else
        association.send(context_id, cancel_request(7))
        *rest, (final, _) = stream
        assert final.status in {CANCELLED, SUCCESS}
        send_find(association, asked, message_id=8)
        association.send(context_id, cancel_request(8))
        *rest, (final, _) = responses(association)
        assert (final.status, final.message_id_being_responded_to) == (CANCELLED, 8)
        assert len(rest) < 3000
        association.send(context_of(association, VERIFICATION), echo_request(9))
        assert response_of(association).status == SUCCESS
        association.release()


def test_request_that_comes_during_a_query_is_answered_after_it(association: Association) -> None:
    """In the order in which they came."""
    asked = with_level(Level.IMAGE, keys({INSTANCE_UID: None}))
    send_find(association, asked)
    association.send(context_of(association, VERIFICATION), echo_request(2))
    send_find(association, asked, message_id=3)
    for message_id in (1, 3):
        *pending, (final, _) = responses(association)
        assert (len(pending), final.status, final.message_id_being_responded_to) == (81, SUCCESS, message_id)
        if message_id == 1:
            assert response_of(association).command_field is CommandField.C_ECHO_RSP


def test_stored_instance_is_found_at_once(tmp_path: Path) -> None:
    """On the same association; the response to the C-STORE came after the journal's line."""
    with archive(tmp_path) as server:
        association = server.associate(*FIND_CONTEXTS, CT_CONTEXT)
        for number in range(5):
            uid = f"{UID[:-1]}{number}"
            assert put_store(association, uid, DATASET.replace(UID.encode(), uid.encode())).status == SUCCESS
            asked = with_level(Level.IMAGE, keys({INSTANCE_UID: None}))
            assert len(ask_for(association, asked)[0]) == number + 1
        association.release()


class Broken:
    """An index whose database fails."""

    def find(self, _query: object) -> Iterator[dict[int, Element]]:
        """Find one, and fail."""
        yield keys({STUDY_UID: "1.2"})
        msg = "cannot read /secret/path"
        raise MachineError(msg)


def test_index_that_fails_is_told_without_our_paths(tmp_path: Path) -> None:
    """The log has them."""
    with our_server(tmp_path, offers=[find_offer(Broken())]) as server:  # type: ignore[arg-type]  # finds, and fails
        association = server.associate(*FIND_CONTEXTS)
        statuses, _, final = ask_for(association, with_level(Level.STUDY, keys({STUDY_UID: None})))
        assert (len(statuses), final.status, final.error_comment) == (1, 0xA700, None)
        association.release()
        assert "/secret/path" in server.wait_for("find-failed").message


def test_what_is_not_offered_is_not_accepted(tmp_path: Path) -> None:
    """No worklist without its folder, no query without an index, no compressed identifiers."""
    from dicomtls.association.negotiation import ContextProposal
    from dicomtls.errors import NoPresentationContext

    compressed = ContextProposal(STUDY, ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.1.99"))
    with archive(tmp_path) as server:
        association = server.associate(*FIND_CONTEXTS, compressed)
        accepted = association.parameters.contexts.values()
        association.release()
        assert {one.abstract_syntax for one in accepted} == {STUDY, FIND_SOP_CLASSES[Model.PATIENT_ROOT]}
        assert len(accepted) == 2
    with our_server(tmp_path) as server, pytest.raises(NoPresentationContext):
        server.associate(*FIND_CONTEXTS)


def test_extended_negotiation_grants_what_we_can() -> None:
    """Relational queries and fuzzy names; no more than was asked for, and nothing for other SOP classes."""
    worklist = FIND_SOP_CLASSES[Model.WORKLIST]
    assert grant_extended(STUDY, b"\1\1\1\1\1") == b"\1\1\1\0\0"
    assert grant_extended(STUDY, b"\0\0\1") == b"\0\0\1"
    assert grant_extended(STUDY, b"\1") == b"\1"
    assert grant_extended(worklist, b"\1\1\1") == b"\0\1\1"
    assert grant_extended(STUDY, b"\2" * 100) == bytes(5)
    assert grant_extended(VERIFICATION, b"\1") is None


def test_names_are_fuzzy_when_that_was_negotiated(server: RunningServer) -> None:
    """And only then."""
    import socket

    from dicomtls.association.channel import Channel
    from dicomtls.association.establish import request
    from dicomtls.association.negotiation import build_request

    asked = with_level(Level.STUDY, keys({PATIENT_NAME: "test patient0", STUDY_UID: None}))
    for information, count in ((b"\0\0\1", 2), (b"\0\0\0", 0), (b"\1", 0)):
        sock = socket.create_connection(server.address)
        sock.setblocking(False)  # noqa: FBT003 -- the standard library's own signature
        proposal = build_request(
            FIND_CONTEXTS,
            called_ae_title="ANY-SCP",
            calling_ae_title="TEST",
            maximum_length=16384,
            extended=(ExtendedNegotiation(STUDY, information),),
        )
        association = request(Channel(sock), proposal, timeout=20, dimse_timeout=20)
        assert len(association.parameters.extended[STUDY]) == len(information)
        assert len(ask_for(association, asked)[0]) == count
        association.release()


class Endless:
    """Looks for matches that there are none of, as long as somebody wants them."""

    def __init__(self) -> None:
        self.looking = threading.Event()

    def find(self, query: Query) -> Iterator[dict[int, Element]]:
        """Ends when it is told so, with no match."""
        assert query.unwanted is not None
        while not query.unwanted():
            self.looking.set()
        return iter(())


@pytest.mark.parametrize("how", ["cancel", "abort", "stop"])
def test_search_without_a_match_ends_when_nobody_wants_it(tmp_path: Path, how: str) -> None:
    """A cancel is answered; a requestor that is gone, and a server that stops, end the association."""
    index = Endless()
    offers = [find_offer(index)]  # type: ignore[arg-type]  # all that a C-FIND asks of it
    with our_server(tmp_path, offers=offers, grace=0.0) as server:
        association = server.associate(*FIND_CONTEXTS)
        send_find(association, with_level(Level.STUDY, keys({STUDY_UID: None})))
        assert index.looking.wait(20)
        if how == "cancel":
            association.send(context_of(association, STUDY), cancel_request())
            [(final, _)] = responses(association)
            assert (final.status, server.wait_for("find").facts["matches"]) == (CANCELLED, 0)
            association.release()
        elif how == "abort":
            association.abort()
            server.wait_for("association-aborted")
    association.abort()  # which closes it here
