"""The options that commands share, each declared once; a command receives them as one value per group.

The names, meanings and defaults are an interface that scripts rely on. A group is imported when a command first
names it: making its class takes a millisecond, which the commands without it are spared.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dicomtls.cli.options.association import AssociationOptions
    from dicomtls.cli.options.certgen import AuthorityOptions, NamesOptions, NewKeyOptions, WritingOptions
    from dicomtls.cli.options.output import OutputOptions
    from dicomtls.cli.options.passphrase import NewPassphraseOptions
    from dicomtls.cli.options.probe import ProbeOutputOptions, ProbingOptions
    from dicomtls.cli.options.server_tls import ServerTLSOptions
    from dicomtls.cli.options.tls import TLSOptions

__all__ = [
    "AssociationOptions",
    "AuthorityOptions",
    "NamesOptions",
    "NewKeyOptions",
    "NewPassphraseOptions",
    "OutputOptions",
    "ProbeOutputOptions",
    "ProbingOptions",
    "ServerTLSOptions",
    "TLSOptions",
    "WritingOptions",
]

_HOMES = {
    "AssociationOptions": "association",
    "AuthorityOptions": "certgen",
    "NamesOptions": "certgen",
    "NewKeyOptions": "certgen",
    "NewPassphraseOptions": "passphrase",
    "OutputOptions": "output",
    "ProbeOutputOptions": "probe",
    "ProbingOptions": "probe",
    "ServerTLSOptions": "server_tls",
    "TLSOptions": "tls",
    "WritingOptions": "certgen",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
