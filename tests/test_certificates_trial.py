"""dicomtls.certificates.trial: what is expensive is given up, in a process of its own."""

import hashlib
import os
import threading
import time

import pytest

from dicomtls.certificates import trial
from dicomtls.certificates.trial import ends_in_time


def test_what_ends_is_let_through_however_it_ends() -> None:
    """A result and an error are the same to it, and neither gets out."""
    assert ends_in_time(lambda: 1)
    assert ends_in_time(lambda: int("x"))


def test_what_does_not_end_is_given_up() -> None:
    """A derivation of a billion iterations takes a second and no more."""
    started = time.monotonic()
    assert not ends_in_time(lambda: hashlib.pbkdf2_hmac("sha256", b"x", b"y", 1_000_000_000))
    # By the clock, of a processor that others may use too; the whole derivation takes minutes.
    assert time.monotonic() - started < 30


def test_what_waits_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that another thread held when the child was made uses no processor, and is never given back."""
    monkeypatch.setattr(trial, "SECONDS", 0.2)
    assert not ends_in_time(threading.Event().wait)


def test_nothing_is_given_up_where_no_process_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The action is then the caller's own risk, as before."""

    def refuse() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", refuse)
    assert ends_in_time(lambda: 1)
