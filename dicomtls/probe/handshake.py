"""One peer, stage by stage: its name, TCP, TLS, an association, an echo; and what it asks of clients.

A TLS stage is a success from the first byte on that the peer sends after the handshake: at TLS 1.3 a refused client
certificate arrives as an alert on the first read.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from dicomtls.errors import (
    AssociationAborted,
    AssociationTimeout,
    By,
    DicomTLSError,
    HandshakeError,
    Interrupted,
    NetworkError,
    Stage,
)
from dicomtls.probe.sharing import SharedTLS
from dicomtls.probe.target import CONNECTS, WITHOUT_OURS
from dicomtls.scu.attempt import Attempt, Requestor
from dicomtls.scu.echo import VERIFICATION, check_status, echo_once
from dicomtls.waiting import Interrupt

if TYPE_CHECKING:
    from dicomtls.association.association import Association
    from dicomtls.diagnosis import Diagnosis
    from dicomtls.probe.contexts import Survey
    from dicomtls.probe.target import Target
    from dicomtls.tls import Negotiated

TIMES: Final = {"name": "resolve", "tcp": "connect", "tls": "handshake", "association": "associate", "echo": "echo"}
"""The stages in their order, each with what `Attempt.timing_ms` calls it."""
_MOST_ADDRESSES: Final = 4
_DEMANDED: Final = "client-certificate-required"


class ClientAuthentication(StrEnum):
    """Whether a server asks for a client certificate, and whether it insists."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class StageResult:
    """One stage of the road; `ok` is None where it was not reached, or its end never seen. `ms` is milliseconds."""

    name: str
    ok: bool | None
    ms: float | None
    detail: str


@dataclass
class ProbeResult:
    """What one probe found out; `diagnosis` is None where all stages, and whatever else was asked for, went well.

    `stages` are those of `TIMES`, without TLS in clear. `certificate_authorities` are those that the server accepts for
    clients, `certificate_fits` says whether our chain leads to one of them: None where it names none, or nothing was
    sent. `contexts` is None unless it was asked for. `follow_up` has each further attempt, as the evidence of a
    diagnosis has.
    """

    target: "Target"
    attempt: Attempt
    stages: tuple[StageResult, ...] = ()
    diagnosis: "Diagnosis | None" = None
    client_authentication: ClientAuthentication = ClientAuthentication.UNKNOWN
    certificate_authorities: tuple[str, ...] = ()
    certificate_fits: bool | None = None
    contexts: "Survey | None" = None
    follow_up: list[dict[str, object]] = field(default_factory=list)


def probe(
    target: "Target",
    *,
    follow_up: bool = True,
    with_contexts: bool = False,
    interrupt: Interrupt | None = None,
    shared: SharedTLS | None = None,
    is_alone: bool = True,
) -> ProbeResult:
    """Walk the whole road to a peer, find out where it ends and why, and what the peer asks of clients.

    Never more than one connection at once. `shared` has the SSL contexts of a run with many targets, whose probes are
    not alone on this machine. With `with_contexts` a peer that answers is asked for every SOP class. Raises
    `CredentialError`, `UsageError`, `MachineError` for settings that cannot be had; everything else is in the result.
    """
    if not is_alone:  # while there is a descriptor left to read it with, and before many threads wait for each other
        import dicomtls.probe.explain  # noqa: F401 -- for the failures to come
    shared = shared or SharedTLS(target.tls)
    requestor = Requestor(target.peer, target.tls, target.settings, interrupt=interrupt, ssl_context=shared.ssl_context)
    requestor.is_alone = is_alone
    return _Walk(target, requestor, shared, may_follow_up=follow_up).result(with_contexts=with_contexts)


