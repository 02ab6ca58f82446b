"""The test support itself: real peers against each other, so that a red test elsewhere speaks about dicomtls."""

import os
import re
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pydicom
import pytest
from pydicom.uid import CTImageStorage, ImplicitVRLittleEndian
from pynetdicom import AE, VerificationPresentationContexts

from tests.support import cli, processes
from tests.support.instances import Instance, make_instance, make_instances, pydicom_test_files
from tests.support.peers import (
    dcmtk_storescp,
    dcmtk_tls_options,
    openssl_s_client,
    openssl_s_server,
    orthanc,
    pynetdicom_scp,
    raw_server,
    receive_exactly,
    receive_until_end,
    reserved_port,
    reset,
    run_dcmtk,
    tls_raw_server,
)
from tests.support.pki import PKI, Identity, client_context, server_context
from tests.support.source import visible_names

DCMTK_CERTIFICATE_REFUSED = "certificate verify failed"


def pixels(path: Path) -> bytes:
    """The pixel data of a file."""
    content: bytes = pydicom.dcmread(path).PixelData
    return content


def test_programs_are_started_outside_of_the_source_tree(home: Path) -> None:
    """Movescu, for one, writes what it receives where it stands; what is left in the tree fails the run."""
    done = run_dcmtk("sh", "-c", "pwd; echo > left")
    assert done.stdout == f"{home}\n"
    assert visible_names(home) == {"left"}


@contextmanager
def connected(port: int, ssl_context: ssl.SSLContext | None = None) -> Iterator[socket.socket]:
    """A socket connected to `port` on loopback, with the handshake done where there is a context."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as plain:
        if ssl_context is None:
            yield plain
        else:
            with ssl_context.wrap_socket(plain, server_hostname="localhost") as tls:
                yield tls


@pytest.mark.parametrize("role", ["server", "server_ec"])
@pytest.mark.parametrize("profile", ["+py", "+pz"], ids=["TLS 1.3", "TLS 1.2"])
def test_dcmtk_stores_to_dcmtk_over_mutual_tls(pki: PKI, tmp_path: Path, role: str, profile: str) -> None:
    """Two stock DCMTK ends accept the PKI, RSA and EC, at either version, and the pixels arrive."""
    sent = make_instance(tmp_path / "sent.dcm", pixel_bytes=4096)
    identity = getattr(pki, role)
    client = dcmtk_tls_options(pki, pki.client_ec if role == "server_ec" else pki.client)
    # The extended profile (`+pz`) is TLS 1.2 only, has the ECDSA suites, and takes no further ones.
    options = [option for option in client if profile == "+py" or not option.startswith(("+cs", "TLS_"))]
    with dcmtk_storescp(pki, tmp_path / "received", "-d", identity=identity) as scp:
        done = run_dcmtk("storescu", *options, profile, scp.host, scp.port, sent.path)
        scp.wait_for_log("Association Release")
    assert done.returncode == 0, done.stderr
    [received] = (tmp_path / "received").iterdir()
    assert pixels(received) == pixels(sent.path)


def test_dcmtk_refuses_a_certificate_of_another_ca(pki: PKI, tmp_path: Path) -> None:
    """The negative twin: the PKI's foreign client is refused, and the log that the support keeps says why."""
    with dcmtk_storescp(pki, tmp_path / "received") as scp:
        done = run_dcmtk("echoscu", *dcmtk_tls_options(pki, pki.other_client), scp.host, scp.port)
        log = scp.wait_for_log(DCMTK_CERTIFICATE_REFUSED)
    assert done.returncode != 0
    assert "Receiving Association failed" in log


@pytest.mark.parametrize(("client_auth", "accepted"), [("required", False), ("optional", True), ("none", True)])
def test_dcmtk_asks_for_a_client_certificate_as_told(
    pki: PKI, tmp_path: Path, client_auth: str, *, accepted: bool
) -> None:
    """An anonymous client is let in unless a certificate is required."""
    with dcmtk_storescp(pki, tmp_path, client_auth=client_auth) as scp:
        done = run_dcmtk("echoscu", *dcmtk_tls_options(pki, None), scp.host, scp.port)
    assert (done.returncode == 0) is accepted, done.stderr


