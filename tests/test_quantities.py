"""Sizes and rates in words."""

import pytest

from dicomtls.quantities import rate_in_words, size_in_words


@pytest.mark.parametrize(
    ("octets", "said", "rate"),
    [
        (0, "0.0 kB", ""),
        (4326, "4.3 kB", ""),
        (1_000_000, "1.0 MB", " (2 MB/s)"),
        (209_900_000, "209.9 MB", " (420 MB/s)"),
    ],
)
def test_sizes_are_said_in_what_shows_them(octets: int, said: str, rate: str) -> None:
    """A few files are not 0.0 MB at 0 MB/s."""
    assert (size_in_words(octets), rate_in_words(octets, 0.5), rate_in_words(octets, 0.0)) == (said, rate, "")
