"""The public names as a script uses them; only mypy reads this, as a user's own type checker would."""

import ssl
from pathlib import Path
from typing import assert_type

from pydicom.dataset import Dataset

from dicomtls import (
    AssociationRejected,
    AssociationSettings,
    By,
    ClientAuth,
    Diagnosis,
    DicomTLSError,
    EchoResult,
    ExitStatus,
    Finding,
    HandshakeError,
    Inspection,
    Peer,
    ProbeResult,
    RetrieveResult,
    Severity,
    Stage,
    StoreOptions,
    StoreResult,
    TLSSettings,
    client_context,
    echo,
    explain,
    find,
    get,
    handshake_probe,
    inspect_cert,
    move,
    server_context,
    store,
)

peer = Peer("pacs.example", 2762, "PACS")
tls = TLSSettings(ca=(Path("ca.pem"),), cert=(Path("ws1.pem"),), client_auth=ClientAuth.REQUIRED)
association = AssociationSettings(calling_ae_title="WS1", connect_timeout=5)

assert_type(client_context(tls), ssl.SSLContext)
assert_type(server_context(tls), ssl.SSLContext)
assert_type(Peer.parse("PACS@pacs.example:11112"), Peer)

assert_type(echo("pacs.example"), EchoResult)
assert_type(echo(peer, tls=None, association=association, repeat=2).round_trip_ms, tuple[float, ...])
assert_type(store(peer, ["study", Path("a.dcm")], tls=tls, options=StoreOptions(associations=2)), StoreResult)
assert_type(next(find(peer, ["PatientName=DOE*"], level="study", tls=tls, limit=1)), Dataset)
assert_type(get(peer, ["StudyInstanceUID=1.2.3"], Path("in"), tls=tls), RetrieveResult)
assert_type(move(peer, ["StudyInstanceUID=1.2.3"], "WS1", association=association).status, int | None)
assert_type(inspect_cert(Path("ws1.pem"), tls=tls, host="ws1.example", purpose="server"), Inspection)
assert_type(inspect_cert("pacs.example:2762", minimum_days=30).findings, tuple[Finding, ...])
assert_type(handshake_probe(peer, tls=tls, with_contexts=True), ProbeResult)
assert_type(handshake_probe(peer).diagnosis, Diagnosis | None)
assert_type([finding for finding in inspect_cert(peer).findings if finding.severity is Severity.ERROR], list[Finding])

try:
    echo(peer, tls=tls)
except AssociationRejected as error:
    assert_type(error.reason, int)
except HandshakeError as error:
    assert_type(error.facts.alert_received, str | None)
except DicomTLSError as error:
    assert_type(error.code, str)
    diagnosis = explain(error, peer, tls=tls, follow_up=False)
    assert_type(diagnosis.stage, Stage)
    assert_type(diagnosis.by, By)
    assert_type(diagnosis.exit_status, ExitStatus)

# What a type checker has to refuse; an exemption that is not needed is an error of its own.
echo(peer, tls)  # type: ignore[call-arg]  # settings are given by name
echo(2762)  # type: ignore[arg-type]  # a peer is a Peer or text
from dicomtls import no_such_name  # type: ignore[attr-defined]  # noqa: E402, F401 -- it must not pass for an object