class _Walk:
    """One probe on its way."""

    def __init__(self, target: "Target", requestor: Requestor, shared: SharedTLS, *, may_follow_up: bool) -> None:
        self._target = target
        self._requestor = requestor
        self._shared = shared
        self._may_follow_up = may_follow_up
        self._details: dict[str, str] = {}
        self._found = ProbeResult(target, requestor.attempt())

    def result(self, *, with_contexts: bool) -> ProbeResult:
        found, attempt = self._found, self._found.attempt
        error: DicomTLSError | OSError | None = None
        try:
            self._walk(attempt)
        except (DicomTLSError, OSError) as ended:  # OSError: no more descriptors
            error = ended
            found.diagnosis = self._explained(ended)
        found.stages = tuple(_stages(attempt, self._details, error, found.diagnosis, in_clear=self._target.tls is None))
        found.certificate_authorities, found.certificate_fits = _authorities(attempt.negotiated, error)
        found.client_authentication = _seen(self._target, attempt, error, found.diagnosis)
        if error is None:
            self._look_further(with_contexts=with_contexts)
        return found

    def _walk(self, attempt: Attempt) -> None:
        association = self._requestor.associate(attempt, [VERIFICATION])
        try:
            self._details["association"] = _agreed(association)
            with attempt.timed("echo"):
                status = echo_once(association)
            _take_leave(association)
            check_status(status)
            self._details["echo"] = "success (0x0000)"
        finally:
            association.abort()  # nothing where it has ended already

    def _look_further(self, *, with_contexts: bool) -> None:
        """What a peer that answers well can be asked besides."""
        found = self._found
        try:
            if self._may_follow_up and _has_shown_certificate(found.attempt.negotiated):
                found.client_authentication = self._ask_without_certificate()
            if with_contexts:
                found.contexts = self._survey()
                if found.contexts.error is not None:
                    raise found.contexts.error
        except (DicomTLSError, OSError) as error:
            found.diagnosis = self._explained(error)

    def _survey(self) -> "Survey":
        from dicomtls.probe.contexts import known_sop_classes, known_transfer_syntaxes, proposing, survey

        return survey(proposing(self._requestor), known_sop_classes(), known_transfer_syntaxes())

    def _ask_without_certificate(self) -> ClientAuthentication:
        """Whether a server that took our certificate lets us in without: nothing else tells required from optional."""
        settings = self._requestor.settings
        patience = min(settings.connect_timeout, settings.association_timeout)
        stranger = Requestor(
            self._requestor.peer,
            self._shared.anonymous_tls,
            replace(settings, identity=None, association_timeout=patience),
            interrupt=self._requestor.interrupt,
            ssl_context=self._shared.anonymous_ssl_context,
        )
        stranger.is_alone = self._requestor.is_alone
        attempt, error = stranger.attempt(), None
        try:
            _take_leave(stranger.associate(attempt, [VERIFICATION]))
        except Interrupted:
            raise
        except DicomTLSError as ended:
            error = ended
        verdict = _without_certificate(attempt.negotiated, error)
        self._found.follow_up.append({"attempt": WITHOUT_OURS, "outcome": _words(error)})
        return verdict

    def _explained(self, error: DicomTLSError | OSError) -> "Diagnosis":
        if not isinstance(error, DicomTLSError) or isinstance(error, Interrupted):
            return _diagnose(error)
        from dicomtls.probe.explain import explain  # only a failure needs what it looks further with

        interrupt = self._requestor.interrupt
        return explain(error, self._target, follow_up=self._may_follow_up, interrupt=interrupt)


def _take_leave(association: "Association") -> None:
    """Release: all is answered, so how the peer says goodbye changes nothing."""
    try:
        association.release()
    except Interrupted:
        raise
    except DicomTLSError:
        association.abort()


def _diagnose(error: DicomTLSError | OSError) -> "Diagnosis":
    from dicomtls.diagnosis import diagnose

    return diagnose(error)


def _words(error: DicomTLSError | None) -> str:
    """What came of a further attempt, as `inquiry` says it."""
    if error is None:
        return CONNECTS
    diagnosis = _diagnose(error)
    return f"{diagnosis.code}: {diagnosis.message}"


def _agreed(association: "Association") -> str:
    parameters = association.parameters
    longest = parameters.peer_maximum_length
    limit = f"PDUs of up to {longest} bytes" if longest else "PDUs of any length"
    return f"{parameters.peer_implementation or 'an implementation without a name'}, {limit}"


# -- what was seen ---------------------------------------------------------------------------------------------


def _stages(
    attempt: Attempt,
    details: dict[str, str],
    error: Exception | None,
    diagnosis: "Diagnosis | None",
    *,
    in_clear: bool,
) -> list[StageResult]:
    names = [name for name in TIMES if not (in_clear and name == "tls")]
    reached = [name for name in names if TIMES[name] in attempt.timing_ms]
    failed = _failed_stage(reached, error) if error is not None else None
    details = {**_connection_details(attempt), **details}
    behind = names[names.index(failed) + 1 :] if failed else [name for name in names if name not in reached]
    results = []
    for name in names:
        ms = attempt.timing_ms.get(TIMES[name])
        if name in behind:
            results.append(StageResult(name, None, None, "not reached"))
        elif name == failed:
            reason = diagnosis.message if diagnosis else str(error)
            results.append(StageResult(name, ok=False, ms=ms, detail=reason))
        elif name == "tls" and failed == "association" and not _is_proven(attempt.negotiated, error):
            results.append(StageResult(name, None, ms, f"{details[name]}, but nothing came from the peer after it"))
        else:
            results.append(StageResult(name, ok=True, ms=ms, detail=details[name]))
    return results


