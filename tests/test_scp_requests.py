"""Requests in their order, cancels among them, and identifiers of any length."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from dicomtls.association.association import Association, Message
from dicomtls.association.dimse import CommandField
from dicomtls.association.query import QUERY_RETRIEVE_LEVEL, Level, Model
from dicomtls.dataset.identifier import Element
from dicomtls.scp.requests import LONGEST_IDENTIFIER, Refused, Requests, level_of, read_identifier
from dicomtls.scu import AssociationSettings
from dicomtls.scu.attempt import Requestor
from tests.support.keeping import STUDY_UID, keys
from tests.support.queries import FIND_CONTEXTS, cancel_request, find_request, send_find
from tests.support.servers import DEADLINE, ECHO_CONTEXT, VERIFICATION, acceptor, context_of, echo_request


@contextmanager
def asking(script: Callable[[Association], None]) -> Iterator[Association]:
    """An association whose acceptor runs `script`; what that raises is raised at the end."""
    problems: list[BaseException] = []

    def guarded(association: Association) -> None:
        try:
            script(association)
            while association.is_established and association.receive(DEADLINE) is not None:
                pass
        except BaseException as problem:  # in another thread: the test raises it at its end
            problems.append(problem)
            raise

    with acceptor(guarded) as listening:
        requestor = Requestor(listening.peer, None, AssociationSettings())
        association = requestor.associate(requestor.attempt(), [*FIND_CONTEXTS, ECHO_CONTEXT])
        try:
            yield association
        finally:
            association.abort()
    if problems and isinstance(problems[0], AssertionError):
        raise problems[0]


def wait_for_input(association: Association) -> None:
    """Return when something has come."""
    association.await_data()


def first(requests: Requests) -> Message:
    """The next message, which is there."""
    message = requests.next(DEADLINE)
    assert message is not None
    return message


def test_cancel_is_seen_and_other_requests_wait() -> None:
    """A cancel of something else is nothing; a request behind a cancel is the next one."""
    seen: list[Any] = []

    def script(association: Association) -> None:
        requests = Requests(association)
        request = first(requests)
        seen.append(len(read_identifier(association, request)))
        while not requests.is_cancelled(request):
            wait_for_input(association)
        seen.append(first(requests).command.command_field)
        seen.append(requests.next(DEADLINE))

    with asking(script) as association:
        context_id = context_of(association, FIND_CONTEXTS[0].abstract_syntax)
        send_find(association, keys({STUDY_UID: "1.2"}), message_id=5)
        association.send(context_id, cancel_request(4))
        association.send(context_id, cancel_request(5))
        association.send(context_of(association, VERIFICATION), echo_request(6))
        association.release()
    assert seen == [1, CommandField.C_ECHO_RQ, None]


def test_request_in_between_hides_a_later_cancel() -> None:
    """Its dataset is not to be lost."""
    seen: list[Any] = []

    def script(association: Association) -> None:
        requests = Requests(association)
        request = first(requests)
        read_identifier(association, request)
        wait_for_input(association)
        seen.append(requests.is_cancelled(request))
        seen.append(requests.is_cancelled(request))
        seen.append(read_identifier(association, first(requests)))

    with asking(script) as association:
        send_find(association, {}, message_id=1)
        send_find(association, keys({STUDY_UID: "1.2.3"}), message_id=2)
        association.send(context_of(association, FIND_CONTEXTS[0].abstract_syntax), cancel_request(1))
        association.release()
    assert seen == [False, False, keys({STUDY_UID: "1.2.3"})]


def test_peer_that_releases_wants_nothing_more() -> None:
    """In the middle of a query."""
    seen: list[Any] = []

    def script(association: Association) -> None:
        requests = Requests(association)
        request = first(requests)
        read_identifier(association, request)
        while not requests.is_cancelled(request):
            association._channel.read_header(None)
        seen.extend((requests.is_released, requests.next(DEADLINE)))

    with asking(script) as association:
        send_find(association, {}, message_id=1)
        association.release()
    assert seen == [True, None]


@pytest.mark.parametrize(
    ("data", "reason"), [(bytes(LONGEST_IDENTIFIER + 2), "more than"), (b"\x08\0\x52\0CS\x10\0", "claims")]
)
def test_identifier_that_cannot_be_read_is_refused_and_passed_over(data: bytes, reason: str) -> None:
    """The next message follows."""
    seen: list[Any] = []

    def script(association: Association) -> None:
        requests = Requests(association)
        with pytest.raises(Refused, match=reason) as caught:
            read_identifier(association, first(requests))
        seen.extend((caught.value.status, first(requests).command.message_id))

    with asking(script) as association:
        send_find(association, data)
        association.send(context_of(association, VERIFICATION), echo_request(2))
        association.release()
    assert seen == [0xC000, 2]


@pytest.mark.parametrize(
    ("model", "levels"),
    [
        (Model.STUDY_ROOT, {"STUDY", "SERIES", "IMAGE"}),
        (Model.PATIENT_ROOT, {"PATIENT", "STUDY", "SERIES", "IMAGE"}),
        (Model.WORKLIST, set()),
    ],
)
def test_level_is_one_of_the_model(model: Model, levels: set[str]) -> None:
    """Anything else is refused with A900."""
    for name in ("PATIENT", "STUDY", "SERIES", "IMAGE", "", "study", "\x1b", b"x", 5):
        identifier = {QUERY_RETRIEVE_LEVEL: Element("CS", (name,))}
        if name in levels:
            assert level_of(identifier, model) is Level(str(name))
            continue
        with pytest.raises(Refused) as caught:
            level_of(identifier, model)
        assert caught.value.status == 0xA900
    with pytest.raises(Refused):
        level_of({}, model)


def test_request_names_its_dataset() -> None:
    """The helper of these tests makes what a peer would send."""
    assert find_request().has_dataset
