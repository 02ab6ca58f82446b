"""What commands say about an association in the same words: its TLS, its peer, a status."""

from typing import TYPE_CHECKING

from dicomtls.cli.text import Style, Styled
from dicomtls.errors import Stage
from dicomtls.peer import format_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dicomtls.cli.output import Output
    from dicomtls.scu.attempt import Attempt
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
    """Warn where the peer's certificate, or the one that we sent, ends within `warn_days`."""
    for warning in expiry_warnings(negotiated, warn_days):
        output.warning(warning)


def expiry_warnings(negotiated: "Negotiated | None", warn_days: int) -> "Iterator[str]":
    """What to say where the peer's certificate, or the one that we sent, ends within `warn_days`."""
    if negotiated is None:
        return
    for whose, left in (("the peer's", _peer_days_left(negotiated)), ("our", _own_days_left(negotiated))):
        if left is not None and left < warn_days:
            yield f"{whose} certificate {days_in_words(left)}"


def days_in_words(days_left: int) -> str:
    """What to say of a certificate that ends soon, or has ended."""
    if days_left < 0:
        return "has expired"
    return f"has {days_left} day{'' if days_left == 1 else 's'} left"


def _peer_days_left(negotiated: "Negotiated") -> int | None:
    return negotiated.peer.days_left() if negotiated.peer else None


def _own_days_left(negotiated: "Negotiated") -> int | None:
    """Of the chain that we sent; None where we were not asked for one, or have none."""
    if not negotiated.own_chain:
        return None
    from dicomtls.certificates.fields import days_left
    from dicomtls.errors import CredentialError

    try:
        return days_left(negotiated.own_chain)
    except CredentialError:  # dates that nobody can read, in a file that OpenSSL took
        return None


def stages(attempt: "Attempt", failed: "Stage | None") -> "Iterator[tuple[str, str]]":
    """Each stage that was begun, by its key in `timing_ms`: a line with its name, its fact and its time.

    `failed` is the stage at which the attempt ended, None where it did not.
    """
    facts = {
        "resolve": attempt.peer.host,
        "connect": attempt.address or format_address(attempt.peer.host, attempt.peer.port),
        "handshake": _handshake_fact(attempt.negotiated),
        "associate": f"{attempt.calling_ae_title} to {attempt.peer.called_ae_title}",
    }
    begun = [name for name in facts if name in attempt.timing_ms]
    for name in begun:
        fact = facts[name]
        if name == "associate" and failed is Stage.TLS:  # at TLS 1.3 a refusal comes after our side of the handshake
            fact = "not reached, the peer refused the handshake"
        elif name == begun[-1] and failed in _ENDS_AT:
            fact = f"failed, {fact}"
        yield name, f"{_STAGES[name]}: {fact} ({attempt.timing_ms[name]:.1f} ms)"


_STAGES = {"resolve": "name", "connect": "tcp", "handshake": "tls", "associate": "association"}
_ENDS_AT = frozenset({Stage.NAME, Stage.TCP, Stage.TLS, Stage.ASSOCIATION})


def _handshake_fact(negotiated: "Negotiated | None") -> str:
    if negotiated is None:
        return "no handshake"
    phrases = [phrase if isinstance(phrase, str) else phrase.text for phrase in tls_phrases(negotiated)]
    ours = negotiated.client_certificate
    return ", ".join([*phrases, *([f"client certificate {ours}"] if ours else [])])


def join(phrases: "Iterator[str | Styled]") -> tuple[str | Styled, ...]:
    """Put commas between phrases."""
    parts: list[str | Styled] = []
    for phrase in phrases:
        parts += [", ", phrase] if parts else [phrase]
    return tuple(parts)


_HOW = {"pin": "verified by its pin", "first use": "trusted on first use, and remembered"}


def _verdict(negotiated: "Negotiated") -> Styled:
    if not negotiated.verified:
        return Styled("not verified (--insecure)", Style.BAD)
    how = _HOW.get(negotiated.verified_by or "", "verified")
    unmatched = negotiated.verified_by not in _HOW and negotiated.name_matched is False
    return Styled(f"{how} but for its name" if unmatched else how, Style.GOOD)
