"""The options about the peer and the association."""

from pathlib import Path
from typing import Any

import pytest

from dicomtls.association.user_information import IdentityKind, UserIdentity
from dicomtls.cli.options import AssociationOptions
from dicomtls.errors import CredentialError, UsageError
from dicomtls.peer import Peer
from dicomtls.scu import AssociationSettings


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file with a secret in its first line."""
    path = tmp_path / "secret"
    path.write_bytes(b"s3cret\r\nsecond line\n")
    return path


def test_options_become_settings() -> None:
    """Every option arrives in the field that it is about."""
    options = AssociationOptions(
        calling_aet=" WS1 ", connect_timeout=1, association_timeout=2, dimse_timeout=3, max_pdu=4096
    )
    assert options.settings() == AssociationSettings(
        calling_ae_title="WS1", connect_timeout=1, association_timeout=2, dimse_timeout=3, maximum_length=4096
    )


def test_trace_goes_with_the_settings() -> None:
    """It is told of every PDU, and no part of what makes two settings equal."""
    told: list[str] = []
    settings = AssociationOptions().settings(trace=told.append)
    assert settings.trace == told.append
    assert settings == AssociationSettings()


def test_defaults_are_those_of_the_library() -> None:
    """The command line and a script that says nothing do the same."""
    assert AssociationOptions().settings() == AssociationSettings()


@pytest.mark.parametrize(
    ("options", "text", "no_tls", "expected"),
    [
        (AssociationOptions(), "pacs", False, Peer("pacs", 2762)),
        (AssociationOptions(), "pacs", True, Peer("pacs", 104)),
        (AssociationOptions(), "A@[::1]:11112", False, Peer("::1", 11112, "A")),
        (AssociationOptions(called_aet="B"), "A@pacs", False, Peer("pacs", 2762, "B")),
    ],
)
def test_peer_is_read_with_the_port_of_its_protocol(
    options: AssociationOptions, text: str, expected: Peer, *, no_tls: bool
) -> None:
    """2762 with TLS, 104 in clear; `--called-aet` wins over the text."""
    assert options.peer(text, no_tls=no_tls) == expected


@pytest.mark.parametrize("text", ["", "A@", "pacs:0", "pacs:x", "pacs:65536", "::1", "A\\B@pacs", "a b"])
def test_peer_that_nobody_can_be_is_refused(text: str) -> None:
    """No host, no port that anybody listens on, no AE title."""
    with pytest.raises(UsageError):
        AssociationOptions().peer(text, no_tls=False)


@pytest.mark.parametrize("title", ["", "   ", "A" * 17, "A\\B", "Ä", "A\nB"])
def test_ae_titles_are_checked(title: str) -> None:
    """1 to 16 characters of ASCII without backslash and control characters, on either side."""
    with pytest.raises(UsageError, match="AE title"):
        AssociationOptions(calling_aet=title).settings()
    with pytest.raises(UsageError, match="AE title"):
        AssociationOptions(called_aet=title).peer("pacs", no_tls=False)


def identity_of(**said: Any) -> UserIdentity | None:
    """The user identity that options lead to."""
    return AssociationOptions(**said).settings().identity


def test_user_is_named_with_and_without_a_password(secret: Path) -> None:
    """The password is the first line of its file, without its end, and stays out of the representation."""
    alone = identity_of(user="ann")
    assert alone == UserIdentity(IdentityKind.USERNAME, response_requested=False, primary=b"ann")
    both = identity_of(user="änn", user_password_file=secret)
    assert both is not None
    assert (both.kind, both.primary, both.secondary) == (IdentityKind.USERNAME_PASSCODE, "änn".encode(), b"s3cret")
    assert "s3cret" not in repr(both)


@pytest.mark.parametrize(
    ("name", "kind", "content", "expected"),
    [
        ("user_jwt_file", IdentityKind.JWT, b"aaa.bbb.ccc\n", b"aaa.bbb.ccc"),
        ("user_saml_file", IdentityKind.SAML, b"<a>\n</a>\n", b"<a>\n</a>"),
        ("user_kerberos_file", IdentityKind.KERBEROS, b"\x60\x82\n", b"\x60\x82\n"),
    ],
)
def test_token_stands_for_the_user(
    tmp_path: Path, name: str, kind: IdentityKind, content: bytes, expected: bytes
) -> None:
    """A token goes out as it is, but for a text's last line end; a ticket is binary. It needs no name."""
    path = tmp_path / "token"
    path.write_bytes(content)
    for user in (None, "ann"):
        found = identity_of(user=user, **{name: path})
        assert found == UserIdentity(kind, response_requested=False, primary=expected)


@pytest.mark.parametrize(
    ("names", "error"),
    [
        (["user_password_file"], "--user-password-file without --user"),
        (["user_jwt_file", "user_saml_file"], "an association carries one proof"),
        (["user", "user_password_file", "user_kerberos_file"], "an association carries one proof"),
    ],
)
def test_identity_options_that_contradict_each_other_are_refused(secret: Path, names: list[str], error: str) -> None:
    """A password belongs to somebody, and there is one proof at a time."""
    said = {name: "ann" if name == "user" else secret for name in names}
    with pytest.raises(UsageError, match=error):
        identity_of(**said)


def test_identity_too_long_for_its_field_is_refused(tmp_path: Path) -> None:
    """The field has 16 bits for its length (PS3.7 table D.3-14); so much fits, and no more."""
    path = tmp_path / "token"
    path.write_bytes(b"x" * 65535)
    found = identity_of(user_jwt_file=path)
    assert found is not None
    assert len(found.primary) == 65535
    path.write_bytes(b"x" * 65536)
    with pytest.raises(CredentialError, match="has more than 65535 bytes"):
        identity_of(user_jwt_file=path)
    with pytest.raises(UsageError, match="--user takes 1 to 65535 bytes"):
        identity_of(user="")


def test_identity_file_that_says_nothing_is_refused(tmp_path: Path) -> None:
    """An empty file, or none at all, is our own mistake and not the peer's."""
    path = tmp_path / "token"
    with pytest.raises(CredentialError, match="no such file"):
        identity_of(user_jwt_file=path)
    path.write_bytes(b"\n")
    with pytest.raises(CredentialError, match="is empty"):
        identity_of(user_jwt_file=path)
