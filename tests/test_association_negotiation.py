"""Negotiation: what is proposed, answered and agreed, with pynetdicom's rules beside ours."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicomtls.association.contexts import AnsweredContext, ContextResult, ProposedContext
from dicomtls.association.negotiation import (
    IMPLICIT_VR_LITTLE_ENDIAN,
    SYNCHRONOUS,
    AcceptedContext,
    AcceptorPolicy,
    ContextProposal,
    accepted_contexts,
    acknowledge_username,
    answer,
    build_request,
    effective_window,
)
from dicomtls.association.pdu import HEADER_LENGTH, AssociateAccept, AssociateRequest, PDUType, decode, encode
from dicomtls.association.user_information import (
    ExtendedNegotiation,
    IdentityKind,
    OperationsWindow,
    RoleSelection,
    UserIdentity,
    UserInformation,
)
from dicomtls.errors import LocalProtocolError, RemoteProtocolError
from dicomtls.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from tests.support.associations import REQUESTS, mutated, read_or_refuse

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
IMPLICIT = IMPLICIT_VR_LITTLE_ENDIAN
EXPLICIT = "1.2.840.10008.1.2.1"
JPEG = "1.2.840.10008.1.2.4.50"

SMALL = st.integers(0, 4)
WINDOWS = st.builds(OperationsWindow, SMALL, SMALL)


def propose(*proposals: ContextProposal, window: OperationsWindow | None = None) -> AssociateRequest:
    """A request for these proposals."""
    return build_request(
        proposals,
        called_ae_title="PACS",
        calling_ae_title="DICOMTLS",
        maximum_length=131072,
        operations_window=window,
    )


def proposal(
    abstract_syntax: str, *transfer_syntaxes: str, scu_role: bool = True, scp_role: bool = False
) -> ContextProposal:
    """A proposal with Implicit VR Little Endian where nothing else is said."""
    return ContextProposal(
        abstract_syntax=abstract_syntax,
        transfer_syntaxes=transfer_syntaxes or (IMPLICIT,),
        scu_role=scu_role,
        scp_role=scp_role,
    )


def policy(
    *abstract_syntaxes: str,
    transfer_syntaxes: tuple[str, ...] = (IMPLICIT, EXPLICIT),
    scp_roles: tuple[str, ...] = (),
    max_operations: int = 1,
) -> AcceptorPolicy:
    """Supports these SOP classes in these transfer syntaxes."""
    return AcceptorPolicy(
        supports=lambda uid: uid in abstract_syntaxes,
        accepts_transfer_syntax=lambda _uid, transfer_syntax: transfer_syntax in transfer_syntaxes,
        maximum_length=65536,
        max_operations=max_operations,
        scp_role_allowed=lambda uid: uid in scp_roles,
    )


def with_roles(accept: AssociateAccept, *roles: RoleSelection) -> AssociateAccept:
    """The same accept with other roles."""
    return accept._replace(user_information=replace(accept.user_information, roles=roles))


def identified(kind: IdentityKind, *, response_requested: bool = True) -> AssociateRequest:
    """A request with a user identity."""
    identity = UserIdentity(kind, response_requested=response_requested, primary=b"joe", secondary=b"")
    return build_request(
        [proposal(CT)], called_ae_title="PACS", calling_ae_title="WS1", maximum_length=0, identity=identity
    )


def test_request_numbers_its_contexts_when_it_is_built() -> None:
    """Identifiers are 1, 3, 5 in the order of the proposals; the implementation says who it is."""
    request = propose(proposal(VERIFICATION), proposal(CT, EXPLICIT, IMPLICIT), proposal(CT, JPEG))
    assert request.contexts == (
        ProposedContext(1, VERIFICATION, (IMPLICIT,)),
        ProposedContext(3, CT, (EXPLICIT, IMPLICIT)),
        ProposedContext(5, CT, (JPEG,)),
    )
    assert request.user_information == UserInformation(
        maximum_length=131072,
        implementation_class_uid=IMPLEMENTATION_CLASS_UID,
        implementation_version_name=IMPLEMENTATION_VERSION_NAME,
    )


def test_request_takes_128_contexts_when_that_many_are_proposed() -> None:
    """The last identifier is 255, and one more proposal is refused."""
    assert propose(*[proposal(CT)] * 128).contexts[-1].context_id == 255
    with pytest.raises(LocalProtocolError, match="128"):
        propose(*[proposal(CT)] * 129)


def test_roles_are_proposed_once_for_a_sop_class_when_its_proposals_want_any() -> None:
    """The default role needs no item, and several contexts of one SOP class share one."""
    request = propose(
        proposal(VERIFICATION),
        proposal(CT, EXPLICIT),
        proposal(CT, JPEG, scu_role=False, scp_role=True),
        proposal(MR, scu_role=False, scp_role=True),
    )
    assert request.user_information.roles == (
        RoleSelection(CT, scu=True, scp=True),
        RoleSelection(MR, scu=False, scp=True),
    )


def test_contexts_are_answered_in_order_when_a_policy_decides() -> None:
    """Each proposal gets its answer: the first transfer syntax that fits, or why none does."""
    request = propose(proposal(CT, JPEG, EXPLICIT, IMPLICIT), proposal(MR), proposal(VERIFICATION, JPEG))
    accept = answer(request, policy(CT, VERIFICATION))
    assert accept.contexts == (
        AnsweredContext(1, ContextResult.ACCEPTANCE, EXPLICIT),
        AnsweredContext(3, ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED, IMPLICIT),
        AnsweredContext(5, ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED, IMPLICIT),
    )
    assert (accept.called_ae_title, accept.calling_ae_title) == ("PACS", "DICOMTLS")
    assert accept.user_information.maximum_length == 65536
    assert accept.user_information.implementation_class_uid == IMPLEMENTATION_CLASS_UID


@given(REQUESTS, st.sets(st.integers(0, 4)), st.booleans(), SMALL)
@settings(max_examples=80)
def test_answer_can_be_sent_and_agreed_on_when_any_request_comes(
    request: AssociateRequest, supported: set[int], grants_roles: object, max_operations: int
) -> None:
    """Whatever is proposed, the answer encodes, and both sides read the same from it."""
    abstract_syntaxes = {
        context.abstract_syntax for index, context in enumerate(request.contexts) if index in supported
    }
    accept = answer(
        request,
        AcceptorPolicy(
            supports=abstract_syntaxes.__contains__,
            accepts_transfer_syntax=lambda _uid, _transfer_syntax: True,
            maximum_length=0,
            max_operations=max_operations,
            scp_role_allowed=lambda _uid: bool(grants_roles),
        ),
    )
    received = decode(PDUType.A_ASSOCIATE_AC, encode(accept)[HEADER_LENGTH:])
    assert received == accept
    agreed = accepted_contexts(request, accept)
    assert {context.abstract_syntax for context in agreed.values()} <= abstract_syntaxes
    assert set(agreed) == {
        context.context_id for context in accept.contexts if context.result == ContextResult.ACCEPTANCE
    }


@given(mutated(REQUESTS.map(lambda request: encode(request)[HEADER_LENGTH:])))
@settings(max_examples=150)
def test_answer_can_be_sent_when_a_hostile_request_could_be_read(data: bytes) -> None:
    """What is no UID or AE title is answered, never echoed into an answer that cannot be written."""
    request = read_or_refuse(lambda data: decode(PDUType.A_ASSOCIATE_RQ, data), data)
    if isinstance(request, AssociateRequest):
        accept = answer(
            request,
            AcceptorPolicy(
                supports=lambda _uid: True,
                accepts_transfer_syntax=lambda _uid, _transfer_syntax: True,
                maximum_length=0,
                scp_role_allowed=lambda _uid: True,
            ),
        )
        received = decode(PDUType.A_ASSOCIATE_AC, encode(accept)[HEADER_LENGTH:])
        assert isinstance(received, AssociateAccept)
        assert received.contexts == accept.contexts


def test_policy_is_never_asked_when_a_name_is_no_uid() -> None:
    """A policy sees UIDs only, so that it may put them into paths and tables."""
    seen: list[str] = []

    def note(*uids: str) -> bool:
        seen.extend(uids)
        return True

    request = propose(proposal(CT))._replace(
        contexts=(ProposedContext(1, "../..", (IMPLICIT,)), ProposedContext(3, CT, ("\\x00", IMPLICIT))),
    )
    accept = answer(request, AcceptorPolicy(supports=note, accepts_transfer_syntax=note, maximum_length=0))
    assert [context.result for context in accept.contexts] == [
        ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED,
        ContextResult.ACCEPTANCE,
    ]
    assert set(seen) == {CT, IMPLICIT}


def test_accepted_contexts_hold_what_both_sides_agreed_on_when_some_are_refused() -> None:
    """Only accepted ones are there, with the abstract syntax of the proposal and the default roles."""
    request = propose(proposal(CT, EXPLICIT), proposal(MR))
    assert accepted_contexts(request, answer(request, policy(CT))) == {
        1: AcceptedContext(1, CT, EXPLICIT, scu_role=True, scp_role=False)
    }


def test_unanswered_context_is_not_accepted_when_the_peer_leaves_it_out() -> None:
    """An answer that is missing is no acceptance."""
    request = propose(proposal(CT), proposal(MR))
    accept = answer(request, policy(CT, MR))
    assert set(accepted_contexts(request, accept._replace(contexts=accept.contexts[1:]))) == {3}


@pytest.mark.parametrize(
    "answered",
    [
        AnsweredContext(3, ContextResult.ACCEPTANCE, IMPLICIT),
        AnsweredContext(3, ContextResult.USER_REJECTION, IMPLICIT),
        AnsweredContext(1, ContextResult.ACCEPTANCE, EXPLICIT),
        AnsweredContext(1, ContextResult.ACCEPTANCE, ""),
    ],
)
def test_accept_is_refused_when_it_answers_what_was_never_proposed(answered: AnsweredContext) -> None:
    """Neither an unknown identifier nor another transfer syntax can be agreed on."""
    request = propose(proposal(CT))
    accept = answer(request, policy(CT))._replace(contexts=(answered,))
    with pytest.raises(RemoteProtocolError, match="never proposed"):
        accepted_contexts(request, accept)


def test_scp_role_is_granted_when_the_policy_allows_it() -> None:
    """C-GET needs the requestor to be the SCP of the storage SOP classes."""
    request = propose(proposal(CT, scu_role=False, scp_role=True), proposal(MR, scp_role=True), proposal(VERIFICATION))
    accept = answer(request, policy(CT, MR, VERIFICATION, scp_roles=(CT,)))
    assert accept.user_information.roles == (
        RoleSelection(CT, scu=False, scp=True),
        RoleSelection(MR, scu=True, scp=False),
    )
    agreed = accepted_contexts(request, accept)
    assert [(context.scu_role, context.scp_role) for context in agreed.values()] == [
        (False, True),
        (True, False),
        (True, False),
    ]


def test_context_is_rejected_when_no_role_is_left() -> None:
    """Nobody could ask for anything in a context whose only proposed role was turned down."""
    request = propose(proposal(CT, scu_role=False, scp_role=True))
    accept = answer(request, policy(CT))
    assert accept.contexts == (AnsweredContext(1, ContextResult.USER_REJECTION, IMPLICIT),)
    assert accept.user_information.roles == (RoleSelection(CT, scu=False, scp=False),)


def test_roles_are_not_answered_when_the_sop_class_is_not_supported_or_was_not_proposed() -> None:
    """No role selection in the request, none in the answer (PS3.7 section D.3.3.4)."""
    request = propose(proposal(CT), proposal(MR, scp_role=True))
    assert answer(request, policy(CT, scp_roles=(CT, MR))).user_information.roles == ()


def test_role_is_answered_once_when_a_peer_repeats_its_proposal() -> None:
    """DCMTK repeats the item for each presentation context of the SOP class."""
    request = propose(proposal(CT, scp_role=True))
    role = request.user_information.roles[0]
    repeated = request._replace(user_information=replace(request.user_information, roles=(role, role)))
    assert answer(repeated, policy(CT, scp_roles=(CT,))).user_information.roles == (role,)


@pytest.mark.parametrize("granted", [(True, True), (True, False), (False, True), (False, False)])
def test_role_is_ignored_when_it_was_never_proposed(granted: tuple[bool, bool]) -> None:
    """The requestor shall ignore the answer to what it did not propose (PS3.7 section D.3.3.4)."""
    request = propose(proposal(CT))
    accept = with_roles(answer(request, policy(CT)), RoleSelection(CT, *granted))
    (context,) = accepted_contexts(request, accept).values()
    assert (context.scu_role, context.scp_role) == (True, False)


@pytest.mark.parametrize("proposed", [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize("granted", [(True, True), (True, False), (False, True), (False, False), None])
def test_roles_agree_with_pynetdicom_when_both_sides_negotiated(
    proposed: tuple[bool, bool], granted: tuple[bool, bool] | None
) -> None:
    """Its table of outcomes says the same as ours about the requestor's roles."""
    from pynetdicom.presentation import SCP_SCU_ROLES

    request = propose(proposal(CT, scu_role=proposed[0], scp_role=proposed[1]))
    request = request._replace(
        user_information=replace(request.user_information, roles=(RoleSelection(CT, *proposed),))
    )
    roles = (RoleSelection(CT, *granted),) if granted else ()
    (context,) = accepted_contexts(request, with_roles(answer(request, policy(CT, scp_roles=(CT,))), *roles)).values()
    theirs = SCP_SCU_ROLES[proposed][granted or (None, None)]
    assert (context.scu_role, context.scp_role) == theirs[:2]


