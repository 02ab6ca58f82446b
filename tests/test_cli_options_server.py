"""The options of `serve`; where they are used as users do is in test_cli_serve."""

from dataclasses import replace
from pathlib import Path

import pytest
import typer

from dicomtls.association.commitment import SOP_CLASS as COMMITMENT
from dicomtls.association.query import FIND_SOP_CLASSES, GET_SOP_CLASSES, MOVE_SOP_CLASSES, Model
from dicomtls.cli.options.server import AccessOptions, FaultOptions, QueryOptions, StorageOptions, _status
from dicomtls.cli.options.server_tls import ServerTLSOptions
from dicomtls.errors import UsageError
from dicomtls.scp.access import Allowed
from dicomtls.scp.destinations import Destinations
from dicomtls.scp.index_schema import FILE_NAME
from dicomtls.scp.layout import DEFAULT_LAYOUT
from dicomtls.scp.services import Faults
from dicomtls.scp.settings import ServerSettings

CA = (Path("ca.pem"),)


def settings(access: AccessOptions, tls: ServerTLSOptions | None = None) -> ServerSettings:
    """What a server gets."""
    return access.settings(tls or ServerTLSOptions(ca=CA), FaultOptions(), trace=False)


def test_options_become_settings() -> None:
    """Each in its place."""
    access = AccessOptions(
        listen="127.0.0.1:11112",
        aet="PACS",
        allow=("CT1", f"MR1=sha256:{'AB' * 32}"),
        accept_unknown=True,
        max_associations=3,
        max_ops=4,
        grace=5,
        connect_timeout=6,
        association_timeout=7,
        dimse_timeout=8,
        max_pdu=9000,
    )
    faults = FaultOptions(refuse=True, status=0xA700, delay=1.5, abort_after=2)
    made = access.settings(ServerTLSOptions(ca=CA, warn_days=10), faults, trace=True)
    assert (made.host, made.port, made.access.ae_title) == ("127.0.0.1", 11112, "PACS")
    assert made.access.allowed == (Allowed("CT1"), Allowed("MR1", "ab" * 32))
    assert (made.accept_unknown, made.max_associations, made.max_operations, made.grace) == (True, 3, 4, 5)
    assert (made.handshake_timeout, made.association_timeout, made.idle_timeout) == (6, 7, 8)
    assert (made.maximum_length, made.warn_days, made.trace) == (9000, 10, True)
    assert made.faults == Faults(refuse=True, status=0xA700, delay=1.5, abort_after=2)


def test_defaults_are_those_of_the_library() -> None:
    """But for the port, which is DICOM's, and the days of warning."""
    made, default = settings(AccessOptions()), ServerSettings()
    assert made.port == 2762
    assert made.warn_days == 30
    for name in ("host", "access", "max_associations", "max_operations", "grace", "maximum_length", "faults"):
        assert getattr(made, name) == getattr(default, name)


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("11112", ("", 11112)),
        ("0", ("", 0)),
        (":11112", ("", 11112)),
        ("localhost", ("localhost", 2762)),
        ("[::1]:11112", ("::1", 11112)),
    ],
)
def test_address_may_leave_out_either_part(listen: str, expected: tuple[str, int]) -> None:
    """A number alone is a port on every address, a name alone gets the default port."""
    made = settings(AccessOptions(listen=listen))
    assert (made.host, made.port) == expected


def test_server_in_clear_has_the_port_for_that() -> None:
    """104, as the clients."""
    assert settings(AccessOptions(), ServerTLSOptions(no_tls=True)).port == 104


@pytest.mark.parametrize(
    "access",
    [
        AccessOptions(listen="a:b"),
        AccessOptions(listen="99999"),
        AccessOptions(listen=":"),
        AccessOptions(aet="far too long to be one"),
        AccessOptions(allow=("CT1=sha256:123",)),
    ],
)
def test_nonsense_is_refused(access: AccessOptions) -> None:
    """Before anything listens."""
    with pytest.raises(UsageError):
        settings(access)


@pytest.mark.parametrize("tls", [ServerTLSOptions(client_auth="none"), ServerTLSOptions(no_tls=True)])
def test_fingerprint_that_nobody_will_show_is_a_contradiction(tls: ServerTLSOptions) -> None:
    """A name alone is fine there; so is a fingerprint where certificates are optional."""
    pinned = AccessOptions(allow=("CT1", f"MR1=sha256:{'ab' * 32}"))
    with pytest.raises(UsageError, match="--allow with a fingerprint lets nobody in"):
        settings(pinned, tls)
    assert settings(AccessOptions(allow=("CT1",)), tls).access.allowed
    assert settings(pinned, ServerTLSOptions(ca=CA, client_auth="optional")).access.allowed


@pytest.mark.parametrize(("text", "status"), [("0xA700", 0xA700), ("c001", 0xC001), ("0", 0), ("0xFFFF", 0xFFFF)])
def test_status_is_read_as_hexadecimal(text: str, status: int) -> None:
    """As every standard and log writes it."""
    assert _status(text) == status


@pytest.mark.parametrize("text", ["", "-1", "0x10000", "refused"])
def test_status_that_is_none_is_refused(text: str) -> None:
    """With an example of one."""
    with pytest.raises(typer.BadParameter, match="is not a DIMSE status such as 0xA700"):
        _status(text)


def test_storage_has_the_layout_that_was_asked_for(tmp_path: Path) -> None:
    """The folder is made; the default layout is the library's."""
    usual = StorageOptions().storage(tmp_path / "a")
    flat = StorageOptions(layout="{SOPInstanceUID}.dcm", fsync=True).storage(tmp_path / "b")
    assert (usual.layout.template, usual.durable) == (DEFAULT_LAYOUT, False)
    assert (flat.layout.template, flat.durable) == ("{SOPInstanceUID}.dcm", True)
    assert (tmp_path / "b").is_dir()
    usual.close()
    flat.close()


def test_queries_are_answered_from_an_index_and_a_worklist(tmp_path: Path) -> None:
    """Where there are such; an index is in the folder, and made at once."""

    def offered(options: QueryOptions) -> set[str]:
        index = options.index(tmp_path, durable=False, on_event=lambda _event: None)
        try:
            return set().union(
                *(offer.sop_classes for offer in options.offers(index, Destinations(), lambda _event: None))
            )
        finally:
            if index is not None:
                index.close()

    worklist = FIND_SOP_CLASSES[Model.WORKLIST]
    assert offered(QueryOptions(no_index=True)) == set()
    assert list(tmp_path.iterdir()) == []
    archive = {*FIND_SOP_CLASSES.values(), *MOVE_SOP_CLASSES.values(), *GET_SOP_CLASSES.values(), COMMITMENT}
    assert offered(QueryOptions()) == archive - {worklist}
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    assert offered(QueryOptions(no_index=True, worklist=tmp_path)) == {worklist}
    assert offered(QueryOptions(reindex=True, worklist=tmp_path)) == archive


def test_worklist_must_be_a_folder(tmp_path: Path) -> None:
    """A file is none, nor is what is not there."""
    (tmp_path / "file").touch()
    for name in ("file", "gone"):
        with pytest.raises(UsageError, match="not a folder"):
            QueryOptions(worklist=tmp_path / name).check()
    QueryOptions(worklist=tmp_path).check()


@pytest.mark.parametrize("options", [QueryOptions(reindex=True), QueryOptions(move_destination=("A@h:1",))])
def test_no_index_goes_with_nothing_that_needs_one(options: QueryOptions) -> None:
    """One of the two was not meant."""
    options.check()
    with pytest.raises(UsageError, match="contradict"):
        replace(options, no_index=True).check()
