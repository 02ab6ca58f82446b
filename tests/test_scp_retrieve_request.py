"""Identifiers of C-MOVE and C-GET requests, and what is wrong with them."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomtls.association.association import Association
from dicomtls.association.dimse import Command, CommandField
from dicomtls.association.negotiation import ContextProposal
from dicomtls.association.query import MOVE_SOP_CLASSES, QUERY_RETRIEVE_LEVEL, Level, Model
from dicomtls.dataset import IMPLICIT_VR_LE, tags
from dicomtls.dataset.identifier import Element, encode
from dicomtls.scp.index import Query
from dicomtls.scp.requests import Refused
from dicomtls.scp.retrieve_request import read_query
from dicomtls.scp.retrieving import MOVE_MODELS
from tests.support.receivers import requestor_of
from tests.support.servers import CT, acceptor, store_response

STUDY_ROOT, PATIENT_ROOT = MOVE_SOP_CLASSES[Model.STUDY_ROOT], MOVE_SOP_CLASSES[Model.PATIENT_ROOT]
STUDY_KEY = {tags.STUDY_INSTANCE_UID: Element("UI", ("1.2.3",))}


def read(dataset: bytes, sop_class: str = STUDY_ROOT, affected: str | None = None) -> Query | Refused:
    """What is made of a request with this identifier; the association goes on after it in any case."""
    results: list[Query | Refused] = []

    def script(association: Association) -> None:
        message = association.receive()
        assert message is not None
        try:
            results.append(read_query(association, message, MOVE_MODELS))
        except Refused as refused:
            results.append(refused)
        second = association.receive()
        assert second is not None
        association.send(second.context.context_id, store_response(second.command))
        assert association.receive() is None

    command = Command(
        command_field=CommandField.C_MOVE_RQ,
        message_id=1,
        affected_sop_class_uid=affected or sop_class,
        priority=0,
        move_destination="WS1",
        has_dataset=True,
    )
    with acceptor(script) as peer:
        requestor = requestor_of(peer)
        association = requestor.associate(requestor.attempt(), [ContextProposal(sop_class, (IMPLICIT_VR_LE,))])
        association.send(1, command, dataset)
        association.send(1, Command(command_field=CommandField.C_STORE_RQ, message_id=2))
        assert association.receive() is not None
        association.release()
    return results[0]


def identifier(level: str | None = "STUDY", keys: Mapping[int, Element] = STUDY_KEY) -> bytes:
    """An encoded identifier."""
    elements = dict(keys)
    if level is not None:
        elements[QUERY_RETRIEVE_LEVEL] = Element("CS", (level,))
    return encode(elements, IMPLICIT_VR_LE)


def test_query_has_model_level_and_keys() -> None:
    """Without the level, the character set, and what is empty."""
    keys = {**STUDY_KEY, tags.PATIENT_ID: Element("LO"), tags.SPECIFIC_CHARACTER_SET: Element("CS", ("ISO_IR 192",))}
    assert read(identifier(keys=keys)) == Query(Model.STUDY_ROOT, Level.STUDY, STUDY_KEY)


def test_patient_level_is_for_patient_root() -> None:
    """With its own unique key."""
    keys = {tags.PATIENT_ID: Element("LO", ("P1",))}
    assert read(identifier("PATIENT", keys), PATIENT_ROOT) == Query(Model.PATIENT_ROOT, Level.PATIENT, keys)


def test_levels_above_may_be_left_out() -> None:
    """As most archives have it."""
    keys = {tags.SOP_INSTANCE_UID: Element("UI", ("1.2", "1.3"))}
    assert read(identifier("IMAGE", keys)) == Query(Model.STUDY_ROOT, Level.IMAGE, keys)


@pytest.mark.parametrize(
    ("dataset", "status", "said"),
    [
        (identifier(None), 0xA900, "no query/retrieve level of the study-root model: it is missing"),
        (identifier("PATIENT"), 0xA900, "'PATIENT'"),
        (identifier("NONSENSE"), 0xA900, "'NONSENSE'"),
        (identifier(keys={}), 0xA900, "unique key of the level STUDY has no value"),
        (identifier(keys={tags.STUDY_INSTANCE_UID: Element("UI")}), 0xA900, "has no value"),
        (identifier("SERIES"), 0xA900, "unique key of the level SERIES"),
        (identifier(keys={tags.STUDY_INSTANCE_UID: Element("UI", ("1.2.*",))}), 0xA900, "wildcard"),
        (identifier(keys={**STUDY_KEY, tags.PATIENT_ID: Element("LO", ("P?",))}), 0xA900, "wildcard"),
        (b"\x08\0\x52\0\xff\xff\0\0xx", 0xC000, "claims 65535 bytes"),
    ],
)
def test_what_cannot_be_retrieved_is_refused(dataset: bytes, status: int, said: str) -> None:
    """With the status that the standard has for it, and why; the association goes on."""
    refused = read(dataset)
    assert isinstance(refused, Refused)
    assert refused.status == status
    assert said in refused.reason


def test_another_sop_class_than_that_of_the_context_is_refused() -> None:
    """Whatever the identifier says."""
    refused = read(identifier(), affected=CT)
    assert isinstance(refused, Refused)
    assert refused.status == 0x0122


def test_identifier_that_is_too_long_is_refused() -> None:
    """It is taken off the association all the same."""
    refused = read(identifier(keys={**STUDY_KEY, tags.PATIENT_ID: Element("LO", ("x" * (1 << 20),))}))
    assert isinstance(refused, Refused)
    assert refused.status == 0xC000
    assert "more than 1048576" in refused.reason


@settings(max_examples=30)
@given(st.binary(max_size=120).map(lambda data: data + b"\0" * (len(data) % 2)))
def test_any_bytes_are_a_query_or_refused(data: bytes) -> None:
    """Nothing else is raised, and the next message is understood."""
    assert isinstance(read(data), (Query, Refused))
