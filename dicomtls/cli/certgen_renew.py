"""`dicomtls certgen renew`: the same certificate with new dates, a device's or a CA's."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from dicomtls.cli.certgen_report import archive_remark, day, tell
from dicomtls.cli.command import command
from dicomtls.cli.declaring import option
from dicomtls.cli.options import AuthorityOptions, NewPassphraseOptions, OutputOptions
from dicomtls.cli.options.certgen import KEY_TYPES, KEY_TYPES_IN_WORDS, Force
from dicomtls.cli.options.values import NonEmptyPath, OneOf, path_option, whole_number
from dicomtls.cli.quick_start import UNKNOWN_KEY, lines_for_certificate
from dicomtls.cli.running import Report, run
from dicomtls.cli.text import Line
from dicomtls.errors import CredentialError, UsageError

if TYPE_CHECKING:
    from dicomtls.certificates.renewing import Renewal

_EXAMPLES = (
    "dicomtls certgen renew pki/server.pem --ca-dir pki --force",
    "dicomtls certgen renew ct2.pem --ca-dir pki --new-key ec:p256 --out new",
    "dicomtls certgen renew pki/ca.pem --ca-dir pki --force",
)


_NewKey: TypeAlias = Annotated[
    str | None,
    option(
        "--new-key",
        metavar="TYPE",
        help=f"make a new key too: {KEY_TYPES_IN_WORDS}",
        click_type=OneOf(KEY_TYPES),
    ),
]


@command(examples=_EXAMPLES)
def renew(
    certificate: Annotated[
        Path, typer.Argument(metavar="CERT", help="the certificate's file", click_type=NonEmptyPath())
    ],
    *,
    new_key: _NewKey = None,
    days: Annotated[
        int | None,
        option(
            "--days", metavar="N", parser=whole_number(1), help="days that it is valid (default: 730, of a CA 3652)"
        ),
    ] = None,
    pkcs12: Annotated[bool, option("--pkcs12", help="write NAME.p12 too; only with a new key")] = False,
    passphrase: NewPassphraseOptions,
    out_dir: Annotated[Path | None, path_option("--out", help="folder to write into (default: the file's own)")] = None,
    force: Force = False,
    ca: AuthorityOptions,
    output: OutputOptions,
) -> int:
    """Issue a certificate again: same subject, names and purposes; same key, or a new one with --new-key.

    A CA's ca.pem too: a root's is signed by itself (--ca-dir its own folder), an intermediate's by the CA above it.
    """
    out = output.open("certgen")

    def body(report: Report) -> None:
        from dicomtls.certificates.building import KeyType
        from dicomtls.certificates.bundle import load_leaf
        from dicomtls.certificates.issue import der_of
        from dicomtls.certificates.renewing import renewed

        if pkcs12 and new_key is None:
            msg = "a PKCS#12 archive holds the key, which stays where it is"
            raise UsageError(msg, hints=("give --new-key, or put them together: dicomtls certgen bundle --pkcs12",))
        kind, secret = None if new_key is None else KeyType.parse(new_key), passphrase.secret()
        old, authority = load_leaf(certificate), ca.load(today=False)
        made = renewed(authority, old, kind=kind, days=days)
        stem, folder = certificate.stem, out_dir or certificate.parent
        contents = made.files(stem, passphrase=secret, pkcs12=pkcs12, root=authority.root)
        files = authority.deliver_again(old, made.certificate, contents, folder, force=force)
        place = _Place(old.not_valid_after_utc, made, certificate, folder / f"{stem}.pem", ca.ca_dir / "ca.pem")
        lines = [
            *(_lines_for_a_ca(place) if made.is_authority else _lines_for_a_device(place, files, secret=secret)),
            *archive_remark(pkcs12=pkcs12, encrypted=secret is not None),
        ]
        tell(report, out, "renew", files, {stem: der_of(made.certificate)}, lines, old_valid_until=place.ends)

    return run(out, body)


@dataclass(frozen=True)
class _Place:
    """What was renewed, until when the old one is valid, and where: its file, the new one's, the signing CA's."""

    end: datetime
    made: "Renewal"
    source: Path
    target: Path
    anchors: Path

    @property
    def ends(self) -> str:
        return day(self.end)

    @property
    def has_ended(self) -> bool:
        return self.end < datetime.now(UTC)


def _lines_for_a_device(place: _Place, files: Sequence[Path], *, secret: bytes | None) -> Iterator[Line]:
    from dicomtls.certificates.issue import der_of

    der = der_of(place.made.certificate)
    yield f"  the old one {_validity(place, 'certgen revoke takes it back before')}"
    yield f"  for the device  {', '.join(path.name for path in files)}"
    if place.made.key is not None:
        key, encrypted = place.target.with_suffix(".key"), secret is not None
    else:
        yield "  its key stays the same: nothing changes for its peers"
        key, encrypted = _key_beside(place)
    if key == UNKNOWN_KEY:
        yield f"  {UNKNOWN_KEY} stands for the file with its key, which stays where it is"
    yield from lines_for_certificate(
        place.target.parent, place.target.stem, place.anchors, der, key=key, encrypted=encrypted
    )


def _key_beside(place: _Place) -> tuple[Path, bool]:
    """The key's file, where it is beside either certificate under the same name, and whether it is encrypted."""
    from dicomtls.certificates.content import recognise
    from dicomtls.certificates.reading import read

    for folder in (place.target.parent, place.source.parent):
        path = folder / f"{place.target.stem}.key"
        with suppress(CredentialError):
            if keys := recognise(read(path)).keys:
                return path, keys[0].encrypted
    return UNKNOWN_KEY, False


def _validity(place: _Place, remark: str) -> str:
    return f"ended on {place.ends}" if place.has_ended else f"stays valid until {place.ends}; {remark}"


def _lines_for_a_ca(place: _Place) -> Iterator[Line]:
    when = "at once" if place.has_ended else f"before {place.ends}"
    file = place.target.name
    yield f"  the old one {_validity(place, 'what the CA has issued is good under both')}"
    if place.made.is_root:
        yield f"  for all sides   {file}: every system that trusts the old one needs this one {when}"
        yield "  for devices     nothing: their own certificates and keys stay as they are"
    else:
        new = shlex.quote(str(place.target))
        yield f"  for devices     no new certificate, but their file ends with the old one: {when} give each"
        yield f"                  the new chain, dicomtls certgen bundle NAME.pem {new} --name NAME --force"
        yield f"  for all sides   {file}, where the old one is among the anchors (--ca, +cf): {when}"
    if place.made.has_cas_below:
        yield "  for CAs below   their ca.pem has the old one in it: renew them too, with --ca-dir this CA's folder"
    if not place.target.with_name("ca.key").exists() or file != "ca.pem":
        yield f"  for the CA      put {file} in the place of the ca.pem beside its ca.key: it goes on with the old one"
