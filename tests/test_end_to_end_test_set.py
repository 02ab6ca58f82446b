"""The test set on the wire: a real `openssl` shows each chain to `echo` and `serve`, which say what the index says.

The same settings are tried on the other Pythons of this machine, where only the standard library is needed.
"""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from dicomtls.cli.app import main
from tests.support.cases import REJECTION, Entry, case_server
from tests.support.cli import Result, run_dicomtls
from tests.support.exchange import failure, new_warning, serving_with_events, warnings_of
from tests.support.openssl import openssl
from tests.support.processes import LOOPBACK, require, reserved_port, running
from tests.support.pythons import OTHER_PYTHONS, find_python, verdicts

pytestmark = pytest.mark.timeout(240)  # all cases in one test: twenty seconds beside another suite

# Each of a kind of its own: a leaf, a name, an authority, a chain, a list, and what must pass.
REPRESENTATIVE = (
    *("expired", "only-common-name", "no-basic-constraints", "missing-upper-intermediate", "revoked"),
    *("weak-signature", "good-ec-p384-chain", "wrong-order"),
)


def on_the_wire(cases: list[Entry], purpose: str) -> list[Entry]:
    """The cases of one side that get as far as a handshake: a key that does not match does not."""
    return [entry for entry in cases if entry.purpose == purpose and entry.code != "key-mismatch"]


def named(cases: list[Entry], name: str) -> Entry:
    """The case of this name."""
    return next(entry for entry in cases if entry.name == name)


def echo_arguments(entry: Entry, address: str) -> list[str]:
    """How `echo` is called for a server's case."""
    assert entry.host is not None
    return ["echo", address, "--server-name", entry.host, "--json", *map(str, entry.trust)]


def code_of(document: dict[str, Any]) -> str | None:
    """What is said of the certificate: None where that was good enough for an association to be asked for."""
    error = document["error"]
    if error["stage"] == "tls":
        assert error["by"] == "us", error
        assert error["hints"], error
        return str(error["code"])
    assert (error["stage"], error["code"], error["by"]) == ("association", "association-rejected", "peer"), error
    return None


# -- servers ------------------------------------------------------------------------------------------------------


