"""Where in the storage folder an instance goes: a template, and values that nobody can make leave the folder.

The values come from peers. What is not plain becomes plain, and gets a digest of what it was, so that two
different values never become one name.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from dicomtls.dataset import tags
from dicomtls.errors import UsageError

DEFAULT_LAYOUT: Final = "{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm"
EXTENSION: Final = ".dcm"

# No value has this name: one that is plain begins otherwise, and every other one ends in a digest.
_MISSING: Final = "_unknown"
_LONGEST_NAME: Final = 80
_DIGEST_DIGITS: Final = 24
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._^=+-]*")
# Names that begin with a dot are for the temporary files, and one with a hyphen looks like an option.
_UNSAFE: Final = re.compile(r"^[.-]|[^A-Za-z0-9._^=+-]+")
_FIELD: Final = re.compile(r"\{(\w*)\}")
_RUN_TOGETHER: Final = re.compile(r"\}[0-9.]*\{SOPInstanceUID\}|\{SOPInstanceUID\}[0-9.]*\{")
# Windows opens devices by these names, in any folder and with any extension.
_DEVICES: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")

_FROM_DATASET: Final = {
    "StudyInstanceUID": tags.STUDY_INSTANCE_UID,
    "SeriesInstanceUID": tags.SERIES_INSTANCE_UID,
    "PatientID": tags.PATIENT_ID,
    "PatientName": tags.PATIENT_NAME,
    "StudyDate": tags.STUDY_DATE,
    "StudyID": tags.STUDY_ID,
    "Modality": tags.MODALITY,
    "SeriesNumber": tags.SERIES_NUMBER,
    "InstanceNumber": tags.INSTANCE_NUMBER,
}
_FROM_COMMAND: Final = ("SOPClassUID", "SOPInstanceUID", "CallingAETitle", "CalledAETitle")


class Layout:
    """A parsed template such as `{PatientID}/{StudyInstanceUID}/{SOPInstanceUID}.dcm`."""

    def __init__(self, template: str = DEFAULT_LAYOUT) -> None:
        """Read the template; raises `UsageError` where it names no instance or leaves the folder."""
        self.template = template
        if not template.endswith(EXTENSION):
            msg = f"the layout {template!r} does not end in {EXTENSION}"
            raise UsageError(msg, hints=(f"the default is {DEFAULT_LAYOUT}",))
        names = _FIELD.findall(template)
        unknown = [name for name in names if name not in _FROM_DATASET and name not in _FROM_COMMAND]
        if unknown or "{" in _FIELD.sub("", template) or "}" in _FIELD.sub("", template):
            known = ", ".join(sorted([*_FROM_DATASET, *_FROM_COMMAND]))
            msg = f"the layout has an unknown field {unknown[0] if unknown else template!r}"
            raise UsageError(msg, hints=(f"the fields are {known}",))
        if "SOPInstanceUID" not in names:
            msg = f"the layout {template!r} would give many instances one name"
            raise UsageError(msg, hints=("let it contain {SOPInstanceUID}",))
        if _RUN_TOGETHER.search(template):
            msg = f"in the layout {template!r} nothing tells where {{SOPInstanceUID}} begins and ends"
            raise UsageError(msg, hints=("put a character between the fields that no UID has, such as - or /",))
        for part in template.split("/"):
            _check_part(part)
        pieces = _FIELD.split(template)  # literal, field, literal, ...
        self._first = pieces[0]
        self._fields = [
            (name, _FROM_DATASET.get(name), literal) for name, literal in zip(pieces[1::2], pieces[2::2], strict=True)
        ]
        self.tags: frozenset[int] = frozenset(_FROM_DATASET[name] for name in names if name in _FROM_DATASET)

    def place(self, attributes: Mapping[int, bytes], command: Mapping[str, str]) -> str:
        """The path below the storage folder, with `/`; `attributes` hold what `tags` asked for."""
        path = self._first
        for name, tag, literal in self._fields:
            # Latin-1 keeps every byte apart from every other, whatever character set it is in.
            value = command.get(name, "") if tag is None else attributes.get(tag, b"").decode("latin-1")
            path += safe_name(value) + literal
        return path


def _check_part(part: str) -> None:
    if part.startswith(".") or not part.isprintable() or not part or "\\" in part:
        msg = f"the layout has a part that is no folder name: {part!r}"
        raise UsageError(msg, hints=(f"the default is {DEFAULT_LAYOUT}",))


def safe_name(value: str) -> str:
    """`value` itself where it is a harmless file name, else a harmless one that no other value gets."""
    # A value may be a megabyte long, and a thousand of those are not to be remembered.
    return _short_name(value) if len(value) <= _LONGEST_NAME else _marked(value)


# Studies and series come back with every instance.
@lru_cache(maxsize=1024)
def _short_name(value: str) -> str:
    if _PLAIN.fullmatch(value) and not _DEVICES.fullmatch(value):
        return value
    return _marked(value) if value else _MISSING


def _marked(value: str) -> str:
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_DIGITS]
    return f"{_UNSAFE.sub('_', value)[: _LONGEST_NAME - _DIGEST_DIGITS - 2]}~{digest}"
