"""The datasets of storage commitment."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.sop_class import (  # type: ignore[attr-defined]  # made at run time
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from dicomtls.association.commitment import SOP_CLASS, SOP_INSTANCE, Failed, Reference, Transaction, read_transaction
from dicomtls.dataset import EXPLICIT_VR_LE, IMPLICIT_VR_LE, tags
from dicomtls.dataset.identifier import Element, decode, encode
from dicomtls.errors import DataError
from tests.support.associations import UIDS

REFERENCES = st.builds(Reference, UIDS, UIDS)
TRANSACTIONS = st.builds(
    Transaction,
    UIDS,
    st.lists(REFERENCES, max_size=4).map(tuple),
    st.lists(st.builds(Failed, REFERENCES, st.integers(0, 0xFFFF)), max_size=4).map(tuple),
)


def test_uids_are_those_of_the_standard() -> None:
    """As pynetdicom has them."""
    assert (StorageCommitmentPushModel, StorageCommitmentPushModelInstance) == (SOP_CLASS, SOP_INSTANCE)


@given(transaction=TRANSACTIONS, syntax=st.sampled_from((IMPLICIT_VR_LE, EXPLICIT_VR_LE)))
def test_transaction_comes_back_as_it_went(transaction: Transaction, syntax: str) -> None:
    """Through its bytes, in either encoding."""
    assert read_transaction(decode(encode(transaction.encode(), syntax), syntax)) == transaction


def test_reasons_have_words() -> None:
    """Those of the standard, and an honest answer for others."""
    reference = Reference("1.2", "1.3")
    assert Failed(reference, 0x0112).meaning == "no such SOP instance"
    assert "does not define" in Failed(reference, 0x7777).meaning


@pytest.mark.parametrize(
    "elements",
    [
        {},
        {tags.TRANSACTION_UID: Element("UI", ("../etc",))},
        {tags.TRANSACTION_UID: Element("US", (1,))},
        {tags.TRANSACTION_UID: Element("UI", ("1.2",)), tags.REFERENCED_SOP_SEQUENCE: Element("LO", ("text",))},
        {tags.TRANSACTION_UID: Element("UI", ("1.2",)), tags.REFERENCED_SOP_SEQUENCE: Element("SQ", ({},))},
    ],
)
def test_what_is_no_transaction_is_refused(elements: Mapping[int, Element]) -> None:
    """Without a UID, or with instances that have none."""
    with pytest.raises(DataError):
        read_transaction(elements)