def test_echo_says_of_every_server_what_the_index_says(
    cases: list[Entry], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each fault by its code, with status 4; what is good gets past TLS."""
    found: dict[str, str | None] = {}
    entries = on_the_wire(cases, "server")
    for entry in entries:
        with case_server(entry, tmp_path) as server:
            status = main(echo_arguments(entry, server.address))
        found[entry.name] = code_of(json.loads(capsys.readouterr().out))
        assert status == (5 if found[entry.name] is None else 4)
    assert len(found) > 50
    assert found == {entry.name: entry.code for entry in entries}


@pytest.mark.parametrize("name", REPRESENTATIVE)
def test_echo_as_a_process_says_the_same(cases: list[Entry], tmp_path: Path, name: str) -> None:
    """As users run it, at TLS 1.2, where the certificate comes in clear."""
    entry = named(cases, f"server/{name}")
    with case_server(entry, tmp_path) as server:
        result = run_dicomtls(*echo_arguments(entry, server.address), "--tls-max", "1.2")
    assert code_of(result.json()) == entry.code
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["good-rsa-2048", "good-rsa-2048-chain"])
def test_echo_with_storescp_succeeds(cases: list[Entry], tmp_path: Path, name: str) -> None:
    """DCMTK as the server with a good identity, demanding ours, which is good as well."""
    server, client = named(cases, f"server/{name}"), named(cases, f"client/{name}")
    # DCMTK sends the leaf alone, and takes what is missing from among its own trust anchors, for both sides.
    _, _, *middle = server.file.read_text().partition("-----END CERTIFICATE-----\n")
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(server.ca.read_text() + "".join(middle))
    with reserved_port() as port:
        own = ("+tls", server.key, server.file, "+cf", trusted, "-rc")
        with running([require("storescp"), *own, "-od", tmp_path, str(port)], port) as scp:
            scp.wait_until(lambda: scp.listens_on(port), "listening port")
            arguments = ("--server-name", "localhost", "--ca", trusted, *client.own)
            result = run_dicomtls("echo", scp.address, *arguments)
    assert (result.exit_status, result.stderr) == (0, "")


# -- clients ------------------------------------------------------------------------------------------------------


def show_to_serve(entries: list[Entry], scratch: Path) -> Iterator[tuple[str, str | None]]:
    """What a `serve` that trusts what all of these trust says of each, as the client of OpenSSL shows it."""
    first = entries[0]
    folder = first.ca.parents[1]
    own = ("--cert", folder / "server/good-rsa-2048.pem", "--key", folder / "keys/rsa-2048.key")
    with serving_with_events(scratch / "received", *own, "--client-auth", "required", *first.trust) as server:
        for entry in entries:
            before = len(warnings_of(server))
            options = ("-connect", server.address, *entry.openssl_options(scratch), "-ign_eof")
            openssl("s_client", *options, check=False, stdin=REJECTION.decode())
            warning = new_warning(server, before)
            if warning["stage"] == "tls":
                assert warning["by"] == "us", warning
            yield entry.name, warning["code"] if warning["stage"] == "tls" else None


def test_serve_says_of_every_client_what_the_index_says(cases: list[Entry], tmp_path: Path) -> None:
    """In its log; one server for each list of trust anchors and revocation lists."""
    entries = sorted(on_the_wire(cases, "client"), key=lambda entry: str(entry.trust))
    groups = [list(group) for _, group in groupby(entries, key=lambda entry: entry.trust)]
    folders = [tmp_path / str(number) for number in range(len(groups))]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(2) as pool:
        found = dict(
            pair for pairs in pool.map(lambda *work: list(show_to_serve(*work)), groups, folders) for pair in pairs
        )
    assert len(found) > 25
    assert found == {entry.name: entry.code for entry in entries}


# -- our own side -------------------------------------------------------------------------------------------------


def start_with(entry: Entry, directory: Path) -> Result:
    """Start as the side whose certificate this is."""
    if entry.purpose == "client":
        return run_dicomtls("echo", LOOPBACK, "--ca", entry.ca, *entry.own, "--json")
    serve = ("serve", "--listen", f"{LOOPBACK}:0", "--directory", directory / "received")
    return run_dicomtls(*serve, "--client-auth", "none", *entry.own, "--json")


@pytest.mark.parametrize("side", ["server", "client"])
def test_key_that_does_not_match_is_told_on_our_own_side(cases: list[Entry], tmp_path: Path, side: str) -> None:
    """Before anybody is spoken to."""
    entry = named(cases, f"{side}/key-mismatch")
    assert failure(start_with(entry, tmp_path)) == (2, entry.code, "us")


@pytest.mark.parametrize("side", ["server", "client"])
def test_leaf_that_is_not_first_is_sent_first_by_us_and_not_loaded_by_openssl(
    cases: list[Entry], tmp_path: Path, side: str
) -> None:
    """So the case passes wherever dicomtls shows it; OpenSSL, given the file as it is, blames the key."""
    entry = named(cases, f"{side}/leaf-last")
    server = entry if side == "server" else named(cases, "server/good-rsa-2048")
    client = () if side == "server" else entry.own
    demand = ("--client-auth", "none") if side == "server" else ("--client-auth", "required", "--ca", entry.ca)
    with serving_with_events(tmp_path / "received", *server.own, *demand) as running_server:
        arguments = ("--server-name", "localhost", "--ca", entry.ca, *client)
        result = run_dicomtls("echo", running_server.address, *arguments)
    assert (result.exit_status, result.stderr) == (0, "")
    tool = "s_server" if side == "server" else "s_client"
    done = openssl(tool, "-cert", entry.file, "-key", entry.key, check=False)
    assert done.returncode != 0
    assert "key values mismatch" in done.stderr


# -- other Pythons ------------------------------------------------------------------------------------------------


def between_two_of_us(cases: list[Entry]) -> list[Entry]:
    """Both sides' cases, but the one that OpenSSL does not load as it is: the other Pythons lack `cryptography`."""
    entries = on_the_wire(cases, "server") + on_the_wire(cases, "client")
    return [entry for entry in entries if entry.file.stem != "leaf-last"]


@pytest.fixture(scope="module")
def handshakes(cases: list[Entry]) -> tuple[list[dict[str, Any]], list[Any]]:
    """A handshake of dicomtls with itself for each case, and what this Python says of it."""
    folder = cases[0].ca.parents[1]
    entries = between_two_of_us(cases)
    made = [handshake(entry, folder) for entry in entries]
    return made, verdicts(sys.executable, made)


def handshake(entry: Entry, folder: Path) -> dict[str, Any]:
    """Its settings; whoever shows the certificate would not load a weak one under a newer profile."""
    own = {"cert": [str(entry.file)], "key": [str(entry.key)], "profile": "bcp195-2015"}
    trust = {"ca": [str(entry.ca)], "crl": [] if entry.crl is None else [str(entry.crl)]}
    root = {"ca": [str(folder / "ca/root.pem")]}
    if entry.purpose == "server":
        return {"client": trust, "server": {**own, **root, "client_auth": "optional"}, "host": entry.host}
    good = {"cert": [str(folder / "server/good-rsa-2048.pem")], "key": [str(folder / "keys/rsa-2048.key")]}
    return {"client": {**own, **root}, "server": {**trust, **good}}


def test_every_case_is_told_apart_between_two_of_us(cases: list[Entry], handshakes: tuple[Any, list[Any]]) -> None:
    """The side that verifies refuses what the index says must be refused, and nothing else."""
    entries = between_two_of_us(cases)
    refused = {
        entry.name: "reason" in verdict[0 if entry.purpose == "server" else 1]
        for entry, verdict in zip(entries, handshakes[1], strict=True)
    }
    assert refused == {entry.name: entry.code is not None for entry in entries}


@pytest.mark.parametrize("version", OTHER_PYTHONS)
def test_other_pythons_say_the_same_of_every_case(
    handshakes: tuple[list[dict[str, Any]], list[Any]], version: str
) -> None:
    """The same reasons, verify codes and alerts, from which the codes follow."""
    made, ours = handshakes
    for case, expected, found in zip(made, ours, verdicts(find_python(version), made), strict=True):
        assert found == expected, case
