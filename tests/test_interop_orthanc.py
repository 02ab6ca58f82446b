"""Orthanc on the other side, in both roles; it sends where its REST interface tells it to."""

import json
import urllib.error
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Running
from tests.support.exchange import (
    PROTOCOLS,
    Failure,
    Source,
    assert_same_elements,
    by_uid,
    client_options,
    connections,
    disagreements,
    exactly,
    failure,
    make_sources,
    read_contents,
    run_json,
    server_options,
    serving_with_events,
    versions,
    wait_for_event,
)
from tests.support.peers import Orthanc, PeerProcess, dcmtk_storescp, orthanc
from tests.support.pki import PKI


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Source]:
    """What is sent: Orthanc refuses what lacks the attributes that its index is made of."""
    made = make_sources(tmp_path_factory.mktemp("sources") / "files")
    return [source for source in made if source.is_complete]


@pytest.fixture(scope="module")
def archive(pki: PKI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An Orthanc that demands client certificates."""
    with orthanc(pki, tmp_path_factory.mktemp("orthanc")) as running:
        yield running


def modality(peer: PeerProcess, *, tls: bool = True) -> dict[str, object]:
    """Where Orthanc can send to."""
    return {"AET": "DICOMTLS", "Host": peer.host, "Port": peer.port, "UseDicomTls": tls}


def upload(archive: Orthanc, sources: Sequence[Source]) -> list[str]:
    """Give instances to Orthanc over HTTP; returns what it calls them."""
    return [archive.post("/instances", source.path.read_bytes())["ID"] for source in sources]


# We are the SCU


@versions
def test_orthanc_answers_our_echo(pki: PKI, archive: Orthanc, version: str) -> None:
    """With either version, and a client certificate."""
    result = run_json("echo", archive.address, *client_options(pki, pki.client), *exactly(version))
    document = result.json()
    assert (result.exit_status, document["status"]) == (0, "0x0000"), result.stderr
    assert document["tls"]["protocol"] == PROTOCOLS[version]
    assert document["tls"]["client_certificate"] == "sent"


@versions
def test_orthanc_that_wants_no_certificate_answers_without_one(pki: PKI, tmp_path: Path, version: str) -> None:
    """`DicomTlsRemoteCertificateRequired` is off; Orthanc up to 1.10 still asks, and takes none for an answer."""
    with orthanc(pki, tmp_path, client_auth=False) as peer:
        result = run_json("echo", peer.address, *client_options(pki, None), *exactly(version))
    assert result.exit_status == 0
    assert result.json()["tls"]["client_certificate"] in {"requested", "not requested"}


def test_orthanc_with_an_ec_certificate_answers(pki: PKI, tmp_path: Path) -> None:
    """At TLS 1.3; at TLS 1.2 Orthanc 1.10 offers no suite for it, and has no setting for that."""
    with orthanc(pki, tmp_path, identity=pki.server_ec) as peer:
        options = client_options(pki, pki.client_ec)
        good = run_json("echo", peer.address, *options)
        old = run_json("echo", peer.address, *options, *exactly("1.2"))
    assert (good.exit_status, good.json()["tls"]["peer"]["key"]["type"]) == (0, "EC")
    assert failure(old) == Failure(4, "no-shared-cipher", "peer")


@versions
def test_instances_arrive_at_orthanc(pki: PKI, tmp_path: Path, sources: list[Source], version: str) -> None:
    """In their transfer syntax, most of them byte for byte; Orthanc rewrites the others without changing a value."""
    paths = [source.path for source in sources]
    with orthanc(pki, tmp_path / "orthanc") as peer:
        options = (*client_options(pki, pki.client), *exactly(version))
        result = run_json("store", peer.address, *options, *paths)
        for number, instance in enumerate(peer.get("/instances")):
            (tmp_path / f"{number}").write_bytes(peer.stored_file(instance))
    assert (result.exit_status, result.json()["sent"]) == (0, len(sources)), result.stderr
    kept = by_uid(path for path in tmp_path.iterdir() if path.is_file())
    assert sorted(kept) == sorted(source.sop_instance_uid for source in sources)
    rewritten = [source for source in sources if read_contents(kept[source.sop_instance_uid]) != source.contents]
    assert len(rewritten) < len(sources) / 2
    for source in rewritten:
        assert_same_elements(source.path, kept[source.sop_instance_uid])


def test_what_orthanc_refuses_is_named_with_its_status(pki: PKI, archive: Orthanc, tmp_path: Path) -> None:
    """The negative twin: instances without a patient or a study, among one that has both."""
    named = [source for source in make_sources(tmp_path / "sources") if "jls_lossy" in source.path.name]
    assert len(named) == 2
    result = run_json("store", archive.address, *client_options(pki, pki.client), *[source.path for source in named])
    assert failure(result) == Failure(1, "status-failure", "peer")
    assert {item["status"] for item in result.json()["failed"]} == {"0xA700"}


@versions
@disagreements
def test_orthanc_and_we_do_not_agree_on_certificates(
    pki: PKI, archive: Orthanc, identity: str | None, trusted: str, expected: Failure, version: str
) -> None:
    """Who refuses is said for either side."""
    own = None if identity is None else getattr(pki, identity)
    options = (*client_options(pki, own, ca=getattr(pki, trusted)), *exactly(version))
    assert failure(run_json("echo", archive.address, *options)) == expected


def test_orthanc_behind_tls_is_called_in_clear(archive: Orthanc) -> None:
    """Orthanc resets the connection without a word; a second look finds the TLS behind it."""
    result = run_json("echo", archive.address, "--no-tls")
    assert failure(result) == Failure(5, "peer-expects-tls", "neither")
    assert "--no-tls" in result.json()["error"]["hints"][0]


def test_orthanc_in_clear_is_called_with_tls_and_without(pki: PKI, tmp_path: Path) -> None:
    """It resets the TLS connection, the hint leads to `--no-tls`, and that works."""
    with orthanc(pki, tmp_path, tls=False) as peer:
        result = run_json("echo", peer.address, *client_options(pki, pki.client))
        in_clear = run_json("echo", peer.address, "--no-tls")
    assert failure(result) == Failure(4, "peer-speaks-plain-dicom", "neither")
    assert "--no-tls" in result.json()["error"]["hints"][1]
    assert in_clear.exit_status == 0


def test_http_port_of_orthanc_is_named_as_such(pki: PKI, archive: Orthanc) -> None:
    """A frequent mistake: the port of the web interface."""
    address = f"{archive.host}:{archive.http_port}"
    result = run_json("echo", address, *client_options(pki, pki.client), "--association-timeout", "20")
    in_clear = run_json("echo", address, "--no-tls", "--association-timeout", "20")
    assert failure(result) == Failure(4, "peer-speaks-http", "neither")
    assert failure(in_clear).code == "peer-speaks-http"


# We are the SCP


def send(archive: Orthanc, name: str, instances: Sequence[str]) -> Mapping[str, Any]:
    """Let Orthanc store instances at one of its modalities."""
    done: dict[str, Any] = archive.post(f"/modalities/{name}/store", json.dumps(instances))
    return done


@connections
def test_orthanc_echoes_to_serve(pki: PKI, tmp_path: Path, version: str, key: str, *, has_certificate: bool) -> None:
    """Held to one version by us, with either type of key on both sides, its certificate demanded or not."""
    client_auth = "required" if has_certificate else "none"
    identity = pki.server_ec if key == "EC" else pki.server
    # In the role of a client Orthanc offers no ECDSA suite at TLS 1.2: there we show RSA.
    shown = pki.server if version == "1.2" else identity
    options = (*server_options(pki, shown, client_auth=client_auth), *exactly(version))
    with (
        serving_with_events(tmp_path / "served", *options) as running,
        orthanc(pki, tmp_path / "orthanc", identity=identity, modalities={"us": modality(running)}) as peer,
    ):
        peer.post("/modalities/us/echo", "{}")
        accepted = wait_for_event(running, "association-accepted")
    assert (accepted["protocol"], accepted["calling_aet"]) == (PROTOCOLS[version], "ORTHANC")
    assert bool(accepted["client"]) is has_certificate


@pytest.mark.parametrize("version", ["1.3", pytest.param("1.2", marks=pytest.mark.slow)], ids="TLS {}".format)
def test_what_orthanc_sends_is_kept_as_storescp_would_keep_it(
    pki: PKI, tmp_path: Path, sources: list[Source], version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte what came over the wire, with storescp as the witness, and no value changed on the whole way."""
    monkeypatch.setenv("TCP_NODELAY", "1")  # between Orthanc and storescp each message takes 40 ms otherwise
    witness, served = tmp_path / "witness", tmp_path / "served"
    with (
        dcmtk_storescp(pki, witness, "+B", "+xa", "+uf") as scp,
        serving_with_events(served, *server_options(pki), *exactly(version)) as running,
        orthanc(pki, tmp_path / "orthanc", modalities={"us": modality(running), "witness": modality(scp)}) as peer,
    ):
        instances = upload(peer, sources)
        failures = [send(peer, name, instances)["FailedInstancesCount"] for name in ("us", "witness")]
    assert failures == [0, 0]
    kept, expected = by_uid(served.rglob("*.dcm")), by_uid(witness.iterdir())
    assert {uid: read_contents(path) for uid, path in kept.items()} == {
        uid: read_contents(path) for uid, path in expected.items()
    }
    for source in sources:
        assert_same_elements(source.path, kept[source.sop_instance_uid])


@pytest.fixture(scope="module")
def server(pki: PKI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A `serve` that demands client certificates."""
    with serving_with_events(tmp_path_factory.mktemp("served"), *server_options(pki)) as running:
        yield running


@pytest.mark.parametrize(
    ("identity", "trusted", "code", "by"),
    [("server", "other_ca", "alert-unknown_ca", "peer"), ("other_server", "ca", "unknown-issuer", "us")],
    ids=["it trusts another CA", "client certificate of another CA"],
)
def test_orthanc_and_serve_do_not_agree_on_certificates(
    pki: PKI, server: Running, tmp_path: Path, identity: str, trusted: str, code: str, by: str
) -> None:
    """Orthanc answers HTTP with an error, and our log says who refused whom, and why."""
    settings = {"DicomTlsTrustedCertificates": str(getattr(pki, trusted))}
    with orthanc(
        pki, tmp_path, identity=getattr(pki, identity), modalities={"us": modality(server)}, settings=settings
    ) as peer:
        with pytest.raises(urllib.error.HTTPError) as error:
            peer.post("/modalities/us/echo", "{}")
        error.value.close()
        failed = wait_for_event(server, "handshake-failed", where=lambda event: event["code"] == code)
    assert (failed["by"], failed["stage"]) == (by, "tls")


def test_orthanc_in_clear_calls_serve_behind_tls(pki: PKI, server: Running, tmp_path: Path) -> None:
    """`UseDicomTls` was forgotten: the log says that the caller speaks plain DICOM."""
    with orthanc(pki, tmp_path, modalities={"us": modality(server, tls=False)}) as peer:
        with pytest.raises(urllib.error.HTTPError) as error:
            peer.post("/modalities/us/echo", "{}")
        error.value.close()
        failed = wait_for_event(server, "handshake-failed", where=lambda event: event["by"] == "neither")
    assert failed["code"] == "peer-speaks-plain-dicom"


def test_orthanc_with_tls_calls_serve_in_clear(pki: PKI, tmp_path: Path) -> None:
    """The other way round; without TLS on either side it works."""
    with serving_with_events(tmp_path / "served", "--no-tls") as running:
        modalities = {"tls": modality(running), "clear": modality(running, tls=False)}
        with orthanc(pki, tmp_path / "orthanc", modalities=modalities) as peer:
            with pytest.raises(urllib.error.HTTPError) as error:
                peer.post("/modalities/tls/echo", "{}")
            error.value.close()
            failed = wait_for_event(running, "association-aborted")
            peer.post("/modalities/clear/echo", "{}")
            wait_for_event(running, "association-released")
    assert (failed["code"], failed["by"]) == ("peer-expects-tls", "neither")
