"""Statuses: their categories and meanings, against the tables of pynetdicom."""

import pytest

from dicomtls.association.dimse import CommandField
from dicomtls.association.status import CANCEL, SUCCESS, StatusCategory, category, status_meaning


def test_category_agrees_when_pynetdicom_knows_the_status() -> None:
    """Every status of every service in its tables has the same category with us."""
    from pynetdicom import status as theirs

    tables = [table for name, table in vars(theirs).items() if name.endswith("_STATUS") and isinstance(table, dict)]
    statuses = {code: entry[0] for table in tables for code, entry in table.items()}
    assert len(statuses) > 4000
    assert {code: category(code) for code in statuses} == {
        code: StatusCategory(name.lower()) for code, name in statuses.items()
    }


@pytest.mark.parametrize("service", ["GENERAL", "VERIFICATION_SERVICE_CLASS", "STORAGE_SERVICE_CLASS"])
def test_meaning_agrees_when_pynetdicom_knows_the_status(service: str) -> None:
    """Each has words of its own with us that share their longest word with pynetdicom's."""
    from pynetdicom import status as theirs

    command_field = CommandField.C_STORE_RSP if service.startswith("STORAGE") else CommandField.C_ECHO_RSP
    for code, (_, text) in getattr(theirs, f"{service}_STATUS").items():
        meaning = status_meaning(code, command_field)
        assert "does not define" not in meaning
        # British and American spellings differ in the last letters, "duplication" and "duplicate" too.
        longest = max(text.lower().replace("object", "sop").replace("data set", "dataset").split(), key=len, default="")
        assert longest[:7] in meaning


@pytest.mark.parametrize(
    ("status", "command_field", "meaning"),
    [
        (SUCCESS, CommandField.C_ECHO_RSP, "success"),
        (0xA7FF, CommandField.C_STORE_RQ, "refused: out of resources"),
        (0xA900, CommandField.C_STORE_RSP, "dataset does not match SOP class"),
        (0xA900, CommandField.C_FIND_RSP, "identifier does not match SOP class"),
        (0xA801, CommandField.C_MOVE_RSP, "refused: move destination unknown"),
        (0xB000, CommandField.C_STORE_RSP, "coercion of data elements"),
        (0xB000, CommandField.C_GET_RSP, "sub-operations complete, one or more failures or warnings"),
        (0xC123, CommandField.C_STORE_RSP, "cannot understand"),
        (0xC123, CommandField.C_FIND_RSP, "unable to process"),
        (0xFF00, CommandField.C_FIND_RSP, "a match, more may follow"),
        (0xFF00, None, "pending"),
        (CANCEL, None, "cancelled"),
        (0x0122, CommandField.C_STORE_RSP, "refused: SOP class not supported"),
    ],
)
def test_meaning_depends_on_the_service_when_the_service_defines_it(
    status: int, command_field: CommandField | None, meaning: str
) -> None:
    """The same number says different things in different services."""
    assert status_meaning(status, command_field) == meaning


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (0xC123, "failure that the standard does not define"),
        (0xB123, "warning that the standard does not define"),
        (0x9999, "failure that the standard does not define"),
    ],
)
def test_meaning_is_the_category_when_nothing_defines_the_status(status: int, meaning: str) -> None:
    """An honest default for what some device makes up."""
    assert status_meaning(status) == meaning
    assert status_meaning(status, CommandField.C_ECHO_RSP) == meaning


def test_every_status_has_a_category_when_it_fits_its_field() -> None:
    """No number from 0 to 0xFFFF is without category and meaning, whatever the service."""
    for status in range(0x10000):
        assert category(status) in StatusCategory
        assert status_meaning(status)
        assert status_meaning(status, CommandField.C_STORE_RSP)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0x0000, StatusCategory.SUCCESS),
        (0x0001, StatusCategory.WARNING),
        (0x0002, StatusCategory.FAILURE),
        (0x0107, StatusCategory.WARNING),
        (0x0116, StatusCategory.WARNING),
        (0xAFFF, StatusCategory.FAILURE),
        (0xB000, StatusCategory.WARNING),
        (0xBFFF, StatusCategory.WARNING),
        (0xC000, StatusCategory.FAILURE),
        (0xFE00, StatusCategory.CANCEL),
        (0xFF00, StatusCategory.PENDING),
        (0xFF01, StatusCategory.PENDING),
        (0xFF02, StatusCategory.FAILURE),
    ],
)
def test_category_has_sharp_edges_when_statuses_are_neighbours(status: int, expected: StatusCategory) -> None:
    """PS3.7 annex C, at the first and last number of each category."""
    assert category(status) is expected
