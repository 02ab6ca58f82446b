"""Who may associate: the called AE title, and the calling AE titles with the certificates that they must show."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dicomtls.association.establish import Rejection
from dicomtls.association.pdu import APPLICATION_CONTEXT, PROTOCOL_VERSION, AssociateReject, AssociateRequest
from dicomtls.association.reasons import ACSEReason, RejectResult, RejectSource, UserReason
from dicomtls.errors import UsageError
from dicomtls.peer import check_ae_title
from dicomtls.tls import Negotiated

_FINGERPRINT: Final = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True)
class Allowed:
    """A calling AE title that is let in; with a fingerprint only under that certificate or public key."""

    ae_title: str
    fingerprint: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Allowed":
        """Read `AET` or `AET=sha256:HEX`; raises `UsageError`."""
        title, equals, pin = text.partition("=")
        match = _FINGERPRINT.fullmatch(pin.casefold())
        if equals and match is None:
            msg = f"not a fingerprint: {pin!r}"
            raise UsageError(msg, hints=("write AET=sha256: and 64 hexadecimal digits",))
        return cls(check_ae_title(title), match[1] if match else None)


@dataclass(frozen=True, kw_only=True)
class AccessRules:
    """`ae_title` None accepts any called AE title; an empty `allowed` lets any calling AE title in."""

    ae_title: str | None = None
    allowed: Sequence[Allowed] = ()

    def refuse(self, request: AssociateRequest, negotiated: Negotiated | None) -> Rejection | None:
        """Why this request is rejected, or None where it is not (PS3.8 section 9.3.4, table 9-21)."""
        if not request.protocol_version & PROTOCOL_VERSION:
            return _rejection(
                RejectSource.SERVICE_PROVIDER_ACSE,
                ACSEReason.PROTOCOL_VERSION_NOT_SUPPORTED,
                f"the protocol version {request.protocol_version} is not supported",
            )
        if request.application_context != APPLICATION_CONTEXT:
            return _by_user(
                UserReason.APPLICATION_CONTEXT_NAME_NOT_SUPPORTED,
                f"the application context {request.application_context} is not DICOM's",
            )
        if self.ae_title is not None and request.called_ae_title != self.ae_title:
            return _by_user(
                UserReason.CALLED_AE_TITLE_NOT_RECOGNIZED,
                f"the called AE title {request.called_ae_title} is not {self.ae_title}",
            )
        why = self._not_allowed(request.calling_ae_title, negotiated) if self.allowed else None
        if why is not None:
            comment = f"the calling AE title {request.calling_ae_title} is {why}"
            return _by_user(UserReason.CALLING_AE_TITLE_NOT_RECOGNIZED, comment)
        return None

    def _not_allowed(self, calling_ae_title: str, negotiated: Negotiated | None) -> str | None:
        """Why nobody is let in under this title, or not this peer; None where it is."""
        candidates = [allowed for allowed in self.allowed if allowed.ae_title == calling_ae_title]
        if any(allowed.fingerprint is None for allowed in candidates):
            return None
        peer = negotiated.peer if negotiated is not None else None
        if not candidates:
            return "not allowed"
        if peer is None:
            return "allowed with its certificate only, and the client showed none"
        from dicomtls.certificates.fields import spki_sha256

        shown = {peer.fingerprint_sha256, spki_sha256(peer.der)}
        if any(allowed.fingerprint in shown for allowed in candidates):
            return None
        return f"allowed with another certificate only: this one is {peer.subject}, sha256:{peer.fingerprint_sha256}"


def _by_user(reason: UserReason, comment: str) -> Rejection:
    return _rejection(RejectSource.SERVICE_USER, reason, comment)


def _rejection(source: RejectSource, reason: int, comment: str) -> Rejection:
    return Rejection(AssociateReject(RejectResult.REJECTED_PERMANENT, source, reason), comment)
