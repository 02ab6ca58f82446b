"""The words for A-ASSOCIATE-RJ and A-ABORT."""

import pytest

from dicomtls.association.reasons import (
    AbortReason,
    AbortSource,
    ACSEReason,
    PresentationReason,
    RejectResult,
    RejectSource,
    UserReason,
    describe_abort,
    describe_reject,
)

DEFINED = [
    *((RejectSource.SERVICE_USER, reason) for reason in UserReason),
    *((RejectSource.SERVICE_PROVIDER_ACSE, reason) for reason in ACSEReason),
    *((RejectSource.SERVICE_PROVIDER_PRESENTATION, reason) for reason in PresentationReason),
]


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((1, 1, 7), "the called AE title is not recognised (rejected permanently, by the peer's application)"),
        ((1, 1, 3), "the calling AE title is not recognised (rejected permanently, by the peer's application)"),
        (
            (2, 3, 1),
            "temporary congestion (rejected for now, a later attempt may succeed, by the peer's presentation layer)",
        ),
        ((1, 2, 2), "the protocol version is not supported (rejected permanently, by the peer's association layer)"),
    ],
)
def test_rejection_is_described_when_the_standard_defines_it(numbers: tuple[int, int, int], text: str) -> None:
    """The three numbers become one sentence."""
    assert describe_reject(*numbers) == text


@pytest.mark.parametrize(("source", "reason"), DEFINED)
@pytest.mark.parametrize("result", RejectResult)
def test_rejection_has_words_when_all_numbers_are_defined(result: int, source: int, reason: int) -> None:
    """No row of PS3.8 table 9-21 falls through to the numbers."""
    assert "defin" not in describe_reject(result, source, reason)


@pytest.mark.parametrize(("numbers", "shown"), [((1, 1, 5), "(5)"), ((9, 1, 1), "(9)"), ((1, 8, 1), "(8)")])
def test_rejection_shows_the_number_when_it_is_undefined(numbers: tuple[int, int, int], shown: str) -> None:
    """A number that the standard does not define is shown as such."""
    text = describe_reject(*numbers)
    assert shown in text
    assert "define" in text


@pytest.mark.parametrize("reason", AbortReason)
def test_abort_has_words_when_the_provider_gives_a_defined_reason(reason: int) -> None:
    """Every reason of PS3.8 table 9-26 has words of its own."""
    text = describe_abort(AbortSource.SERVICE_PROVIDER, reason)
    assert text.startswith("aborted by the peer's association layer: ")
    assert "define" not in text


@pytest.mark.parametrize(
    ("source", "reason", "text"),
    [
        (0, 6, "aborted by the peer's application, which cannot say why"),
        (2, 3, "aborted by the peer's association layer: a reason that the standard does not define (3)"),
        (1, 2, "aborted by an undefined source (1), reason 2"),
    ],
)
def test_abort_is_honest_when_its_numbers_say_little(source: int, reason: int, text: str) -> None:
    """A service-user's reason is not significant, and undefined numbers are shown."""
    assert describe_abort(source, reason) == text
