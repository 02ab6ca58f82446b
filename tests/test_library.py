"""The functions for scripts: what the commands do, with results and errors in place of text."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pydicom
import pytest
from pynetdicom import evt

from dicomtls import (
    AssociationSettings,
    By,
    CredentialError,
    HandshakeError,
    NetworkError,
    Peer,
    StatusFailure,
    StoreOptions,
    TLSSettings,
    UsageError,
    echo,
    explain,
    find,
    get,
    handshake_probe,
    inspect_cert,
    move,
    store,
)
from tests.support.cli import serving
from tests.support.instances import make_instances
from tests.support.peers import DicomSCP, pynetdicom_scp
from tests.support.pki import PKI, server_context


@pytest.fixture
def scp(pki: PKI) -> Iterator[DicomSCP]:
    """An independent peer over mutual TLS."""
    with pynetdicom_scp(server_context(pki)) as running:
        yield running


def settings(pki: PKI) -> TLSSettings:
    """What lets a client in."""
    return TLSSettings(ca=(pki.ca,), cert=(pki.client.cert,), key=(pki.client.key,))


def test_echo_answers_by_text_and_by_peer(pki: PKI, scp: DicomSCP) -> None:
    """One call, safe by default; a peer is written as on the command line."""
    assert len(echo(scp.address, tls=settings(pki)).round_trip_ms) == 1
    assert echo(Peer.parse(scp.address), tls=settings(pki), repeat=1).statuses == (0,)


def test_echo_verifies_when_nothing_is_said(scp: DicomSCP) -> None:
    """The negative twin: without settings the system's trust anchors count, and they do not know this peer."""
    with pytest.raises(HandshakeError) as caught:
        echo(scp.address)
    assert caught.value.facts.verify_code is not None


def test_clear_is_spoken_only_when_it_is_asked_for() -> None:
    """`tls=None`, and then the port of the plain protocol."""
    with pynetdicom_scp() as plain:
        assert echo(plain.address, tls=None).statuses == (0,)
    with pytest.raises(NetworkError) as caught:
        echo("127.0.0.1", tls=None)
    assert "127.0.0.1:104" in caught.value.message


def test_store_says_what_became_of_each_file(pki: PKI, scp: DicomSCP, tmp_path: Path) -> None:
    """A folder is sent as it is; what cannot be read as the DICOM that it claims to be is among the failed."""
    made = make_instances(tmp_path, 3, pixel_bytes=1000)
    (tmp_path / "broken.dcm").write_bytes(made[0].path.read_bytes()[:200])
    result = store(scp.address, [tmp_path], tls=settings(pki), options=StoreOptions(associations=2))
    assert (result.sent, result.error) == (3, None)
    assert [(one.path, one.code) for one in result.failed] == [(str(tmp_path / "broken.dcm"), "unreadable-file")]
    assert len(scp.stored) == 3


def test_store_refuses_a_path_that_does_not_exist(tmp_path: Path) -> None:
    """Before anybody is called."""
    with pytest.raises(UsageError):
        store("127.0.0.1:1", [tmp_path / "nix"])


def test_store_tells_what_kept_it_from_sending(tmp_path: Path) -> None:
    """Nothing is raised for what the network does: the result has it, and every instance."""
    make_instances(tmp_path, 2, pixel_bytes=1000)
    result = store("127.0.0.1:1", [tmp_path])
    assert isinstance(result.error, NetworkError)
    assert len(result.failed) == 2


class Served(NamedTuple):
    """An archive of one study."""

    address: str
    study: str


