"""What handshake-probe shows to people of one peer: the road as a tree, and the verdict."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from dicomtls.cli.sentences import certificate_phrases, expiry_warnings, join
from dicomtls.cli.text import Line, Style, Styled
from dicomtls.errors import By, Stage

if TYPE_CHECKING:
    from dicomtls.diagnosis import Diagnosis
    from dicomtls.probe.contexts import Survey
    from dicomtls.probe.handshake import ProbeResult, StageResult

_MARKS: dict[bool | None, str | Styled] = {True: Styled("✓", Style.GOOD), False: Styled("✗", Style.BAD), None: "·"}
_BEYOND_TIME = " " * 28
_MOST_AUTHORITIES = 5


def tree(title: str, result: "ProbeResult") -> Iterator[Line]:
    """Show the stages with a mark, the time and a fact each, and below them what they brought to light."""
    yield (Styled(title, Style.STRONG),)
    failed = next((stage.name for stage in result.stages if stage.ok is False), "tls")
    for stage in result.stages:
        yield from _stage(stage, result.diagnosis)
        if stage.name == "tls":
            yield from ((_BEYOND_TIME, *parts) for parts in _about_tls(result))
        if stage.name == failed:
            yield from (f"{_BEYOND_TIME}looked further: {step}" for step in _steps(result))
    if result.contexts is not None:
        yield from _contexts(result.contexts)


def verdict(title: str, result: "ProbeResult") -> Line:
    """Say in one line how it ended; the reason of a failure stands on stderr."""
    if result.diagnosis is not None:
        return (f"{title}: ", Styled("failed", Style.BAD), f", {result.diagnosis.code}")
    total = result.attempt.timing_ms.get("total", 0.0)
    return (f"{title}: ", Styled("works", Style.GOOD), f", {_who_is_authenticated(result)}, {total:.1f} ms")


def warnings(result: "ProbeResult", warn_days: int) -> Iterator[str]:
    """Say what the user should know though it works."""
    negotiated = result.attempt.negotiated
    yield from expiry_warnings(negotiated, warn_days)
    if negotiated is not None and negotiated.name_matched is False and result.diagnosis is None:
        tls = result.target.tls
        wanted = (tls.server_name if tls else None) or result.attempt.peer.host
        yield f"the peer's certificate is not for the name {wanted}"


def follow_ups(result: "ProbeResult") -> list[Mapping[str, object]]:
    """Every further attempt, whoever made it."""
    told = result.diagnosis.evidence.get("follow_up") if result.diagnosis else None
    return [*result.follow_up, *(told if isinstance(told, list) else [])]


def _steps(result: "ProbeResult") -> Iterator[str]:
    """Each further attempt in words; where all went well, what came of it needs no explanation."""
    for step in follow_ups(result):
        outcome = str(step["outcome"])
        yield f"{step['attempt']}: {outcome if result.diagnosis else outcome.partition(': ')[0]}"


def sop_class_count(survey: "Survey") -> str:
    """How many SOP classes the peer accepts."""
    return _count(len(survey.accepted), "SOP class")


def _stage(stage: "StageResult", diagnosis: "Diagnosis | None") -> Iterator[Line]:
    ms = "" if stage.ms is None else f"{stage.ms:.1f} ms"
    detail = _why(diagnosis) if stage.ok is False and diagnosis is not None else stage.detail
    yield ("  ", _MARKS[stage.ok], f" {stage.name:<11} {ms:>10}  ", detail)


def _why(diagnosis: "Diagnosis") -> str:
    # An interrupt or an option that means nothing is ours, too, but no refusal.
    who = {} if diagnosis.stage is Stage.LOCAL else {By.US: ", refused by us", By.PEER: ", refused by the peer"}
    return f"{diagnosis.code}{who.get(diagnosis.by, '')}"


def _about_tls(result: "ProbeResult") -> Iterator[tuple[str | Styled, ...]]:
    negotiated = result.attempt.negotiated
    if negotiated is not None:
        yield join(certificate_phrases(negotiated))
    asked = _client_authentication(result)
    if asked:
        yield (asked,)
    authorities = result.certificate_authorities
    if authorities:
        named = "; ".join(authorities[:_MOST_AUTHORITIES])
        more = f" and {len(authorities) - _MOST_AUTHORITIES} more" if len(authorities) > _MOST_AUTHORITIES else ""
        yield (f"client authorities: {named}{more}",)
    if result.certificate_fits is False:
        yield (Styled("our certificate comes from none of these", Style.BAD),)


def _client_authentication(result: "ProbeResult") -> str | None:
    negotiated = result.attempt.negotiated
    word = result.client_authentication.value
    if word == "unknown" and negotiated is None:
        return None
    if word == "none":
        return "client authentication: none, it asks for no certificate"
    sent = negotiated is not None and negotiated.client_certificate == "sent"
    went_well = any(stage.ok for stage in result.stages if stage.name == "tls")
    ours = "none was sent" if not sent else "ours was taken" if went_well else "ours was sent"
    if word == "unknown" and sent:
        word = "asked for, whether required is not known"
    return f"client authentication: {word}, {ours}"


def _who_is_authenticated(result: "ProbeResult") -> str:
    negotiated = result.attempt.negotiated
    if negotiated is None:
        return "in clear: nobody is authenticated"
    if not negotiated.verified:
        return f"{negotiated.protocol}, the peer is not verified (--insecure)"
    if negotiated.client_certificate == "sent":
        return f"{negotiated.protocol}, both sides are authenticated"
    return f"{negotiated.protocol}, the peer is authenticated, we are not"


def _contexts(survey: "Survey") -> Iterator[Line]:
    """A table: SOP classes that are taken with the same transfer syntaxes stand together."""
    from dicomtls.probe.contexts import uid_name

    over = f"asked over {survey.associations} association{'' if survey.associations == 1 else 's'}"
    until = ", until it broke off" if survey.error is not None else ""
    yield (Styled(f"accepts {sop_class_count(survey)}", Style.STRONG), f", {over}{until}")
    groups: dict[tuple[str, ...], list[str]] = {}
    for sop_class, syntaxes in survey.accepted.items():
        groups.setdefault(tuple(syntaxes), []).append(sop_class)
    for taken, sop_classes in groups.items():
        yield f"  {_count(len(sop_classes), 'SOP class')} with {_count(len(taken), 'transfer syntax')}:"
        yield from (f"    transfer syntax  {uid:<30}  {uid_name(uid)}" for uid in taken)
        yield from (f"    SOP class        {uid:<30}  {uid_name(uid)}" for uid in sop_classes)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}es"
