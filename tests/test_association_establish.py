"""Establishing an association: what is agreed on, every way of being refused, our own side, and pynetdicom."""

import threading
from dataclasses import replace
from typing import Any

import pytest
from pynetdicom import AE, evt
from pynetdicom.pdu_primitives import AsynchronousOperationsWindowNegotiation, UserIdentityNegotiation

from dicomtls.association.association import Association
from dicomtls.association.contexts import AnsweredContext, ContextResult
from dicomtls.association.establish import Rejection, accept
from dicomtls.association.pdu import (
    Abort,
    AssociateReject,
    AssociateRequest,
    encode,
)
from dicomtls.association.user_information import IdentityKind, OperationsWindow, UserIdentity
from dicomtls.errors import (
    AssociationAborted,
    AssociationRejected,
    By,
    Interrupted,
    LocalProtocolError,
)
from tests.support import pki as foreign
from tests.support.messages import (
    ACCEPT,
    BY_USER,
    CT,
    CT_ID,
    EXPLICIT,
    IMPLICIT,
    REFUSED_ID,
    REQUEST,
    UNSUPPORTED,
    VERIFICATION,
    proposal,
)
from tests.support.pairs import (
    SECONDS,
    acceptor,
    answering,
    as_acceptor,
    as_requestor,
    both_ours,
    facing,
    interrupted_after,
    requestor_to,
    saying,
)
from tests.support.peers import LOOPBACK, pynetdicom_scp
from tests.support.pki import PKI

SHORT = 0.05
REQUEST_BYTES = encode(REQUEST)

# PS3.8 table 9-21: result, source, reason.
REJECTIONS = [
    (result, source, reason)
    for result in (1, 2)
    for source, reason in ((1, 1), (1, 2), (1, 3), (1, 7), (2, 1), (2, 2), (3, 1), (3, 2))
]
# PS3.8 table 9-26: source, reason.
ABORTS = [(0, 0), (2, 0), (2, 1), (2, 2), (2, 4), (2, 5), (2, 6)]


# What is agreed on


@pytest.mark.parametrize("tls_max", [None, "1.2", "1.3"])
def test_both_sides_agree_when_the_association_is_established(pki: PKI, tls_max: str | None) -> None:
    """In clear and over mutual TLS: the same contexts, windows and names, lengths the other way round."""

    def serve(association: Association) -> Association:
        assert association.receive() is None
        return association

    asked = proposal(maximum_length=20_000, window=OperationsWindow(5, 3))
    tls = pki if tls_max else None
    with both_ours(serve, pki=tls, tls_max=tls_max, asked=asked, max_operations=4) as (requestor, opposite):
        assert requestor.is_established
        requestor.release()
        acceptor = opposite.outcome()
    ours, theirs = requestor.parameters, acceptor.parameters
    assert ours.contexts == theirs.contexts
    assert [context.abstract_syntax for context in ours.contexts.values()] == [VERIFICATION, CT]
    assert ours.contexts[CT_ID].transfer_syntax == EXPLICIT
    assert REFUSED_ID not in ours.contexts
    assert (ours.maximum_length, ours.peer_maximum_length) == (20_000, 16_384)
    assert (theirs.maximum_length, theirs.peer_maximum_length) == (16_384, 20_000)
    assert (ours.window, ours.peer_window) == (4, 3)
    assert (theirs.window, theirs.peer_window) == (3, 4)
    assert (ours.is_requestor, theirs.is_requestor) == (True, False)
    assert {ours.calling_ae_title, theirs.calling_ae_title} == {"REQUESTOR"}
    assert {ours.called_ae_title, theirs.called_ae_title} == {"ACCEPTOR"}
    assert theirs.peer_implementation == "TESTS"
    assert ours.peer_implementation.startswith("DICOMTLS")
    for association in (requestor, acceptor):
        protocol = association.negotiated.protocol if association.negotiated else None
        assert protocol == (f"TLSv{tls_max}" if tls_max else None)


def test_the_implementation_is_its_uid_when_the_peer_gives_no_name() -> None:
    """The version name is optional, the class UID is not."""
    nameless = replace(ACCEPT.user_information, implementation_version_name=None)
    with facing(answering(encode(ACCEPT._replace(user_information=nameless)))) as opposite:
        association = as_requestor(opposite.channel)
    assert association.parameters.peer_implementation == nameless.implementation_class_uid


