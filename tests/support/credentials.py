"""Certificates and keys that are loaded: who is asked for a passphrase, and the error in which a refusal ends."""

from pathlib import Path

import pytest

from dicomtls.errors import CredentialError
from dicomtls.tls import TLSSettings, client_context, server_context
from tests.support.pki import PASSPHRASE


class Asker:
    """A passphrase callable that remembers for which files it was asked."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.asked: list[Path] = []

    def __call__(self, path: Path) -> bytes | None:
        """Answer, and remember the question."""
        self.asked.append(path)
        return self.answer


def refusal(settings: TLSSettings) -> CredentialError:
    """The error in which loading ends, in either role."""
    caught: list[CredentialError] = []
    for build in (client_context, server_context):
        with pytest.raises(CredentialError) as info:
            build(settings)
        caught.append(info.value)
    first, second = caught
    assert (first.code, first.message) == (second.code, second.message)
    assert PASSPHRASE.decode() not in f"{first.message}{first.hints}{first.evidence}"
    return first
