"""Hypothesis strategies for what travels on an association, and the ways in which hostile bytes differ from it."""

import tracemalloc
from collections.abc import Callable
from typing import TypeVar

from hypothesis import strategies as st

from dicomtls.association.contexts import AnsweredContext, ContextResult, ProposedContext
from dicomtls.association.pdu import APPLICATION_CONTEXT, PROTOCOL_VERSION, AssociateAccept, AssociateRequest
from dicomtls.association.user_information import (
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    IdentityKind,
    OperationsWindow,
    RoleSelection,
    UserIdentity,
    UserInformation,
)
from dicomtls.errors import RemoteProtocolError

# Objects for the smallest items that the grammar allows take more than their bytes, but not without end.
LARGEST_EXPANSION = 100
FIXED_COST = 65_536

_T = TypeVar("_T")

BYTE = st.integers(0, 255)
WORD = st.integers(0, 0xFFFF)

UIDS = st.lists(st.integers(0, 10**12), min_size=3, max_size=4).map(lambda parts: "1.2." + ".".join(map(str, parts)))
AE_TITLES = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\\"), min_size=1, max_size=16
)
CONTEXT_IDS = st.integers(0, 127).map(lambda number: 2 * number + 1)

WINDOWS = st.builds(OperationsWindow, WORD, WORD)
ROLES = st.builds(RoleSelection, UIDS, st.booleans(), st.booleans())
EXTENDED = st.builds(ExtendedNegotiation, UIDS, st.binary(min_size=1, max_size=20))
COMMON_EXTENDED = st.builds(CommonExtendedNegotiation, UIDS, UIDS, st.lists(UIDS, max_size=3, unique=True).map(tuple))
IDENTITIES = st.builds(
    UserIdentity,
    st.sampled_from(IdentityKind),
    st.booleans(),
    st.binary(min_size=1, max_size=40),
    st.binary(max_size=40),
)


def user_information(*, is_request: bool) -> st.SearchStrategy[UserInformation]:
    """User information as requests, or as accepts, have it."""
    return st.builds(
        UserInformation,
        maximum_length=st.integers(0, 0xFFFFFFFF),
        implementation_class_uid=UIDS,
        implementation_version_name=st.none() | AE_TITLES,
        operations_window=st.none() | WINDOWS,
        roles=st.lists(ROLES, max_size=3, unique_by=lambda role: role.sop_class_uid).map(tuple),
        extended=st.lists(EXTENDED, max_size=3).map(tuple),
        common_extended=st.lists(COMMON_EXTENDED, max_size=2).map(tuple) if is_request else st.just(()),
        identity=st.none() | IDENTITIES if is_request else st.none(),
        identity_response=st.none() if is_request else st.none() | st.binary(max_size=40),
    )


# Hypothesis would invent what a NamedTuple has defaults for.
DEFAULTS = (st.just(APPLICATION_CONTEXT), st.just(PROTOCOL_VERSION))
REQUESTS = st.builds(
    AssociateRequest,
    AE_TITLES,
    AE_TITLES,
    st.lists(
        st.builds(ProposedContext, CONTEXT_IDS, UIDS, st.lists(UIDS, min_size=1, max_size=3).map(tuple)),
        min_size=1,
        max_size=5,
        unique_by=lambda context: context.context_id,
    ).map(tuple),
    user_information(is_request=True),
    *DEFAULTS,
)
ACCEPTS = st.builds(
    AssociateAccept,
    AE_TITLES,
    AE_TITLES,
    st.lists(
        st.builds(AnsweredContext, CONTEXT_IDS, st.sampled_from(ContextResult), UIDS),
        min_size=1,
        max_size=5,
        unique_by=lambda context: context.context_id,
    ).map(tuple),
    user_information(is_request=False),
    *DEFAULTS,
)


@st.composite
def mutated(draw: st.DrawFn, originals: st.SearchStrategy[bytes]) -> bytes:
    """Bytes that were valid until a few of them were changed, taken out, doubled or cut off."""
    data = bytearray(draw(originals))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(("change", "change", "insert", "remove", "cut"))):
            case "change" if place < len(data):
                data[place] = draw(BYTE | st.sampled_from((0, 1, 2, 0x7F, 0xFF)))
            case "insert":
                data[place:place] = draw(st.binary(min_size=1, max_size=6))
            case "remove":
                del data[place : place + draw(st.integers(1, 6))]
            case _:
                del data[place:]
    return bytes(data)


def read_or_refuse(read: Callable[[bytes], _T], data: bytes) -> _T | None:
    """What `read` makes of the data, None where it raises `RemoteProtocolError`; other exceptions go through."""
    try:
        return read(data)
    except RemoteProtocolError as error:
        refusal = error
    assert refusal.message.isprintable()
    assert refusal.abort_reason in {1, 2, 4, 5, 6}
    return None


def peak_memory(read: Callable[[bytes], object], data: bytes) -> int:
    """The most bytes that `read` has taken at once while it read or refused the data."""
    tracemalloc.start()
    try:
        read_or_refuse(read, data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def allowed_memory(data: bytes) -> int:
    """The most bytes that reading the data may take, whatever its lengths claim."""
    return FIXED_COST + LARGEST_EXPANSION * len(data)