def test_an_association_without_presentation_contexts_is_established_when_the_peer_refuses_all() -> None:
    """Whether that is of any use is for the caller to say."""
    refused = tuple(
        AnsweredContext(context.context_id, ContextResult.USER_REJECTION, IMPLICIT) for context in REQUEST.contexts
    )
    with facing(answering(encode(ACCEPT._replace(contexts=refused)))) as opposite:
        assert as_requestor(opposite.channel).parameters.contexts == {}


# Rejected and aborted


@pytest.mark.parametrize(("result", "source", "reason"), REJECTIONS)
def test_a_requestor_says_why_when_it_is_rejected(result: int, source: int, reason: int) -> None:
    """Each result, source and reason of PS3.8 table 9-21; nothing more is said to the peer."""
    with facing(answering(encode(AssociateReject(result, source, reason)))) as opposite:
        with pytest.raises(AssociationRejected) as caught:
            as_requestor(opposite.channel)
        assert opposite.outcome() == []
    error = caught.value
    assert (error.result, error.source, error.reason) == (result, source, reason)
    assert error.by is By.PEER
    assert error.evidence == {"result": result, "source": source, "reason": reason}


@pytest.mark.parametrize(("result", "source", "reason"), [(1, 1, 7), (1, 2, 2), (2, 3, 1)])
def test_an_acceptor_rejects_when_it_decides_so(result: int, source: int, reason: int) -> None:
    """The peer gets the A-ASSOCIATE-RJ, and our log the comment."""
    rejection = Rejection(AssociateReject(result, source, reason), "not today")
    with facing(saying(REQUEST_BYTES)) as opposite:
        with pytest.raises(AssociationRejected, match="not today") as caught:
            accept(opposite.channel, lambda _asked: rejection, timeout=SECONDS, dimse_timeout=SECONDS)
        assert opposite.outcome() == [rejection.pdu]
    assert caught.value.by is By.US
    assert (caught.value.result, caught.value.source, caught.value.reason) == (result, source, reason)


@pytest.mark.parametrize(("source", "reason"), ABORTS)
@pytest.mark.parametrize("role", [(as_requestor, answering), (as_acceptor, saying)], ids=["requestor", "acceptor"])
def test_the_abort_is_raised_when_the_peer_aborts_at_once(role: Any, source: int, reason: int) -> None:
    """Each source and reason of PS3.8 table 9-26, in both roles; an A-ABORT is not answered."""
    establish, peer = role
    with facing(peer(encode(Abort(source, reason)))) as opposite:
        with pytest.raises(AssociationAborted) as caught:
            establish(opposite.channel)
        assert opposite.outcome() == []
    assert (caught.value.source, caught.value.reason) == (source, reason)
    assert caught.value.by is By.PEER
    assert caught.value.hints == ()


# Our own side


@pytest.mark.parametrize("role", [(as_requestor, answering), (as_acceptor, saying)], ids=["requestor", "acceptor"])
def test_the_peer_is_told_when_the_user_interrupts(role: Any) -> None:
    """An A-ABORT from the service-user, at once."""
    establish, peer = role
    with interrupted_after(SHORT) as interrupt, facing(peer(), interrupt=interrupt) as opposite:
        with pytest.raises(Interrupted):
            establish(opposite.channel)
        assert opposite.outcome() == [BY_USER]


def test_the_connection_ends_when_the_request_cannot_be_encoded() -> None:
    """Our own mistake is raised as such."""
    with facing(saying()) as opposite:
        with pytest.raises(LocalProtocolError):
            as_requestor(opposite.channel, REQUEST._replace(contexts=()))
        assert opposite.outcome() == [BY_USER]


def test_the_peer_is_told_when_the_decision_fails() -> None:
    """Whatever goes wrong in the caller's function ends the connection and is raised as it is."""

    def decide(_asked: AssociateRequest) -> Rejection:
        raise MemoryError

    with facing(saying(REQUEST_BYTES)) as opposite:
        with pytest.raises(MemoryError):
            accept(opposite.channel, decide, timeout=SECONDS, dimse_timeout=SECONDS)
        assert opposite.outcome() == [BY_USER]


# pynetdicom


def with_identity(asked: AssociateRequest, kind: IdentityKind) -> AssociateRequest:
    """The same request by a user who wants an answer."""
    identity = UserIdentity(kind, True, b"user", b"secret" if kind is IdentityKind.USERNAME_PASSCODE else b"")  # noqa: FBT003 -- positional as all
    return asked._replace(user_information=replace(asked.user_information, identity=identity))


