"""What inspect-cert shows to people: the tree of a chain, what each certificate is fit for, what was noticed."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dicomtls.cli.text import Line, Style, Styled

if TYPE_CHECKING:
    from datetime import datetime

    from dicomtls.certificates.describe import CertificateDescription
    from dicomtls.certificates.findings import Finding
    from dicomtls.certificates.inventory import Inventory
    from dicomtls.diagnosis.inspection import Inspection

_MOST_NAMES = 10
_MOST_CERTIFICATES = 32
_MOST_FINDINGS = 40
_LONGEST = 200
_STYLES = {"error": Style.BAD, "warning": Style.STRONG}
_SECTIONS = {"bcp195": "B.12", "bcp195-modified": "B.13"}


def inspection_lines(title: str, inspection: "Inspection") -> Iterator[Line]:
    """Show the certificates: a chain as a tree from its leaf on, a collection one after the other."""
    count = len(inspection.certificates)
    yield (Styled(f"{title}: {count} certificate{'s' if count > 1 else ''}", Style.STRONG),)
    arrangement = inspection.arrangement
    places = [*arrangement.path, *arrangement.extra] if arrangement.is_chain else list(range(count))
    for depth, place in enumerate(places[:_MOST_CERTIFICATES]):
        is_on_path = arrangement.is_chain and depth < len(arrangement.path)
        indent = "   " * (depth - 1) + "└─ " if is_on_path and depth else ""
        yield from _certificate(inspection.certificates[place], indent)
    if len(places) > _MOST_CERTIFICATES:
        yield f"and {len(places) - _MOST_CERTIFICATES} more: --json has them all"
    if arrangement.is_chain:
        yield from _fitness([inspection.certificates[place] for place in arrangement.path])


def finding_lines(findings: "Sequence[Finding]") -> Iterator[Line]:
    """Show the findings with what to do, and in the last line what was not checked."""
    told = [finding for finding in findings if not finding.code.startswith("not-checked-")]
    for finding in told[:_MOST_FINDINGS]:
        style = _STYLES.get(finding.severity)
        mark = f"{finding.severity}:"
        yield (Styled(mark, style) if style else mark, f" {_short(finding.message)} [{finding.code}]")
        for hint in finding.hints:
            yield f"  {hint}"
    if len(told) > _MOST_FINDINGS:
        yield f"and {len(told) - _MOST_FINDINGS} more findings: --json has them all"
    severities = {finding.severity for finding in findings}
    if "error" not in severities:
        yield (Styled("no errors" if "warning" in severities else "nothing wrong was found", Style.GOOD),)
    missing = [finding for finding in findings if finding.code.startswith("not-checked-")]
    if missing:
        yield "not checked: " + "; ".join(_not_checked(finding) for finding in missing)


def other_lines(inventory: "Inventory") -> Iterator[Line]:
    """Show what a file holds besides certificates."""
    for key in inventory.keys:
        if key.key_type is None:
            yield "private key: encrypted, and not opened: give --passphrase-file PATH or --passphrase-env NAME"
        else:
            sealed = ", encrypted" if key.encrypted else ""
            yield f"private key: {key.key_type} {key.key_bits or ''}".rstrip() + sealed
        if key.spki_sha256:
            yield _row("", "public key", f"sha256:{key.spki_sha256}")
    for request in inventory.requests:
        yield f"certificate signing request for {_short(request.subject)}"
        yield _row("", "names", _listed(request.names) or "(none)")
        yield _row("", "key", f"{request.key_type} {request.key_bits or ''}".rstrip())
        yield _row("", "signature", "valid" if request.signature_valid else "not valid")
    for crl in inventory.crls:
        yield f"certificate revocation list of {_short(crl.issuer)}"
        yield _row("", "number", "(none)" if crl.number is None else str(crl.number))
        yield _row(
            "", "updated", f"{_moment(crl.this_update, '(unknown)')}, next {_moment(crl.next_update, '(not said)')}"
        )
        yield _row("", "revoked", f"{crl.revoked} certificate{'' if crl.revoked == 1 else 's'}")


def days_left(certificate: "CertificateDescription") -> str:
    """Say how long it is valid."""
    days = certificate.days_left
    if days is None:
        return "dates that cannot be read"
    return f"{days} days left" if days >= 0 else f"expired {-days} days ago"


def _moment(moment: "datetime | None", otherwise: str) -> str:
    return otherwise if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _certificate(certificate: "CertificateDescription", indent: str) -> Iterator[Line]:
    yield (indent, Styled(_short(certificate.subject) or "(no subject)", Style.STRONG))
    space = " " * len(indent)
    issuer = "itself" if certificate.self_signed else _short(certificate.issuer)
    yield _row(space, "issuer", issuer)
    first, last = certificate.not_before, certificate.not_after
    dates = f"{first:%Y-%m-%d} to {last:%Y-%m-%d}, " if first and last else ""
    yield _row(space, "valid", f"{dates}{days_left(certificate)}")
    names = _listed((*certificate.dns_names, *certificate.ip_addresses))
    if names or not certificate.is_ca:
        yield _row(space, "names", names or "(none)")
    hashed = certificate.signature_hash
    signed = f", signed with {hashed.upper()}" if hashed else ""
    yield _row(space, "key", f"{certificate.key_type} {certificate.key_bits or ''}".rstrip() + signed)
    usages = (*(("CA",) if certificate.is_ca else ()), *certificate.extended_key_usage, *certificate.key_usage)
    yield _row(space, "purposes", _listed(usages) or "any")
    yield _row(space, "serial", _short(certificate.serial))
    yield _row(space, "SHA-256", certificate.fingerprint_sha256)


def _fitness(path: "Sequence[CertificateDescription]") -> Iterator[Line]:
    from dicomtls.certificates.fitness import PROFILE_NAMES, ROLES, obstacles

    if path[0].is_ca:
        return
    for role in ROLES:
        parts: list[str | Styled] = [f"as a {role}".ljust(13)]
        for number, profile in enumerate(PROFILE_NAMES):
            found = obstacles(path, profile, role)
            parts.append(", " if number else "")
            parts.append(f"PS3.15 {_SECTIONS[profile]} ")
            parts.append(Styled(f"no: {'; '.join(found)}", Style.BAD) if found else Styled("fit", Style.GOOD))
        yield tuple(parts)


def _row(space: str, name: str, value: str) -> str:
    return f"{space}  {name:<11}{value}"


def _listed(values: Sequence[str]) -> str:
    more = f" and {len(values) - _MOST_NAMES} more" if len(values) > _MOST_NAMES else ""
    return ", ".join(_short(value) for value in values[:_MOST_NAMES]) + more


def _not_checked(finding: "Finding") -> str:
    hint = f" ({finding.hints[0]})" if finding.hints else ""
    return finding.message.removesuffix(" was not checked").removeprefix("the ") + hint


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