def test_dcmtk_speaks_in_clear_when_told(pki: PKI, tmp_path: Path) -> None:
    """Without TLS the same peer answers a plain echo."""
    with dcmtk_storescp(pki, tmp_path, tls=False) as scp:
        done = run_dcmtk("echoscu", scp.host, scp.port)
    assert done.returncode == 0, done.stderr


def test_orthanc_receives_over_mutual_tls_and_sends_on(pki: PKI, tmp_path: Path) -> None:
    """Orthanc accepts the PKI in both roles: what DCMTK stores there arrives at a pynetdicom acceptor."""
    sent = make_instance(tmp_path / "sent.dcm", pixel_bytes=4096)
    with pynetdicom_scp(server_context(pki)) as scp:
        target = {"AET": "NEXT", "Host": scp.host, "Port": scp.port, "UseDicomTls": True}
        with orthanc(pki, tmp_path / "orthanc", modalities={"next": target}) as archive:
            stored = run_dcmtk(
                "storescu", *dcmtk_tls_options(pki, pki.client), archive.host, archive.port, str(sent.path)
            )
            instances = archive.get("/instances")
            forwarded = archive.post("/modalities/next/store", instances[0])
            kept = archive.stored_file(instances[0])
    assert stored.returncode == 0, stored.stderr
    assert forwarded["FailedInstancesCount"] == 0
    assert sent.sop_instance_uid.encode() in kept
    assert [instance.sop_instance_uid for instance in scp.stored] == [sent.sop_instance_uid]


def test_orthanc_refuses_an_anonymous_client(pki: PKI, tmp_path: Path) -> None:
    """The negative twin: client authentication is on by default."""
    with orthanc(pki, tmp_path / "orthanc") as archive:
        done = run_dcmtk("echoscu", *dcmtk_tls_options(pki, None), archive.host, archive.port)
    assert done.returncode != 0


def test_pynetdicom_receives_from_dcmtk_over_tls(pki: PKI, tmp_path: Path) -> None:
    """The acceptor in a thread keeps what it was sent, undecoded."""
    sent = make_instance(tmp_path / "sent.dcm", pixel_bytes=4096)
    with pynetdicom_scp(server_context(pki)) as scp:
        done = run_dcmtk("storescu", *dcmtk_tls_options(pki, pki.client), scp.host, scp.port, sent.path)
    assert done.returncode == 0, done.stderr
    [stored] = scp.stored
    assert (stored.sop_class_uid, stored.sop_instance_uid) == (CTImageStorage, sent.sop_instance_uid)
    assert stored.transfer_syntax == sent.transfer_syntax
    assert pixels(sent.path) in stored.dataset


def test_pynetdicom_answers_in_clear_when_it_has_no_context() -> None:
    """Both ends pynetdicom, without TLS: the echo succeeds."""
    with pynetdicom_scp() as scp:
        ae = AE()
        ae.requested_contexts = VerificationPresentationContexts
        association = ae.associate(scp.host, scp.port)
        status = association.send_c_echo()
        association.release()
    assert status.Status == 0x0000


def test_openssl_client_reaches_openssl_server(pki: PKI) -> None:
    """The two tools verify each other with the PKI, and each shows its end."""
    with openssl_s_server(pki, client_auth=True) as server:
        done = openssl_s_client(server.address, pki, identity=pki.client)
        log = server.wait_for_log("CIPHER is")
    assert "Verify return code: 0 (ok)" in done.stdout
    assert re.search("CN ?= ?client", log)


def test_openssl_server_sends_what_the_test_writes(pki: PKI) -> None:
    """What goes into the server's stdin comes out of the connection."""
    with (
        openssl_s_server(pki, "-quiet") as server,
        connected(server.port, client_context(pki, anonymous=True)) as connection,
    ):
        assert server.process.stdin is not None
        server.process.stdin.write(b"hello\n")
        server.process.stdin.flush()
        assert receive_exactly(connection, 6) == b"hello\n"


