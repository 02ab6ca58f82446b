"""The options about the passphrase of new keys."""

from pathlib import Path

import pytest

from dicomtls.cli.options import NewPassphraseOptions
from dicomtls.errors import UsageError


def test_no_option_means_no_passphrase() -> None:
    """Keys are written in clear unless somebody asks for more."""
    assert NewPassphraseOptions().secret() is None


def test_passphrase_comes_from_a_file_or_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line of the file, or the whole variable."""
    path = tmp_path / "secret"
    path.write_text("one\ntwo\n")
    assert NewPassphraseOptions(passphrase_file=path).secret() == b"one"
    monkeypatch.setenv("KEY_SECRET", "zwei ")
    assert NewPassphraseOptions(passphrase_env="KEY_SECRET").secret() == b"zwei "


def test_two_sources_are_one_too_many(tmp_path: Path) -> None:
    """Which of them would count is not for us to guess."""
    for options in (
        NewPassphraseOptions(passphrase_file=tmp_path, passphrase_env="X"),
        NewPassphraseOptions(passphrase_env="X", ask_passphrase=True),
    ):
        with pytest.raises(UsageError, match="more than one source for the passphrase"):
            options.secret()


def test_asking_needs_a_terminal() -> None:
    """In a script it is an error, never a hang."""
    with pytest.raises(UsageError, match="there is no terminal") as caught:
        NewPassphraseOptions(ask_passphrase=True).secret()
    assert caught.value.hints == ("give it with --passphrase-file or --passphrase-env",)
