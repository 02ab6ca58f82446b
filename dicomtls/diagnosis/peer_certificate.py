"""The certificate in the facts of a failed handshake, read only when there is something to explain."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Final

from dicomtls.errors import LocalError
from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.tls.negotiated import is_ip_address


def describe_or_none(der: bytes) -> dict[str, object] | None:
    """Describe a certificate as `--json` does; None where it is not one."""
    from dicomtls.certificates.describe import describe  # 65 ms that only a failure may cost

    try:
        return describe(der).as_json()
    except LocalError:
        return None


def leaf(facts: HandshakeFacts) -> dict[str, object]:
    """The description of the certificate that the peer sent first; empty where there is none."""
    return (describe_or_none(facts.chain_der[0]) if facts.chain_der else None) or {}


def first_expired(facts: HandshakeFacts) -> dict[str, object] | None:
    """The description of the first certificate of the chain that has expired; None where none of those sent has."""
    return _first_in_time(facts, lambda certificate, now: str(certificate["not_after"] or now) < now)


def first_not_yet_valid(facts: HandshakeFacts) -> dict[str, object] | None:
    """The description of the first certificate of the chain that is not valid yet; None where all those sent are."""
    return _first_in_time(facts, lambda certificate, now: str(certificate["not_before"] or now) > now)


def _first_in_time(
    facts: HandshakeFacts, is_wrong: Callable[[dict[str, object], str], bool]
) -> dict[str, object] | None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # as `describe` writes dates, which compare as text
    sent = (describe_or_none(der) for der in facts.chain_der)
    return next((certificate for certificate in sent if certificate and is_wrong(certificate, now)), None)


def names_issuer_address(der: bytes) -> bool:
    """Whether a certificate says where its issuer can be fetched; False where it cannot be read."""
    from dicomtls.certificates.der import DERError
    from dicomtls.certificates.fields import CertificateFields, names_issuer_address

    try:
        return names_issuer_address(CertificateFields.parse(der))
    except (DERError, LocalError):
        return False


def our_clock(culprit: dict[str, object] | None, which: str) -> str:
    """How far a date lies from now, and what our clock says: often it is the clock that is wrong."""
    try:
        moment = datetime.fromisoformat(str((culprit or {})[which]))
    except (KeyError, ValueError):
        return ""
    now = datetime.now(UTC)
    far = f"{_span(abs(moment - now))} {'ago' if moment < now else 'from now'}"
    return f" ({far}; our clock says {now:%Y-%m-%dT%H:%MZ})"


def _span(length: timedelta) -> str:
    hours = length // timedelta(hours=1)
    if hours >= _HOURS_TO_COUNT:
        return f"{length.days} days"
    return f"{hours} hours" if hours > 1 else f"{length // timedelta(minutes=1)} minutes"


_HOURS_TO_COUNT: Final = 48


def issuer_key_identifier(facts: HandshakeFacts) -> str | None:
    """The identifier of the key that signed the leaf, in hex; None where it names none."""
    from dicomtls.certificates.fields import CertificateFields, issuer_key_identifier

    try:
        return issuer_key_identifier(CertificateFields.parse(facts.chain_der[0])) if facts.chain_der else None
    except (ValueError, LocalError):
        return None


def names(facts: HandshakeFacts) -> str:
    """The names that the certificate has, for a message: the first ten, and how many more there are.

    An address among the DNS names is said to be there.
    """
    certificate = leaf(facts)
    dns_names, addresses = (map(str, strings(certificate.get(key))) for key in ("dns_names", "ip_addresses"))
    found = [*(f"the DNS name {name}" if is_ip_address(name) else name for name in dns_names), *addresses]
    if not found:
        return f"no name at all, only the subject {certificate.get('subject', '(unknown)')}"
    more = len(found) - _SHOWN
    return ", ".join(found[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


_SHOWN: Final = 10


def server_name_to_give(facts: HandshakeFacts) -> str | None:
    """The first of those names that could be asked for: no wildcard, and no address that stands as a DNS name.

    A hint shows it as a part of a command line, so it is no text that would mean something else to a shell, or to us.
    """
    certificate = leaf(facts)
    dns_names, addresses = (map(str, strings(certificate.get(key))) for key in ("dns_names", "ip_addresses"))
    usable = (name for name in dns_names if _HOST_NAME.fullmatch(name) and not is_ip_address(name))
    return next(chain(usable, filter(is_ip_address, addresses)), None)


# Letters, digits, hyphens and what Windows machines have, 253 at most (RFC 1035 section 2.3.4); no option.
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")


def has_address_as_name(facts: HandshakeFacts) -> bool:
    """Whether the address that was asked for stands among the DNS names, where nobody looks for it (RFC 9525)."""
    wanted = facts.reference_name or ""
    return is_ip_address(wanted) and wanted in strings(leaf(facts).get("dns_names"))


def leaf_permits_role(facts: HandshakeFacts) -> bool:
    """Whether the leaf itself is made for what the peer does with it: if so, it is an authority that is not."""
    from dicomtls.certificates.fields import permits_client, permits_server

    try:
        return bool(facts.chain_der) and (permits_server if facts.role == "client" else permits_client)(
            facts.chain_der[0]
        )
    except LocalError:
        return False


def strings(value: object) -> list[object]:
    """A list out of a description, or an empty one."""
    return value if isinstance(value, list) else []
