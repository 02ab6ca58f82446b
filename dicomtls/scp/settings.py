"""Limits and habits of a server, as values."""

from dataclasses import dataclass, field

from dicomtls.scp.access import AccessRules
from dicomtls.scp.services import Faults


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """Times are in seconds, lengths in bytes.

    `silent_connections` may have been accepted without having said anything, and `greeting_connections` have begun to
    speak without having associated yet, or as many as may associate; `handshake_timeout` covers their silence and the
    handshake; `idle_timeout` is how long an association may lie still; `grace` is how long running associations may go
    on after `stop`. Below `warn_days` that a client's certificate has left there is an event about it, and with `trace`
    one about every PDU. An empty `host` means every address of this machine, port 0 any free port.
    """

    host: str = ""
    port: int = 0
    access: AccessRules = field(default_factory=AccessRules)
    accept_unknown: bool = False
    maximum_length: int = 131072
    max_operations: int = 128
    max_associations: int = 200
    silent_connections: int = 1000
    greeting_connections: int = 500
    handshake_timeout: float = 10.0
    association_timeout: float = 30.0
    idle_timeout: float = 60.0
    grace: float = 10.0
    warn_days: int = 0
    trace: bool = False
    faults: Faults = field(default_factory=Faults)
