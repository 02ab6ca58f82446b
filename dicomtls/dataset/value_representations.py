"""Value representations (PS3.5 section 6.2): how each is padded, split, counted and, where it is a number, packed."""

from typing import Final

SEQUENCE: Final = "SQ"
UNKNOWN: Final = "UN"
TAG: Final = "AT"

LONG_FORM: Final = frozenset("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())  # noqa: SIM905 -- reads as PS3.5 table 7.1-1 does
"""Those with a length of four bytes in Explicit VR (PS3.5 section 7.1.2)."""
BINARY: Final = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
"""Bytes that nothing here looks into."""
TEXT: Final = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))
"""Those whose character set is that of (0008,0005) (PS3.5 section 6.1.2.3)."""
ONE_VALUE: Final = frozenset(("LT", "ST", "UR", "UT"))
"""Text in which a backslash is a character, and no delimiter."""
FORMATS: Final = {
    "US": "H",
    "SS": "h",
    "UL": "L",
    "SL": "l",
    "UV": "Q",
    "SV": "q",
    "FL": "f",
    "FD": "d",
}
"""The codes of `struct` for numbers; AT is two of US."""
KNOWN: Final = (
    frozenset(
        (
            "AE",
            "AS",
            "AT",
            "CS",
            "DA",
            "DS",
            "DT",
            "FD",
            "FL",
            "IS",
            "LO",
            "LT",
            "PN",
            "SH",
            "SL",
            "SS",
            "ST",
            "TM",
            "UI",
        )
    )
    | frozenset(("UL", "US"))
    | LONG_FORM
)


def padding(vr: str) -> bytes:
    """What makes a value's length even."""
    return b"\0" if vr == "UI" or vr in BINARY else b" "
