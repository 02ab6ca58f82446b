"""DCMTK on the other side, in both roles: storescp, echoscu, storescu."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Running
from tests.support.exchange import (
    PROTOCOLS,
    Failure,
    Source,
    assert_arrived,
    assert_same_elements,
    by_uid,
    client_of,
    client_options,
    connections,
    disagreements,
    exactly,
    failure,
    make_sources,
    mutual_connections,
    new_warning,
    read_contents,
    run_json,
    server_of,
    server_options,
    serving_with_events,
    versions,
    wait_for_event,
    warnings_of,
)
from tests.support.peers import PeerProcess, dcmtk_storescp, dcmtk_tls_options, run_dcmtk
from tests.support.pki import PKI, Identity

# Keeps what it is sent as it is, whatever transfer syntax that is in, and each file under a name of its own.
KEEP_ALL = ("+B", "+xa", "+uf")
# DCMTK's default profile takes both versions, the extended one TLS 1.2 alone.
PROFILES = {"1.2": "+pz", "1.3": "+py"}

keys = pytest.mark.parametrize("key", ["RSA", "EC"])


def dcmtk_client(pki: PKI, identity: Identity | None, version: str = "1.3", ca: Path | None = None) -> list[str]:
    """The options of a DCMTK sender for one version of TLS."""
    options = dcmtk_tls_options(pki, identity)
    if ca is not None:
        options[options.index("+cf") + 1] = str(ca)
    if version == "1.2":  # the extended profile has the ECDSA suites, and takes no further ones
        options = [option for option in options if not option.startswith(("+cs", "TLS_"))]
    return [*options, PROFILES[version]]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    """What is sent."""
    return make_sources(tmp_path_factory.mktemp("sources") / "files")


@pytest.fixture(scope="module")
def server(pki: PKI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A `serve` that demands client certificates."""
    with serving_with_events(tmp_path_factory.mktemp("served"), *server_options(pki)) as running:
        yield running


@pytest.fixture(scope="module")
def clear_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A `serve` without TLS."""
    with serving_with_events(tmp_path_factory.mktemp("served"), "--no-tls") as running:
        yield running


# We are the SCU


@connections
def test_storescp_answers_our_echo(pki: PKI, tmp_path: Path, key: str, version: str, *, has_certificate: bool) -> None:
    """With either version, type of key, with and without a client certificate; the document says which."""
    identity = client_of(pki, key) if has_certificate else None
    client_auth = "required" if has_certificate else "none"
    with dcmtk_storescp(pki, tmp_path, identity=server_of(pki, key), client_auth=client_auth) as scp:
        result = run_json("echo", scp.address, *client_options(pki, identity), *exactly(version))
    document = result.json()
    assert (result.exit_status, document["ok"], document["status"]) == (0, True, "0x0000"), result.stderr
    assert (document["tls"]["protocol"], document["tls"]["peer"]["key"]["type"]) == (PROTOCOLS[version], key)
    assert document["tls"]["client_certificate"] == ("sent" if has_certificate else "not requested")
    assert document["tls"]["verified"] is True


@pytest.mark.parametrize(
    ("dcmtk_profile", "options", "protocol"),
    [
        ("+py", (), "TLSv1.3"),
        ("+px", (), "TLSv1.3"),
        ("+pz", (), "TLSv1.2"),
        ("+pa", ("--profile", "aes"), "TLSv1.2"),
    ],
    ids=["BCP 195 non-downgrading", "BCP 195", "BCP 195 extended", "AES"],
)
def test_every_profile_of_storescp_has_one_of_ours(
    pki: PKI, tmp_path: Path, dcmtk_profile: str, options: tuple[str, ...], protocol: str
) -> None:
    """What DCMTK can be set to, we can talk to; the retired AES profile only where it is asked for."""
    with dcmtk_storescp(pki, tmp_path, dcmtk_profile) as scp:
        result = run_json("echo", scp.address, *client_options(pki, pki.client), *options)
    assert result.exit_status == 0, result.stderr
    assert result.json()["tls"]["protocol"] == protocol


def test_profiles_with_nothing_in_common_are_said_to_have_no_cipher(pki: PKI, tmp_path: Path) -> None:
    """The negative twin: our default against the retired AES profile."""
    with dcmtk_storescp(pki, tmp_path, "+pa") as scp:
        result = run_json("echo", scp.address, *client_options(pki, pki.client))
    assert failure(result) == Failure(4, "no-shared-cipher", "peer")


@mutual_connections
def test_instances_arrive_at_storescp_as_they_were(
    pki: PKI, tmp_path: Path, sources: list[Source], key: str, version: str
) -> None:
    """Every SOP class and transfer syntax, compressed, big endian, deflated: byte for byte."""
    received = tmp_path / "received"
    with dcmtk_storescp(pki, received, *KEEP_ALL, identity=server_of(pki, key)) as scp:
        options = (*client_options(pki, client_of(pki, key)), *exactly(version))
        result = run_json("store", scp.address, *options, sources[0].path.parent)
    document = result.json()
    assert (result.exit_status, document["sent"], document["failed"]) == (0, len(sources), [])
    assert document["bytes"] == sum(len(source.contents.dataset) for source in sources)
    assert_arrived(sources, {uid: read_contents(path) for uid, path in by_uid(received.iterdir()).items()})


def test_instances_arrive_at_storescp_in_clear(pki: PKI, tmp_path: Path, sources: list[Source]) -> None:
    """Without TLS the same."""
    received = tmp_path / "received"
    with dcmtk_storescp(pki, received, *KEEP_ALL, tls=False) as scp:
        result = run_json("store", scp.address, "--no-tls", sources[0].path.parent)
    assert result.exit_status == 0
    assert_arrived(sources, {uid: read_contents(path) for uid, path in by_uid(received.iterdir()).items()})


@pytest.mark.parametrize("maximum_length", [4096, 131072])
def test_storescp_gets_pdus_no_longer_than_it_takes(pki: PKI, tmp_path: Path, maximum_length: int) -> None:
    """The shortest and the longest PDU that storescp can be set to; it aborts over a longer one."""
    sources = make_sources(tmp_path / "sources")[-3:]
    received = tmp_path / "received"
    with dcmtk_storescp(pki, received, *KEEP_ALL, "-pdu", str(maximum_length)) as scp:
        paths = [source.path for source in sources]
        result = run_json("store", scp.address, *client_options(pki, pki.client), *paths)
    assert result.exit_status == 0, result.stderr
    assert_arrived(sources, {uid: read_contents(path) for uid, path in by_uid(received.iterdir()).items()})


@versions
@disagreements
def test_storescp_and_we_do_not_agree_on_certificates(
    pki: PKI, tmp_path: Path, identity: str | None, trusted: str, expected: Failure, version: str
) -> None:
    """Who refuses is said for either side; at TLS 1.3 the peer's refusal comes only after the handshake."""
    own = None if identity is None else getattr(pki, identity)
    with dcmtk_storescp(pki, tmp_path) as scp:
        options = (*client_options(pki, own, ca=getattr(pki, trusted)), *exactly(version))
        echoed = run_json("echo", scp.address, *options)
    assert failure(echoed) == expected


