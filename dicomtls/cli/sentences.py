"""What commands say about an association in the same words: its TLS, its peer, a status."""

from typing import TYPE_CHECKING

from dicomtls.cli.text import Style, Styled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicomtls.cli.output import Output
    from dicomtls.tls import Negotiated


def status_word(status: int, meaning: str) -> Styled:
    """A DIMSE status for people; success alone is green."""
    return Styled(f"{meaning} (0x{status:04X})", Style.BAD if status else Style.GOOD)


def tls_phrases(negotiated: "Negotiated | None") -> "Iterator[str | Styled]":
    """What one line says about TLS: protocol, cipher, group, the peer's name, verified or why not, days left."""
    if negotiated is None:
        yield Styled("no TLS", Style.BAD)
        return
    yield from filter(None, (negotiated.protocol, negotiated.cipher, negotiated.group))
    yield from certificate_phrases(negotiated)


def certificate_phrases(negotiated: "Negotiated") -> "Iterator[str | Styled]":
    """What one line says about the peer's certificate: its name, verified or why not, days left."""
    yield f"peer {negotiated.peer.name}" if negotiated.peer else "no peer certificate"
    yield _verdict(negotiated)
    days_left = negotiated.peer.days_left() if negotiated.peer else None
    if days_left is not None:
        yield f"{days_left} days left"


def warn_of_expiry(output: "Output", negotiated: "Negotiated | None", warn_days: int) -> None:
    """Warn where the peer's certificate ends within `warn_days`."""
    warning = expiry_warning(negotiated, warn_days)
    if warning is not None:
        output.warning(warning)


def expiry_warning(negotiated: "Negotiated | None", warn_days: int) -> str | None:
    """What to say where the peer's certificate ends within `warn_days`; None where it does not."""
    days_left = negotiated.peer.days_left() if negotiated and negotiated.peer else None
    if days_left is None or days_left >= warn_days:
        return None
    left = f"has {days_left} days left" if days_left >= 0 else "has expired"
    return f"the peer's certificate {left}"


def join(phrases: "Iterator[str | Styled]") -> tuple[str | Styled, ...]:
    """Put commas between phrases."""
    parts: list[str | Styled] = []
    for phrase in phrases:
        parts += [", ", phrase] if parts else [phrase]
    return tuple(parts)


def _verdict(negotiated: "Negotiated") -> Styled:
    if not negotiated.verified:
        return Styled("not verified (--insecure)", Style.BAD)
    how = {"pin": "verified by its pin"}.get(negotiated.verified_by or "", "verified")
    unmatched = negotiated.verified_by != "pin" and negotiated.name_matched is False
    return Styled(f"{how} but for its name" if unmatched else how, Style.GOOD)
