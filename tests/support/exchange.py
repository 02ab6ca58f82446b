"""What tests with real peers share: instances of every kind to send, dicomtls on either side, and what arrived.

Files are read with pydicom and compared as bytes, so that what dicomtls writes meets another reader.
"""

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pydicom
import pytest
from pydicom.dataset import FileDataset
from pydicom.filereader import _read_file_meta_info, read_preamble

from tests.support.cli import Result, Running, run_dicomtls, serving
from tests.support.documents import assert_document
from tests.support.instances import Instance, make_instance, make_instances, pydicom_test_files
from tests.support.pki import PKI, Identity
from tests.support.servers import stored_files

# Files that nobody could send as they are, and why.
NOT_SENDABLE = {
    "MR_truncated.dcm": "cut in the middle of its pixels",
    "SC_rgb_jpeg.dcm": "implicit VR under the name of an explicit transfer syntax",
    "empty_charset_LEI.dcm": "no file meta information",
    "meta_missing_tsyntax.dcm": "no SOP instance UID in the file meta information",
    "nested_priv_SQ.dcm": "no SOP instance UID in the file meta information",
    "no_meta.dcm": "no file meta information, and no UIDs",
    "rtplan_truncated.dcm": "cut in the middle of a value",
}
# Files without an attribute that DCMTK and Orthanc look for in the dataset; who keeps datasets unread takes them.
INCOMPLETE = frozenset(
    {
        "JPEGLSNearLossless_08.dcm",
        "JPEGLSNearLossless_16.dcm",
        "SC_rgb_jls_lossy_line.dcm",
        "SC_rgb_jls_lossy_sample.dcm",
        "UN_sequence.dcm",
        "no_meta_group_length.dcm",
        "priv_SQ.dcm",
        "rtdose_rle.dcm",
        "rtdose_rle_1frame.dcm",
    }
)
DEFLATED = "1.2.840.10008.1.2.1.99"
# By whether it is implicit VR, and whether it is little endian.
BARE_SYNTAXES: dict[object, str] = {
    (True, True): "1.2.840.10008.1.2",
    (False, True): "1.2.840.10008.1.2.1",
    (False, False): "1.2.840.10008.1.2.2",
}
TRAILING_PADDING = 0xFFFCFFFC
PROTOCOLS = {"1.2": "TLSv1.2", "1.3": "TLSv1.3"}
SMALL_PIXELS = 16 * 1024


# Every value beside every other one; the rest of the combinations takes its time.
connections = pytest.mark.parametrize(
    ("version", "key", "has_certificate"),
    [
        pytest.param(
            version,
            key,
            has_certificate,
            id=f"TLS {version}-{key}-{'mutual' if has_certificate else 'anonymous'}",
            marks=() if ((version == "1.3") is (key == "RSA")) is has_certificate else pytest.mark.slow,
        )
        for version in PROTOCOLS
        for key in ("RSA", "EC")
        for has_certificate in (True, False)
    ],
)
mutual_connections = pytest.mark.parametrize(
    ("version", "key"),
    [
        pytest.param("1.3", "RSA", id="TLS 1.3-RSA"),
        pytest.param("1.2", "EC", id="TLS 1.2-EC"),
        pytest.param("1.3", "EC", id="TLS 1.3-EC", marks=pytest.mark.slow),
        pytest.param("1.2", "RSA", id="TLS 1.2-RSA", marks=pytest.mark.slow),
    ],
)
versions = pytest.mark.parametrize("version", list(PROTOCOLS), ids="TLS {}".format)


class Contents(NamedTuple):
    """What an exchange must not change: the transfer syntax and the bytes of the dataset."""

    transfer_syntax: str
    dataset: bytes


