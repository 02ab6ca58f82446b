"""dicomtls.cli.foreign: the options of other tools are theirs, and what they are called here is ours."""

import re
import subprocess

import pytest
from typer.core import TyperOption

from dicomtls.cli.foreign import _DCM4CHE, _DCMTK, _OPENSSL, OPTIONS
from tests.support.commands import command_at, command_paths
from tests.support.other_tools import DCM4CHE, DCMTK
from tests.support.peers import require

# Of tools that this machine's DCMTK has without TLS, or of newer versions.
NOT_HERE = frozenset({"--move", "-aem", "--request-sni", "+pg", "+pm", "-P", "-S", "-W", "-X"})


def test_every_option_that_is_named_is_ours() -> None:
    """With its value, where it has one."""
    ours = {
        name
        for path in command_paths()
        for parameter in command_at(path).params
        if isinstance(parameter, TyperOption)
        for name in parameter.opts
    } | {"-vv"}
    named = {name for meaning in OPTIONS.values() for name in re.findall(r"(?<![\w-])--?[a-z][\w-]*", meaning)}
    assert len(named) > 25
    assert named <= ours


def test_options_of_dcmtk_are_in_its_help() -> None:
    """In that of one of the tools with TLS."""
    pages = []
    for program in DCMTK:
        done = subprocess.run([require(program), "--help"], capture_output=True, text=True, timeout=50, check=False)
        pages.append(done.stdout)
    listed = set(re.findall(r"(?<=\s)[-+][\w=+-]+", "\n".join(pages)))
    assert set(_DCMTK) - NOT_HERE <= listed


@pytest.mark.parametrize("command", ["s_client", "verify"])
def test_options_of_openssl_are_in_its_help(command: str) -> None:
    """Of `s_client`, which has almost all."""
    done = subprocess.run(
        [require("openssl"), command, "-help"], capture_output=True, text=True, timeout=50, check=False
    )
    listed = set(re.findall(r"^ (-\w+)", done.stdout + done.stderr, re.MULTILINE))
    assert len(set(_OPENSSL) & listed) >= {"s_client": 14, "verify": 3}[command]


def test_options_of_dcm4che_are_those_that_we_know() -> None:
    """Those of the lines that we show are all explained, but for what only their program has."""
    assert DCM4CHE - set(_DCM4CHE) <= {"--tls-null", "--tls-3des"}