@pytest.mark.parametrize(
    ("proposed", "max_operations", "granted"),
    [
        (None, 8, None),
        (OperationsWindow(8, 1), 4, OperationsWindow(4, 1)),
        (OperationsWindow(2, 2), 4, OperationsWindow(2, 2)),
        (OperationsWindow(0, 0), 4, OperationsWindow(4, 4)),
        (OperationsWindow(8, 0), 0, OperationsWindow(8, 0)),
        (OperationsWindow(0, 1), 1, OperationsWindow(1, 1)),
    ],
)
def test_window_is_negotiated_down_when_the_requestor_proposes_one(
    proposed: OperationsWindow | None, max_operations: int, granted: OperationsWindow | None
) -> None:
    """Never more than proposed, zero being unlimited; none proposed, none answered (PS3.7 section D.3.3.3)."""
    request = propose(proposal(CT), window=proposed)
    assert answer(request, policy(CT, max_operations=max_operations)).user_information.operations_window == granted


@given(WINDOWS, WINDOWS)
@settings(max_examples=60)
def test_window_is_the_smaller_one_when_both_sides_have_one(one: OperationsWindow, other: OperationsWindow) -> None:
    """Order does not matter, and no side has more outstanding than it allowed."""
    window = effective_window(one, other)
    assert window == effective_window(other, one)
    for agreed, limits in (
        (window.invoked, (one.invoked, other.invoked)),
        (window.performed, (one.performed, other.performed)),
    ):
        assert agreed == min((limit for limit in limits if limit), default=0)