def test_nothing_is_stored_where_storescp_refuses_our_certificate(
    pki: PKI, tmp_path: Path, sources: list[Source]
) -> None:
    """`store` fails as `echo` does, and every instance is among the failed."""
    received = tmp_path / "received"
    with dcmtk_storescp(pki, received) as scp:
        result = run_json("store", scp.address, *client_options(pki, pki.other_client), sources[0].path.parent)
    assert failure(result) == Failure(4, "client-certificate-refused", "peer")
    assert (result.json()["sent"], len(result.json()["failed"])) == (0, len(sources))
    assert list(received.iterdir()) == []


def test_storescp_behind_tls_is_called_in_clear(pki: PKI, tmp_path: Path) -> None:
    """DCMTK resets the connection without a word; a second look finds the TLS behind it."""
    with dcmtk_storescp(pki, tmp_path) as scp:
        result = run_json("echo", scp.address, "--no-tls")
    assert failure(result) == Failure(5, "peer-expects-tls", "neither")
    assert "--no-tls" in result.json()["error"]["hints"][0]


def test_storescp_in_clear_is_called_with_tls(pki: PKI, tmp_path: Path) -> None:
    """DCMTK resets the connection here too; a second look finds plain DICOM, and the hint leads to `--no-tls`."""
    with dcmtk_storescp(pki, tmp_path, tls=False) as scp:
        result = run_json("echo", scp.address, *client_options(pki, pki.client))
    assert failure(result) == Failure(4, "peer-speaks-plain-dicom", "neither")
    assert "--no-tls" in result.json()["error"]["hints"][1]


# We are the SCP


@connections
def test_echoscu_gets_its_answer(pki: PKI, tmp_path: Path, key: str, version: str, *, has_certificate: bool) -> None:
    """With either version, type of key, with and without a client certificate; the log says which."""
    client = client_of(pki, key) if has_certificate else None
    client_auth = "required" if has_certificate else "none"
    with serving_with_events(tmp_path, *server_options(pki, server_of(pki, key), client_auth=client_auth)) as running:
        done = run_dcmtk("echoscu", *dcmtk_client(pki, client, version), running.host, running.port)
        accepted = wait_for_event(running, "association-accepted")
        released = wait_for_event(running, "association-released")
    assert done.returncode == 0, done.stderr
    assert (accepted["protocol"], accepted["calling_aet"]) == (PROTOCOLS[version], "ECHOSCU")
    assert bool(accepted["client"]) is has_certificate
    assert released["echoed"] == 1


@keys
def test_ec_certificate_of_storescu_is_taken_with_the_suite_that_dcmtk_must_be_given(
    pki: PKI, tmp_path: Path, key: str
) -> None:
    """DCMTK 3.6.7 in its default profile, held to TLS 1.2 by us; for EC it needs `+cs`."""
    options = (*server_options(pki, server_of(pki, key)), "--tls-max", "1.2")
    with serving_with_events(tmp_path, *options) as running:
        done = run_dcmtk("echoscu", *dcmtk_tls_options(pki, client_of(pki, key)), running.host, running.port)
        accepted = wait_for_event(running, "association-accepted")
    assert done.returncode == 0, done.stderr
    assert ("ECDSA" in accepted["cipher"]) is (key == "EC")