@pytest.fixture(scope="module")
def served(pki: PKI, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`serve` over mutual TLS, with three instances."""
    folder = tmp_path_factory.mktemp("archive")
    made = make_instances(folder, 3, pixel_bytes=1000)
    with serving(folder, "--ca", pki.ca, "--cert", pki.server.cert, "--key", pki.server.key) as running:
        yield Served(f"127.0.0.1:{running.port}", str(pydicom.dcmread(made[0].path).StudyInstanceUID))


def test_matches_are_datasets_as_they_come(pki: PKI, served: Served) -> None:
    """Keys as on the command line; the usual return keys where none is given; as many as are wanted."""
    [study] = find(served.address, ["PatientName=*", "StudyInstanceUID="], tls=settings(pki))
    assert study.StudyInstanceUID == served.study
    assert study.QueryRetrieveLevel == "STUDY"
    images = find(served.address, [f"StudyInstanceUID={served.study}"], level="image", tls=settings(pki), limit=2)
    assert len({image.SOPInstanceUID for image in images}) == 2
    assert list(find(served.address, ["PatientName=Nobody"], tls=settings(pki))) == []


def test_instances_are_brought_into_a_folder(pki: PKI, served: Served, tmp_path: Path) -> None:
    """Each as a file of its own; what is not there is no error, as for the archive."""
    result = get(served.address, [f"StudyInstanceUID={served.study}"], tmp_path / "in", tls=settings(pki))
    result.check()
    assert (result.status, result.counts.completed) == (0, 3)
    assert len(list((tmp_path / "in" / served.study).rglob("*.dcm"))) == 3


def test_instances_are_not_moved_where_nobody_is_known(pki: PKI, served: Served) -> None:
    """The result has what the archive says, and `check` raises it."""
    result = move(served.address, [f"StudyInstanceUID={served.study}"], "NOBODY", tls=settings(pki))
    assert result.status == 0xA801
    with pytest.raises(StatusFailure):
        result.check()


def get_nowhere(peer: str, keys: list[str], **options: str) -> object:
    """`get` with a folder that nothing is to be put into."""
    return get(peer, keys, "/nix", **options)  # type: ignore[arg-type]  # texts, all of them


@pytest.mark.parametrize("ask", [find, get_nowhere])
@pytest.mark.parametrize(
    ("keys", "options"), [(["Nonsense=1"], {}), ([], {"level": "frame"}), (["StudyInstanceUID=1.2"], {"model": "x"})]
)
def test_what_cannot_be_asked_for_is_refused(
    ask: Callable[..., object], keys: list[str], options: dict[str, str]
) -> None:
    """Before anybody is called, and before the first match is asked for."""
    with pytest.raises(UsageError):
        ask("127.0.0.1:1", keys, **options)


@pytest.mark.parametrize("expected", ["good", "bad"])
def test_file_is_inspected(pki: PKI, expected: str) -> None:
    """Every finding about a chain, held against trust anchors and a name."""
    host = "localhost" if expected == "good" else "other.example"
    found = inspect_cert(pki.server.cert, tls=TLSSettings(ca=(pki.ca,)), host=host)
    assert found.has_errors is (expected == "bad")
    assert ("name-mismatch" in {finding.code for finding in found.findings}) is (expected == "bad")


def test_chain_of_a_peer_is_inspected(pki: PKI, scp: DicomSCP) -> None:
    """By its host, as a server's; also where the peer would let us in only with a certificate of ours."""
    found = inspect_cert(scp.address, tls=TLSSettings(ca=(pki.ca,)))
    assert not found.has_errors
    assert found.days_left
    other = inspect_cert(scp.address, tls=TLSSettings(ca=(pki.ca,), server_name="other.example"))
    assert {finding.code for finding in other.findings} >= {"name-mismatch"}


def test_file_without_a_certificate_is_refused(pki: PKI) -> None:
    """A key alone is no chain."""
    with pytest.raises(CredentialError) as caught:
        inspect_cert(pki.server.key)
    assert caught.value.code == "not-a-certificate"


def test_days_left_can_be_demanded(pki: PKI) -> None:
    """Fewer are an error of their own."""
    found = inspect_cert(pki.server.cert, tls=TLSSettings(ca=(pki.ca,)), minimum_days=100_000)
    assert "expires-soon" in {finding.code for finding in found.findings}


def test_road_is_walked(pki: PKI, scp: DicomSCP) -> None:
    """All stages, and what the peer demands; where one fails, why."""
    result = handshake_probe(scp.address, tls=settings(pki))
    assert result.diagnosis is None
    assert [stage.ok for stage in result.stages] == [True] * 5
    assert result.client_authentication == "required"
    refused = handshake_probe(scp.address, tls=TLSSettings(ca=(pki.ca,)))
    assert refused.diagnosis is not None
    assert refused.diagnosis.code == "client-certificate-required"


def test_error_is_explained(pki: PKI, scp: DicomSCP) -> None:
    """With the settings of the attempt: who refused, why, and what to do."""
    tls = TLSSettings(ca=(pki.other_ca,))
    with pytest.raises(HandshakeError) as caught:
        echo(scp.address, tls=tls)
    for follow_up in (False, True):
        diagnosis = explain(caught.value, scp.address, tls=tls, follow_up=follow_up)
        assert (diagnosis.code, diagnosis.by, diagnosis.exit_status) == ("unknown-issuer", By.US, 4)
        assert diagnosis.hints


def test_titles_are_those_of_the_settings(pki: PKI) -> None:
    """The called AE title of the text counts, and that of the settings before it."""
    titles: list[str] = []

    def accepted(event: evt.Event) -> None:
        primitive = event.assoc.requestor.primitive
        assert primitive is not None
        titles.append(f"{primitive.calling_ae_title} {primitive.called_ae_title}")

    with pynetdicom_scp(server_context(pki), [(evt.EVT_ACCEPTED, accepted)]) as scp:
        for association in (AssociationSettings(), AssociationSettings(calling_ae_title="WS1", called_ae_title="X")):
            echo(f"PACS@{scp.address}", tls=settings(pki), association=association)
    assert titles == ["DICOMTLS PACS", "WS1 X"]
