"""pynetdicom on the other side, in both roles."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from pynetdicom import evt

from tests.support.cli import Running
from tests.support.exchange import (
    PROTOCOLS,
    Contents,
    Failure,
    Source,
    assert_arrived,
    by_uid,
    client_of,
    client_options,
    connections,
    disagreements,
    failure,
    make_sources,
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
from tests.support.peers import pynetdicom_scp
from tests.support.pki import PKI, client_context, server_context
from tests.support.pynetdicom_scu import echo_status, pynetdicom_association, store_statuses

TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


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
def test_pynetdicom_answers_our_echo(pki: PKI, key: str, version: str, *, has_certificate: bool) -> None:
    """With either version, type of key, with and without a client certificate; the document says which."""
    client_auth = ssl.CERT_REQUIRED if has_certificate else ssl.CERT_NONE
    context = server_context(pki, server_of(pki, key), client_auth=client_auth, protocol=TLS_VERSIONS[version])
    with pynetdicom_scp(context) as scp:
        result = run_json("echo", scp.address, *client_options(pki, client_of(pki, key) if has_certificate else None))
    document = result.json()
    assert (result.exit_status, document["status"]) == (0, "0x0000"), result.stderr
    assert (document["tls"]["protocol"], document["tls"]["peer"]["key"]["type"]) == (PROTOCOLS[version], key)
    assert document["tls"]["client_certificate"] == ("sent" if has_certificate else "not requested")


@versions
def test_instances_arrive_at_pynetdicom_as_they_were(pki: PKI, sources: list[Source], version: str) -> None:
    """Every SOP class and transfer syntax, compressed, big endian, deflated: byte for byte."""
    with pynetdicom_scp(server_context(pki, protocol=TLS_VERSIONS[version])) as scp:
        result = run_json("store", scp.address, *client_options(pki, pki.client), sources[0].path.parent)
    assert (result.exit_status, result.json()["sent"]) == (0, len(sources)), result.stderr
    received = {item.sop_instance_uid: Contents(item.transfer_syntax, item.dataset) for item in scp.stored}
    assert len(scp.stored) == len(sources)
    assert_arrived(sources, received)


@pytest.mark.parametrize("maximum_length", [0, 4096, 16382, 1_000_000])
def test_pynetdicom_gets_pdus_no_longer_than_it_takes(pki: PKI, sources: list[Source], maximum_length: int) -> None:
    """Whatever it says, 0 being no limit, and whatever arrives is whole."""
    lengths: list[int] = []

    def note(event: evt.Event) -> None:
        lengths.append(len(event.data))

    largest = sorted(sources, key=lambda source: len(source.contents.dataset))[-3:]
    with pynetdicom_scp(server_context(pki), [(evt.EVT_DATA_RECV, note)], maximum_length=maximum_length) as scp:
        result = run_json("store", scp.address, *client_options(pki, pki.client), *[source.path for source in largest])
    assert result.exit_status == 0, result.stderr
    header = 6
    data = [length - header for length in lengths if length > 4096 // 2]
    assert data
    assert all(length <= maximum_length for length in data) or not maximum_length
    assert_arrived(
        largest, {item.sop_instance_uid: Contents(item.transfer_syntax, item.dataset) for item in scp.stored}
    )


@disagreements
@pytest.mark.parametrize(("command", "version"), [("echo", "1.2"), ("echo", "1.3"), ("store", "1.3")])
def test_pynetdicom_and_we_do_not_agree_on_certificates(
    pki: PKI,
    sources: list[Source],
    command: str,
    identity: str | None,
    trusted: str,
    expected: Failure,
    version: str,
) -> None:
    """Who refuses is said for either side, by either command; nothing is stored."""
    own = None if identity is None else getattr(pki, identity)
    what = [sources[0].path] if command == "store" else []
    with pynetdicom_scp(server_context(pki, protocol=TLS_VERSIONS[version])) as scp:
        result = run_json(command, scp.address, *client_options(pki, own, ca=getattr(pki, trusted)), *what)
    assert failure(result) == expected
    assert scp.stored == []


def test_pynetdicom_in_clear_is_named_as_such(pki: PKI) -> None:
    """pynetdicom answers a ClientHello with an A-ABORT, which is proof enough."""
    with pynetdicom_scp() as scp:
        result = run_json("echo", scp.address, *client_options(pki, pki.client))
        in_clear = run_json("echo", scp.address, "--no-tls")
    assert failure(result) == Failure(4, "peer-speaks-plain-dicom", "neither")
    assert in_clear.exit_status == 0


def test_pynetdicom_behind_tls_is_called_in_clear(pki: PKI) -> None:
    """The connection is reset without a word; a second look finds the TLS behind it."""
    with pynetdicom_scp(server_context(pki)) as scp:
        result = run_json("echo", scp.address, "--no-tls")
    assert failure(result) == Failure(5, "peer-expects-tls", "neither")
    assert "--no-tls" in result.json()["error"]["hints"][0]


# We are the SCP


@connections
def test_pynetdicom_echoes_to_serve(pki: PKI, tmp_path: Path, key: str, version: str, *, has_certificate: bool) -> None:
    """With either version, type of key, with and without a client certificate; the log says which."""
    context = client_context(pki, client_of(pki, key), anonymous=not has_certificate, protocol=TLS_VERSIONS[version])
    client_auth = "required" if has_certificate else "optional"
    with serving_with_events(tmp_path, *server_options(pki, server_of(pki, key), client_auth=client_auth)) as running:
        with pynetdicom_association(running.host, running.port, context) as association:
            assert association.is_established
            assert echo_status(association) == 0x0000
        accepted = wait_for_event(running, "association-accepted")
        released = wait_for_event(running, "association-released")
    assert (accepted["protocol"], bool(accepted["client"])) == (PROTOCOLS[version], has_certificate)
    assert released["echoed"] == 1


@versions
def test_what_pynetdicom_sends_is_kept_as_it_was(pki: PKI, tmp_path: Path, sources: list[Source], version: str) -> None:
    """Every SOP class and transfer syntax: byte for byte, each in a file that says what it is."""
    wanted = [source for source in sources if source.path.read_bytes()[128:132] == b"DICM"]
    kinds = [(source.sop_class_uid, source.contents.transfer_syntax) for source in wanted]
    context = client_context(pki, protocol=TLS_VERSIONS[version])
    with serving_with_events(tmp_path, *server_options(pki)) as running:
        with pynetdicom_association(running.host, running.port, context, kinds) as association:
            statuses = store_statuses(association, [source.path for source in wanted])
        released = wait_for_event(running, "association-released")
    assert set(statuses) == {0x0000}
    assert (released["stored"], released["refused"]) == (len(wanted), 0)
    assert_arrived(wanted, {uid: read_contents(path) for uid, path in by_uid(tmp_path.rglob("*.dcm")).items()})


def other_trust(version: str, pki: PKI) -> ssl.SSLContext:
    """A client that does not know our CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = TLS_VERSIONS[version]
    context.load_verify_locations(pki.other_ca)
    return context


