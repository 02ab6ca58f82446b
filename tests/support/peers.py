"""Real peers on loopback, each a context manager: DCMTK, Orthanc, pynetdicom, OpenSSL.

    with dcmtk_storescp(pki, tmp_path / "received") as scp:
        run_dicomtls("echo", scp.address, ...)

A peer is ready when its block begins and gone when it ends. The names of `processes` and `raw` are here as well.
"""

import json
import os
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partialmethod
from pathlib import Path
from socketserver import BaseServer
from typing import Any

from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, VerificationPresentationContexts, evt
from pynetdicom.events import Event
from pynetdicom.transport import ThreadedAssociationServer

from tests.support.pki import PKI, Identity
from tests.support.processes import LOOPBACK, PeerProcess, require, reserved_port, running
from tests.support.raw import (
    RawServer,
    raw_server,
    receive_exactly,
    receive_pdu,
    receive_until_end,
    reset,
    tls_raw_server,
)

__all__ = [
    "LOOPBACK",
    "DicomSCP",
    "Orthanc",
    "PeerProcess",
    "RawServer",
    "Stored",
    "dcmtk_storescp",
    "dcmtk_tls_options",
    "openssl_s_client",
    "openssl_s_server",
    "orthanc",
    "pynetdicom_scp",
    "raw_server",
    "receive_exactly",
    "receive_pdu",
    "receive_until_end",
    "require",
    "reserved_port",
    "reset",
    "run_dcmtk",
    "running",
    "tls_raw_server",
]

