"""Keeps `cryptography` from warning about what users' files contain."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.RLock()  # `warnings.catch_warnings` changes the state of the whole process before Python 3.14


@contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings: a negative serial number or a BER encoding is a finding for us to report, not for stderr."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
