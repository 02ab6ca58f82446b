"""The SOP classes that a server offers."""

from pynetdicom.presentation import AllStoragePresentationContexts
from pynetdicom.sop_class import PatientRootQueryRetrieveInformationModelFind, Verification  # type: ignore[attr-defined]  # made at run time

from dicomtls.scp.sop_classes import VERIFICATION, storage_sop_classes
from tests.support.servers import CT, MR


def test_every_storage_sop_class_is_offered() -> None:
    """All that pynetdicom knows, images and others."""
    offered = storage_sop_classes()
    assert len(offered) == len({context.abstract_syntax for context in AllStoragePresentationContexts}) > 150
    assert {CT, MR, "1.2.840.10008.5.1.4.1.1.88.33", "1.2.840.10008.5.1.4.1.1.104.1"} <= offered
    assert all(type(uid) is str for uid in offered)


def test_other_services_are_not_storage() -> None:
    """Verification and query are no storage SOP classes."""
    assert Verification == VERIFICATION
    assert not {VERIFICATION, str(PatientRootQueryRetrieveInformationModelFind)} & storage_sop_classes()
