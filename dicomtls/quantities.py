"""Sizes and rates as people read them, in reports and in logs."""

from typing import Final

_KILOBYTE: Final = 1e3
_MEGABYTE: Final = 1e6


def size_in_words(octets: int) -> str:
    """How a log or a report says it: 2.1 MB, or 3.4 kB where those would be 0.0."""
    return f"{octets / _MEGABYTE:.1f} MB" if octets >= _MEGABYTE else f"{octets / _KILOBYTE:.1f} kB"


def rate_in_words(octets: int, seconds: float) -> str:
    """` (54 MB/s)`, with its space; empty for less than a megabyte, which says nothing of a rate."""
    return f" ({octets / _MEGABYTE / seconds:.0f} MB/s)" if octets >= _MEGABYTE and seconds else ""
