"""Who the other side is: `[AET@]HOST[:PORT]`, and the rules that AE titles obey (PS3.5 section 6.2, VR AE)."""

from dataclasses import dataclass

from dicomtls.errors import UsageError

DEFAULT_TLS_PORT = 2762
"""IANA's `dicom-tls`, which PS3.15 recommends."""
DEFAULT_PLAIN_PORT = 104
DEFAULT_CALLED_AE_TITLE = "ANY-SCP"
DEFAULT_CALLING_AE_TITLE = "DICOMTLS"

_MAXIMUM_AE_TITLE_LENGTH = 16
_HIGHEST_PORT = 65535
_PORT_DIGITS = 5


@dataclass(frozen=True)
class Peer:
    """The other end of an association: where it listens and what it is called."""

    host: str
    port: int
    called_ae_title: str = DEFAULT_CALLED_AE_TITLE

    def __str__(self) -> str:
        return format_address(self.host, self.port)

    @classmethod
    def parse(cls, text: str, *, default_port: int = DEFAULT_TLS_PORT) -> "Peer":
        """Read `[AET@]HOST[:PORT]`, split at the last `@`, an IPv6 address in brackets.

        Raises `UsageError` where the text is none of these.
        """
        title, at, address = text.rpartition("@")
        host, port = parse_address(address, default_port=default_port)
        return cls(host, port, check_ae_title(title) if at else DEFAULT_CALLED_AE_TITLE)


def format_address(host: str, port: int) -> str:
    """`HOST:PORT`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_address(text: str, *, default_port: int) -> tuple[str, int]:
    """Read `HOST[:PORT]`, an IPv6 address in brackets; raises `UsageError`."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            msg = f"cannot read the address {text!r}"
            raise UsageError(msg, hints=("write an IPv6 address as [::1]:2762",))
        port_text = rest[1:]
        has_port = bool(rest)
    elif text.count(":") > 1:
        msg = f"an IPv6 address needs brackets: {text!r}"
        raise UsageError(msg, hints=(f"write [{text}] or [{text}]:{default_port}",))
    else:
        host, colon, port_text = text.partition(":")
        has_port = bool(colon)
    if not host or any(character.isspace() or not character.isprintable() for character in host):
        msg = f"no host in {text!r}" if not host else f"not a host: {host.encode(errors='backslashreplace').decode()}"
        raise UsageError(msg, hints=("a peer is written [AET@]HOST[:PORT]",))
    return host, parse_port(port_text) if has_port else default_port


def parse_listening(text: str | None, *, default_port: int) -> tuple[str, int]:
    """Read `[HOST:]PORT`, where to listen; an empty host is every address of this machine. Raises `UsageError`."""
    if text is None:
        return "", default_port
    if text.removeprefix(":").isdigit():
        return "", parse_port(text.removeprefix(":"))
    return parse_address(text, default_port=default_port)


def parse_port(text: str) -> int:
    """Read a TCP port, 0 to 65535; raises `UsageError`."""
    if not (text.isascii() and text.isdigit() and len(text) <= _PORT_DIGITS) or int(text) > _HIGHEST_PORT:
        msg = f"not a TCP port: {text!r}"
        raise UsageError(msg, hints=("a port is a number from 1 to 65535",))
    return int(text)


def check_ae_title(text: str) -> str:
    """Return the AE title without its insignificant outer spaces; raises `UsageError` where it is none.

    1 to 16 characters of ASCII, not all spaces, no backslash and no control characters (PS3.5 table 6.2-1).
    """
    title = text.strip(" ")
    problem = (
        "is empty"
        if not title
        else "has more than 16 characters"
        if len(title) > _MAXIMUM_AE_TITLE_LENGTH
        else "may hold only ASCII, without backslash and control characters"
        if not title.isascii() or not title.isprintable() or "\\" in title
        else None
    )
    if problem:
        msg = f"the AE title {text!r} {problem}"
        raise UsageError(msg, hints=("an AE title has 1 to 16 ASCII characters",))
    return title


def is_ae_title(text: str) -> bool:
    """Whether `check_ae_title` takes it."""
    try:
        check_ae_title(text)
    except UsageError:
        return False
    return True
