"""Follow-up attempts where the two sides did not agree: what versions and suites the peer has, what it dislikes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from dicomtls.diagnosis import Diagnosis
from dicomtls.diagnosis.offers import offer
from dicomtls.errors import By, HandshakeFacts
from dicomtls.probe.hello import Answer, offer_everything
from dicomtls.probe.inquiry import Clear, Inquiry
from dicomtls.probe.remedies import better, find_remedy
from dicomtls.tls import TLSSettings, client_context
from dicomtls.tls.hello import TLS_1_3, ClientHello, ServerHello, version_name, version_names
from dicomtls.tls.suites import suite_name


@dataclass(frozen=True)
class Variation:
    """One thing to be left out of what we send, and the option that leaves it out."""

    what: str
    option: str
    changes: dict[str, object]


def look_in_clear(diagnosis: Diagnosis, inquiry: Inquiry) -> Diagnosis | None:
    """Find out what a peer is that went away, or spoke something else; None where it is no plain DICOM and no HTTP."""
    said = inquiry.in_clear()
    if said is Clear.DICOM:
        message = "the peer speaks plain DICOM at this port, not TLS: it answers an association in clear"
        hints = (
            "ask for the peer's TLS port, usually 2762",
            "or connect in clear with --no-tls, in place of the other TLS options",
        )
        return replace(diagnosis, code="peer-speaks-plain-dicom", by=By.NEITHER, message=message, hints=hints)
    if said is Clear.HTTP:
        message = "the peer speaks HTTP at this port, not DICOM"
        hint = "this may be the port of a web interface: ask for the DICOM TLS port"
        return replace(diagnosis, code="peer-speaks-http", by=By.NEITHER, message=message, hints=(hint,))
    return None


def look_at_negotiation(diagnosis: Diagnosis, facts: HandshakeFacts, inquiry: Inquiry) -> Diagnosis:
    """Find out what the peer would have agreed to."""
    hello = offer(facts) or ClientHello()
    if diagnosis.code in _EXTENSIONS:
        return _try_without(diagnosis, hello, inquiry)
    answers = _ask_for_everything(hello, inquiry)
    choices = [answer.chosen for answer in answers if answer.chosen is not None]
    if not choices:
        return _nothing_chosen(diagnosis, answers)
    versions = [choice.version for choice in choices]
    assert inquiry.target.tls is not None  # noqa: S101 -- only a handshake is negotiated
    taken = [choice for choice in choices if _is_offered(choice.version, inquiry.target.tls)]
    if not taken:
        return _other_version(diagnosis, choices, hello, inquiry)
    if not any(choice.suite in hello.suites for choice in taken):
        return _other_suite(diagnosis, taken[0], inquiry)
    found = _try_without(diagnosis, hello, inquiry)
    speaks = f"the peer speaks {version_names(sorted(versions, reverse=True))}, as we do"
    return replace(found, evidence={**found.evidence, "peer_speaks": speaks}) if found is diagnosis else found


_EXTENSIONS = frozenset({"alert-unrecognized_name", "alert-no_application_protocol"})


def _ask_for_everything(hello: ClientHello, inquiry: Inquiry) -> list[Answer]:
    name = _ascii(hello.server_name)
    return [
        offer_everything(inquiry, tls13=tls13, server_name=name, alpn=hello.alpn)
        for tls13 in (False, True)
        if inquiry.may_ask
    ]


def _ascii(name: str | None) -> str | None:
    """What came out of a hello may hold replacement characters; such a name is not sent again."""
    return name if name is not None and re.fullmatch(r"[!-~]+", name) else None


def _nothing_chosen(diagnosis: Diagnosis, answers: list[Answer]) -> Diagnosis:
    if diagnosis.code in ("peer-closed", "connection-reset") and not any(answer.alert for answer in answers):
        hints = (
            "it may take connections from known addresses only: see the peer's log and its firewall",
            "or a limit of the peer is reached: try again later",
        )
        message = f"{diagnosis.message}; it does so whatever we say"
        return replace(diagnosis, message=message, hints=hints)
    return diagnosis


def _is_offered(version: int, settings: TLSSettings) -> bool:
    context = client_context(replace(settings, keylog=None))
    return int(context.minimum_version) <= version <= int(context.maximum_version)


def _other_version(diagnosis: Diagnosis, choices: list[ServerHello], hello: ClientHello, inquiry: Inquiry) -> Diagnosis:
    best = max(choices, key=lambda choice: choice.version)
    theirs = version_names(sorted({choice.version for choice in choices}, reverse=True))
    at_most = "" if best.version == TLS_1_3 else " at most"
    message = f"the peer speaks {theirs}{at_most}, and we offer {version_names(hello.offered_versions)}"
    message += "" if hello.versions else " at most"
    code = "no-shared-protocol"
    if diagnosis.code == "no-shared-cipher":
        # The alert about suites says that it does speak our version, only without a suite for its key.
        code = diagnosis.code
        message = f"{diagnosis.message}; it would choose {suite_name(best.suite)} ({version_name(best.version)})"
    hints = (*find_remedy(inquiry, best), *better(best))[:3]
    return replace(diagnosis, code=code, message=message, hints=hints)


def _other_suite(diagnosis: Diagnosis, choice: ServerHello, inquiry: Inquiry) -> Diagnosis:
    suite = suite_name(choice.suite)
    message = f"the peer chooses {suite} ({version_name(choice.version)}), which we do not offer"
    hints = (*find_remedy(inquiry, choice), *better(choice))[:3]
    return replace(diagnosis, code="no-shared-cipher", message=message, hints=hints)


def _try_without(diagnosis: Diagnosis, hello: ClientHello, inquiry: Inquiry) -> Diagnosis:
    """Leave out one thing after the other until the peer takes the rest."""
    assert inquiry.target.tls is not None  # noqa: S101 -- only a handshake is negotiated
    for variation in _variations(diagnosis, hello, inquiry.target.tls):
        if not inquiry.may_ask:
            break
        if inquiry.behind_tls(f"without {variation.what}", **variation.changes).tls_works:
            message = f"{diagnosis.message}; without {variation.what} it connects"
            return replace(diagnosis, message=message, hints=(f"it connects with {variation.option}", _SAY_IT))
    return diagnosis


_SAY_IT = "the peer should ignore what it does not know: tell its maker"


def _variations(diagnosis: Diagnosis, hello: ClientHello, settings: TLSSettings) -> Iterator[Variation]:
    found = [
        Variation("the protocol's name (ALPN)", "--no-alpn", {"alpn": False}) if hello.alpn else None,
        Variation("the server's name (SNI)", "--no-sni", {"sni": False}) if hello.server_name else None,
        Variation("TLS 1.3", "--tls-max 1.2", {"tls_max": "1.2"})
        if TLS_1_3 in hello.versions and settings.tls_min != "1.3" and len(hello.versions) > 1
        else None,
    ]
    if diagnosis.code == "alert-unrecognized_name":
        found.reverse()
    yield from filter(None, found)
