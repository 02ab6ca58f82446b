"""The server's name as the `ssl` module takes it, which has no clear word for what it does not take."""

from dicomtls.errors import UsageError

LONGEST_NAME = 253
"""Characters of a DNS name as it is sent (RFC 1035 section 2.3.4, less the length and the end that text has not)."""
_LONGEST_LABEL = 63


def checked_server_name(name: str) -> str | bytes:
    """Return a DNS name or an IP address in the form that `ssl` takes; raises `UsageError` where it is neither.

    A full stop at the end is left out: whoever writes a name to its root means the same host (RFC 6066 section 3). So
    is the zone of an IPv6 address, which means something on this machine only (RFC 4007 section 11.2).
    """
    text = name.partition("%")[0] if ":" in name else name.removesuffix(".")
    if not is_host_name(text):
        msg = f"not a name that can be sent to a server: {text!r}"
        raise UsageError(msg, hints=("give a DNS name or an IP address with --server-name",))
    # As bytes it needs no IDNA codec, which takes 3 ms to import.
    return text.encode() if text.isascii() else text


def is_host_name(name: str) -> bool:
    """Whether a name, an address too, can be looked for in a certificate: `ssl` has no clear word for others.

    Without a full stop at its end, 253 characters at most, in labels of 63 (RFC 1035 section 2.3.4), as it is sent.
    """
    if len(name) > LONGEST_NAME:  # IDNA's cost grows with the square of the length
        return False
    try:
        sent = name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return False
    is_short = len(sent) <= LONGEST_NAME and all(0 < len(label) <= _LONGEST_LABEL for label in sent.split("."))
    return is_short and sent.isprintable()