class Source(NamedTuple):
    """A file to send, under a SOP instance UID that no other one has."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    contents: Contents

    @property
    def is_complete(self) -> bool:
        """True if DCMTK and Orthanc find in the dataset what they want there."""
        return self.path.name not in INCOMPLETE


def read_contents(path: Path) -> Contents:
    """The contents of a file; a deflated dataset with the zero that pads it to an even length (PS3.5 section A.5)."""
    return _source(path).contents


def make_sources(directory: Path) -> list[Source]:
    """Every pydicom test file that can be sent, and a CT: many SOP classes, transfer syntaxes of all kinds."""
    directory.mkdir()
    taken: set[str] = set()
    sources = [
        _copy(path, directory / path.name, taken) for path in pydicom_test_files() if path.name not in NOT_SENDABLE
    ]
    generated = make_instance(directory / "generated.dcm")
    return [*sources, _source(generated.path)]


def _copy(original: Path, path: Path, taken: set[str]) -> Source:
    """Many of the files are one instance in several forms: each copy gets a UID of its own, of the same length."""
    uid = _source(original).sop_instance_uid
    new = next(candidate for candidate in _neighbours(uid) if candidate not in taken)
    taken.add(new)
    # Some have another one in the dataset than in the file meta information.
    dataset = pydicom.dcmread(original, force=True, specific_tags=["SOPInstanceUID"])
    inner = dataset.get("SOPInstanceUID", uid)
    path.write_bytes(original.read_bytes().replace(uid.encode(), new.encode()).replace(inner.encode(), new.encode()))
    return _source(path)


def _neighbours(uid: str) -> Iterator[str]:
    root, _, last = uid.rpartition(".")
    yield uid
    first = 10 ** (len(last) - 1)
    for step in range(1, 9 * first):
        yield f"{root}.{first + (int(last) + step - first) % (9 * first)}"


def _source(path: Path) -> Source:
    with path.open("rb") as file:
        read_preamble(file, force=True)
        meta: Any = _read_file_meta_info(file)
        dataset = file.read()
    if "TransferSyntaxUID" not in meta:
        return _bare_dataset(path)
    syntax = str(meta.TransferSyntaxUID)
    if syntax == DEFLATED and len(dataset) % 2:
        dataset += b"\0"
    return Source(path, meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, Contents(syntax, dataset))


def _bare_dataset(path: Path) -> Source:
    dataset = pydicom.dcmread(path, force=True)
    syntax = BARE_SYNTAXES[dataset.original_encoding]
    return Source(path, dataset.SOPClassUID, dataset.SOPInstanceUID, Contents(syntax, path.read_bytes()))


def by_uid(paths: Iterable[Path]) -> dict[str, Path]:
    """The files by their SOP instance UID; each must have its own."""
    found: dict[str, Path] = {}
    for path in paths:
        uid = _source(path).sop_instance_uid
        assert uid not in found, f"{path} and {found[uid]} are one instance"
        found[uid] = path
    return found


def small_instances(directory: Path, count: int = 5) -> list[Instance]:
    """Some CT instances that cost little."""
    return make_instances(directory, count, pixel_bytes=SMALL_PIXELS)


def assert_whole(files: Iterable[Path], sent: Iterable[Instance]) -> None:
    """Every file, named after its instance, is one of those that were sent, byte for byte."""
    sources = {instance.sop_instance_uid: instance.path for instance in sent}
    for path in files:
        assert read_contents(path) == read_contents(sources[path.stem]), path


def assert_kept(sent: Sequence[Instance], directory: Path) -> None:
    """Below a storage folder is each of the instances, whole, and nothing else."""
    files = stored_files(directory)
    assert sorted(path.stem for path in files) == sorted(instance.sop_instance_uid for instance in sent)
    assert_whole(files, sent)


def assert_arrived(sources: Sequence[Source], received: dict[str, Contents]) -> None:
    """Every source is there, with its transfer syntax and byte for byte as it was, and nothing else."""
    assert sorted(received) == sorted(source.sop_instance_uid for source in sources)
    changed = [source.path.name for source in sources if received[source.sop_instance_uid] != source.contents]
    assert changed == []


def assert_same_elements(source: Path, received: Path) -> None:
    """Both have the same transfer syntax and values: for a peer that writes datasets in its own way.

    DCMTK, and so Orthanc, renews group lengths, drops trailing padding, and gives encapsulated pixels the VR OB.
    """
    assert read_contents(received).transfer_syntax == read_contents(source).transfer_syntax, source.name
    with warnings.catch_warnings(action="ignore"):  # some of the values are meant to be warned of
        before, after = (list(_values(pydicom.dcmread(path, force=True))) for path in (source, received))
        assert after == before, source.name


def _values(dataset: FileDataset) -> Iterator[tuple[int, Any]]:
    for element in dataset:
        if element.tag.element and element.tag != TRAILING_PADDING:
            yield element.tag, element.value


def server_of(pki: PKI, key: str) -> Identity:
    """The server's identity with this type of key."""
    return pki.server_ec if key == "EC" else pki.server


