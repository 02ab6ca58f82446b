"""Receiving while a command lasts: a server under our AE title, with our certificate or one made for it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from dicomtls.scp.access import AccessRules
from dicomtls.scp.server import Server
from dicomtls.scp.settings import ServerSettings

if TYPE_CHECKING:
    from dicomtls.cli.output import Output
    from dicomtls.scp.certificates import CertificateSource
    from dicomtls.scu import AssociationSettings
    from dicomtls.tls import TLSSettings

_GRACE_SECONDS: Final = 5.0

MakeServer: TypeAlias = "Callable[[ServerSettings, CertificateSource | None], Server]"


@contextmanager
def receiving(
    output: "Output",
    make: MakeServer,
    ae_title: str,
    address: tuple[str, int],
    client_auth: str,
    *,
    tls: "TLSSettings | None",
    association: "AssociationSettings",
    max_associations: int = 200,
) -> Iterator[Server]:
    """Run the server that `make` makes for as long as the block lasts, and a moment longer.

    `tls` are the settings of the client that the command is, None in clear. Raises `MachineError`, `CredentialError`,
    `UsageError`.
    """
    certificates, pin = _certificates(output, client_auth, tls)
    settings = ServerSettings(
        host=address[0],
        port=address[1],
        access=AccessRules(ae_title=ae_title),
        maximum_length=association.maximum_length,
        association_timeout=association.association_timeout,
        idle_timeout=association.dimse_timeout,
        max_associations=max_associations,
        grace=_GRACE_SECONDS,
        trace=output.trace is not None,
    )
    server = make(settings, certificates)
    _announce(output, server, ae_title, pin, in_clear=tls is None)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def _announce(output: "Output", server: Server, ae_title: str, pin: str | None, *, in_clear: bool) -> None:
    how = "in clear" if in_clear else "over TLS"
    output.notice(f"receiving {how} on port {server.port}: the archive must know {ae_title} as this host and that port")
    if pin is not None:
        output.notice(f"with a self-signed certificate of our own, sha256:{pin}: give --cert for another")


def _check_purpose(output: "Output", tls: "TLSSettings") -> None:
    """Warn where our certificate is a client's only: archives that verify it refuse it."""
    from dicomtls.certificates.fields import permits_server
    from dicomtls.certificates.load import load_certificates

    for path in tls.cert:
        if not permits_server(load_certificates(path, tls.passphrase)[0]):
            output.warning(
                f"{path} is not made for a server, and the archive comes to our receiver as a client: it may refuse it"
                " ('dicomtls certgen issue --purpose both' makes one for both)"
            )


def _certificates(
    output: "Output", client_auth: str, tls: "TLSSettings | None"
) -> "tuple[CertificateSource | None, str | None]":
    """What the receiver shows, and the fingerprint of that where nobody gave it."""
    if tls is None:
        return None, None
    from dicomtls.scp.certificates import CertificateSource
    from dicomtls.tls import ClientAuth

    pin = None
    if not tls.cert:
        from dicomtls.cli.folders import data_folder
        from dicomtls.scp.identity import own_identity

        identity = own_identity(data_folder())
        tls, pin = replace(tls, cert=(identity.cert,), key=(identity.key,)), identity.fingerprint_sha256
    else:
        _check_purpose(output, tls)
    # What was said about the archive's server certificate is the client's.
    served = replace(tls, client_auth=ClientAuth(client_auth), insecure=False, pins=())
    return CertificateSource(served), pin
