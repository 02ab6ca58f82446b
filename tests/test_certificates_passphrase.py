"""dicomtls.certificates.passphrase: the question, and what it means that nobody can answer it."""

from pathlib import Path

import pytest

from dicomtls.certificates.passphrase import Passphrase, ask
from dicomtls.errors import CredentialError

FILE = Path("server.key")


def test_passphrase_is_asked_for_by_the_file() -> None:
    """An empty one is a passphrase too."""
    assert ask(FILE, lambda path: path.name.encode()) == b"server.key"
    assert ask(FILE, lambda _: b"") == b""


@pytest.mark.parametrize("passphrase", [None, lambda _: None], ids=["nobody", "nothing"])
def test_encrypted_file_without_a_passphrase_is_refused(passphrase: Passphrase | None) -> None:
    """With the file, and what to give."""
    with pytest.raises(CredentialError) as caught:
        ask(FILE, passphrase)
    assert (caught.value.code, caught.value.evidence) == ("passphrase-needed", {"path": "server.key"})
    assert "server.key" in caught.value.message
    assert "--passphrase-file" in caught.value.hints[0]
