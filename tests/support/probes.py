"""Results of probes as they come out of `dicomtls.probe.handshake`, made without any peer."""

from datetime import UTC, datetime, timedelta
from typing import Any

from dicomtls.diagnosis import Diagnosis
from dicomtls.errors import By, Stage
from dicomtls.peer import Peer
from dicomtls.probe.handshake import ClientAuthentication, ProbeResult, StageResult
from dicomtls.probe.target import Target
from dicomtls.scu import AssociationSettings, Attempt
from dicomtls.tls import Negotiated, PeerCertificate, TLSSettings
from tests.support.handshakes import negotiated_facts

ROAD = ("name", "tcp", "tls", "association", "echo")
HOSTILE = 'PACS"<&>\x1b[31m\n\x00\u202e'
"""A text that breaks terminals, lines and XML where it is not made harmless."""

CERTIFICATE = PeerCertificate(
    subject="CN=pacs",
    issuer="CN=ca",
    not_before=None,
    not_after=datetime.now(UTC) + timedelta(days=400, hours=1),
    dns_names=("pacs.example",),
    ip_addresses=(),
    der=b"",
)


def negotiated(**changes: Any) -> Negotiated:
    """What TLS 1.3 with both certificates comes to."""
    return negotiated_facts(**{"group": "x25519", "peer": CERTIFICATE, "chain_der": (), **changes})


def refusal(code: str = "client-certificate-required", **changes: Any) -> Diagnosis:
    """Why a probe failed."""
    facts: dict[str, Any] = {"code": code, "stage": Stage.TLS, "by": By.PEER, "message": "it refused", "hints": ("do",)}
    return Diagnosis(**{**facts, **changes})


def good_result(seen: Negotiated | None = None, **changes: Any) -> ProbeResult:
    """A peer that works; over TLS unless it is told otherwise by `in_clear`."""
    in_clear = changes.pop("in_clear", False)
    stages = tuple(
        StageResult(name, ok=True, ms=1.5, detail=f"detail of {name}") for name in ROAD if name != "tls" or not in_clear
    )
    result = _result(stages, None if in_clear else seen or negotiated(), in_clear=in_clear)
    result.client_authentication = ClientAuthentication.NONE if in_clear else ClientAuthentication.REQUIRED
    for name, value in changes.items():
        setattr(result, name, value)
    return result


def failed_result(at: str = "tls", diagnosis: Diagnosis | None = None, **changes: Any) -> ProbeResult:
    """A peer to which the road ends at one stage."""
    diagnosis = diagnosis or refusal()
    place = ROAD.index(at)
    stages = tuple(
        StageResult(name, ok=True, ms=1.5, detail=f"detail of {name}")
        if number < place
        else StageResult(name, ok=False, ms=1.5, detail=diagnosis.message)
        if number == place
        else StageResult(name, None, None, "not reached")
        for number, name in enumerate(ROAD)
    )
    result = _result(stages, negotiated() if place > ROAD.index("tls") else None)
    result.diagnosis = diagnosis
    for name, value in changes.items():
        setattr(result, name, value)
    return result


def _result(stages: tuple[StageResult, ...], seen: Negotiated | None, *, in_clear: bool = False) -> ProbeResult:
    peer = Peer("pacs.example", 2762)
    attempt = Attempt(peer, "DICOMTLS", negotiated=seen, timing_ms={"total": 7.5})
    return ProbeResult(Target(peer, None if in_clear else TLSSettings(), AssociationSettings()), attempt, stages)
