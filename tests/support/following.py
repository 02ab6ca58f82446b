"""Failures of `dicomtls echo` with real peers, and their hints followed as a user would, by what they say.

    assert_hint_works(Failure(dcmtk("+pa"), f"{OURS} --profile modern", "no-shared-protocol", "peer",
                              hint="it connects with --profile bcp195-2015"), bench)

Arguments and values are written as in a shell whose folder is that of the PKI.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field, fields, replace
from functools import cache
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any, Protocol

import pytest

from dicomtls.cli.app import main
from dicomtls.cli.options.association import AssociationOptions
from dicomtls.cli.options.tls import TLSOptions
from tests.support.cases import Entry
from tests.support.cli import Result, run_dicomtls
from tests.support.pki import PKI, Identity

EXIT_STATUSES = {"name": 3, "tcp": 3, "tls": 4, "association": 5, "dimse": 1}
OURS = "--ca ca.pem --cert client.pem --key client.key"
NOBODY = "--ca ca.pem"


class Reachable(Protocol):
    """A peer that listens on loopback."""

    @property
    def port(self) -> int:
        """Where."""


Peer = Callable[["Bench"], AbstractContextManager[Reachable]]
Options = dict[str, list[str]]
"""The values of each option by its name; one that takes none has an empty list."""


class Bench:
    """The peers of one test module, each started when it is first needed, and kept until the module ends."""

    def __init__(self, pki: PKI, cases: list[Entry], new_folder: Callable[[], Path]) -> None:
        self.pki = pki
        self.new_folder = new_folder
        self._cases = cases
        self._stack = ExitStack()
        self._running: dict[Peer, Reachable] = {}

    def running(self, peer: Peer) -> Reachable:
        """The peer, started if it is not yet."""
        if peer not in self._running:
            self._running[peer] = self._stack.enter_context(peer(self))
        return self._running[peer]

    def case(self, name: str) -> Entry:
        """The case of the test set that has this name."""
        return next(entry for entry in self._cases if entry.name == name)

    def close(self) -> None:
        """End all peers."""
        self._stack.close()


@pytest.fixture(scope="module")
def bench(pki: PKI, cases: list[Entry], tmp_path_factory: pytest.TempPathFactory) -> Iterator["Bench"]:
    """The peers of a module."""
    bench = Bench(pki, cases, lambda: tmp_path_factory.mktemp("peer"))
    try:
        yield bench
    finally:
        bench.close()


@dataclass(frozen=True)
class Failure:
    """An echo that fails, and the hint that makes it work.

    `hint` is a part of the hint's text. Its options are followed with the `values` for those that it names without
    one; where `mended` is given the hint is the peer's owner's to follow, and that is the peer as it is then.
    """

    peer: Peer
    arguments: str
    code: str
    by: str
    hint: str
    values: Mapping[str, str] = field(default_factory=dict)
    mended: Peer | None = None
    says: tuple[str, ...] = ()
    stage: str = "tls"
    host: str = "localhost"
    mended_host: str = "localhost"
    env: Mapping[str, str] = field(default_factory=dict)
    reaches: str = "echo"
    """How far the peer can be reached once the hint has been followed: "echo", or "association" where it is no DICOM
    peer, so that getting past TLS is all that there is."""


def assert_hint_works(failure: Failure, bench: Bench) -> None:
    """The echo fails as it should, twice, and works once the hint is followed."""
    peer = bench.running(failure.peer)
    arguments = parse(failure.arguments)
    values = {name: value.format_map(_Fingerprints(bench.pki)) for name, value in failure.values.items()}
    document = assert_fails(failure, echo(bench, failure, peer, arguments))
    hint = named_hint(document["error"]["hints"], failure.hint)
    # Nothing is followed: it was no passing weakness.
    assert_fails(failure, echo_here(bench, failure, peer, follow("nothing to be changed", arguments, values)))
    if failure.mended is not None:
        if failure.reaches == "echo":
            # A time limit that showed the peer's silence may be too short for a peer that answers, on a busy machine.
            # One that never answers, being no DICOM peer, keeps it: the default of 30 s would be waited for in full.
            arguments = {name: given for name, given in arguments.items() if not name.endswith("-timeout")}
        peer = bench.running(failure.mended)
        failure = replace(failure, host=failure.mended_host)
    else:
        changed = follow(hint, arguments, values)
        assert changed != arguments, f"nothing to follow in {hint!r}"
        arguments = changed
    assert_works(failure, echo_here(bench, failure, peer, arguments))


def echo(bench: Bench, failure: Failure, peer: Reachable, arguments: Options) -> Result:
    """Run it as a process."""
    return run_dicomtls(*_command(failure, peer, arguments), cwd=bench.pki.directory, env=failure.env)


def echo_here(bench: Bench, failure: Failure, peer: Reachable, arguments: Options) -> Result:
    """Run it within this process, which takes a tenth of the time."""
    stdout, stderr = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as monkeypatch, redirect_stdout(stdout), redirect_stderr(stderr):
        monkeypatch.chdir(bench.pki.directory)
        for name, value in failure.env.items():
            monkeypatch.setenv(name, value)
        status = main(_command(failure, peer, arguments))
    return Result(stdout.getvalue(), stderr.getvalue(), status)


def _command(failure: Failure, peer: Reachable, arguments: Options) -> list[str]:
    return ["echo", f"{failure.host}:{peer.port}", *command_line(arguments), "--json"]


class _Fingerprints(dict[str, str]):
    """The fingerprints of the identities by name: `{server}` in a value stands for one."""

    def __init__(self, pki: PKI) -> None:
        super().__init__()
        self._pki = pki

    def __missing__(self, name: str) -> str:
        return sha256(Identity(self._pki.directory, name).cert_der.read_bytes()).hexdigest()


def assert_fails(failure: Failure, result: Result) -> Any:
    """It fails with the code, the culprit and the facts that were expected; returns the document."""
    document = result.json()
    error = document["error"]
    assert error is not None, "it works"
    assert (error["code"], error["by"], error["stage"]) == (failure.code, failure.by, failure.stage), error
    assert result.exit_status == EXIT_STATUSES[failure.stage]
    for fact in failure.says:
        assert fact in error["message"]
    assert "Traceback" not in result.stderr
    return document


def assert_works(failure: Failure, result: Result) -> None:
    """It succeeds, or gets past TLS where that is all that the peer is capable of."""
    document = result.json()
    if failure.reaches == "echo":
        assert (document["error"], result.exit_status) == (None, 0)
    else:
        assert document["error"]["stage"] == failure.reaches, document["error"]
        assert document["tls"] is not None


def named_hint(hints: list[str], wanted: str) -> str:
    """The alternative among all hints that has these words; the test fails where none has.

    Alternatives within one hint are separated by "or".
    """
    alternatives = [part for hint in hints for part in re.split(r"(?:^|,? )or ", hint) if part]
    found = [part for part in alternatives if re.search(re.escape(wanted) + r"(?![\w-])", part)]
    assert found, f"no hint says {wanted!r}: {hints}"
    return found[0]


def parse(arguments: str) -> Options:
    """Read options as a shell would."""
    options: Options = {}
    name = ""
    for word in shlex.split(arguments):
        if word.startswith("--"):
            name = word
            options.setdefault(name, [])
        else:
            options[name].append(word)
    return options


def command_line(options: Options) -> list[str]:
    """Write options as arguments."""
    return [word for name, values in options.items() for word in (_spelled(name, values))]


def _spelled(name: str, values: list[str]) -> list[str]:
    return [word for value in values for word in (name, value)] if values else [name]


def follow(hint: str, options: Options, values: Mapping[str, str]) -> Options:
    """Do what a hint says: give the options that it names, leave out those that it says to leave out."""
    changed = {name: list(given) for name, given in options.items()}
    if "in place of the other TLS options" in hint:
        changed = {name: given for name, given in changed.items() if name not in _kinds()["tls"]}
    words = re.findall(r"--[a-z-]*[a-z]|[^\s,;:]*[^\s,;:.]:[^\s,;]+|[^\s,;:]+|[,;:]", hint)
    is_left_out = False
    for number, word in enumerate(words):
        if word in (",", ";", ":", "with"):
            is_left_out = False
        elif word == "without" or words[number : number + 2] == ["leave", "out"]:
            is_left_out = True
        elif word.startswith("--"):
            following = words[number + 1] if number + 1 < len(words) else ""
            _apply(changed, word, values.get(word, following), is_left_out=is_left_out)
    return changed


def _apply(options: Options, name: str, value: str, *, is_left_out: bool) -> None:
    assert name in _kinds()["all"], f"a hint names {name}, which there is not"
    if is_left_out:
        assert name in options, f"a hint says to leave out {name}, which was not given"
        del options[name]
    elif name in _kinds()["flags"]:
        options[name] = []
    else:
        is_value = re.fullmatch(r"[^-,;:]\S*", value) is not None and value not in ("and", "or", "too")
        assert is_value, f"a hint names {name} without a value, and the test has none"
        options[name] = [*(options.get(name, []) if name in _kinds()["repeatable"] else []), value]


@cache
def _kinds() -> Mapping[str, frozenset[str]]:
    """The names of the options by kind, as the program itself declares them."""
    found: dict[str, set[str]] = {"all": set(), "tls": set(), "flags": set(), "repeatable": set()}
    for group in (TLSOptions, AssociationOptions):
        for declared in fields(group):
            name = "--" + declared.name.replace("_", "-")
            found["all"].add(name)
            if group is TLSOptions and name != "--no-tls":
                found["tls"].add(name)
            if declared.default is False:
                found["flags"].add(name)
            if declared.default == ():
                found["repeatable"].add(name)
    return {kind: frozenset(names) for kind, names in found.items()}