def test_window_is_synchronous_when_one_side_has_none() -> None:
    """The default is one operation at a time."""
    assert effective_window(None, OperationsWindow(0, 0)) == SYNCHRONOUS
    assert effective_window(OperationsWindow(8, 8), None) == SYNCHRONOUS
    assert effective_window(None, None) == OperationsWindow(1, 1)


@pytest.mark.parametrize(
    ("kind", "response"),
    [
        (IdentityKind.USERNAME, b""),
        (IdentityKind.USERNAME_PASSCODE, b""),
        (IdentityKind.KERBEROS, None),
        (IdentityKind.SAML, None),
        (IdentityKind.JWT, None),
    ],
)
def test_identity_is_acknowledged_when_a_response_is_requested(kind: IdentityKind, response: bytes | None) -> None:
    """A user name gets its empty response; for a ticket or a token there is nothing that we could vouch with."""
    request = identified(kind)
    assert answer(request, policy(CT)).user_information.identity_response == response
    assert request.user_information.identity is not None
    assert acknowledge_username(request.user_information.identity) == response


def test_identity_gets_no_response_when_none_is_requested() -> None:
    """The item is in the accept only where it was asked for (PS3.7 section D.3.3.7)."""
    request = identified(IdentityKind.USERNAME, response_requested=False)
    assert answer(request, policy(CT)).user_information.identity_response is None


