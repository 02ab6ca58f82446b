"""The options about the peer and the association: AE titles, times, lengths, who the user is."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from dicomtls.cli.declaring import option
from dicomtls.cli.options.peer import KnownPeers
from dicomtls.cli.options.values import path_option, pdu_length, seconds
from dicomtls.cli.passphrase import read_limited, read_secret
from dicomtls.errors import CredentialError, UsageError
from dicomtls.peer import (
    DEFAULT_CALLING_AE_TITLE,
    DEFAULT_PLAIN_PORT,
    DEFAULT_TLS_PORT,
    Peer,
    check_ae_title,
)

if TYPE_CHECKING:
    from dicomtls.association.user_information import IdentityKind, UserIdentity
    from dicomtls.scu import AssociationSettings

_ASSOCIATION = "Association"
_PEER = "Peer"
_LONGEST_FIELD = 65_535
"""Bytes of one field of the user identity (PS3.7 table D.3-14: its length has 16 bits)."""


def _seconds(name: str, text: str) -> Any:
    return option(name, metavar="S", panel=_ASSOCIATION, parser=seconds, help=text)


AssociationTimeout: TypeAlias = Annotated[
    float, _seconds("--association-timeout", "seconds to wait for the association")
]
DIMSETimeout: TypeAlias = Annotated[float, _seconds("--dimse-timeout", "seconds of silence to put up with")]
MaximumLength: TypeAlias = Annotated[
    int, option("--max-pdu", metavar="BYTES", panel=_ASSOCIATION, parser=pdu_length, help="longest PDU that we take")
]


@dataclass(frozen=True, kw_only=True)
class AssociationOptions(KnownPeers):
    """What a user can say about an association that we request."""

    called_aet: Annotated[
        str | None, option("--called-aet", metavar="AET", panel=_PEER, help="what to call it, in place of AET@")
    ] = None
    calling_aet: Annotated[str, option("--calling-aet", metavar="AET", panel=_PEER, help="what we call ourselves")] = (
        DEFAULT_CALLING_AE_TITLE
    )
    connect_timeout: Annotated[float, _seconds("--connect-timeout", "seconds for name, TCP and TLS")] = 10.0
    association_timeout: AssociationTimeout = 30.0
    dimse_timeout: DIMSETimeout = 60.0
    max_pdu: MaximumLength = 131_072
    user: Annotated[
        str | None, option("--user", metavar="NAME", panel=_ASSOCIATION, help="user name to give to the peer")
    ] = None
    user_password_file: Annotated[
        Path | None,
        path_option("--user-password-file", panel=_ASSOCIATION, help="first line: the user's password"),
    ] = None
    user_jwt_file: Annotated[
        Path | None,
        path_option("--user-jwt-file", panel=_ASSOCIATION, help="JSON Web Token in place of the name"),
    ] = None
    user_saml_file: Annotated[
        Path | None,
        path_option("--user-saml-file", panel=_ASSOCIATION, help="SAML assertion in place of the name"),
    ] = None
    user_kerberos_file: Annotated[
        Path | None,
        path_option("--user-kerberos-file", panel=_ASSOCIATION, help="Kerberos ticket in place of the name"),
    ] = None

    def peer(self, text: str, *, no_tls: bool) -> Peer:
        """Read the peer as the user wrote it, a name of the configuration first; `--called-aet` wins over `AET@`.

        Raises `UsageError`.
        """
        peer = self.address(text, DEFAULT_PLAIN_PORT if no_tls else DEFAULT_TLS_PORT)
        if self.called_aet is None:
            return peer
        return replace(peer, called_ae_title=check_ae_title(self.called_aet))

    def settings(self, *, trace: Callable[[str], None] | None = None) -> "AssociationSettings":
        """Return the settings; `trace` is told of every PDU.

        Raises `UsageError` and, for a file that cannot be read, `CredentialError`.
        """
        from dicomtls.scu import AssociationSettings

        return AssociationSettings(
            calling_ae_title=check_ae_title(self.calling_aet),
            connect_timeout=self.connect_timeout,
            association_timeout=self.association_timeout,
            dimse_timeout=self.dimse_timeout,
            maximum_length=self.max_pdu,
            identity=self._identity(),
            trace=trace,
        )

    def _identity(self) -> "UserIdentity | None":
        """Who the user is (PS3.7 section D.3.3.7)."""
        from dicomtls.association.user_information import IdentityKind, UserIdentity

        tokens = {
            IdentityKind.JWT: self.user_jwt_file,
            IdentityKind.SAML: self.user_saml_file,
            IdentityKind.KERBEROS: self.user_kerberos_file,
        }
        given = [(kind, path) for kind, path in tokens.items() if path is not None]
        self._check_identity(len(given))
        if given:
            kind, path = given[0]
            return UserIdentity(kind, response_requested=False, primary=_token(path, kind))
        if self.user is None:
            return None
        name = _field(self.user.encode(errors="surrogateescape"), "--user")
        if self.user_password_file is None:
            return UserIdentity(IdentityKind.USERNAME, response_requested=False, primary=name)
        password = read_secret(self.user_password_file, "password")
        return UserIdentity(IdentityKind.USERNAME_PASSCODE, False, name, password)

    def _check_identity(self, tokens: int) -> None:
        for there, what, hint in self._contradictions(tokens):
            if there:
                raise UsageError(what, hints=(hint,))

    def _contradictions(self, tokens: int) -> Iterator[tuple[bool, str, str]]:
        yield (
            self.user_password_file is not None and self.user is None,
            "--user-password-file without --user: whose password is it?",
            "give the name with --user",
        )
        yield (
            tokens > 1 or (tokens == 1 and self.user_password_file is not None),
            "an association carries one proof of who the user is",
            "give one of --user-password-file, --user-jwt-file, --user-saml-file and --user-kerberos-file",
        )


def _token(path: Path, kind: "IdentityKind") -> bytes:
    content = read_limited(path, "identity", _LONGEST_FIELD)
    # A ticket is binary; around a token or an assertion, an editor's line end means nothing.
    content = content if kind.name == "KERBEROS" else content.strip()
    if not content:
        msg = f"the identity file {path} is empty"
        raise CredentialError(msg)
    return content


def _field(value: bytes, name: str) -> bytes:
    if not 0 < len(value) <= _LONGEST_FIELD:
        msg = f"{name} takes 1 to {_LONGEST_FIELD} bytes"
        raise UsageError(msg)
    return value
