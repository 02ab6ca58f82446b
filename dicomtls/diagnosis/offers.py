"""What was offered in a handshake that failed, in words."""

from dicomtls.handshake_facts import HandshakeFacts
from dicomtls.tls.hello import ClientHello, version_name, version_names
from dicomtls.tls.suites import is_tls13_suite, suite_name, suite_names


def offer(facts: HandshakeFacts) -> ClientHello | None:
    """The ClientHello, ours or the client's; None where none was seen, or it cannot be read."""
    try:
        return ClientHello.parse(facts.client_hello) if facts.client_hello else None
    except ValueError:
        return None


def versions_offered(facts: HandshakeFacts) -> str:
    """The versions offered; empty where they are not known."""
    hello = offer(facts)
    if hello is None:
        return ""
    # Without the extension there is one number, which stands for that version and what lies below.
    return version_names(hello.offered_versions) + ("" if hello.versions else " at most")


def suites_offered(facts: HandshakeFacts) -> str:
    """The cipher suites offered up to TLS 1.2, where there are any, else those of TLS 1.3; empty where not known."""
    hello = offer(facts)
    if hello is None:
        return ""
    old = tuple(suite for suite in hello.suites if not is_tls13_suite(suite))
    return suite_names(old or hello.suites)


def offer_evidence(facts: HandshakeFacts) -> dict[str, object]:
    """What `--json` says of the offer, newest version first; empty where it is not known."""
    hello = offer(facts)
    if hello is None:
        return {}
    return {
        "offered_versions": [version_name(version) for version in hello.offered_versions],
        "offered_ciphers": [suite_name(suite) for suite in hello.suites],
        "server_name_sent": hello.server_name,
        "alpn_offered": list(hello.alpn),
    }
