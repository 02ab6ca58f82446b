"""What `certgen` makes, between us and real peers, both ways: mutual TLS with DCMTK and Orthanc."""

from pathlib import Path

import pytest

from dicomtls.cli.app import main
from tests.support.authority import EC
from tests.support.exchange import (
    client_options,
    failure,
    run_json,
    server_options,
    serving_with_events,
    wait_for_event,
)
from tests.support.peers import dcmtk_storescp, dcmtk_tls_options, orthanc, run_dcmtk
from tests.support.pki import PKI, Identity

KEY_TYPES = pytest.mark.parametrize("key_type", ["rsa:2048", EC])


def make(directory: Path, key_type: str) -> PKI:
    """A CA, and a server and a client issued one by one, in one folder, named as those of the test PKI are."""
    folder = ("--out", str(directory))
    ca = ("--ca-dir", str(directory), *folder, "--key-type", key_type)
    hosts = ("--host", "localhost", "--host", "127.0.0.1")
    assert main(["certgen", "ca", "--name", "Clinic", *folder, "--key-type", key_type, "--quiet"]) == 0
    assert main(["certgen", "issue", "--name", "server", *hosts, *ca, "--quiet"]) == 0
    assert main(["certgen", "issue", "--name", "client", "--purpose", "client", *ca, "--quiet"]) == 0
    return PKI(directory)


@KEY_TYPES
def test_orthanc_and_we_take_each_others_certificates(tmp_path: Path, key_type: str) -> None:
    """We echo to it and it echoes to us; a client of another CA is refused."""
    made, other = make(tmp_path / "made", key_type), make(tmp_path / "other", EC)
    with serving_with_events(tmp_path / "served", *server_options(made, made.server)) as running:
        modality = {"AET": "DICOMTLS", "Host": running.host, "Port": running.port, "UseDicomTls": True}
        with orthanc(made, tmp_path / "orthanc", modalities={"us": modality}) as peer:
            result = run_json("echo", peer.address, *client_options(made, made.client))
            assert (result.exit_status, result.json()["tls"]["verified"]) == (0, True), result.stderr
            peer.post("/modalities/us/echo", "{}")
            assert wait_for_event(running, "association-accepted")["client"]
            refused = run_json("echo", peer.address, *client_options(made, other.client))
            assert failure(refused).code == "client-certificate-refused"


@KEY_TYPES
def test_dcmtk_and_we_take_each_others_certificates(tmp_path: Path, key_type: str) -> None:
    """The same with storescp and echoscu, which verify as they do by default."""
    made, other = make(tmp_path / "made", key_type), make(tmp_path / "other", EC)
    with dcmtk_storescp(made, tmp_path / "scp") as peer:
        result = run_json("echo", peer.address, *client_options(made, made.client))
        assert (result.exit_status, result.json()["tls"]["verified"]) == (0, True), result.stderr
        refused = run_json("echo", peer.address, *client_options(made, other.client))
        assert failure(refused).code == "client-certificate-refused"
    with serving_with_events(tmp_path / "served", *server_options(made, made.server)) as running:
        done = run_dcmtk("echoscu", *dcmtk_tls_options(made, made.client), running.host, running.port)
        assert done.returncode == 0, done.stderr
        mixed = dcmtk_tls_options(made, Identity(other.directory, "client"))
        assert run_dcmtk("echoscu", *mixed, running.host, running.port).returncode != 0
