"""Asking peers again: what `probe` needs to know of a target, with the failure that comes first."""

from typing import Any

from dicomtls.diagnosis import Diagnosis
from dicomtls.errors import DicomTLSError
from dicomtls.peer import Peer
from dicomtls.probe.explain import explain
from dicomtls.probe.target import Target
from dicomtls.scu import AssociationSettings
from dicomtls.scu.echo import echo
from dicomtls.tls import TLSSettings

DEADLINE = 20.0


def target(port: int, tls: TLSSettings | None, *, host: str = "localhost", **settings: Any) -> Target:
    """Somebody on loopback."""
    return Target(Peer(host, port), tls, AssociationSettings(**{"connect_timeout": DEADLINE, **settings}))


def failure(who: Target) -> DicomTLSError:
    """What an echo fails with; the test fails where it does not."""
    try:
        echo(who.peer, who.tls, who.settings).check()
    except DicomTLSError as error:
        return error
    msg = "the echo succeeded"
    raise AssertionError(msg)


def explained(who: Target, **options: Any) -> Diagnosis:
    """Why an echo fails, after a second look at the peer."""
    return explain(failure(who), who, **options)


def attempts(diagnosis: Diagnosis) -> list[str]:
    """What was asked of the peer, in words."""
    found = diagnosis.evidence.get("follow_up", [])
    assert isinstance(found, list)
    return [entry["attempt"] for entry in found]