@versions
@pytest.mark.parametrize(
    ("client", "code", "by"),
    [
        ("other trust", "alert-unknown_ca", "peer"),
        ("anonymous", "client-certificate-required", "us"),
        ("other_client", "unknown-issuer", "us"),
        ("expired", "expired", "us"),
        ("server_purpose", "wrong-purpose", "us"),
        ("self_signed", "self-signed", "us"),
    ],
)
def test_pynetdicom_and_serve_do_not_agree_on_certificates(
    pki: PKI, server: Running, client: str, code: str, by: str, version: str
) -> None:
    """No association, and one line in our log that says who refused whom, and why."""
    if client == "other trust":
        context = other_trust(version, pki)
    else:
        anonymous = client == "anonymous"
        identity = None if anonymous else getattr(pki, client)
        context = client_context(pki, identity, anonymous=anonymous, protocol=TLS_VERSIONS[version])
    before = len(warnings_of(server))
    with pynetdicom_association(server.host, server.port, context) as association:
        assert not association.is_established
    failed = new_warning(server, before)
    assert (failed["code"], failed["by"], failed["stage"]) == (code, by, "tls")


def test_pynetdicom_in_clear_calls_serve_behind_tls(server: Running) -> None:
    """The log says that the caller speaks plain DICOM."""
    with pynetdicom_association(server.host, server.port, None) as association:
        assert association.is_aborted
    failed = wait_for_event(server, "handshake-failed", where=lambda event: event["by"] == "neither")
    assert failed["code"] == "peer-speaks-plain-dicom"


def test_pynetdicom_with_tls_calls_serve_in_clear(pki: PKI, clear_server: Running) -> None:
    """The log says that the caller speaks TLS; in clear it is served."""
    with pynetdicom_association(clear_server.host, clear_server.port, client_context(pki)) as association:
        assert association.is_aborted
    failed = wait_for_event(clear_server, "association-aborted")
    assert (failed["code"], failed["by"]) == ("peer-expects-tls", "neither")
    with pynetdicom_association(clear_server.host, clear_server.port, None) as association:
        assert echo_status(association) == 0x0000
