"""What clients and servers can say about TLS alike: the options, what contradicts what, the settings they become."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from dicomtls.cli.declaring import option
from dicomtls.cli.options.values import Found, path_option, whole_number
from dicomtls.cli.output import Output
from dicomtls.cli.passphrase import passphrase_source
from dicomtls.errors import UsageError

if TYPE_CHECKING:
    from dicomtls.tls import TLSSettings

PANEL = "TLS"

Contradiction: TypeAlias = tuple[bool, str, str]
"""Whether it is there, what it is, and what to do instead."""

_NOT_ABOUT_TLS = frozenset({"no_tls", "no_follow_up", "warn_days", "from_environment"})


_PROFILES = "PS3.15 security profile: bcp195, bcp195-modified, atna, modern, or a retired one"
_AS_PROFILE = "(default: the profile's)"

Protocol: TypeAlias = Literal["1.0", "1.1", "1.2", "1.3"]

CA: TypeAlias = Annotated[
    tuple[Path, ...],
    path_option("--ca", panel=PANEL, help="trust anchors: file or folder; repeatable"),
]
Key: TypeAlias = Annotated[
    Path | None,
    path_option("--key", panel=PANEL, help="its private key, where --cert does not hold it"),
]
PassphraseFile: TypeAlias = Annotated[
    Path | None,
    path_option("--passphrase-file", panel=PANEL, help="first line: the passphrase of the key"),
]
PassphraseEnv: TypeAlias = Annotated[
    str | None,
    option("--passphrase-env", metavar="NAME", panel=PANEL, help="environment variable with it (default: ask)"),
]
ProfileName: TypeAlias = Annotated[
    str,
    option("--profile", metavar="NAME", panel=PANEL, help=_PROFILES, click_type=Found("profiles")),
]
TLSMin: TypeAlias = Annotated[
    Protocol | None,
    option("--tls-min", metavar="VERSION", panel=PANEL, help=f"oldest protocol, 1.0 to 1.3 {_AS_PROFILE}"),
]
TLSMax: TypeAlias = Annotated[
    Protocol | None,
    option("--tls-max", metavar="VERSION", panel=PANEL, help=f"newest protocol, 1.0 to 1.3 {_AS_PROFILE}"),
]
Ciphers: TypeAlias = Annotated[
    str | None,
    option("--ciphers", metavar="LIST", panel=PANEL, help=f"cipher suites, IANA or OpenSSL names {_AS_PROFILE}"),
]
CRL: TypeAlias = Annotated[
    tuple[Path, ...],
    path_option("--crl", panel=PANEL, help="revocation lists to check against; repeatable"),
]
Keylog: TypeAlias = Annotated[
    Path | None,
    path_option("--keylog", panel=PANEL, help="append the session's secrets there, for Wireshark"),
]
NoALPN: TypeAlias = Annotated[bool, option("--no-alpn", panel=PANEL, help="do not negotiate the protocol name 'dicom'")]
WarnDays: TypeAlias = Annotated[
    int,
    option("--warn-days", metavar="N", panel=PANEL, parser=whole_number(0), help="warn below so many days left"),
]
NoTLS: TypeAlias = Annotated[bool, option("--no-tls", panel=PANEL, help="speak in clear")]


class SharedTLSOptions(ABC):
    """The base of both groups of options; the fields are declared by each, in the order of its help."""

    ca: tuple[Path, ...]
    passphrase_file: Path | None
    passphrase_env: str | None
    profile: str
    tls_min: str | None
    tls_max: str | None
    ciphers: str | None
    crl: tuple[Path, ...]
    keylog: Path | None
    no_alpn: bool
    warn_days: int
    no_tls: bool
    from_environment: frozenset[str]

    def settings(self) -> "TLSSettings | None":
        """Return the settings, None for `--no-tls`; raises `UsageError` where options contradict each other."""
        for there, what, hint in self._with_no_tls() if self.no_tls else self._contradictions():
            if there:
                raise UsageError(what, hints=(hint,))
        if self.no_tls:
            return None
        from dicomtls.tls import TLSSettings

        return TLSSettings(
            ca=self.ca,
            passphrase=passphrase_source(self.passphrase_file, self.passphrase_env),
            profile=self.profile,
            tls_min=self.tls_min,
            tls_max=self.tls_max,
            ciphers=tuple((self.ciphers or "").replace(":", " ").replace(",", " ").split()),
            crl=self.crl,
            keylog=self.keylog,
            alpn=not self.no_alpn,
            warn_days=self.warn_days,
            **self._own_settings(),
        )

    def announce(self, output: Output) -> None:
        """Say on every run what makes this less safe than the default, and in the log which profile holds."""
        for relaxation in self._relaxations():
            output.warning(relaxation)
        if not self.no_tls:
            from dicomtls.profiles import find_profile

            output.detail(f"profile: {find_profile(self.profile).title}")

    @abstractmethod
    def _own_settings(self) -> dict[str, Any]:
        """The settings that the other side does not have."""

    @abstractmethod
    def _contradictions(self) -> Iterator[Contradiction]:
        yield (
            self.passphrase_file is not None and self.passphrase_env is not None,
            "--passphrase-file and --passphrase-env contradict each other",
            "give one of them",
        )
        oldest, newest = self.tls_min, self.tls_max
        yield (
            oldest is not None and newest is not None and oldest > newest,
            f"--tls-min {oldest} and --tls-max {newest} leave no protocol",
            "give --tls-min the older version",
        )

    def _with_no_tls(self) -> Iterator[Contradiction]:
        """Everything that was said about TLS beside `--no-tls`.

        What stands in the environment for all runs does not forbid one in clear, where that was asked for by option.
        """
        ignored = _NOT_ABOUT_TLS if "no_tls" in self.from_environment else _NOT_ABOUT_TLS | self.from_environment
        for declared in fields(self):  # type: ignore[arg-type]  # both subclasses are dataclasses
            name = "--" + declared.name.replace("_", "-")
            yield (
                getattr(self, declared.name) != declared.default and declared.name not in ignored,
                f"--no-tls and {name} contradict each other",
                f"leave out --no-tls to speak TLS, or {name} to speak in clear",
            )

    @abstractmethod
    def _relaxations(self) -> Iterator[str]:
        from dicomtls.profiles import find_profile

        profile = find_profile(self.profile)
        if profile.retired:
            # DCMTK kept the short name when the Standard gave it to the successor.
            also = "; DCMTK calls this one bcp195" if profile.name == "bcp195-2015" else ""
            yield f"--profile {profile.name} is retired: {profile.title}{also}"
        if self.keylog is not None:
            yield f"whoever reads {self.keylog} can read all that is sent (--keylog)"