@pytest.mark.parametrize(
    ("role", "verify_code"),
    [
        ("expired", 10),
        ("not_yet_valid", 9),
        ("wrong_name", 62),
        ("only_common_name", 62),
        ("self_signed", 18),
        ("other_server", 20),
        ("client_purpose", 26),
        ("weak_key", 66),
    ],
)
def test_each_faulty_identity_fails_for_its_one_reason(pki: PKI, role: str, verify_code: int) -> None:
    """The PKI's faults are what their names say, as OpenSSL judges them at Debian's security level."""
    identity: Identity = getattr(pki, role)
    context = server_context(pki, pki.server, client_auth=ssl.CERT_NONE)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.load_cert_chain(identity.cert, identity.key)
    client = client_context(pki)
    client.set_ciphers("DEFAULT@SECLEVEL=2")
    client.hostname_checks_common_name = False
    with tls_raw_server(context, lambda _: None) as server:
        with pytest.raises(ssl.SSLCertVerificationError) as raised:
            answer(server.port, client)
        server.wait_for_connections(1)
    assert raised.value.verify_code == verify_code
    assert len(server.errors) == 1


def test_revoked_identity_fails_only_where_the_list_is_read(pki: PKI) -> None:
    """The CRL names the revoked certificate, and no other."""
    client = client_context(pki)
    client.load_verify_locations(pki.crl)
    client.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    with tls_raw_server(server_context(pki), echo_once) as good:
        assert answer(good.port, client) == b"ping"
    with (
        tls_raw_server(server_context(pki, pki.revoked), echo_once) as bad,
        pytest.raises(ssl.SSLCertVerificationError) as raised,
    ):
        answer(bad.port, client)
    assert raised.value.verify_code == 23


