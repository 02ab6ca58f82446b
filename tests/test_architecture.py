"""The rules that keep the tree as it was designed; each is tried on a planted fault too, so that it cannot go blind."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dicomtls.cli.app import COMMANDS as PROGRAM
from tests.support.cli import dicomtls_environment, run_dicomtls
from tests.support.instances import make_instance
from tests.support.peers import pynetdicom_scp
from tests.support.pki import PKI, server_context
from tests.support.source import REPOSITORY, Module, function_length, read_modules

PACKAGE = "dicomtls"
# One direction only: nothing imports what stands after it.
LAYERS = (
    "implementation",
    "handshake_facts",
    "errors",
    "files",
    "quantities",
    "uid",
    "waiting",
    "peer",
    "config",
    "remembered",
    "connection",
    "profiles",
    "certificates",
    "tls",
    "diagnosis",
    "dataset",
    "association",
    "scu",
    "scp",
    "probe",
    "library",
    "cli",
    "__main__",
)
# Who may import what others may not.
HOMES = {"typer": "dicomtls.cli", "rich": "dicomtls.cli", "cryptography": "dicomtls.certificates"}
SSL_CONTEXT_HOME = "dicomtls.tls"
SSL_CONTEXT_BUILDERS = frozenset(
    {"SSLContext", "create_default_context", "_create_default_https_context", "_create_unverified_context"}
)
COMMANDS = frozenset(name.replace("-", "_") for name in PROGRAM.entries)
ONLY_IN_FUNCTIONS = ("pydicom", "pynetdicom")
HEAVY = ("cryptography", "pydicom", "pydantic", "pynetdicom", "rich", "sqlite3")

LONGEST_FUNCTION = 50
LONGEST_FILE = 450
FEWEST_WORDS_OF_A_REASON = 2

# A module whose behaviour shows only through another: its test file, and why.
TESTED_ELSEWHERE: dict[str, tuple[str, str]] = {}

Rule = Callable[[Module], list[str]]


def layer_of(name: str) -> str:
    """`tls` for `dicomtls.tls.context`; empty for the package itself and for what is not ours."""
    top, _, rest = name.partition(".")
    return rest.partition(".")[0] if top == PACKAGE else ""


def is_below(name: str, package: str) -> bool:
    """True if `name` is `package` or in it."""
    return name == package or name.startswith(f"{package}.")


def imports_point_one_way(module: Module) -> list[str]:
    """Nothing imports what stands after it in `LAYERS`; the package, which all import, does nothing of that."""
    own = layer_of(module.name)
    if own and own not in LAYERS:
        return [module.finding(1, f"{own} has no place in LAYERS")]
    rank = LAYERS.index(own) if own else -1
    return [
        module.finding(item.line, f"imports {item.name}, which stands after {own or PACKAGE}")
        for item in module.imports()
        if layer_of(item.name) in LAYERS[rank + 1 :] and (own or item.runs_at_start)
    ]


def libraries_stay_at_home(module: Module) -> list[str]:
    """Typer and rich are imported in `cli` only, cryptography in `certificates` only, even within functions."""
    return [
        module.finding(item.line, f"imports {library}, which only {home} may")
        for item in module.imports()
        for library, home in HOMES.items()
        if item.reaches(library) and not is_below(module.name, home)
    ]


def dicom_libraries_wait(module: Module) -> list[str]:
    """Neither pydicom nor pynetdicom is imported before a function needs it."""
    return [
        module.finding(item.line, f"imports {library} outside a function")
        for item in module.imports()
        for library in ONLY_IN_FUNCTIONS
        if item.runs_at_start and item.reaches(library)
    ]


def ssl_contexts_are_built_in_tls(module: Module) -> list[str]:
    """An `ssl.SSLContext` is made in `dicomtls.tls` and nowhere else."""
    if is_below(module.name, SSL_CONTEXT_HOME):
        return []
    return [
        module.finding(line, f"builds a TLS context with {name}")
        for name, line in module.calls()
        if name in SSL_CONTEXT_BUILDERS
    ]


def command_of(name: str) -> str:
    """`certgen` for `dicomtls.cli.certgen` and `dicomtls.cli.certgen_pki`; empty for what no single command owns."""
    parts = name.split(".")[2:] if layer_of(name) == "cli" else []
    owners = (command for part in parts for command in COMMANDS if part == command or part.startswith(f"{command}_"))
    return next(owners, "")


def commands_stay_apart(module: Module) -> list[str]:
    """No command imports another; what they share stands beside them."""
    own = command_of(module.name)
    return [
        module.finding(item.line, f"{own} imports {item.name}")
        for item in module.imports()
        if own and command_of(item.name) not in {"", own}
    ]


def functions_are_short(module: Module) -> list[str]:
    """A function does one thing, in at most 50 lines."""
    return [
        module.finding(node.lineno, f"{node.name} is {length} lines long")
        for node in module.functions()
        if (length := function_length(node)) > LONGEST_FUNCTION
    ]


def files_are_short(module: Module) -> list[str]:
    """A file holds one idea, in at most 450 lines."""
    lines = len(module.text.splitlines())
    return [module.finding(lines, "is too long: which idea moves out?")] if lines > LONGEST_FILE else []


def exemptions_have_reasons(module: Module) -> list[str]:
    """Whatever switches off a check says why on the same line."""
    return [
        module.finding(line, "switches off a check without a reason")
        for line, reason in module.exemptions()
        if len(reason.split()) < FEWEST_WORDS_OF_A_REASON
    ]


def no_test_sleeps(module: Module) -> list[str]:
    """A test waits for what happens, not for time to pass."""
    return [module.finding(line, "sleeps") for name, line in module.calls() if name == "sleep"]


def coverage_is_not_avoided(module: Module) -> list[str]:
    """No line is taken out of the coverage; the configuration ignores such pragmas anyway."""
    return [
        module.finding(number, "has a coverage pragma")
        for number, line in enumerate(module.text.splitlines(), 1)
        if "pragma: no" + " cover" in line
    ]


RULES: dict[Rule, tuple[str, ...]] = {
    imports_point_one_way: (PACKAGE,),
    libraries_stay_at_home: (PACKAGE,),
    dicom_libraries_wait: (PACKAGE,),
    ssl_contexts_are_built_in_tls: (PACKAGE,),
    commands_stay_apart: (PACKAGE,),
    functions_are_short: (PACKAGE, "tests"),
    files_are_short: (PACKAGE, "tests"),
    exemptions_have_reasons: (PACKAGE, "tests"),
    no_test_sleeps: ("tests",),
    coverage_is_not_avoided: (PACKAGE, "tests"),
}


def planted(name: str, text: str) -> Module:
    """A module that is not on the disk."""
    return Module(name, Path(*name.split(".")).with_suffix(".py"), text)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.__name__))
def test_rule_holds(rule: Rule) -> None:
    """Each rule holds in every module that it is about."""
    modules = [module for folder in RULES[rule] for module in read_modules(folder)]
    assert len(modules) > 10, "the rule looks at nothing"
    findings = [finding for module in modules for finding in rule(module)]
    assert not findings, "\n".join(findings)


LONG_BODY = "    x = 1\n" * (LONGEST_FUNCTION - 1)
LATE = "def f() -> None:\n    import {}\n"
TYPES_ONLY = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {}\n"
NO_QA = "import os  # no" + "qa: F401"

FAULTS: list[tuple[Rule, str, str]] = [
    (imports_point_one_way, "dicomtls.peer", "import dicomtls.tls"),
    (imports_point_one_way, "dicomtls.peer", "from dicomtls import tls"),
    (imports_point_one_way, "dicomtls.peer", "from . import tls"),
    (imports_point_one_way, "dicomtls.tls.context", "from ..scu.echo import echo"),
    (imports_point_one_way, "dicomtls.scu.echo", LATE.format("dicomtls.probe")),
    (imports_point_one_way, "dicomtls.nowhere", ""),
    (imports_point_one_way, "dicomtls", "from dicomtls.errors import LocalError"),
    (libraries_stay_at_home, "dicomtls.scu.echo", "from rich.table import Table"),
    (libraries_stay_at_home, "dicomtls.tls.context", LATE.format("cryptography.x509")),
    (libraries_stay_at_home, "dicomtls.clinic", "import typer"),
    (dicom_libraries_wait, "dicomtls.scp.server", "from pynetdicom import AE"),
    (dicom_libraries_wait, "dicomtls.scp.server", "class A:\n    import pydicom.uid"),
    (ssl_contexts_are_built_in_tls, "dicomtls.scu.echo", "import ssl\nssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)"),
    (ssl_contexts_are_built_in_tls, "dicomtls.cli.echo", "import ssl\nssl.create_default_context()"),
    (commands_stay_apart, "dicomtls.cli.demo", "from dicomtls.cli.echo import run"),
    (commands_stay_apart, "dicomtls.cli.demo", "from dicomtls.cli import store"),
    (commands_stay_apart, "dicomtls.cli.demo", "from dicomtls.cli.certgen_pki import run"),
    (functions_are_short, "tests.test_a", f"def f() -> None:\n{LONG_BODY}    return\n"),
    (files_are_short, "tests.test_a", "\n" * (LONGEST_FILE + 1)),
    (exemptions_have_reasons, "tests.test_a", NO_QA),
    (exemptions_have_reasons, "tests.test_a", f"{NO_QA}, E501  #  "),
    (exemptions_have_reasons, "tests.test_a", "x = 1  # type: " + "ignore[assignment]"),
    (exemptions_have_reasons, "tests.test_a", "x = 1  # pragma: " + "no cover"),
    (no_test_sleeps, "tests.test_a", "import time\ntime.sleep(1)"),
    (no_test_sleeps, "tests.test_a", "from time import sleep\nsleep(1)"),
    (coverage_is_not_avoided, "dicomtls.peer", "x = 1  # pragma: no" + " cover, for a good reason"),
]
ALLOWED: list[tuple[Rule, str, str]] = [
    (imports_point_one_way, "dicomtls.tls.context", "from dicomtls.errors import LocalError\nfrom . import settings"),
    (imports_point_one_way, "dicomtls.errors", "from dicomtls import __version__\nimport ssl"),
    (imports_point_one_way, "dicomtls.__main__", LATE.format("dicomtls.cli.app")),
    (imports_point_one_way, "dicomtls", TYPES_ONLY.format("dicomtls.errors")),
    (libraries_stay_at_home, "dicomtls.cli.output", "import typer"),
    (libraries_stay_at_home, "dicomtls.certificates.load", "from cryptography import x509"),
    (libraries_stay_at_home, "dicomtls.tls.context", "import richer"),
    (dicom_libraries_wait, "dicomtls.scp.server", LATE.format("pynetdicom")),
    (dicom_libraries_wait, "dicomtls.scp.server", TYPES_ONLY.format("pydicom")),
    (ssl_contexts_are_built_in_tls, "dicomtls.tls.context", "import ssl\nssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)"),
    (ssl_contexts_are_built_in_tls, "dicomtls.scu.echo", "import ssl\ndef f(c: ssl.SSLContext) -> None: ..."),
    (commands_stay_apart, "dicomtls.cli.echo", "from dicomtls.cli import output\nfrom dicomtls.scu.echo import echo"),
    (commands_stay_apart, "dicomtls.cli.certgen", "from dicomtls.cli import certgen_pki"),
    (commands_stay_apart, "dicomtls.cli.app", "from dicomtls.cli import echo, store"),
    (functions_are_short, "tests.test_a", f"def f() -> None:\n{LONG_BODY}"),
    (functions_are_short, "tests.test_a", f'def f() -> None:\n    """One.\n\n    Two.\n    """\n{LONG_BODY}'),
    (files_are_short, "tests.test_a", "\n" * LONGEST_FILE),
    (exemptions_have_reasons, "tests.test_a", f"{NO_QA}, E501 -- loaded for its effect"),
    (exemptions_have_reasons, "tests.test_a", "x = 1  # type: " + "ignore[assignment]  # the stub is wrong"),
    (exemptions_have_reasons, "tests.test_a", "x = '" + NO_QA + "'"),
    (no_test_sleeps, "tests.test_a", "import threading\nthreading.Event().wait(1)"),
    (coverage_is_not_avoided, "dicomtls.peer", "x = 1  # covered"),
]


@pytest.mark.parametrize(("rule", "name", "text"), FAULTS)
def test_rule_catches_a_planted_fault(rule: Rule, name: str, text: str) -> None:
    """What a rule forbids, it finds."""
    assert len(rule(planted(name, text))) == 1


@pytest.mark.parametrize(("rule", "name", "text"), ALLOWED)
def test_rule_leaves_the_allowed_alone(rule: Rule, name: str, text: str) -> None:
    """The negative twin: what is allowed next to it is not found."""
    assert rule(planted(name, text)) == []


def file_that_tests(module: Module) -> str:
    """`test_tls_context.py` for `dicomtls/tls/context.py`, `test_tls.py` for `dicomtls/tls/__init__.py`."""
    if module.name in TESTED_ELSEWHERE:
        return TESTED_ELSEWHERE[module.name][0]
    parts = [part.strip("_") for part in module.name.split(".")[1:]]
    return f"test_{'_'.join(parts or ['init'])}.py"


def test_every_module_has_its_test_file() -> None:
    """Who looks for the tests of a module finds them by its name."""
    missing = [
        f"{module.path}: no tests/{file_that_tests(module)}"
        for module in read_modules(PACKAGE)
        if (module.holds_code() or not module.is_package)
        and not (REPOSITORY / "tests" / file_that_tests(module)).is_file()
    ]
    assert not missing, "\n".join(missing)


def test_modules_tested_elsewhere_exist_and_say_why() -> None:
    """The exceptions stay as few as they are needed."""
    names = {module.name for module in read_modules(PACKAGE)}
    assert set(TESTED_ELSEWHERE) <= names
    assert [name for name, (_, reason) in TESTED_ELSEWHERE.items() if not reason] == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"""Doc."""\nfrom a import b\n__all__ = ["b"]\n', False),
        (TYPES_ONLY.format("os"), False),
        ("def f() -> None: ...", True),
        ("if True:\n    x = 1", True),
    ],
)
def test_package_holds_code_when_it_does_more_than_name_things(text: str, *, expected: bool) -> None:
    """An `__init__` that only re-exports needs no test file; one that does something does."""
    assert planted("dicomtls.tls", text).holds_code() is expected


@pytest.fixture
def _unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes without coverage, which loads modules of its own."""
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after `statement`."""
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
        env=dicomtls_environment(),
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


@pytest.mark.usefixtures("_unmeasured")
def test_library_loads_nothing_heavy() -> None:
    """Importing everything but certificates and command line costs none of the slow packages, nor Typer."""
    names = [
        module.name
        for module in read_modules(PACKAGE)
        if layer_of(module.name) not in {"certificates", "cli", "__main__"}
    ]
    assert len(names) > 10
    assert loaded_by(f"import {', '.join(names)}").isdisjoint({*HEAVY, "typer"})


def loaded_while_running(*args: str | Path) -> set[str]:
    """The top-level modules that a successful `dicomtls ARGS` imports, as `python -X importtime` writes them."""
    done = run_dicomtls(*args, python_options=("-X", "importtime"))
    rows = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    said = [line for line in done.stderr.splitlines() if line not in rows]
    assert done.exit_status == 0, "\n".join(said)
    return {row.rpartition("|")[2].strip().partition(".")[0] for row in rows}


@pytest.mark.usefixtures("_unmeasured")
def test_echo_loads_nothing_heavy(pki: PKI) -> None:
    """A whole successful echo over mutual TLS goes without the slow packages."""
    with pynetdicom_scp(server_context(pki)) as scp:
        loaded = loaded_while_running("echo", scp.address, *client_options(pki))
    assert PACKAGE in loaded
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.usefixtures("_unmeasured")
def test_probe_loads_nothing_heavy(pki: PKI) -> None:
    """The road to one peer, as people are shown it."""
    with pynetdicom_scp(server_context(pki)) as scp:
        loaded = loaded_while_running("handshake-probe", scp.address, *client_options(pki))
    assert PACKAGE in loaded
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.usefixtures("_unmeasured")
def test_store_loads_nothing_heavy(pki: PKI, tmp_path: Path) -> None:
    """Sending a file as it is needs none of the slow packages either."""
    instance = make_instance(tmp_path / "a.dcm", pixel_bytes=1000)
    with pynetdicom_scp(server_context(pki)) as scp:
        loaded = loaded_while_running("store", scp.address, instance.path, *client_options(pki))
    assert [stored.sop_instance_uid for stored in scp.stored] == [instance.sop_instance_uid]
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.usefixtures("_unmeasured")
def test_version_loads_no_command_line_library() -> None:
    """`--version` answers before Typer is imported."""
    loaded = loaded_while_running("--version")
    assert PACKAGE in loaded
    assert loaded.isdisjoint({*HEAVY, "typer"})


def client_options(pki: PKI) -> list[str | Path]:
    """What a client needs to be let in by a peer of the test PKI."""
    return ["--ca", pki.ca, "--cert", pki.client.cert, "--key", pki.client.key]
