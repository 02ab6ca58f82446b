"""`dicomtls serve`: receive instances into a folder, and answer queries about them."""

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

from dicomtls.cli.command import command
from dicomtls.cli.options import OutputOptions, ServerTLSOptions
from dicomtls.cli.options.server import AccessOptions, FaultOptions, LogOptions, QueryOptions, StorageOptions
from dicomtls.cli.options.values import path_option
from dicomtls.cli.running import Report, run

_EXAMPLES = (
    "dicomtls serve --directory in --ca ca.pem --cert server.pem --key server.key",
    "dicomtls serve --directory in --client-auth none --listen 127.0.0.1:11112",
    "dicomtls serve --directory in --ca ca.pem --allow CT1 --allow MR1",
)


@command(examples=_EXAMPLES)
def serve(
    *,
    directory: Annotated[Path, path_option("--directory", help="folder for what is received; made if missing")],
    access: AccessOptions,
    storage: StorageOptions,
    queries: QueryOptions,
    faults: FaultOptions,
    tls: ServerTLSOptions,
    output: OutputOptions,
    logging: LogOptions,
) -> int:
    """Receive instances over TLS, keep each as a file, answer queries, and send what is asked for.

    It is an SCP of Verification, Storage, Query/Retrieve (C-FIND, C-GET, C-MOVE), worklists and storage commitment.
    """
    out = output.open("serve")

    def body(report: Report) -> None:
        from dicomtls.cli.serve_hook import StoredHook
        from dicomtls.cli.serve_log import Log
        from dicomtls.cli.serve_start import announced, certificate_source, check_ready_file, stopped_by_signals
        from dicomtls.scp.server import Server

        queries.check()
        tls_settings, settings = tls.settings(), access.settings(tls, faults, trace=out.trace is not None)
        check_ready_file(logging.ready_file)
        log = Log(out, as_json=logging.log_format == "json")
        tls.announce(out)
        certificates, identity = certificate_source(tls_settings, log)
        destinations = queries.destinations(tls_settings, identity, access)
        with ExitStack() as ending:
            hook = StoredHook(storage.on_stored, log) if storage.on_stored is not None else None
            if hook is not None:
                ending.callback(hook.close, access.grace)
            folder = ending.enter_context(closing(storage.storage(directory)))
            index = queries.index(directory, durable=storage.fsync, on_event=log)
            if index is not None:
                ending.callback(index.close)
            server = Server(
                settings,
                certificates,
                folder,
                on_event=log,
                on_stored=hook,
                tells_details=log.wants_details,
                index=index,
                offers=queries.offers(index, destinations, log),
            )
            with stopped_by_signals(server, certificates), announced(log, server, identity, logging.ready_file):
                server.run()
        report.is_told = True

    return run(out, body)
