"""Real clients that come no further than the handshake with a server of ours, and servers that let none further."""

import io
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from dicomtls.cli.output import Output
from dicomtls.cli.serve_log import Log
from dicomtls.diagnosis import diagnose
from dicomtls.errors import DicomTLSError
from dicomtls.scp.events import Event, Severity
from dicomtls.tls import TLSSettings
from tests.support.peers import dcmtk_tls_options, openssl_s_client, run_dcmtk
from tests.support.pki import PKI, Identity, client_context
from tests.support.pynetdicom_scu import pynetdicom_association
from tests.support.raw import reset
from tests.support.servers import RunningServer, ask, client_tls, server_tls

Client: TypeAlias = Callable[[PKI, RunningServer], object]
Pick: TypeAlias = Callable[[PKI], Identity]

# OpenSSL itself would not speak TLS 1.0, nor load a key of 1024 bits, above this level.
ANY_STRENGTH = ("-cipher", "DEFAULT:@SECLEVEL=0")


@dataclass(frozen=True)
class Place:
    """A server of ours, and how a client is served by it; `serves` None where nobody can be."""

    tls: Callable[[PKI], TLSSettings | None] = server_tls
    serves: Mapping[str, Any] | None = field(default_factory=dict)


def showing(pick: Pick) -> Place:
    """A server whose certificate is not as it should be: only who verifies nothing is served."""
    return Place(lambda pki: server_tls(pki, pick(pki)), {"insecure": True})


PLACES: dict[str, Place] = {
    "mutual": Place(),
    "crl": Place(lambda pki: server_tls(pki, crl=(pki.crl,))),
    "stale crl": Place(lambda pki: server_tls(pki, crl=(pki.expired_crl,)), None),
    "TLS 1.3 only": Place(lambda pki: server_tls(pki, profile="modern")),
    "TLS 1.2 only": Place(lambda pki: server_tls(pki, tls_max="1.2")),
    "EC only": Place(lambda pki: server_tls(pki, pki.server_ec)),
    "expired": showing(lambda pki: pki.expired),
    "not yet valid": showing(lambda pki: pki.not_yet_valid),
    "self-signed": showing(lambda pki: pki.self_signed),
    "wrong name": showing(lambda pki: pki.wrong_name),
    "client purpose": showing(lambda pki: pki.client_purpose),
    "in clear": Place(lambda _pki: None),
}


def dcmtk(*options: str, pick: Pick | None = lambda pki: pki.client, trusts_us: bool = True) -> Client:
    """`echoscu` over TLS; `pick` None is an anonymous client."""

    def connect(pki: PKI, server: RunningServer) -> object:
        tls = dcmtk_tls_options(pki, pick(pki) if pick else None)
        trusted = str(pki.ca if trusts_us else pki.other_ca)
        tls = [trusted if option == str(pki.ca) else option for option in tls]
        return run_dcmtk("echoscu", *tls, *options, server.peer.host, server.peer.port)

    return connect


def dcmtk_in_clear(program: str, *files: str) -> Client:
    """A tool of DCMTK that knows nothing of TLS."""
    return lambda _pki, server: run_dcmtk(program, server.peer.host, server.peer.port, *files)


def s_client(*options: str, pick: Pick | None = lambda pki: pki.client) -> Client:
    """`openssl s_client`, which stays until the server ends it; `{other_ca}` stands for a path."""

    def connect(pki: PKI, server: RunningServer) -> object:
        address = f"{server.peer.host}:{server.peer.port}"
        identity = pick(pki) if pick else None
        return openssl_s_client(address, pki, "-ign_eof", *_filled(options, pki), identity=identity)

    return connect


def pynetdicom(
    change: Callable[[ssl.SSLContext, PKI], object] = lambda _context, _pki: None,
    *,
    pick: Pick | None = lambda pki: pki.client,
    trusts_us: bool = True,
) -> Client:
    """pynetdicom with a context of its own, which may trust another authority than ours."""

    def connect(pki: PKI, server: RunningServer) -> object:
        context = client_context(pki, pick(pki) if pick else None, anonymous=pick is None)
        if not trusts_us:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(pki.other_ca)
        change(context, pki)
        return _associated(server, context)

    return connect


def pynetdicom_in_clear(_pki: PKI, server: RunningServer) -> object:
    """pynetdicom without TLS."""
    return _associated(server, None)


def _associated(server: RunningServer, context: ssl.SSLContext | None) -> bool:
    with pynetdicom_association(server.peer.host, server.peer.port, context) as association:
        return bool(association.is_established)


def raw(content: bytes, ending: str = "waits") -> Client:
    """Bytes, and how the connection ends: it "waits" for the server, or "closes", or is "reset"."""

    def connect(_pki: PKI, server: RunningServer) -> object:
        with socket.create_connection(server.address, timeout=20) as sock:
            sock.sendall(content)
            if ending == "reset":
                reset(sock)
            elif ending == "waits":
                with suppress(ConnectionError):
                    while sock.recv(65536):
                        pass
        return None

    return connect


def own_settings(pki: PKI, settings: Mapping[str, Any]) -> TLSSettings | None:
    """`identity` names one of the PKI, None for an anonymous client; `ca` too; `clear` is one without TLS."""
    rest = dict(settings)
    if rest.pop("clear", False):
        return None
    name = rest.pop("identity", "client")
    if "ca" in rest:
        rest["ca"] = (getattr(pki, rest["ca"]),)
    settings_of = client_tls(pki, getattr(pki, name or "client"))
    given = {**vars(settings_of), **rest}
    return TLSSettings(**given if name else {**given, "cert": (), "key": ()})


def own_view(pki: PKI, server: RunningServer, settings: Mapping[str, Any]) -> tuple[str, str]:
    """What our own client says of its failure: the code, and who refused."""
    try:
        ask(server, own_settings(pki, settings))
    except DicomTLSError as error:
        diagnosis = diagnose(error)
        return diagnosis.code, diagnosis.by
    return "none", "neither"


def failures(server: RunningServer) -> list[Event]:
    """What went wrong so far."""
    return [event for event in list(server.events) if event.severity in (Severity.WARNING, Severity.ERROR)]


def failure_of(server: RunningServer, connect: Callable[[], object]) -> tuple[Event, object]:
    """The event of the one failure that `connect` brings about, and what it returns."""
    before = len(failures(server))
    seen = connect()
    server.wait_until(lambda: len(failures(server)) > before)
    return failures(server)[before], seen


def log_lines(event: Event, *, as_json: bool = False) -> list[str]:
    """What the log has of an event."""
    with redirect_stderr(io.StringIO()) as stderr:
        Log(Output("serve"), as_json=as_json)(event)
    return stderr.getvalue().splitlines()


def _filled(options: tuple[str, ...], pki: PKI) -> list[str]:
    return [option.format(other_ca=pki.other_ca) for option in options]