def _failed_stage(reached: list[str], error: Exception) -> str | None:
    """The stage at which it ended; None where none was begun."""
    if not reached:
        return None
    if reached[-1] == "tcp" and isinstance(error, NetworkError) and error.stage is Stage.NAME:
        return "name"  # a name without an address
    was_refused = isinstance(error, HandshakeError) and not error.facts.first_bytes
    return "tls" if reached[-1] == "association" and was_refused and "tls" in reached else reached[-1]


def _connection_details(attempt: Attempt) -> dict[str, str]:
    addresses = attempt.addresses
    more = f" and {len(addresses) - _MOST_ADDRESSES} more" if len(addresses) > _MOST_ADDRESSES else ""
    is_address = addresses == (attempt.peer.host,)
    negotiated = attempt.negotiated
    agreed = (negotiated.protocol, negotiated.cipher, negotiated.group) if negotiated else ()
    return {
        "name": "an address" if is_address else ", ".join(addresses[:_MOST_ADDRESSES]) + more,
        "tcp": attempt.address or "connected",
        "tls": ", ".join(filter(None, agreed)),
    }


def _is_proven(negotiated: "Negotiated | None", error: Exception | None) -> bool:
    """Whether the peer has shown that it took our part of the handshake too.

    At TLS 1.2 its last message says so, at TLS 1.3 the first byte that follows.
    """
    if negotiated is None or negotiated.protocol != "TLSv1.3":
        return negotiated is not None
    is_wordless = isinstance(error, AssociationAborted) and error.source is None
    return not (is_wordless or isinstance(error, AssociationTimeout | Interrupted | OSError))


def _has_shown_certificate(negotiated: "Negotiated | None") -> bool:
    return negotiated is not None and negotiated.client_certificate == "sent"


def _authorities(negotiated: "Negotiated | None", error: Exception | None) -> tuple[tuple[str, ...], bool | None]:
    """Whom the server accepts for clients, and whether what we sent leads to one of them."""
    seen = error.facts if isinstance(error, HandshakeError) and error.facts.authorities else negotiated
    if seen is None or not seen.authorities:
        return (), None
    from dicomtls.certificates.distinguished import distinguished_name
    from dicomtls.probe.certificates import fits

    return tuple(map(distinguished_name, seen.authorities)), fits(seen.own_chain, seen.authorities)


def _seen(
    target: "Target", attempt: Attempt, error: Exception | None, diagnosis: "Diagnosis | None"
) -> ClientAuthentication:
    """What the first connection tells of client authentication, and what came of a look after its failure."""
    if target.tls is None:
        return ClientAuthentication.NONE
    if isinstance(error, HandshakeError) and not error.facts.first_bytes and diagnosis is not None:
        return _after_refusal(diagnosis)
    negotiated, has_associated = attempt.negotiated, TIMES["echo"] in attempt.timing_ms
    if negotiated is None or not (has_associated or _is_proven(negotiated, error)):
        return ClientAuthentication.UNKNOWN
    asked = {"not requested": ClientAuthentication.NONE, "requested": ClientAuthentication.OPTIONAL}
    return asked.get(negotiated.client_certificate or "", ClientAuthentication.UNKNOWN)


def _after_refusal(diagnosis: "Diagnosis") -> ClientAuthentication:
    if diagnosis.code == _DEMANDED:
        return ClientAuthentication.REQUIRED
    told = diagnosis.evidence.get("follow_up")
    for step in told if isinstance(told, list) else ():
        if step.get("attempt") == WITHOUT_OURS:
            outcome = str(step.get("outcome"))
            is_let_in, is_demanded = outcome == CONNECTS, outcome.startswith(_DEMANDED)
            if is_let_in or is_demanded:
                return ClientAuthentication.OPTIONAL if is_let_in else ClientAuthentication.REQUIRED
    return ClientAuthentication.UNKNOWN


def _without_certificate(negotiated: "Negotiated | None", error: DicomTLSError | None) -> ClientAuthentication:
    """What it means how an attempt without a certificate ended, where one with a certificate went well."""
    if isinstance(error, HandshakeError):
        return ClientAuthentication.REQUIRED if _has_missed_certificate(error) else ClientAuthentication.UNKNOWN
    return ClientAuthentication.OPTIONAL if _is_proven(negotiated, error) else ClientAuthentication.UNKNOWN


def _has_missed_certificate(error: HandshakeError) -> bool:
    """Whether the peer has refused because there was no certificate: it finds that out once it has shown its own.

    Whoever hangs up before, or is refused by us, has not come so far.
    """
    facts = error.facts
    has_come_far = facts.alert_received is not None or facts.chain_der or facts.after_handshake
    return bool(has_come_far) and _diagnose(error).by is By.PEER