def write_profile(path: Path, sources: list[Source]) -> Path:
    """A configuration for storescu with one presentation context for each SOP class and transfer syntax."""
    kinds = sorted({(source.sop_class_uid, source.contents.transfer_syntax) for source in sources})
    syntaxes = sorted({syntax for _, syntax in kinds})
    lines = ["[[TransferSyntaxes]]"]
    for number, syntax in enumerate(syntaxes):
        lines += [f"[Syntax{number}]", f"TransferSyntax1 = {syntax}"]
    lines += ["[[PresentationContexts]]", "[Contexts]"]
    for number, (sop_class, syntax) in enumerate(kinds, 1):
        lines.append(rf"PresentationContext{number} = {sop_class}\Syntax{syntaxes.index(syntax)}")
    lines += ["[[Profiles]]", "[Sender]", "PresentationContexts = Contexts"]
    path.write_text("\n".join(lines) + "\n")
    return path


def storescu(scp: PeerProcess, profile: Path, sources: list[Source], *options: str) -> None:
    """Send the sources as they are, or nearly: storescu decodes each dataset and writes it anew."""
    done = run_dcmtk(
        "storescu",
        *options,
        "-xf",
        profile,
        "Sender",
        scp.host,
        scp.port,
        *[source.path for source in sources],
        env={"TCP_NODELAY": "1"},
    )
    assert done.returncode == 0, done.stderr


@mutual_connections
def test_what_storescu_sends_is_kept_as_storescp_would_keep_it(
    pki: PKI, tmp_path: Path, sources: list[Source], key: str, version: str
) -> None:
    """Byte for byte what came over the wire: storescp, told to keep the bytes, is the witness."""
    wanted = [source for source in sources if source.is_complete]
    profile = write_profile(tmp_path / "profile.cfg", wanted)
    options = dcmtk_client(pki, client_of(pki, key), version)
    witness, served = tmp_path / "witness", tmp_path / "served"
    with dcmtk_storescp(pki, witness, *KEEP_ALL, env={"TCP_NODELAY": "1"}) as scp:
        storescu(scp, profile, wanted, *dcmtk_client(pki, pki.client))
    with serving_with_events(served, *server_options(pki, server_of(pki, key))) as running:
        storescu(running, profile, wanted, *options)
        released = wait_for_event(running, "association-released")
    kept, expected = by_uid(served.rglob("*.dcm")), by_uid(witness.iterdir())
    assert (released["stored"], released["refused"]) == (len(wanted), 0)
    assert {uid: read_contents(path) for uid, path in kept.items()} == {
        uid: read_contents(path) for uid, path in expected.items()
    }
    for source in wanted:
        assert_same_elements(source.path, kept[source.sop_instance_uid])


@versions
@pytest.mark.parametrize(
    ("identity", "trusted", "code", "by"),
    [
        ("client", "other_ca", "alert-unknown_ca", "peer"),
        (None, "ca", "client-certificate-required", "us"),
        ("other_client", "ca", "unknown-issuer", "us"),
    ],
    ids=["it trusts another CA", "no client certificate", "client certificate of another CA"],
)
def test_echoscu_and_serve_do_not_agree_on_certificates(
    pki: PKI, server: Running, identity: str | None, trusted: str, code: str, by: str, version: str
) -> None:
    """The log says in one line who refused whom, and why."""
    own = None if identity is None else getattr(pki, identity)
    before = len(warnings_of(server))
    done = run_dcmtk("echoscu", *dcmtk_client(pki, own, version, getattr(pki, trusted)), server.host, server.port)
    failed = new_warning(server, before)
    assert done.returncode == 1
    assert (failed["code"], failed["by"], failed["stage"]) == (code, by, "tls")


def test_echoscu_in_clear_calls_serve_behind_tls(server: Running) -> None:
    """The log says that the caller speaks plain DICOM."""
    done = run_dcmtk("echoscu", server.host, server.port)
    failed = wait_for_event(server, "handshake-failed", where=lambda event: event["by"] == "neither")
    assert done.returncode == 1
    assert (failed["code"], failed["stage"]) == ("peer-speaks-plain-dicom", "tls")


def test_echoscu_with_tls_calls_serve_in_clear(pki: PKI, clear_server: Running) -> None:
    """The log says that the caller speaks TLS."""
    done = run_dcmtk("echoscu", *dcmtk_client(pki, pki.client), clear_server.host, clear_server.port)
    failed = wait_for_event(clear_server, "association-aborted")
    assert done.returncode == 1
    assert (failed["code"], failed["by"]) == ("peer-expects-tls", "neither")


def test_echoscu_reaches_serve_in_clear(clear_server: Running) -> None:
    """The positive twin without TLS."""
    done = run_dcmtk("echoscu", clear_server.host, clear_server.port)
    assert done.returncode == 0, done.stderr
    assert wait_for_event(clear_server, "association-accepted")["protocol"] is None
