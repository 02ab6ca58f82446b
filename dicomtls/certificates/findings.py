"""One thing that an inspection noticed, and how grave it is."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error is what makes a handshake fail; a warning is what stricter software refuses; the rest is information."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Finding:
    """What was noticed, about which certificate (its place in the list; None: about none)."""

    code: str
    severity: Severity
    message: str
    certificate: int | None = None
    hints: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return what the JSON documents call a finding."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "certificate": self.certificate,
            "hints": list(self.hints),
        }