def client_of(pki: PKI, key: str) -> Identity:
    """The client's identity with this type of key."""
    return pki.client_ec if key == "EC" else pki.client


def client_options(pki: PKI, identity: Identity | None, *, ca: Path | None = None) -> list[str | Path]:
    """The TLS options of a client that trusts the test CA, or `ca`, anonymous without an identity."""
    own: list[str | Path] = [] if identity is None else ["--cert", identity.cert, "--key", identity.key]
    return ["--ca", ca or pki.ca, *own]


def exactly(version: str) -> tuple[str, ...]:
    """The options that allow one version of TLS, "1.2" or "1.3"."""
    return "--tls-min", version, "--tls-max", version


def server_options(
    pki: PKI, identity: Identity | None = None, *, client_auth: str = "required"
) -> tuple[str | Path, ...]:
    """The TLS options of a `serve` that shows `identity`, `pki.server` by default."""
    shown = identity or pki.server
    trusted: tuple[str | Path, ...] = () if client_auth == "none" else ("--ca", pki.ca)
    return "--cert", shown.cert, "--key", shown.key, "--client-auth", client_auth, *trusted


@contextmanager
def serving_with_events(directory: Path, *options: str | Path) -> Iterator[Running]:
    """`dicomtls serve` whose log is JSON, for `events`."""
    with serving(directory, "--log-format", "json", "--layout", "{CallingAETitle}/{SOPInstanceUID}.dcm", *options) as s:
        yield s


def events(running: Running) -> list[dict[str, Any]]:
    """What a `serve` with a JSON log has said so far, oldest first."""
    lines = running.log().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]


def wait_for_event(
    running: Running, name: str, *, where: Callable[[dict[str, Any]], bool] = lambda _event: True
) -> dict[str, Any]:
    """The last event of this name for which `where` holds, as soon as there is one."""

    def matching() -> list[dict[str, Any]]:
        return [event for event in events(running) if event["event"] == name and where(event)]

    running.wait_until(lambda: bool(matching()), f"event {name}")
    return matching()[-1]


def warnings_of(running: Running) -> list[dict[str, Any]]:
    """What has gone wrong so far at a `serve` with a JSON log."""
    return [event for event in events(running) if event["severity"] == "warning"]


def new_warning(running: Running, before: int) -> dict[str, Any]:
    """The one thing that went wrong since it were `before`."""
    running.wait_until(lambda: len(warnings_of(running)) > before, "warning")
    [warning] = warnings_of(running)[before:]
    return warning


def run_json(command: str, address: str, *options: str | Path) -> Result:
    """`dicomtls COMMAND ADDRESS OPTIONS --json`."""
    return run_dicomtls(command, address, *options, "--json")


class Failure(NamedTuple):
    """How a run failed: its exit status, and who refused why; hints are part of every failure."""

    exit_status: int
    code: str
    by: str


disagreements = pytest.mark.parametrize(
    ("identity", "trusted", "expected"),
    [
        ("client", "other_ca", Failure(4, "unknown-issuer", "us")),
        (None, "ca", Failure(4, "client-certificate-required", "peer")),
        ("other_client", "ca", Failure(4, "client-certificate-refused", "peer")),
    ],
    ids=["we trust another CA", "no client certificate", "client certificate of another CA"],
)
"""Our certificate, whom we trust, and what comes of it."""


def failure(result: Result) -> Failure:
    """How a run with `--json` failed.

    The test fails where it did not, where the document is not as the contract has it, or where no hint says what to
    do next.
    """
    document = result.json()
    assert_document(document, document["command"])
    error = document["error"]
    assert document["ok"] is False
    assert error["hints"] or error["code"] == "interrupted", error
    assert "Traceback" not in result.stderr
    return Failure(result.exit_status, error["code"], error["by"])
