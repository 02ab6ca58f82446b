"""`dicomtls peers list`: who can be called by name, and who is remembered."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from dicomtls.cli.command import command
from dicomtls.cli.options import OutputOptions
from dicomtls.cli.peers_file import ConfigurationOptions
from dicomtls.cli.running import Report, run
from dicomtls.cli.text import Line, Style, Styled

if TYPE_CHECKING:
    from dicomtls.config import Configuration
    from dicomtls.remembered import Remembered

_EXAMPLES = ("dicomtls peers list", "dicomtls peers list --json")


@command(examples=_EXAMPLES)
def list(*, output: OutputOptions, configuration: ConfigurationOptions) -> int:  # noqa: A001 -- the command's name
    """Show the peers of the configuration with what holds for each, and those that were trusted on first use."""
    out = output.open("peers")

    def body(report: Report) -> None:
        from dicomtls.cli.folders import data_folder
        from dicomtls.remembered import RememberedPeers

        found, known = configuration.read(), RememberedPeers(data_folder())
        remembered = known.all()
        report.values.update(
            subcommand="list",
            file=str(found.path) if found.path else None,
            peers=[_document(found, name) for name in found.peers],
            remembered=[
                {"address": one.address, "pin": one.pin, "since": one.since, "subject": one.subject}
                for one in remembered
            ],
        )
        report.lines += [*_peer_lines(found), *_remembered_lines(remembered, str(known.path))]

    return run(out, body)


def _document(configuration: "Configuration", name: str) -> dict[str, object]:
    peer = configuration.peers[name]
    return {
        "name": name,
        "host": peer.host,
        "port": peer.port,
        "aet": peer.ae_title,
        "settings": {**configuration.settings_for(name)},
    }


def _peer_lines(configuration: "Configuration") -> Iterator[Line]:
    if configuration.path is None:
        yield "no configuration: dicomtls peers add makes one"
        return
    yield f"{configuration.path}: {len(configuration.peers)} peer{'' if len(configuration.peers) == 1 else 's'}"
    width = max(map(len, configuration.peers), default=0)
    for name, peer in configuration.peers.items():
        yield (Styled(name.ljust(width), Style.STRONG), f"  {peer.address()}")
        for setting in _settings(configuration.settings_for(name)):
            yield f"{' ' * width}    {setting}"


def _settings(settings: Mapping[str, object]) -> Iterator[str]:
    for key, value in sorted(settings.items()):
        if isinstance(value, bool):
            yield f"{key} = {str(value).lower()}"
        else:
            yield f"{key} = {value if isinstance(value, str) else ', '.join(map(str, _items(value)))}"


def _items(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) else [value]


def _remembered_lines(remembered: "Sequence[Remembered]", path: str) -> Iterator[Line]:
    if not remembered:
        return
    yield f"{path}: {len(remembered)} trusted on first use"
    for one in remembered:
        yield f"  {one.address}  {one.pin}  since {one.since}  {one.subject}"
