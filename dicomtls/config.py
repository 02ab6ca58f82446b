"""The configuration file, dicomtls.toml: defaults and named peers, read whole and checked before anything uses it.

`[defaults]` and each `[peers.NAME]` have the long names of options as keys. Relative paths are relative to the file.
What the values mean is the options' own affair: they are kept as what a command line would say, text or a list of it.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple, NoReturn, TypeAlias

from dicomtls.errors import UsageError
from dicomtls.peer import DEFAULT_PLAIN_PORT, DEFAULT_TLS_PORT, format_address

FILE_NAME: Final = "dicomtls.toml"
VARIABLE: Final = "DICOMTLS_CONFIG"
LARGEST: Final = 1 << 20
"""In bytes; a thousand peers take a tenth of it."""

PEER_KEYS: Final = ("host", "port", "aet")
"""What only a peer's section has: where it listens and what it is called."""
PATHS: Final = frozenset(
    "ca cert key crl passphrase-file keylog user-password-file user-jwt-file user-saml-file user-kerberos-file".split()  # noqa: SIM905 -- a list of names
)
_NAME_CHARACTERS: Final = "a letter or a digit, then letters, digits, '.', '_' and '-'"

Setting: TypeAlias = str | bool | list[str]


class NamedPeer(NamedTuple):
    """A peer's section: its address, and the settings that hold for it."""

    name: str
    host: str
    port: int | None = None
    ae_title: str | None = None
    settings: Mapping[str, Setting] = MappingProxyType({})

    def address(self) -> str:
        """[AET@]HOST:PORT, as it would be typed."""
        usual = DEFAULT_PLAIN_PORT if self.settings.get("no-tls") else DEFAULT_TLS_PORT
        title = f"{self.ae_title}@" if self.ae_title else ""
        return title + format_address(self.host, self.port or usual)


class Configuration(NamedTuple):
    """What one file says; `path` is None where there is no file."""

    path: Path | None = None
    defaults: Mapping[str, Setting] = MappingProxyType({})
    peers: Mapping[str, NamedPeer] = MappingProxyType({})
    lines: Mapping[tuple[str, str], int] = MappingProxyType({})
    """Where each key is, by its section: `defaults`, or the name of a peer behind `peers.`."""

    def origin(self, key: str, name: str | None) -> str:
        """The file, the key and its line, for an error about what `settings_for` gives."""
        peer = self.peers.get(name) if name is not None else None
        is_own = peer is not None and key in peer.settings
        line = self.lines.get((f"peers.{name}" if is_own else "defaults", key))
        return f"{self.path}: {key}" + (f" (line {line})" if line is not None else "")

    def settings_for(self, name: str | None) -> dict[str, Setting]:
        """The defaults, and over them what holds for the peer of that name."""
        peer = self.peers.get(name) if name is not None else None
        return {**self.defaults, **(peer.settings if peer is not None else {})}


def find_file(given: Path | None, environment: Mapping[str, str] | None = None) -> Path | None:
    """The file to read: the one given, `$DICOMTLS_CONFIG`, ./dicomtls.toml, that in the user's configuration folder.

    None where there is none. A file that was asked for by name need not exist here: reading it will say so.
    """
    variables = os.environ if environment is None else environment
    if given is not None:
        return given
    if named := variables.get(VARIABLE):
        return Path(named)
    return next((path for path in (Path(FILE_NAME), user_file(variables)) if path.is_file()), None)