@pytest.mark.parametrize(("kind", "with_tls"), [(IdentityKind.USERNAME_PASSCODE, False), (IdentityKind.KERBEROS, True)])
def test_pynetdicom_agrees_with_our_requestor(pki: PKI, kind: IdentityKind, with_tls: bool) -> None:  # noqa: FBT001 -- a parameter
    """Contexts, lengths, the window that it negotiates (always one operation), and our user identity."""
    identities: list[tuple[int, bytes, bytes]] = []

    def identify(event: Any) -> tuple[bool, bytes]:
        identities.append((event.user_id_type, event.primary_field, event.secondary_field))
        return True, b"welcome"

    asked = with_identity(proposal(window=OperationsWindow(7, 1)), kind)
    handlers = [(evt.EVT_USER_ID, identify), (evt.EVT_ASYNC_OPS, lambda _event: None)]
    tls = pki if with_tls else None
    with (
        pynetdicom_scp(foreign.server_context(pki) if tls else None, handlers, maximum_length=28_672) as peer,
        requestor_to(peer.port, asked, pki=tls) as association,
    ):
        association.release()
    parameters = association.parameters
    assert [(c.abstract_syntax, c.transfer_syntax) for c in parameters.contexts.values()] == [
        (VERIFICATION, IMPLICIT),
        (CT, IMPLICIT),
    ]
    assert (parameters.window, parameters.peer_window) == (1, 1)
    assert parameters.peer_maximum_length == 28_672
    assert parameters.peer_implementation.startswith("PYNETDICOM")
    asked_identity = asked.user_information.identity
    assert asked_identity is not None
    assert identities == [(kind, asked_identity.primary, asked_identity.secondary)]


def test_pynetdicom_rejects_our_requestor_when_it_does_not_know_the_user() -> None:
    """Its refusal of an identity is an A-ASSOCIATE-RJ like any other."""
    asked = with_identity(REQUEST, IdentityKind.USERNAME)
    closed = threading.Event()
    handlers = [(evt.EVT_USER_ID, lambda _event: (False, None)), (evt.EVT_CONN_CLOSE, lambda _event: closed.set())]
    with pynetdicom_scp(None, handlers) as peer:
        with pytest.raises(AssociationRejected) as caught, requestor_to(peer.port, asked):
            pytest.fail("the user was let in")
        # It does not bear being stopped while it waits for us to close.
        assert closed.wait(SECONDS)
    assert (caught.value.result, caught.value.source) == (2, 2)


def identity_and_window() -> list[Any]:
    """What pynetdicom asks for beside presentation contexts."""
    window = AsynchronousOperationsWindowNegotiation()
    window.maximum_number_operations_invoked = 5
    window.maximum_number_operations_performed = 6
    identity = UserIdentityNegotiation()
    identity.user_identity_type = 2
    identity.positive_response_requested = True
    identity.primary_field = b"user"
    identity.secondary_field = b"secret"
    return [window, identity]


@pytest.mark.parametrize("with_tls", [False, True])
def test_pynetdicom_agrees_with_our_acceptor(pki: PKI, with_tls: bool) -> None:  # noqa: FBT001 -- a parameter
    """The same in the other role, as pynetdicom sees it: a window of four, and an answer to its user identity."""

    def serve(association: Association) -> Association:
        assert association.receive() is None
        return association

    tls = pki if with_tls else None
    with acceptor(serve, pki=tls, max_operations=4) as (port, opposite):
        ae = AE("PYNETDICOM")
        ae.add_requested_context(VERIFICATION)
        ae.add_requested_context(UNSUPPORTED)
        association = ae.associate(
            LOOPBACK,
            port,
            ae_title="ACCEPTOR",
            max_pdu=30_000,
            ext_neg=identity_and_window(),
            tls_args=(foreign.client_context(pki), "localhost") if tls else None,
        )
        assert association.is_established
        assert [context.abstract_syntax for context in association.accepted_contexts] == [VERIFICATION]
        assert [context.abstract_syntax for context in association.rejected_contexts] == [UNSUPPORTED]
        assert association.acceptor.asynchronous_operations == (4, 4)
        assert association.acceptor.maximum_length == 16_384
        identity = association.acceptor.user_identity
        assert identity is not None
        assert identity.server_response == b""
        association.release()
        assert association.is_released
        parameters = opposite.outcome().parameters
    assert (parameters.window, parameters.peer_window) == (4, 4)
    assert parameters.peer_maximum_length == 30_000
    assert (parameters.calling_ae_title, parameters.called_ae_title) == ("PYNETDICOM", "ACCEPTOR")
