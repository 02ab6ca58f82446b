"""The options that the commands of `certgen` share."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

from dicomtls.cli.declaring import option
from dicomtls.cli.options.values import OneOf, path_option, whole_number
from dicomtls.cli.passphrase import passphrase_source
from dicomtls.errors import CredentialError, UsageError

if TYPE_CHECKING:
    from dicomtls.certificates.authority import Authority
    from dicomtls.certificates.building import KeyType

_CA = "CA"
_FORBIDDEN = frozenset('/\\:*?"<>|')


KEY_TYPES: Final = ("rsa:2048", "rsa:3072", "rsa:4096", "ec:p256", "ec:p384", "ed25519")
"""Those of `certificates.building.KeyType`, without importing cryptography for a help page."""
REASONS: Final = (
    "unspecified",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "privilegeWithdrawn",
)
"""Those of `certificates.record.REASONS`, for the same reason."""
PURPOSES: Final = ("both", "server", "client")

KEY_TYPES_IN_WORDS: Final = f"{', '.join(KEY_TYPES[:-1])} or {KEY_TYPES[-1]}"

KeyTypeName: TypeAlias = Annotated[
    str, option("--key-type", metavar="TYPE", help=KEY_TYPES_IN_WORDS, click_type=OneOf(KEY_TYPES))
]
PurposeName: TypeAlias = Annotated[
    str, option("--purpose", metavar="ROLE", help="both, server or client", click_type=OneOf(PURPOSES))
]
DeviceName: TypeAlias = Annotated[
    str, option("--name", metavar="NAME", help="the device's name: common name, and name of the files")
]
Archive: TypeAlias = Annotated[bool, option("--pkcs12", help="write NAME.p12 too, for Java and Windows")]
Force: TypeAlias = Annotated[bool, option("--force", help="replace files that are there already")]


@dataclass(frozen=True, kw_only=True)
class AuthorityOptions:
    """The CA that signs, and how to open its key."""

    ca_dir: Annotated[
        Path, path_option("--ca-dir", panel=_CA, help="folder with ca.pem, ca.key and the record issued.txt")
    ] = Path()
    ca_passphrase_file: Annotated[
        Path | None, path_option("--ca-passphrase-file", panel=_CA, help="first line: the passphrase of ca.key")
    ] = None
    ca_passphrase_env: Annotated[
        str | None,
        option("--ca-passphrase-env", metavar="NAME", panel=_CA, help="environment variable with it (default: ask)"),
    ] = None

    def load(self, *, today: bool = True) -> "Authority":
        """Open the CA, which has to be valid `today` to issue; raises `CredentialError`, `UsageError`."""
        from dicomtls.certificates.authority import Authority

        try:
            source = passphrase_source(self.ca_passphrase_file, self.ca_passphrase_env)
            return Authority.load(self.ca_dir, source, today=today)
        except CredentialError as error:
            if error.code == "passphrase-needed":
                error.hints = ("give it with --ca-passphrase-file PATH or --ca-passphrase-env NAME",)
            raise


@dataclass(frozen=True, kw_only=True)
class NamesOptions:
    """What peers call the device by."""

    host: Annotated[
        tuple[str, ...], option("--host", metavar="HOST", help="DNS name or IP address of the device; repeatable")
    ] = ()
    uri: Annotated[tuple[str, ...], option("--uri", metavar="URI", help="a URI to name it by; repeatable")] = ()


@dataclass(frozen=True, kw_only=True)
class NewKeyOptions:
    """The key to make."""

    key_type: KeyTypeName = "rsa:2048"

    def kind(self) -> "KeyType":
        """Return the kind of key; raises `UsageError`."""
        from dicomtls.certificates.building import KeyType

        return KeyType.parse(self.key_type)


@dataclass(frozen=True, kw_only=True)
class WritingOptions:
    """Where files go."""

    out: Annotated[Path, path_option("--out", help="folder to write into; made if missing")] = Path()
    force: Force = False


LeafDays: TypeAlias = Annotated[
    int | None,
    option(
        "--days",
        metavar="N",
        parser=whole_number(1),
        help="days that it is valid (default: 730, or what its CA has left)",
    ),
]


def file_stem(name: str) -> str:
    """Return a name that may become NAME.pem in any system's folder; raises `UsageError`."""
    text = name.strip()
    if not text or text.startswith(".") or not text.isprintable() or _FORBIDDEN & set(text):
        msg = f"not a name for a file: {name!r}"
        raise UsageError(msg, hints=('a name has no slash, colon, * ? " < > |, and does not begin with a full stop',))
    return text