def test_identity_gets_the_response_of_the_policy_when_it_has_one() -> None:
    """Who can check tickets says what to answer."""
    own = policy(CT)._replace(identity_response=lambda identity: b"seen " + identity.primary)
    assert answer(identified(IdentityKind.KERBEROS), own).user_information.identity_response == b"seen joe"


def test_extended_negotiation_is_sent_but_not_answered_when_it_is_given() -> None:
    """Silence means that we do without it (PS3.7 section D.3.3.5)."""
    extended = (ExtendedNegotiation(CT, b"\1"),)
    request = build_request(
        [proposal(CT)], called_ae_title="PACS", calling_ae_title="WS1", maximum_length=0, extended=extended
    )
    assert request.user_information.extended == extended
    assert answer(request, policy(CT)).user_information.extended == ()


def test_extended_negotiation_is_answered_once_when_the_policy_has_an_answer() -> None:
    """For what is supported and a UID only; the first of several proposals for one SOP class counts."""
    extended = tuple(ExtendedNegotiation(uid, info) for uid, info in [(CT, b"\1\1"), (CT, b"\0"), (MR, b"\1")])
    request = build_request(
        [proposal(CT)], called_ae_title="PACS", calling_ae_title="WS1", maximum_length=0, extended=extended
    )
    answered = answer(request, policy(CT)._replace(extended=lambda _uid, information: information[:1]))
    assert answered.user_information.extended == (ExtendedNegotiation(CT, b"\1"),)
