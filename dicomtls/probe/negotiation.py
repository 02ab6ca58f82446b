"""Follow-up attempts where the two sides did not agree: what versions and suites the peer has, what it dislikes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from dicomtls.diagnosis import Diagnosis
from dicomtls.diagnosis.causes import cause_of
from dicomtls.diagnosis.negotiation import BROKEN_OFF
from dicomtls.diagnosis.offers import offer
from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.probe.hello import Answer, offer_everything
from dicomtls.probe.inquiry import Clear, Inquiry
from dicomtls.probe.remedies import find_remedy, is_safe
from dicomtls.probe.target import WENT_AWAY
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
    if said not in _SPEAKS:
        return None
    code, seen = _SPEAKS[said]
    facts, cause = HandshakeFacts(), cause_of(code)
    return replace(diagnosis, code=code, by=cause.by, message=cause.message(facts) + seen, hints=cause.hints(facts))


# The code for what a peer answers in clear, and what the message adds to the usual one.
_SPEAKS: Final = {
    Clear.DICOM: ("peer-speaks-plain-dicom", ": it answers an association in clear"),
    Clear.HTTP: ("peer-speaks-http", ""),
}


def look_at_negotiation(diagnosis: Diagnosis, facts: HandshakeFacts, inquiry: Inquiry) -> Diagnosis:
    """Find out what the peer would have agreed to.

    Raises `Interrupted`, and `LocalError` where the files of the settings cannot be read any more.
    """
    hello = offer(facts) or ClientHello()
    if diagnosis.code in _EXTENSIONS:
        return _try_without(diagnosis, hello, inquiry)
    answers = _ask_for_everything(hello, inquiry)
    choices = [answer.chosen for answer in answers if answer.chosen is not None]
    if not choices:
        return _nothing_chosen(diagnosis, answers)
    assert inquiry.target.tls is not None  # noqa: S101 -- only a handshake is negotiated
    lowest, highest = _offered_range(inquiry.target.tls)
    taken = [choice for choice in choices if lowest <= choice.version <= highest]
    if not taken:
        return _other_version(diagnosis, choices, hello, inquiry)
    if not any(choice.suite in hello.suites for choice in taken):
        return _other_suite(diagnosis, taken[0], choices, inquiry)
    found = _try_without(diagnosis, hello, inquiry)
    return found if found is not diagnosis else _with_what_it_speaks(diagnosis, choices, taken[0])


def _with_what_it_speaks(diagnosis: Diagnosis, choices: list[ServerHello], choice: ServerHello) -> Diagnosis:
    """It would choose what we offer, and fails all the same."""
    theirs = version_names(sorted((one.version for one in choices), reverse=True))
    if diagnosis.code == "no-shared-cipher" and "_ECDHE_" in suite_name(choice.suite):
        return _other_group(diagnosis, choice)
    if diagnosis.code in WENT_AWAY:
        return replace(diagnosis, message=f"{diagnosis.message}; it speaks TLS: {theirs}", hints=BROKEN_OFF)
    return replace(diagnosis, evidence={**diagnosis.evidence, "peer_speaks": f"the peer speaks {theirs}, as we do"})


_EXTENSIONS: Final = frozenset({"alert-unrecognized_name", "alert-no_application_protocol"})


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
    if diagnosis.code in WENT_AWAY and answers and all(answer.hung_up for answer in answers):
        hints = (
            "it may take connections from known addresses only: see the peer's log and its firewall",
            "or a limit of the peer is reached: try again later",
        )
        message = f"{diagnosis.message}; it does so whatever we say"
        return replace(diagnosis, message=message, hints=hints)
    if diagnosis.code == "no-shared-cipher" and answers and all(answer.alert for answer in answers):
        message = f"{diagnosis.message}; it refuses whatever is offered, by the alert {answers[-1].alert}"
        return replace(diagnosis, message=message, hints=_ITS_OWN_SIDE)
    return diagnosis


_ITS_OWN_SIDE: Final = (
    "the peer's suites may be for another type of key (RSA or EC) than it has, or its groups unusual: see its log",
    "let the peer be given a certificate with an RSA key, or suites and groups that fit the one that it has",
)


def _offered_range(settings: TLSSettings) -> tuple[int, int]:
    """The lowest and the highest version that we offer; a context is built for it, with all its files."""
    context = client_context(replace(settings, keylog=None))
    return int(context.minimum_version), int(context.maximum_version)


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
    return replace(diagnosis, code=code, message=message, hints=find_remedy(inquiry, best)[:3])


def _other_suite(diagnosis: Diagnosis, choice: ServerHello, choices: list[ServerHello], inquiry: Inquiry) -> Diagnosis:
    suite = suite_name(choice.suite)
    weakness = "" if is_safe(choice) else ", since it encrypts nothing" if "_NULL_" in suite else ", since it is broken"
    message = f"the peer chooses {suite} ({version_name(choice.version)}), which we do not offer{weakness}"
    # What it would choose at a newer version than the one that we have asked for is better still.
    best = max(choices, key=lambda one: one.version)
    return replace(diagnosis, code="no-shared-cipher", message=message, hints=find_remedy(inquiry, best)[:3])


def _other_group(diagnosis: Diagnosis, choice: ServerHello) -> Diagnosis:
    """Both have the suite, and it was refused when it came with our own groups (RFC 8422 section 4)."""
    suite = suite_name(choice.suite)
    message = (
        f"the peer takes {suite} ({version_name(choice.version)}), as we do, but none of the groups (elliptic curves) "
        "that we offer"
    )
    hint = "the peer must be set to a group that everybody has: P-256 (secp256r1, prime256v1), P-384 or x25519"
    return replace(diagnosis, code="no-shared-cipher", message=message, hints=(hint,))


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


_SAY_IT: Final = "the peer should ignore what it does not know: tell its maker"


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
