"""What two sides make of an A-ASSOCIATE-RQ: presentation contexts, roles, the operations window (PS3.7 annex D.3).

The requestor builds its request from proposals, the acceptor answers it by a policy, and both read from request and
accept what holds on the association. No I/O. Whether an association is rejected as a whole is for the caller to
decide before it asks for an answer; the numbers to do it with are in `reasons`.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from dicomtls.association.contexts import MAXIMUM_CONTEXTS, AnsweredContext, ContextResult, ProposedContext
from dicomtls.association.pdu import AssociateAccept, AssociateRequest
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
from dicomtls.uid import is_uid

IMPLICIT_VR_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2"
SYNCHRONOUS: Final = OperationsWindow(1, 1)
"""What holds where no asynchronous operations window was negotiated (PS3.7 section D.3.3.3)."""

_NAME_ONLY: Final = frozenset({IdentityKind.USERNAME, IdentityKind.USERNAME_PASSCODE})


class ContextProposal(NamedTuple):
    """A presentation context that we want, and the roles that we want to take in it."""

    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    scu_role: bool = True
    scp_role: bool = False


class AcceptedContext(NamedTuple):
    """A presentation context that both sides agreed on.

    `scu_role` and `scp_role` are those of the association-requestor; the acceptor takes the other ones.
    """

    context_id: int
    abstract_syntax: str
    transfer_syntax: str
    scu_role: bool
    scp_role: bool


def acknowledge_username(identity: UserIdentity) -> bytes | None:
    """Server response to a user name, with or without passcode: empty (PS3.7 table D.3-15).

    Tickets, assertions and tokens get none, since nothing here can answer for them.
    """
    return b"" if identity.kind in _NAME_ONLY else None


def refuse_extended(sop_class_uid: str, information: bytes) -> bytes | None:  # noqa: ARG001 - one of the possible policies
    """Answer no extended negotiation: we do without it then (PS3.7 section D.3.3.5)."""
    return None


def refuse_role(abstract_syntax: str) -> bool:  # noqa: ARG001 - one of the possible policies
    """Let the requestor be the SCP of no SOP class."""
    return False


class AcceptorPolicy(NamedTuple):
    """What an association-acceptor agrees to.

    `maximum_length` is the longest P-DATA-TF that we can receive, in bytes, 0 for any. `max_operations` is how many
    operations may be outstanding in either direction, 0 for any number. `scp_role_allowed` says for which SOP classes
    the requestor may be the SCP. What to answer, None being nothing: `identity_response` says it for a user identity
    where the peer asks for an answer, `extended` for the extended negotiation of a SOP class that we support.
    """

    supports: Callable[[str], bool]
    accepts_transfer_syntax: Callable[[str, str], bool]
    maximum_length: int
    max_operations: int = 1
    scp_role_allowed: Callable[[str], bool] = refuse_role
    identity_response: Callable[[UserIdentity], bytes | None] = acknowledge_username
    extended: Callable[[str, bytes], bytes | None] = refuse_extended


def build_request(
    proposals: Sequence[ContextProposal],
    *,
    called_ae_title: str,
    calling_ae_title: str,
    maximum_length: int,
    operations_window: OperationsWindow | None = None,
    extended: tuple[ExtendedNegotiation, ...] = (),
    identity: UserIdentity | None = None,
) -> AssociateRequest:
    """The A-ASSOCIATE-RQ for these proposals, which get the identifiers 1, 3, 5 and so on.

    Raises `LocalProtocolError` where there are more than 128 of them: split them over several associations.
    """
    if len(proposals) > MAXIMUM_CONTEXTS:
        msg = f"an association has at most {MAXIMUM_CONTEXTS} presentation contexts, not {len(proposals)}"
        raise LocalProtocolError(msg)
    return AssociateRequest(
        called_ae_title=called_ae_title,
        calling_ae_title=calling_ae_title,
        contexts=tuple(
            ProposedContext(2 * index + 1, proposal.abstract_syntax, proposal.transfer_syntaxes)
            for index, proposal in enumerate(proposals)
        ),
        user_information=UserInformation(
            maximum_length=maximum_length,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            operations_window=operations_window,
            roles=_wanted_roles(proposals),
            extended=extended,
            identity=identity,
        ),
    )


def answer(request: AssociateRequest, policy: AcceptorPolicy) -> AssociateAccept:
    """The A-ASSOCIATE-AC that answers each presentation context in turn, and the user information."""
    roles = {role.sop_class_uid: role for role in _granted_roles(request, policy)}
    asked = request.user_information
    identity = asked.identity
    return AssociateAccept(
        called_ae_title=request.called_ae_title,
        calling_ae_title=request.calling_ae_title,
        contexts=tuple(_answer_context(context, policy, roles) for context in request.contexts),
        user_information=UserInformation(
            maximum_length=policy.maximum_length,
            implementation_class_uid=IMPLEMENTATION_CLASS_UID,
            implementation_version_name=IMPLEMENTATION_VERSION_NAME,
            operations_window=_grant_window(asked.operations_window, policy.max_operations),
            roles=tuple(roles.values()),
            extended=_answer_extended(request, policy),
            identity_response=policy.identity_response(identity) if identity and identity.response_requested else None,
        ),
    )


def accepted_contexts(request: AssociateRequest, accept: AssociateAccept) -> dict[int, AcceptedContext]:
    """The presentation contexts that hold on the association, by identifier; the same for both sides.

    Raises `RemoteProtocolError` where the accept answers a context, or accepts a transfer syntax, that was never
    proposed. A role that was never proposed is not taken, whatever the accept says of it (PS3.7 section D.3.3.4).
    """
    proposed = {context.context_id: context for context in request.contexts}
    roles = _agreed_roles(request, accept)
    accepted = {}
    for answered in accept.contexts:
        proposal = proposed.get(answered.context_id)
        if proposal is None:
            msg = f"the peer answers the presentation context {answered.context_id}, which was never proposed"
            raise RemoteProtocolError(msg)
        if answered.result != ContextResult.ACCEPTANCE:
            continue
        if answered.transfer_syntax not in proposal.transfer_syntaxes:
            msg = (
                f"the peer accepts the presentation context {answered.context_id} with the transfer syntax"
                f" {answered.transfer_syntax}, which was never proposed for it"
            )
            raise RemoteProtocolError(msg)
        accepted[answered.context_id] = AcceptedContext(
            answered.context_id,
            proposal.abstract_syntax,
            answered.transfer_syntax,
            *roles.get(proposal.abstract_syntax, (True, False)),
        )
    return accepted


def effective_window(proposed: OperationsWindow | None, answered: OperationsWindow | None) -> OperationsWindow:
    """What holds of two operations windows: the smaller numbers, 0 being unlimited, and 1 where one side has none.

    Both are seen from the association-requestor: `invoked` counts its operations, `performed` the acceptor's.
    """
    if proposed is None or answered is None:
        return SYNCHRONOUS
    return OperationsWindow(
        _smaller(proposed.invoked, answered.invoked), _smaller(proposed.performed, answered.performed)
    )


def _smaller(one: int, other: int) -> int:
    return min(one, other) if one and other else one or other


def _grant_window(proposed: OperationsWindow | None, max_operations: int) -> OperationsWindow | None:
    if proposed is None:
        return None
    return effective_window(proposed, OperationsWindow(max_operations, max_operations))


def _wanted_roles(proposals: Sequence[ContextProposal]) -> tuple[RoleSelection, ...]:
    """One role selection for each SOP class that needs one, with all roles that its proposals want."""
    wanted: dict[str, tuple[bool, bool]] = {}
    for proposal in proposals:
        scu, scp = wanted.get(proposal.abstract_syntax, (False, False))
        wanted[proposal.abstract_syntax] = (scu or proposal.scu_role, scp or proposal.scp_role)
    return tuple(RoleSelection(uid, scu, scp) for uid, (scu, scp) in wanted.items() if scp or not scu)


def _granted_roles(request: AssociateRequest, policy: AcceptorPolicy) -> list[RoleSelection]:
    """Roles for the SOP classes that we support; the first of several proposals for one SOP class counts.

    DCMTK repeats the proposal for each presentation context.
    """
    asked: dict[str, RoleSelection] = {}
    for role in request.user_information.roles:
        asked.setdefault(role.sop_class_uid, role)
    return [
        RoleSelection(uid, role.scu, role.scp and policy.scp_role_allowed(uid))
        for uid, role in asked.items()
        if is_uid(uid) and policy.supports(uid)
    ]


def _answer_extended(request: AssociateRequest, policy: AcceptorPolicy) -> tuple[ExtendedNegotiation, ...]:
    """Answers for the SOP classes that we support; the first of several for one SOP class counts."""
    asked: dict[str, bytes] = {}
    for item in request.user_information.extended:
        asked.setdefault(item.sop_class_uid, item.information)
    answers = {
        uid: policy.extended(uid, information)
        for uid, information in asked.items()
        if is_uid(uid) and policy.supports(uid)
    }
    return tuple(ExtendedNegotiation(uid, information) for uid, information in answers.items() if information)


def _agreed_roles(request: AssociateRequest, accept: AssociateAccept) -> dict[str, tuple[bool, bool]]:
    asked = {role.sop_class_uid: role for role in reversed(request.user_information.roles)}
    return {
        role.sop_class_uid: (role.scu and proposal.scu, role.scp and proposal.scp)
        for role in reversed(accept.user_information.roles)
        if (proposal := asked.get(role.sop_class_uid)) is not None
    }


def _answer_context(
    context: ProposedContext, policy: AcceptorPolicy, roles: dict[str, RoleSelection]
) -> AnsweredContext:
    abstract_syntax = context.abstract_syntax
    if not is_uid(abstract_syntax) or not policy.supports(abstract_syntax):
        return _refuse(context, ContextResult.ABSTRACT_SYNTAX_NOT_SUPPORTED)
    role = roles.get(abstract_syntax)
    if role is not None and not (role.scu or role.scp):
        # Nobody could ask for anything on it.
        return _refuse(context, ContextResult.USER_REJECTION)
    for transfer_syntax in context.transfer_syntaxes:
        if is_uid(transfer_syntax) and policy.accepts_transfer_syntax(abstract_syntax, transfer_syntax):
            return AnsweredContext(context.context_id, ContextResult.ACCEPTANCE, transfer_syntax)
    return _refuse(context, ContextResult.TRANSFER_SYNTAXES_NOT_SUPPORTED)


def _refuse(context: ProposedContext, result: ContextResult) -> AnsweredContext:
    # The item is not significant here, but must be there (PS3.8 table 9-18), and what was proposed may be no UID.
    return AnsweredContext(context.context_id, result, IMPLICIT_VR_LITTLE_ENDIAN)
