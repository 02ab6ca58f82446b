"""What to say where no TLS came about, before any certificate was looked at: versions, suites, another protocol."""

from collections.abc import Callable, Sequence
from typing import Final

from dicomtls.diagnosis.foreign import calling_ae_title
from dicomtls.diagnosis.offers import offer, suites_offered, versions_offered
from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.profiles import PROFILES
from dicomtls.tls.hello import TLS_1_2, version_name
from dicomtls.tls.suites import is_tls13_suite, suite_name


def by_role(client: str, server: str) -> Callable[[HandshakeFacts], str]:
    """One message for each role."""
    return lambda facts: client if facts.role == "client" else server


def hints_by_role(client: tuple[str, ...], server: tuple[str, ...]) -> Callable[[HandshakeFacts], tuple[str, ...]]:
    """Hints for each role."""
    return lambda facts: client if facts.role == "client" else server


def plain_dicom(facts: HandshakeFacts) -> str:
    """A peer or a client that speaks DICOM in clear; which of a server's clients it is, where it has said so."""
    if facts.role == "client":
        return "the peer speaks plain DICOM at this port, not TLS"
    calling = calling_ae_title(facts.first_bytes)
    return "the client speaks plain DICOM, not TLS" + (f": its calling AE title is {calling}" if calling else "")


def plain_dicom_hints(facts: HandshakeFacts) -> tuple[str, ...]:
    """What to do about it."""
    if facts.role == "client":
        return (
            "ask for the peer's TLS port, usually 2762",
            "or connect in clear with --no-tls, in place of the other TLS options",
        )
    return (
        "switch on TLS in the device, or send it to a port where plain DICOM is expected",
        "serve speaks it on a port of its own with --no-tls",
    )


def no_shared_protocol(facts: HandshakeFacts) -> str:
    """What was offered, and nothing of it taken."""
    offered = versions_offered(facts)
    if facts.role == "server":
        return "the client offers no TLS version that we take" + (f": {offered}" if offered else "")
    return "the peer takes none of the TLS versions that we offer" + (f": {offered}" if offered else "")


def version_hints(facts: HandshakeFacts) -> tuple[str, ...]:
    """What to do where the versions differ."""
    if facts.role == "server":
        return _newer_client(facts)
    return (
        "offer older versions with --profile bcp195-2015, or newer ones with --tls-max 1.3",
        "better: let the peer be set to TLS 1.2 or 1.3",
    )


def no_shared_cipher(facts: HandshakeFacts) -> str:
    """Which suites were offered, and none of them taken."""
    offered = suites_offered(facts)
    if facts.role == "server":
        return "the client offers no cipher suite that we take" + (f": {offered}" if offered else "")
    return "the peer takes none of the cipher suites that we offer" + (f": {offered}" if offered else "")


def suite_hints(facts: HandshakeFacts) -> tuple[str, ...]:
    """What to do where the suites differ."""
    if facts.role == "server":
        return _suites_of_client(facts)
    return (
        "older devices want --profile bcp195-2015-nd or --profile aes",
        "a peer with another type of key (RSA or EC) may want --profile bcp195-modified",
    )


def _newer_client(facts: HandshakeFacts) -> tuple[str, ...]:
    hello = offer(facts)
    newest = hello.offered_versions[0] if hello is not None else 0
    if newest >= TLS_1_2:
        return (
            "start serve with limits that take it: --profile bcp195, without --tls-min and --tls-max",
            f"or set the device to another version than {version_name(newest)}",
        )
    return (
        "set the device to TLS 1.2 or 1.3",
        "a device that has neither needs serve started with --profile bcp195-2015",
    )


def _suites_of_client(facts: HandshakeFacts) -> tuple[str, ...]:
    """Suites as good as ours, and none taken: then it is the type of our key that does not fit."""
    hello = offer(facts)
    names = [suite_name(suite) for suite in hello.suites if not is_tls13_suite(suite)] if hello is not None else []
    older = _profile_for(names)
    authenticated = [name for name in names if "DHE_" in name and name.endswith(_OF_TODAY)]
    if not authenticated:
        return older, "a device for the other type of key (RSA or EC) wants a second --cert and --key"
    kinds = {"EC" if "_ECDSA_" in name else "RSA" for name in authenticated}
    kind = f"an {kinds.pop()} key" if len(kinds) == 1 else "the other type of key (RSA or EC)"
    return f"the device wants a server with {kind}: give such a certificate with a second --cert and --key", older


def _profile_for(names: Sequence[str]) -> str:
    """The first profile, the better ones first, that has one of these suites."""
    profile = next((one for one in PROFILES if set(one.suites) & set(names)), None)
    if profile is not None:
        return f"the device needs serve started with --profile {profile.name}"
    if names and all("_NULL_" in name for name in names):
        return "the device offers suites without encryption only: choose others in its settings"
    return "set the device to better cipher suites, or allow one that it has with --ciphers NAME"


_OF_TODAY: Final = ("_GCM_SHA256", "_GCM_SHA384", "_POLY1305_SHA256")


def closed_hints(facts: HandshakeFacts) -> tuple[str, ...]:
    """What may be behind an end without an alert."""
    if facts.role == "server":
        return ("a port check or a client that gave up does this",)
    if facts.after_handshake:
        return (
            "the peer may have refused our client certificate, or its absence: see its log",
            "give --cert and --key",
        )
    if facts.chain_der:
        return BROKEN_OFF
    return (
        "the peer may speak plain DICOM at this port: try --no-tls, in place of the other TLS options",
        "a firewall or a limit of the peer may end connections: see the peer's log",
    )


BROKEN_OFF: Final = (
    "see the peer's log: it may have failed over something of its own, or over a limit",
    "or something in between ends the connection: a firewall, a load balancer, a proxy that looks into TLS",
)
"""What may be behind the end of a handshake that the peer had begun, without an alert."""


def went_away(how: str) -> Callable[[HandshakeFacts], str]:
    """A message about an end without an alert; `how` is "closed" or "reset"."""

    def message(facts: HandshakeFacts) -> str:
        who = "peer" if facts.role == "client" else "client"
        when = "right after" if facts.after_handshake else "during"
        return f"the {who} {how} the connection {when} the TLS handshake, without an alert"

    return message
