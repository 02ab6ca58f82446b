"""What the commands of `certgen` say of what they have made, for people and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dicomtls.cli.running import Report
from dicomtls.cli.text import Line, Style, Styled

if TYPE_CHECKING:
    from dicomtls.certificates.describe import CertificateDescription
    from dicomtls.cli.output import Output


def tell(
    report: Report,
    output: "Output",
    subcommand: str,
    files: Sequence[Path],
    certificates: Mapping[str, bytes],
    lines: Sequence[Line] = (),
    **values: object,
) -> None:
    """Report the files written and the certificates in them (DER, by what each is called), then `lines`."""
    from dicomtls.certificates.describe import describe

    described = {name: describe(der) for name, der in certificates.items()}
    report.values.update(subcommand=subcommand, files=[str(path) for path in files], certificates={})
    if output.json:
        report.values["certificates"] = {name: one.as_json() for name, one in described.items()}
    report.values.update(values)
    if files:
        report.lines.append((Styled("wrote ", Style.GOOD), ", ".join(map(str, files))))
    for one in described.values():
        report.lines += _facts(one)
    report.lines += lines


def _facts(one: "CertificateDescription") -> Iterator[Line]:
    names = ", ".join((*one.dns_names, *one.ip_addresses))
    key = one.key_type if one.key_type.startswith("Ed") or one.key_bits is None else f"{one.key_type} {one.key_bits}"
    yield f"  {one.subject}{f', for {names}' if names else ''}"
    yield f"  {key}, {_purpose(one)}, valid until {day(one.not_after)}, {one.days_left} days"
    yield f"  serial {one.serial}, SHA-256 {one.fingerprint_sha256}"


def _purpose(one: "CertificateDescription") -> str:
    roles = [role for role in ("server", "client") if f"{role}Auth" in one.extended_key_usage]
    return "a CA" if one.is_ca else f"for a {' and a '.join(roles)}" if roles else "for any purpose"


def archive_remark(*, pkcs12: bool, encrypted: bool) -> Iterator[Line]:
    """What has to be known of an archive without a passphrase, which OpenSSL and Windows open."""
    if pkcs12 and not encrypted:
        yield "  Java reads nothing in an archive without a passphrase: give one, with --ask-passphrase say"


def day(moment: datetime | None) -> str:
    """The day of a moment, as people write it in files."""
    return "an unreadable date" if moment is None else f"{moment:%Y-%m-%d}"