def user_file(environment: Mapping[str, str]) -> Path:
    """Where a user's own configuration lies on this system."""
    if os.name == "nt":
        folder = Path(environment.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    else:
        folder = Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return folder / "dicomtls" / FILE_NAME


def load(path: Path | None, known: Iterable[str] | None) -> Configuration:
    """Read a file whose sections may have the `known` keys, or any for None; an empty configuration for no file.

    Raises `UsageError` naming the file, the line where there is one, the key and the nearest known one.
    """
    if path is None:
        return Configuration()
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        msg = f"cannot read the configuration {path}: {(error.strerror or str(error)).lower()}"
        raise UsageError(msg, hints=("name another file with --config",)) from error
    return parse(path, content, known)


def parse(path: Path, content: bytes, known: Iterable[str] | None) -> Configuration:
    """Read what a file has, or is to have; raises as `load` does."""
    return _Reader(path, frozenset(known) if known is not None else None).read(content)


class _Reader:
    def __init__(self, path: Path, known: frozenset[str] | None) -> None:
        self._path = path
        self._known = known
        self._lines: Mapping[tuple[str, str], int] = {}

    def read(self, content: bytes) -> Configuration:
        document = self._document(content)
        for key in document:
            if key not in ("defaults", "peers"):
                self._unknown(key, ("defaults", "peers"), "a section", self._line_of(key, "") or self._line_of("", key))
        defaults = self._settings(self._table(document, "defaults"), "defaults")
        peers = self._table(document, "peers")
        return Configuration(self._path, defaults, {name: self._peer(name, peers) for name in peers}, self._lines)

    def _document(self, content: bytes) -> dict[str, object]:
        import tomllib  # 4 ms that only a file is to cost

        if len(content) > LARGEST:
            self._refuse(f"it has more than {LARGEST >> 20} MB")
        try:
            text = content.decode()
            self._lines = _lines(text)
            return tomllib.loads(text)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            reason = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "it is not TOML in UTF-8"
            self._refuse(reason[:1].lower() + reason[1:])

    def _table(self, document: Mapping[str, object], name: str) -> dict[str, object]:
        table = document.get(name, {})
        if not isinstance(table, dict):
            self._refuse(f"{name} is a section of its own: [{name}]")
        return table

    def _peer(self, name: str, peers: Mapping[str, object]) -> NamedPeer:
        where = f"peers.{name}"
        if not name or not name[0].isalnum() or not all(one.isalnum() or one in "._-" for one in name):
            hint = (f"a peer's name is {_NAME_CHARACTERS}",)
            self._refuse(f"not a name for a peer: {name!r}", hint)
        table = self._table(peers, name)
        own = {key: table[key] for key in PEER_KEYS if key in table}
        rest = {key: value for key, value in table.items() if key not in PEER_KEYS}
        host, port, title = own.get("host"), own.get("port"), own.get("aet")
        if not isinstance(host, str) or not host:
            self._refuse(f"[{where}] has no host{self._line_of(where, '')}", ('add host = "ADDRESS"',))
        if port is not None and (isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 1 << 16):
            self._refuse(f"the port of [{where}] is not a number from 1 to 65535{self._line_of(where, 'port')}")
        if title is not None and not isinstance(title, str):
            self._refuse(f"the aet of [{where}] is not text{self._line_of(where, 'aet')}")
        settings = self._settings(rest, where, also=PEER_KEYS)
        return NamedPeer(name, host, port, title, settings)

    def _settings(self, table: Mapping[str, object], where: str, *, also: tuple[str, ...] = ()) -> dict[str, Setting]:
        found: dict[str, Setting] = {}
        for key, value in table.items():
            if self._known is not None and key not in self._known:
                self._unknown(key, (*self._known, *also), f"a key of [{where}]", self._line_of(where, key))
            found[key] = self._value(key, value, where)
        return found

    def _value(self, key: str, value: object, where: str) -> Setting:
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            return [self._one(key, part, where) for part in value]
        if not isinstance(value, str | int | float):
            line = self._line_of(where, key)
            self._refuse(f"{key} of [{where}] is none of text, a number, true or false, and a list of texts{line}")
        return value if isinstance(value, bool) else self._one(key, str(value), where)

    def _one(self, key: str, text: str, where: str) -> str:
        line = self._line_of(where, key)
        if "\0" in text:  # no option of a command line can hold one, and no path
            self._refuse(f"{key} holds a NUL character{line}", ("take it out",))
        if key not in PATHS:
            return text
        if not text:
            self._refuse(f"{key} is an empty path{line}", ("leave the line out, or name a file",))
        # A path that begins with ~ is the user's, as in a shell; everything else relative to this file.
        try:
            return str(self._path.parent / Path(text).expanduser())
        except RuntimeError:  # the system knows no such user
            self._refuse(f"{key} is in the home of nobody: {text!r}{line}", ("write the whole path",))

    def _unknown(self, key: str, known: Iterable[str], what: str, line: str) -> NoReturn:
        from difflib import get_close_matches  # only on the way to an error

        near = get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known)[:8])} and more"
        self._refuse(f"{key!r} is not {what}{line}", (hint,))

    def _line_of(self, section: str, key: str) -> str:
        line = self._lines.get((section, key))
        return f" (line {line})" if line is not None else ""

    def _refuse(self, reason: str, hints: tuple[str, ...] = ()) -> NoReturn:
        msg = f"{self._path}: {reason}"
        raise UsageError(msg, hints=hints or ("see the section on configuration in README",))


def _lines(text: str) -> dict[tuple[str, str], int]:
    """The line of each key of TOML by its section; that of a section has no key, and each of its names stands alone.

    It is only a look at the lines: what is written in another way, in braces say, is not in it.
    """
    found: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if bare.startswith("[") and "=" not in bare:
            parts = [_unquoted(part) for part in bare.partition("]")[0].strip("[ ").split(".")]
            section = ".".join(parts)
            for name in (section, parts[0]):
                found.setdefault((name, ""), number)
        elif "=" in bare:
            found.setdefault((section, _unquoted(bare.partition("=")[0])), number)
    return found


def _unquoted(name: str) -> str:
    return name.strip().strip("\"'")
