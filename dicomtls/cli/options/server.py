"""The options of `serve`: whom it lets in, where it puts what it receives, what it does wrong on purpose."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dicomtls.cli.declaring import option
from dicomtls.cli.options.association import AssociationTimeout, DIMSETimeout, MaximumLength
from dicomtls.cli.options.values import path_option, seconds, seconds_or_zero, whole_number
from dicomtls.errors import UsageError
from dicomtls.peer import DEFAULT_PLAIN_PORT, DEFAULT_TLS_PORT, check_ae_title, parse_listening

if TYPE_CHECKING:
    from dicomtls.cli.options.server_tls import ServerTLSOptions
    from dicomtls.scp.access import AccessRules
    from dicomtls.scp.destinations import Destinations
    from dicomtls.scp.events import Listener
    from dicomtls.scp.identity import OwnIdentity
    from dicomtls.scp.index import Index
    from dicomtls.scp.offers import Offer
    from dicomtls.scp.services import Faults
    from dicomtls.scp.settings import ServerSettings
    from dicomtls.scp.sqlite_index import SQLiteIndex
    from dicomtls.scp.storage import FolderStorage
    from dicomtls.tls import TLSSettings

_ACCESS = "Access and limits"
_STORAGE = "Storage"
_QUERIES = "Queries"
_FAULTS = "To test senders with"
_OUTPUT = "Output"
_HIGHEST_STATUS = 0xFFFF


def _status(text: object) -> int:
    """Read a DIMSE status, `0xA700` or `A700`; raises `typer.BadParameter`."""
    try:
        value = int(str(text), 16)
    except ValueError:
        value = -1
    if not 0 <= value <= _HIGHEST_STATUS:
        msg = f"{str(text)!r} is not a DIMSE status such as 0xA700"
        raise typer.BadParameter(msg)
    return value


@dataclass(frozen=True, kw_only=True)
class AccessOptions:
    """Where `serve` listens, whom it lets in, and how many at once."""

    listen: Annotated[
        str | None,
        option(
            "--listen",
            metavar="[HOST:]PORT",
            panel=_ACCESS,
            help="where to listen; 0 is any free port (default: 2762; with --no-tls, 104)",
        ),
    ] = None
    aet: Annotated[str | None, option("--aet", metavar="AET", panel=_ACCESS, help="refuse other called AE titles")] = (
        None
    )
    allow: Annotated[
        tuple[str, ...],
        option(
            "--allow",
            metavar="AET[=sha256:HEX]",
            panel=_ACCESS,
            help="refuse other calling AE titles, or this one with another certificate; repeatable",
        ),
    ] = ()
    accept_unknown: Annotated[
        bool, option("--accept-unknown", panel=_ACCESS, help="accept SOP classes that we do not know")
    ] = False
    max_associations: Annotated[
        int,
        option(
            "--max-associations",
            metavar="N",
            panel=_ACCESS,
            parser=whole_number(1, 10_000),
            help="associations at once",
        ),
    ] = 200
    max_ops: Annotated[
        int,
        option(
            "--max-ops", metavar="N", panel=_ACCESS, parser=whole_number(1, 1000), help="operations under way on each"
        ),
    ] = 128
    grace: Annotated[
        float,
        option("--grace", metavar="S", panel=_ACCESS, parser=seconds_or_zero, help="seconds to finish in when stopped"),
    ] = 10.0
    connect_timeout: Annotated[
        float,
        option("--connect-timeout", metavar="S", panel="Association", parser=seconds, help="seconds for a handshake"),
    ] = 10.0
    association_timeout: AssociationTimeout = 30.0
    dimse_timeout: DIMSETimeout = 60.0
    max_pdu: MaximumLength = 131_072

    def settings(self, tls: "ServerTLSOptions", faults: "FaultOptions", *, trace: bool) -> "ServerSettings":
        """Return the settings; with `trace` there is an event for every PDU. Raises `UsageError`."""
        from dicomtls.scp.settings import ServerSettings

        default_port = DEFAULT_PLAIN_PORT if tls.no_tls else DEFAULT_TLS_PORT
        host, port = parse_listening(self.listen, default_port=default_port)
        return ServerSettings(
            host=host,
            port=port,
            access=self._rules(asks_for_certificates=not tls.no_tls and tls.client_auth != "none"),
            accept_unknown=self.accept_unknown,
            maximum_length=self.max_pdu,
            max_operations=self.max_ops,
            max_associations=self.max_associations,
            handshake_timeout=self.connect_timeout,
            association_timeout=self.association_timeout,
            idle_timeout=self.dimse_timeout,
            grace=self.grace,
            warn_days=tls.warn_days,
            trace=trace,
            faults=faults.faults(),
        )

    def _rules(self, *, asks_for_certificates: bool) -> "AccessRules":
        from dicomtls.scp.access import AccessRules, Allowed

        allowed = tuple(Allowed.parse(text) for text in self.allow)
        if not asks_for_certificates and any(one.fingerprint for one in allowed):
            msg = "--allow with a fingerprint lets nobody in where no client certificate is asked for"
            raise UsageError(msg, hints=("leave out =sha256:..., or ask for certificates with --client-auth and --ca",))
        return AccessRules(ae_title=check_ae_title(self.aet) if self.aet is not None else None, allowed=allowed)


@dataclass(frozen=True, kw_only=True)
class StorageOptions:
    """How instances are kept."""

    layout: Annotated[
        str | None,
        option(
            "--layout",
            metavar="TEMPLATE",
            panel=_STORAGE,
            help="path of each instance, such as {PatientID}/{SOPInstanceUID}.dcm "
            "(default: the UIDs of study, series, instance)",
        ),
    ] = None
    fsync: Annotated[
        bool, option("--fsync", panel=_STORAGE, help="answer only when the disk has it: survives a power failure")
    ] = False
    on_stored: Annotated[
        str | None,
        option(
            "--on-stored", metavar="COMMAND", panel=_STORAGE, help="run this for each new instance; {path} is its file"
        ),
    ] = None

    def storage(self, directory: Path) -> "FolderStorage":
        """Return the storage in a folder, which is made; raises `UsageError`, `MachineError`."""
        from dicomtls.scp.layout import DEFAULT_LAYOUT, Layout
        from dicomtls.scp.storage import FolderStorage

        return FolderStorage(directory, Layout(self.layout or DEFAULT_LAYOUT), durable=self.fsync)


@dataclass(frozen=True, kw_only=True)
class QueryOptions:
    """What `serve` answers queries from."""

    reindex: Annotated[
        bool, option("--reindex", panel=_QUERIES, help="build the index anew from the files in the folder")
    ] = False
    no_index: Annotated[
        bool, option("--no-index", panel=_QUERIES, help="keep no index, and answer no queries about instances")
    ] = False
    worklist: Annotated[
        Path | None, path_option("--worklist", panel=_QUERIES, help="answer worklist queries from the files there")
    ] = None

    move_destination: Annotated[
        tuple[str, ...],
        option(
            "--move-destination",
            metavar="AET@HOST:PORT",
            panel=_QUERIES,
            help="send there what is asked for, over TLS; plain:AET@HOST:PORT in clear; repeatable",
        ),
    ] = ()

    def check(self) -> None:
        """Raise `UsageError` for what cannot be meant: before a folder is made, or an index built for an hour."""
        if self.no_index and self.reindex:
            msg = "--no-index and --reindex contradict each other"
            raise UsageError(msg)
        if self.no_index and self.move_destination:
            msg = "--no-index and --move-destination contradict each other"
            raise UsageError(msg, hints=("without an index nothing is found that could be sent",))
        if self.worklist is not None and not self.worklist.is_dir():
            msg = f"the worklist is not a folder: {self.worklist}"
            raise UsageError(msg, hints=("--worklist takes a folder of DICOM files, one for each item",))

    def index(self, directory: Path, *, durable: bool, on_event: "Listener") -> "SQLiteIndex | None":
        """Return the index of a storage folder, ready, if there is to be one; raises `MachineError`."""
        if self.no_index:
            return None
        from dicomtls.scp.sqlite_index import SQLiteIndex

        return SQLiteIndex(directory, durable=durable, reindex=self.reindex, on_event=on_event)

    def destinations(
        self, tls: "TLSSettings | None", identity: "OwnIdentity | None", access: AccessOptions
    ) -> "Destinations":
        """Return where C-MOVE may send to, with the certificate that we show as a server; raises `UsageError`."""
        from dicomtls.scp.destinations import Destination, Destinations
        from dicomtls.scu import AssociationSettings

        if tls is not None and identity is not None:
            tls = replace(tls, cert=(identity.cert,), key=(identity.key,))
        settings = AssociationSettings(
            connect_timeout=access.connect_timeout,
            association_timeout=access.association_timeout,
            dimse_timeout=access.dimse_timeout,
            maximum_length=access.max_pdu,
        )
        return Destinations(map(Destination.parse, self.move_destination), tls, settings)

    def offers(self, index: "Index | None", destinations: "Destinations", on_event: "Listener") -> "list[Offer]":
        """Return what is served beside Verification and Storage."""
        from dicomtls.scp.querying import find_offer, retrieve_offers
        from dicomtls.scp.worklist import Worklist

        worklist = Worklist(self.worklist, on_event=on_event) if self.worklist is not None else None
        retrieving = retrieve_offers(index, destinations) if index is not None else []
        return [find_offer(index, worklist), *retrieving]


@dataclass(frozen=True, kw_only=True)
class FaultOptions:
    """What `serve` does wrong on purpose."""

    refuse: Annotated[bool, option("--refuse", panel=_FAULTS, help="reject every association")] = False
    status: Annotated[
        int | None,
        option("--status", metavar="0xNNNN", panel=_FAULTS, parser=_status, help="answer C-STORE so, and keep nothing"),
    ] = None
    delay: Annotated[
        float,
        option("--delay", metavar="S", panel=_FAULTS, parser=seconds_or_zero, help="seconds before each response"),
    ] = 0.0
    abort_after: Annotated[
        int | None,
        option("--abort-after", metavar="N", panel=_FAULTS, parser=whole_number(1), help="abort at the Nth instance"),
    ] = None

    def faults(self) -> "Faults":
        """Return what was asked for."""
        from dicomtls.scp.services import Faults

        return Faults(refuse=self.refuse, status=self.status, delay=self.delay, abort_after=self.abort_after)


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """How `serve` tells what happens."""

    log_format: Annotated[
        Literal["text", "json"],
        option("--log-format", metavar="FORMAT", panel=_OUTPUT, help="of the log on stderr: text or json"),
    ] = "text"
    ready_file: Annotated[
        Path | None,
        path_option("--ready-file", panel=_OUTPUT, help="write HOST:PORT there when listening; removed at the end"),
    ] = None
