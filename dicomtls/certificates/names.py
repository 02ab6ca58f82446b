"""From what a person types after `--host` to a name in a certificate (RFC 5280 section 4.2.1.6)."""

import ipaddress
import re
from collections.abc import Sequence

from cryptography import x509

from dicomtls.certificates.building import Purpose
from dicomtls.errors import UsageError

_LONGEST_NAME = 253
# An underscore is against RFC 1123, but names of Windows machines have it, and verifiers compare it literally.
_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^ ]{1,2000}")
_HINT = "a host is a DNS name (pacs.example, *.example) or an IP address (192.0.2.7, 2001:db8::7), without a port"


def general_names(hosts: Sequence[str]) -> list[x509.GeneralName]:
    """Read every host, each name once, in the order given; raises `UsageError`."""
    return list(dict.fromkeys(general_name(host) for host in hosts))


def general_name(host: str) -> x509.GeneralName:
    """Read a DNS name, also an international one or with `*` as its first label, or an IP address; raises `UsageError`.

    The address is tried first: every IPv4 address looks like a DNS name too. An IPv6 address may stand in brackets,
    as it does in a peer. International names become IDNA A-labels; a full stop at the end is dropped.
    """
    text = host.strip()
    address = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if "%" in text:  # the zone of a link-local address means something on one machine only
        raise _no_host(host)
    try:
        return x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        return x509.DNSName(_dns_name(text, host))


def alternative_names_for(purpose: Purpose, hosts: Sequence[str], uris: Sequence[str]) -> list[x509.GeneralName]:
    """The names of a device; raises `UsageError`, also for a server without one, which every careful peer refuses."""
    names = requested_names(hosts, uris)
    if not hosts and purpose is not Purpose.CLIENT:
        msg = "a server's certificate needs the names or addresses that its peers connect to"
        raise UsageError(msg, hints=("give each with --host, or --purpose client for a device that only calls",))
    return names


def requested_names(hosts: Sequence[str], uris: Sequence[str]) -> list[x509.GeneralName]:
    """All names that were asked for, maybe none; raises `UsageError`."""
    return [*general_names(hosts), *resource_identifiers(uris)]


def has_hosts(names: Sequence[x509.GeneralName]) -> bool:
    """Whether a peer that connects to a server would find its DNS name or address among these."""
    return any(isinstance(name, x509.DNSName | x509.IPAddress) for name in names)


def resource_identifiers(uris: Sequence[str]) -> list[x509.GeneralName]:
    """Read every URI; raises `UsageError` for what has no scheme or other than ASCII in it."""
    for uri in uris:
        if not (uri.isascii() and uri.isprintable() and _URI.fullmatch(uri)):
            msg = f"not a URI: {uri!r}"
            raise UsageError(msg, hints=("a URI begins with its scheme: urn:oid:1.2.3, https://pacs.example",))
    return [x509.UniformResourceIdentifier(uri) for uri in dict.fromkeys(uris)]


def _dns_name(text: str, host: str) -> str:
    prefix = "*." if text.startswith("*.") else ""
    name = _to_ascii(text.removeprefix(prefix).removesuffix("."), host)
    labels = name.split(".")
    if len(prefix + name) > _LONGEST_NAME or not all(map(_LABEL.fullmatch, labels)):
        raise _no_host(host)
    if labels[-1].isdigit():  # a mistyped IPv4 address, which no verifier would look for among DNS names
        raise _no_host(host)
    return prefix + name


def _to_ascii(name: str, host: str) -> str:
    if name.isascii():
        return name.lower()
    if len(name) > _LONGEST_NAME:  # IDNA's cost grows with the square of the length
        raise _no_host(host)
    try:
        return name.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise _no_host(host) from None


def _no_host(host: str) -> UsageError:
    msg = f"neither a DNS name nor an IP address: {host!r}"
    return UsageError(msg, hints=(_HINT,))
