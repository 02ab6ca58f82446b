"""pynetdicom in the role of the requestor: Verification, and files sent as they are."""

import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made at run time

IMPLICIT_VR_LE = "1.2.840.10008.1.2"
PAUSE_DEADLINE = 20.0


@contextmanager
def pynetdicom_association(
    host: str,
    port: int,
    ssl_context: ssl.SSLContext | None,
    kinds: Iterable[tuple[str, str]] = (),
    *,
    called_ae_title: str = "ANY-SCP",
) -> Iterator[Association]:
    """Ask for Verification, and for a presentation context for each SOP class and transfer syntax of `kinds`.

    Released at the end where it came about; `is_established`, `is_rejected` and `is_aborted` say whether.
    """
    if ssl_context is not None:
        ssl_context.sslsocket_class = _ClosingSocket
    ae = AE(ae_title="PYNETDICOM")
    ae.add_requested_context(Verification, IMPLICIT_VR_LE)
    for sop_class, syntax in sorted(set(kinds)):
        ae.add_requested_context(sop_class, syntax)
    opened: list[socket.socket] = []
    association = ae.associate(
        host,
        port,
        ae_title=called_ae_title,
        tls_args=None if ssl_context is None else (ssl_context, "localhost"),
        evt_handlers=[(evt.EVT_CONN_OPEN, lambda event: opened.append(event.assoc.dul.socket.socket))],
    )
    try:
        yield association
    finally:
        if association.is_established:
            association.release()
        if association.ident is not None:  # it was established once
            association.join(PAUSE_DEADLINE)
        for sock in opened:  # pynetdicom forgets some
            sock.close()


class _ClosingSocket(ssl.SSLSocket):
    """pynetdicom forgets all sockets whose handshake failed."""

    def __del__(self) -> None:
        self.close()


def echo_status(association: Association) -> int:
    """The status of one C-ECHO."""
    _wait_for_reactor(association)
    status: int = association.send_c_echo().Status
    return status


def store_statuses(association: Association, paths: Sequence[Path]) -> list[int | None]:
    """The status of a C-STORE for each file, None where there was no answer; the datasets are sent undecoded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
        return [_store(association, path) for path in paths]


def _store(association: Association, path: Path) -> int | None:
    _wait_for_reactor(association)
    status: int | None = association.send_c_store(path).get("Status")
    return status


def _wait_for_reactor(association: Association) -> None:
    # A race of pynetdicom 3.0: an association that is still paused from the last message loses the next answer.
    end = time.monotonic() + PAUSE_DEADLINE
    while association._is_paused and time.monotonic() < end:
        association.join(0.001)