@pytest.mark.parametrize("role", ["server", "server_ec", "chained", "expiring", "server_purpose"])
@pytest.mark.parametrize("protocol", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_each_good_identity_passes(pki: PKI, role: str, protocol: ssl.TLSVersion) -> None:
    """What must pass does, with the client's certificate asked for, at either version."""
    with tls_raw_server(server_context(pki, getattr(pki, role), protocol=protocol), echo_once) as server:
        assert answer(server.port, client_context(pki)) == b"ping"
    assert server.errors == []


def echo_once(connection: socket.socket) -> None:
    """Send back what comes first."""
    connection.sendall(connection.recv(100))


def answer(port: int, ssl_context: ssl.SSLContext) -> bytes:
    """What comes back for a ping; only that proves a handshake at TLS 1.3."""
    with connected(port, ssl_context) as connection:
        connection.sendall(b"ping")
        return receive_exactly(connection, 4)


def test_raw_server_closes_after_its_callback() -> None:
    """The peer sees the bytes, then the end."""
    with (
        raw_server(lambda connection: connection.sendall(b"HTTP/1.1 400\r\n")) as server,
        connected(server.port) as connection,
    ):
        assert receive_until_end(connection) == b"HTTP/1.1 400\r\n"
        server.wait_for_connections(1)


def test_raw_server_can_reset() -> None:
    """A reset reaches the peer as one, be it as early as while connecting."""
    with raw_server(reset) as server, pytest.raises(ConnectionResetError), connected(server.port) as connection:
        receive_exactly(connection, 1)


def test_raw_server_breaks_off_a_silent_connection_when_it_stops() -> None:
    """A callback that waits for bytes which never come does not hold up the end of a test."""
    waiting = threading.Event()

    def wait(connection: socket.socket) -> None:
        waiting.set()
        assert_end(connection)

    with ExitStack() as clients:
        with raw_server(wait) as server:
            client = clients.enter_context(connected(server.port))
            assert waiting.wait(20)
        assert receive_until_end(client) == b""


def assert_end(connection: socket.socket) -> None:
    """Wait for bytes; the end must come instead."""
    assert receive_until_end(connection) == b""


def test_raw_server_raises_what_a_callback_did_wrong() -> None:
    """A mistake in a callback is the test's failure, not silence in a thread."""

    def mistaken(_: socket.socket) -> None:
        msg = "mistake"
        raise ValueError(msg)

    with pytest.raises(ValueError, match="mistake"), raw_server(mistaken) as server, connected(server.port):
        server.wait_for_connections(1)


def test_reserved_ports_differ_while_they_are_held() -> None:
    """Nobody is given a port that another holds, and it can be listened on."""
    with reserved_port() as first, reserved_port() as second:
        assert first != second
        socket.create_server(("127.0.0.1", first)).close()


def test_peer_that_dies_fails_the_test_with_its_log(pki: PKI, tmp_path: Path) -> None:
    """A peer that cannot start says why at once instead of being waited for."""
    with (
        pytest.raises(pytest.fail.Exception, match="Unknown option --no-such-option"),
        dcmtk_storescp(pki, tmp_path, "--no-such-option"),
    ):
        pass


@pytest.mark.parametrize(("required", "outcome"), [(False, pytest.skip.Exception), (True, pytest.fail.Exception)])
def test_missing_program_is_a_skip_or_a_failure(
    monkeypatch: pytest.MonkeyPatch, outcome: type[BaseException], *, required: bool
) -> None:
    """DICOMTLS_REQUIRE_PEERS turns a skip into a failure."""
    monkeypatch.setattr(processes, "PEERS_REQUIRED", required)
    with pytest.raises(outcome, match="no-such-program is not installed"):
        processes.require("no-such-program")


LISTENER = """
import pathlib, signal, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
print("listening", flush=True)
pathlib.Path(sys.argv[sys.argv.index("--ready-file") + 1]).write_text("127.0.0.1:%d" % listener.getsockname()[1])
while True:
    signal.pause()
"""


def test_serving_waits_for_the_ready_file_and_stops_at_the_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The address is the one in the ready file, and SIGTERM ends the process; shown with a stand-in for `serve`."""
    monkeypatch.setattr(cli, "dicomtls_command", lambda *args: [sys.executable, "-c", LISTENER, *map(str, args)])
    with cli.serving(tmp_path) as running:
        with connected(running.port):
            pass
        result = running.stop()
    assert (result.stdout, result.stderr, result.exit_status) == ("listening\n", "stopped\n", 1)


def test_environment_of_the_user_does_not_reach_a_test(home: Path) -> None:
    """Nothing of dicomtls, OpenSSL or the terminal is set, and home is an empty folder of the test's own."""
    foreign = ("DICOMTLS_", "SSL_CERT_", "SSLKEYLOGFILE", "NO_COLOR", "TCP_NODELAY", "COLUMNS")
    assert [name for name in os.environ if name.startswith(foreign)] == []
    assert os.environ["HOME"] == str(home)
    assert Path(os.environ["XDG_CONFIG_HOME"]).is_relative_to(home)
    assert list(home.iterdir()) == []


def test_instances_are_alike_but_for_their_uids(tmp_path: Path) -> None:
    """Each file is whole, with the UID that the list says, in one series."""
    made = make_instances(tmp_path, 3, pixel_bytes=5000)
    datasets = [pydicom.dcmread(instance.path) for instance in made]
    assert [dataset.SOPInstanceUID for dataset in datasets] == [instance.sop_instance_uid for instance in made]
    assert [dataset.file_meta.MediaStorageSOPInstanceUID for dataset in datasets] == [
        instance.sop_instance_uid for instance in made
    ]
    assert len({instance.sop_instance_uid for instance in made}) == 3
    assert {dataset.SeriesInstanceUID for dataset in datasets} == {datasets[0].SeriesInstanceUID}
    assert [len(dataset.PixelData) for dataset in datasets] == [5120] * 3


@pytest.mark.parametrize("sparse", [False, True])
def test_large_instance_has_frames(tmp_path: Path, *, sparse: bool) -> None:
    """Past 512 rows an instance is multi-frame, and its pixel data as long as it says."""
    made: Instance = make_instance(
        tmp_path / "large.dcm", pixel_bytes=3_000_000, transfer_syntax=ImplicitVRLittleEndian, sparse=sparse
    )
    dataset = pydicom.dcmread(made.path)
    assert dataset.NumberOfFrames == 6
    assert len(dataset.PixelData) == dataset.NumberOfFrames * dataset.Rows * dataset.Columns * 2


def test_pydicom_brings_its_own_files() -> None:
    """The list is not empty and holds what the package holds, without a download."""
    files = pydicom_test_files()
    assert "CT_small.dcm" in {path.name for path in files}
    assert all(path.is_file() for path in files)
