"""What travels on the associations of tests: a request and its answer, commands, PDUs with whatever they claim."""

from dicomtls.association.contexts import ProposedContext
from dicomtls.association.dimse import Command, CommandField, encode_command
from dicomtls.association.negotiation import AcceptorPolicy, answer
from dicomtls.association.pdu import (
    PDU,
    Abort,
    AssociateAccept,
    AssociateRequest,
    PDUType,
    ReleaseRequest,
    ReleaseResponse,
    data_header,
    decode,
    encode,
    parse_header,
)
from dicomtls.association.user_information import OperationsWindow, UserInformation

VERIFICATION = "1.2.840.10008.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
INSTANCE = "1.2.3.4"
VERIFICATION_ID = 1
CT_ID = 3
REFUSED_ID = 5
UNSUPPORTED = "1.2.3.99"


def proposal(*, maximum_length: int = 16384, window: OperationsWindow | None = None) -> AssociateRequest:
    """Ask for Verification (1), CT (3) and a SOP class that nobody has (5)."""
    return AssociateRequest(
        "ACCEPTOR",
        "REQUESTOR",
        (
            ProposedContext(VERIFICATION_ID, VERIFICATION, (IMPLICIT,)),
            ProposedContext(CT_ID, CT, (EXPLICIT, IMPLICIT)),
            ProposedContext(REFUSED_ID, UNSUPPORTED, (IMPLICIT,)),
        ),
        UserInformation(maximum_length, "1.2.3", "TESTS", operations_window=window),
    )


def grant(asked: AssociateRequest, *, maximum_length: int = 16384, max_operations: int = 1) -> AssociateAccept:
    """Accept whatever is supported here."""
    policy = AcceptorPolicy(
        supports=lambda uid: uid != UNSUPPORTED,
        accepts_transfer_syntax=lambda _abstract, _transfer: True,
        maximum_length=maximum_length,
        max_operations=max_operations,
    )
    return answer(asked, policy)


REQUEST = proposal()
ACCEPT = grant(REQUEST)


def echo_request(message_id: int = 1) -> Command:
    """A C-ECHO-RQ."""
    return Command(command_field=CommandField.C_ECHO_RQ, message_id=message_id, affected_sop_class_uid=VERIFICATION)


def echo_response(message_id: int = 1, status: int = 0) -> Command:
    """A C-ECHO-RSP."""
    return Command(command_field=CommandField.C_ECHO_RSP, message_id_being_responded_to=message_id, status=status)


def store_request(message_id: int = 1, instance: str = INSTANCE) -> Command:
    """A C-STORE-RQ of a CT, a dataset to follow."""
    return Command(
        command_field=CommandField.C_STORE_RQ,
        message_id=message_id,
        affected_sop_class_uid=CT,
        affected_sop_instance_uid=instance,
        priority=0,
        has_dataset=True,
    )


def store_response(
    message_id: int = 1,
    status: int = 0,
    *,
    error_comment: str | None = None,
    offending_element: tuple[int, ...] | None = None,
) -> Command:
    """A C-STORE-RSP."""
    return Command(
        command_field=CommandField.C_STORE_RSP,
        message_id_being_responded_to=message_id,
        status=status,
        error_comment=error_comment,
        offending_element=offending_element,
    )


def data(
    context_id: int, fragment: bytes, *, is_command: bool = False, is_last: bool = True, claims: int | None = None
) -> bytes:
    """A P-DATA-TF with one fragment; `claims` is what it says to be long where that is not the truth."""
    length = len(fragment) if claims is None else claims
    return data_header(context_id, length, is_command=is_command, is_last=is_last) + fragment


def command(message: Command, context_id: int = CT_ID) -> bytes:
    """A P-DATA-TF with a whole command set."""
    return data(context_id, encode_command(message), is_command=True)


def header(pdu_type: int, length: int) -> bytes:
    """The six bytes before any PDU."""
    return bytes((pdu_type, 0)) + length.to_bytes(4)


def pdus(data: bytes) -> list[PDU | bytes]:
    """What a peer received, PDU by PDU; P-DATA-TF stay the bytes after their header."""
    found: list[PDU | bytes] = []
    while data:
        pdu_type, length = parse_header(data[:6])
        body, data = data[6 : 6 + length], data[6 + length :]
        assert len(body) == length, "the last PDU is not whole"
        found.append(body if pdu_type == PDUType.P_DATA_TF else decode(pdu_type, body))
    return found


ECHO = command(echo_request(), VERIFICATION_ID)
STORE = command(store_request())

BY_PROVIDER = 2
UNRECOGNIZED = Abort(BY_PROVIDER, 1)
UNEXPECTED = Abort(BY_PROVIDER, 2)
INVALID = Abort(BY_PROVIDER, 6)
BY_USER = Abort(0, 0)

RELEASE = encode(ReleaseRequest())
RELEASED = encode(ReleaseResponse())