# DCMTK 3.6.7 offers no ECDSA suite by itself at TLS 1.2; its TLS 1.3 needs none.
ECDSA_AT_TLS_12 = ("+cs", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256")
DCMTK_CLIENT_AUTH = {"required": "-rc", "optional": "-vc", "none": "-ic"}


ORTHANC_SETTINGS: Mapping[str, object] = {
    "Name": "dicomtls tests",
    "DicomAet": "ORTHANC",
    "DicomServerEnabled": True,
    "DicomCheckCalledAet": False,
    "DicomAlwaysAllowEcho": True,
    "DicomAlwaysAllowStore": True,
    "DicomAlwaysAllowFind": True,
    "DicomAlwaysAllowGet": True,
    "DicomAlwaysAllowMove": True,
    "UnknownSopClassAccepted": True,
    "HttpServerEnabled": True,
    "RemoteAccessAllowed": False,
    "AuthenticationEnabled": False,
    "Plugins": [],
    "SaveJobs": False,
}


def dcmtk_tls_options(pki: PKI, identity: Identity | None) -> list[str]:
    """The TLS options of a DCMTK tool that trusts the test CA; without `identity` those of an anonymous client."""
    if identity is None:
        return ["+tla", "+cf", str(pki.ca)]
    suites = ECDSA_AT_TLS_12 if identity.name.endswith("_ec") else ()
    return ["+tls", str(identity.key), str(identity.cert), "+cf", str(pki.ca), *suites]


@contextmanager
def dcmtk_storescp(
    pki: PKI,
    directory: Path,
    *options: str | Path,
    tls: bool = True,
    identity: Identity | None = None,
    client_auth: str = "required",
    env: Mapping[str, str] | None = None,
) -> Iterator[PeerProcess]:
    """DCMTK's storescp, writing into `directory`; `identity` is `pki.server` by default.

    Without `--fork` among the options it serves one association at a time, without `-v` or `-d` it logs errors only.
    """
    program = require("storescp")
    directory.mkdir(parents=True, exist_ok=True)
    tls_options = [*dcmtk_tls_options(pki, identity or pki.server), DCMTK_CLIENT_AUTH[client_auth]] if tls else []
    with reserved_port() as port:
        command = [program, *tls_options, "-od", directory, *options, str(port)]
        with running(command, port, env=env) as peer:
            peer.wait_until(lambda: peer.listens_on(port), "listening port")
            yield peer


def run_dcmtk(
    program: str, *arguments: str | Path | int, timeout: float = 50, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a DCMTK tool to its end; its output is text in `stdout` and `stderr`, its exit status not checked."""
    return _run([require(program), *map(str, arguments)], timeout=timeout, env=env)


def _run(
    command: Sequence[str], *, stdin: str = "", timeout: float, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
        check=False,
        env={**os.environ, **(env or {})},
        # Some leave files where they are started: not in the source tree.
        cwd=os.environ["HOME"],
    )


class Orthanc(PeerProcess):
    """A running Orthanc: a DICOM `port`, and its REST interface to look at what it has."""

    http_port = 0

    def get(self, path: str) -> Any:
        """The decoded answer to GET `path`, such as `/instances`."""
        return json.loads(self._request(path))

    def post(self, path: str, body: bytes | str) -> Any:
        """The decoded answer to POST `path`; with a modality's `/store`, Orthanc sends to it."""
        return json.loads(self._request(path, body.encode() if isinstance(body, str) else body))

    def put(self, path: str, body: Mapping[str, object]) -> None:
        """Set what is at `path`, such as `/modalities/NAME`."""
        self._request(path, json.dumps(body).encode(), method="PUT")

    def stored_file(self, instance: str) -> bytes:
        """The file of one of `get("/instances")`, as Orthanc keeps it."""
        return self._request(f"/instances/{instance}/file")

    def _request(self, path: str, body: bytes | None = None, method: str | None = None) -> bytes:
        request = urllib.request.Request(f"http://{self.host}:{self.http_port}{path}", data=body, method=method)
        with _no_proxy.open(request, timeout=30) as answer:
            content: bytes = answer.read()
            return content


_no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@contextmanager
def orthanc(
    pki: PKI,
    directory: Path,
    *,
    tls: bool = True,
    identity: Identity | None = None,
    client_auth: bool = True,
    modalities: Mapping[str, Mapping[str, object]] | None = None,
    settings: Mapping[str, object] | None = None,
) -> Iterator[Orthanc]:
    """Orthanc without plugins, its database in `directory`, AE title ORTHANC; `identity` is `pki.server` by default.

    `modalities` are where it can send to, by name: `{"AET": ..., "Host": ..., "Port": ..., "UseDicomTls": True}`.
    `settings` go into its configuration last.
    """
    program = require("Orthanc")
    directory.mkdir(parents=True, exist_ok=True)
    identity = identity or pki.server
    with reserved_port() as port, reserved_port() as http_port:
        configuration = {
            **ORTHANC_SETTINGS,
            "StorageDirectory": str(directory / "storage"),
            "IndexDirectory": str(directory / "index"),
            "DicomPort": port,
            "HttpPort": http_port,
            "DicomTlsEnabled": tls,
            "DicomTlsCertificate": str(identity.cert),
            "DicomTlsPrivateKey": str(identity.key),
            "DicomTlsTrustedCertificates": str(pki.ca),
            "DicomTlsRemoteCertificateRequired": client_auth,
            "DicomModalities": dict(modalities or {}),
            **(settings or {}),
        }
        path = directory / "orthanc.json"
        path.write_text(json.dumps(configuration, indent=1))
        with running([program, path], port) as process:
            peer = Orthanc(process.process, port, process.log_path)
            peer.http_port = http_port
            peer.wait_until(lambda: peer.listens_on(port, http_port), "listening ports")
            yield peer


@contextmanager
def openssl_s_server(
    pki: PKI, *options: str | Path, identity: Identity | None = None, client_auth: bool = False
) -> Iterator[PeerProcess]:
    """`openssl s_server`: it logs what it receives and sends what is written to `peer.process.stdin`."""
    program = require("openssl")
    identity = identity or pki.server
    verify: list[str | Path] = ["-CAfile", pki.ca, "-Verify", "5", "-verify_return_error"] if client_auth else []
    with reserved_port() as port:
        accept = f"{LOOPBACK}:{port}"
        command: list[str | Path] = [
            program,
            "s_server",
            "-accept",
            accept,
            "-cert",
            identity.cert,
            "-key",
            identity.key,
        ]
        # With stdin at its end s_server would close each connection at once.
        with running([*command, *verify, *options], port, stdin=subprocess.PIPE) as peer:
            peer.wait_until(lambda: peer.listens_on(port), "listening port")
            yield peer


def openssl_s_client(
    address: str,
    pki: PKI,
    *options: str | Path,
    identity: Identity | None = None,
    stdin: str = "Q\n",
    timeout: float = 30,
) -> subprocess.CompletedProcess[str]:
    """`openssl s_client` to `address`, verifying against the test CA; it closes when `stdin` has been sent.

    With `-ign_eof` it stays until the peer closes, which is what shows an alert that follows a TLS 1.3 handshake.
    """
    command = [require("openssl"), "s_client", "-connect", address, "-CAfile", str(pki.ca), "-verify_return_error"]
    if identity is not None:
        command += ["-cert", str(identity.cert), "-key", str(identity.key)]
    return _run([*command, *map(str, options)], stdin=stdin, timeout=timeout)


@dataclass(frozen=True)
class Stored:
    """An instance that a `DicomSCP` received; `dataset` is as it came over the wire."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax: str
    calling_ae_title: str
    dataset: bytes


@dataclass
class DicomSCP:
    """A running pynetdicom acceptor, and what it was sent."""

    port: int
    host: str = LOOPBACK
    stored: list[Stored] = field(default_factory=list)

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"{self.host}:{self.port}"

    def handle_store(self, event: Event) -> int:
        """Remember the instance, undecoded."""
        request: Any = event.request
        self.stored.append(
            Stored(
                sop_class_uid=str(request.AffectedSOPClassUID),
                sop_instance_uid=str(request.AffectedSOPInstanceUID),
                transfer_syntax=str(event.context.transfer_syntax),
                calling_ae_title=event.assoc.requestor.ae_title,
                dataset=request.DataSet.getvalue(),
            )
        )
        return 0x0000


# It looks for its end twice a second otherwise, and every test would wait for that.
ThreadedAssociationServer.serve_forever = partialmethod(  # type: ignore[assignment]  # the same but for a default
    BaseServer.serve_forever, poll_interval=0.02
)


@contextmanager
def pynetdicom_scp(
    ssl_context: ssl.SSLContext | None = None,
    handlers: Sequence[Any] = (),
    *,
    ae_title: str = "PYNETDICOM",
    maximum_length: int = 16382,
    settings: Mapping[str, object] | None = None,
    without: Sequence[str] = (),
) -> Iterator[DicomSCP]:
    """pynetdicom as acceptor in a thread: Verification and every storage SOP class in any transfer syntax.

    `settings` are attributes of its AE, `without` SOP classes that it does not have.

    `handlers` are pynetdicom's pairs `(event, function)`; what they leave out succeeds, and stores into `stored`.
    """
    ae = AE(ae_title=ae_title)
    ae.maximum_pdu_size = maximum_length
    for context in [*VerificationPresentationContexts, *AllStoragePresentationContexts]:
        ae.add_supported_context(str(context.abstract_syntax), ALL_TRANSFER_SYNTAXES)
    for sop_class in without:
        ae.remove_supported_context(sop_class)
    for name, value in (settings or {}).items():
        setattr(ae, name, value)
    peer = DicomSCP(port=0)
    bound = [(evt.EVT_C_STORE, peer.handle_store), *handlers]
    server = ae.start_server((LOOPBACK, 0), block=False, ssl_context=ssl_context, evt_handlers=bound)
    assert server is not None
    peer.port = server.server_address[1]
    try:
        yield peer
    finally:
        ae.shutdown()
