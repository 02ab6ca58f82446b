"""What passes as a UID, on the wire and in files."""

import re
from typing import Final

# A UID becomes part of a file's name: the digit in front keeps `.` and `..` out.
_UID: Final = re.compile(r"[0-9][0-9.]{0,63}")


def is_uid(text: str) -> bool:
    """Whether this can be sent and kept as a UID: 1 to 64 digits and dots, a digit first (PS3.5 section 9.1).

    Leading zeros and empty components, which the standard forbids too, are let through: devices that make such
    UIDs exist, and so do the instances that bear them. Whatever passes is safe as a part of a file's name.
    """
    return _UID.fullmatch(text) is not None
