"""What the commands do, as functions for scripts: same names, same safe defaults, results and errors instead of text.

A peer is a `Peer` or what stands on the command line, `[AET@]HOST[:PORT]`; names of a configuration are the command
line's alone. `tls` is `TLSSettings()` where nothing is said: the system's trust anchors, chain and name verified.
None speaks in clear, and nothing less does.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from dicomtls.errors import CredentialError, DicomTLSError
from dicomtls.peer import DEFAULT_CALLING_AE_TITLE, DEFAULT_PLAIN_PORT, DEFAULT_TLS_PORT, Peer, check_ae_title
from dicomtls.scu.settings import AssociationSettings
from dicomtls.tls.settings import TLSSettings

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from dicomtls.diagnosis import Diagnosis
    from dicomtls.diagnosis.inspection import Inspection
    from dicomtls.probe.handshake import ProbeResult
    from dicomtls.probe.target import Target
    from dicomtls.scu.attempt import Requestor
    from dicomtls.scu.echo import EchoResult
    from dicomtls.scu.ledger import StoreResult
    from dicomtls.scu.queries import Asked
    from dicomtls.scu.retrieve import RetrieveResult
    from dicomtls.scu.store import StoreOptions

PeerLike: TypeAlias = Peer | str
"""A peer, or `[AET@]HOST[:PORT]`."""

_SAFE: Final = TLSSettings()
_USUAL: Final = AssociationSettings()


def echo(
    peer: PeerLike, *, tls: TLSSettings | None = _SAFE, association: AssociationSettings = _USUAL, repeat: int = 1
) -> "EchoResult":
    """Ask a peer whether it answers (C-ECHO, PS3.7 section 9.1.5), `repeat` times, one second apart.

    Returns when every answer was success. Raises `StatusFailure` where one was not, and `UsageError`,
    `CredentialError`, `NetworkError`, `HandshakeError`, `AssociationError` or `DIMSEError` where none came.
    """
    from dicomtls.scu.echo import echo as ask

    result = ask(_peer(peer, tls), tls, association, repeat=repeat)
    result.check()
    return result


def store(
    peer: PeerLike,
    paths: Iterable[str | PathLike[str]],
    *,
    tls: TLSSettings | None = _SAFE,
    association: AssociationSettings = _USUAL,
    options: "StoreOptions | None" = None,
) -> "StoreResult":
    """Send what is in files, folders (with all below them) and DICOMDIRs, unchanged (C-STORE, PS3.4 annex B).

    What became of each instance is in the result: `failed` has those that the peer did not take, those that could not
    be read, and those that `error` kept from being sent. Files that are not DICOM are left out. Raises `UsageError`
    where a path does not exist or an option cannot be had, `CredentialError` for what `tls` names.
    """
    from dicomtls.scu.instances import find_instances
    from dicomtls.scu.ledger import InstanceReport
    from dicomtls.scu.store import StoreOptions
    from dicomtls.scu.store import store as send

    found = find_instances(fspath(path) for path in paths)
    result = send(_requestor(peer, tls, association), found.instances, options or StoreOptions())
    unreadable = (InstanceReport(one.path, None, None, one.reason, "unreadable-file") for one in found.unreadable)
    result.failed.extend(unreadable)
    return result


def find(
    peer: PeerLike,
    keys: Iterable[str] = (),
    *,
    level: str | None = None,
    model: str | None = None,
    tls: TLSSettings | None = _SAFE,
    association: AssociationSettings = _USUAL,
    limit: int = 0,
) -> "Iterator[Dataset]":
    """Yield what a peer has, as it comes (C-FIND, PS3.4 annexes C and K).

    `keys` are those of the command line: "PatientName=DOE*", "StudyDate=" or a tag or path into sequences; where none
    asks for a value, the usual ones are asked for. `level` is "patient", "study", "series" or "image", `model`
    "study-root", "patient-root" or "worklist". After `limit` matches (0: all), or where the iterator is closed, the
    query is cancelled. Raises `UsageError` for keys that are none, and while it is iterated `CredentialError`,
    `NetworkError`, `HandshakeError`, `AssociationError` or `DIMSEError`. The values of a match are the peer's, and read
    by pydicom when they are asked for.
    """
    from dicomtls.scu.queries import to_find

    asked = to_find(keys, level=level, model=model)
    return _matches(_requestor(peer, tls, association), asked, limit)


def _matches(requestor: "Requestor", asked: "Asked", limit: int) -> "Iterator[Dataset]":
    from io import BytesIO

    from pydicom.filereader import read_dataset

    from dicomtls.dataset import IMPLICIT_VR_LE
    from dicomtls.scu.query import FindOptions
    from dicomtls.scu.query import find as ask
    from dicomtls.scu.return_keys import complete

    identifier, _ = complete(asked.keys, asked.model, asked.level)
    with closing(ask(requestor, identifier, FindOptions(model=asked.model, limit=limit))) as matches:
        for match in matches:
            implicit = match.transfer_syntax == IMPLICIT_VR_LE
            yield read_dataset(BytesIO(match.dataset), is_implicit_VR=implicit, is_little_endian=True)


def get(
    peer: PeerLike,
    keys: Iterable[str],
    output: str | PathLike[str],
    *,
    level: str | None = None,
    model: str | None = None,
    tls: TLSSettings | None = _SAFE,
    association: AssociationSettings = _USUAL,
) -> "RetrieveResult":
    """Bring a peer's instances into the folder `output`, which is made if it is missing (C-GET, PS3.4 annex C).

    `keys` say which, as "StudyInstanceUID=1.2.3"; `level` is that of the lowest unique key where none is given. The
    files are `StudyInstanceUID/SeriesInstanceUID/SOPInstanceUID.dcm`, each whole or not there. The result has the
    peer's counts and the instances that failed; its `check()` raises where any did. Raises `UsageError`,
    `CredentialError`, `NetworkError`, `HandshakeError` or `AssociationError` where nothing could be asked, and
    `MachineError` where this machine could not keep what came.
    """
    from dicomtls.scp.keeper import Keeper
    from dicomtls.scp.storage import FolderStorage
    from dicomtls.scu.queries import to_retrieve
    from dicomtls.scu.remainder import get_whole

    request = to_retrieve(keys, level=level, model=model)
    with closing(FolderStorage(Path(output))) as storage:
        keeper = Keeper(storage)
        result = get_whole(_requestor(peer, tls, association), request, keeper)
    keeper.check()
    return result


def move(
    peer: PeerLike,
    keys: Iterable[str],
    destination: str,
    *,
    level: str | None = None,
    model: str | None = None,
    tls: TLSSettings | None = _SAFE,
    association: AssociationSettings = _USUAL,
) -> "RetrieveResult":
    """Let a peer send instances to the AE title `destination`, and wait for the end of it (C-MOVE, PS3.4 annex C).

    `keys`, `level`, `model` and the result are those of `get`; so are the errors, but that nothing is kept here.
    """
    from dicomtls.scu.queries import to_retrieve
    from dicomtls.scu.retrieve import move as retrieve

    request = to_retrieve(keys, level=level, model=model)
    return retrieve(_requestor(peer, tls, association), request, check_ae_title(destination))


def inspect_cert(
    target: Path | PeerLike,
    *,
    tls: TLSSettings = _SAFE,
    host: str | None = None,
    purpose: str | None = None,
    minimum_days: int | None = None,
    timeout: float = 10.0,
) -> "Inspection":
    """Look at the certificates of a file (a `Path`), or at the chain that a peer sends, and collect every finding.

    `tls` has the trust anchors (`ca`), `crl`, `profile` and `passphrase`; without `ca` no trust is looked at, and a
    finding says so. `host` is the name that the leaf must have, `purpose` "server" or "client"; of a peer they are its
    HOST (or `server_name`) and "server". `minimum_days` makes fewer days left an error. `timeout`, for a peer, is in
    seconds.
    Raises `CredentialError` for a file without certificates, `NetworkError` and `HandshakeError` for a peer that sends
    none. What is shown of a peer's chain is not verified: `Inspection.has_errors` says whether a handshake would fail.
    """
    from dicomtls.certificates.describe import describe
    from dicomtls.diagnosis.inspection import Expectation, inspect_certificates

    keys: tuple[str, ...] = ()
    if isinstance(target, Path):
        chain, keys = _contents(target, tls)
    else:
        peer = _peer(target, tls)
        chain = _chain_of(peer, tls, timeout)
        host, purpose = host or tls.server_name or peer.host, purpose or "server"
    expectation = Expectation(
        settings=tls,
        host=host,
        purpose=purpose or ("server" if host else None),
        key_digests=keys,
        minimum_days=minimum_days,
    )
    return inspect_certificates(
        [describe(der) for der in chain], expectation, leaf=None if isinstance(target, Path) else 0
    )


def _contents(path: Path, tls: TLSSettings) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """The certificates of a file, and the digests of the keys beside them."""
    from dicomtls.certificates.inventory import take_inventory

    inventory = take_inventory(path, tls.passphrase)
    if not inventory.certificates:
        msg = f"{path} holds no certificate"
        raise CredentialError(msg, code="not-a-certificate", evidence={"path": str(path)})
    return inventory.certificates, tuple(one.spki_sha256 for one in inventory.keys if one.spki_sha256)


def _chain_of(peer: Peer, tls: TLSSettings, timeout: float) -> tuple[bytes, ...]:
    """What a peer sends, leaf first."""
    from dicomtls.scu.attempt import Attempt
    from dicomtls.scu.fetch import fetch_chain

    return fetch_chain(Attempt(peer, DEFAULT_CALLING_AE_TITLE), tls, timeout=timeout)


def handshake_probe(
    peer: PeerLike,
    *,
    tls: TLSSettings | None = _SAFE,
    association: AssociationSettings = _USUAL,
    follow_up: bool = True,
    with_contexts: bool = False,
) -> "ProbeResult":
    """Walk the whole road to a peer: name, TCP, TLS, association, echo, each with its time.

    Where it ends, `diagnosis` says who refused, why, and what to do; None means that all went well. `follow_up` allows
    further attempts that find out why, and whether a client certificate is demanded; `with_contexts` asks which SOP
    classes and transfer syntaxes the peer accepts. Raises `UsageError` and `CredentialError` only.
    """
    from dicomtls.probe.handshake import probe

    return probe(_target(peer, tls, association), follow_up=follow_up, with_contexts=with_contexts)


def explain(
    error: DicomTLSError,
    peer: PeerLike,
    *,
    tls: TLSSettings | None = _SAFE,
    association: AssociationSettings = _USUAL,
    follow_up: bool = True,
) -> "Diagnosis":
    """Say of an error what happened, who refused, why, and what to do.

    `peer`, `tls` and `association` are those of the attempt that failed. With `follow_up` the peer is looked at again
    where that can tell more: at most eleven connections, one after the other, that change nothing there. Raises
    nothing that a peer can cause.
    """
    from dicomtls.probe.explain import explain as look_again

    return look_again(error, _target(peer, tls, association), follow_up=follow_up)


def _requestor(peer: PeerLike, tls: TLSSettings | None, association: AssociationSettings) -> "Requestor":
    from dicomtls.scu.attempt import Requestor

    return Requestor(_peer(peer, tls), tls, association)


def _target(peer: PeerLike, tls: TLSSettings | None, association: AssociationSettings) -> "Target":
    from dicomtls.probe.target import Target

    return Target(_peer(peer, tls), tls, association)


def _peer(peer: PeerLike, tls: TLSSettings | None) -> Peer:
    if isinstance(peer, Peer):
        return peer
    return Peer.parse(peer, default_port=DEFAULT_PLAIN_PORT if tls is None else DEFAULT_TLS_PORT)
