"""`dicomtls peers add`: a peer gets a name in the configuration."""

from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from dicomtls.cli.command import command
from dicomtls.cli.declaring import option
from dicomtls.cli.options import OutputOptions
from dicomtls.cli.peers_file import ConfigurationOptions
from dicomtls.cli.running import Report, run
from dicomtls.config import PATHS
from dicomtls.errors import UsageError

_EXAMPLES = (
    "dicomtls peers add pacs PACS@pacs.example --set ca=/etc/hospital-ca.pem",
    "dicomtls peers add ct1 192.0.2.7:11112 --set tls-max=1.2 --set no-sni=true",
)


@command(examples=_EXAMPLES)
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="what to call it")],
    peer: Annotated[str, typer.Argument(metavar="PEER", help="[AET@]HOST[:PORT]")],
    *,
    settings: Annotated[
        tuple[str, ...],
        option("--set", metavar="KEY=VALUE", help="an option that holds for it, without its dashes; repeatable"),
    ] = (),
    output: OutputOptions,
    configuration: ConfigurationOptions,
) -> int:
    """Write a peer into the configuration: dicomtls.toml where there is one, else the user's own, which is made."""
    out = output.open("peers")

    def body(report: Report) -> None:
        from dicomtls.files import write_files
        from dicomtls.peer import Peer

        target = Peer.parse(peer, default_port=0)
        path = configuration.file_to_write()
        section = [f"[peers.{_key(name)}]", f"host = {dumps(target.host)}"]
        section += [f"port = {target.port}"] if target.port else []
        section += [f"aet = {dumps(target.called_ae_title)}"] if "@" in peer else []
        section += [_setting(text, path) for text in settings]
        before = _before(path, name)
        content = f"{before}{_gap(before)}{chr(10).join(section)}\n"
        _check(path, content)
        write_files({path: content.encode()}, replaced=(path,))
        report.values.update(subcommand="add", file=str(path), name=name)
        report.lines += [f"wrote {name} into {path}", f"next: dicomtls handshake-probe {name}"]

    return run(out, body)


def _key(name: str) -> str:
    """A key of TOML: bare where it may be."""
    return name if name.isascii() and name.replace("-", "").replace("_", "").isalnum() else dumps(name)


def _setting(text: str, path: Path) -> str:
    """The line for `--set`; a file is the one that the working folder has, wherever the configuration is."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        msg = f"not KEY=VALUE: {text!r}"
        raise UsageError(msg, hints=("a key is an option without its dashes: --set profile=bcp195-modified",))
    if key in PATHS and value and not value.startswith("~") and path.absolute().parent != Path.cwd():
        value = str(Path(value).absolute())
    return f"{_key(key)} = {value if value in ('true', 'false') else dumps(value)}"


def _before(path: Path, name: str) -> str:
    """What the file has so far; raises `UsageError` where it has mistakes, or that peer already."""
    from dicomtls.cli.configuring import known_keys
    from dicomtls.config import load

    if not path.exists():
        return ""
    if name in load(path, known_keys()).peers:
        msg = f"{path} has a peer called {name} already"
        raise UsageError(msg, hints=("change its section there, or choose another name",))
    return path.read_text(encoding="utf-8")


def _gap(before: str) -> str:
    return "" if not before else "\n" if before.endswith("\n") else "\n\n"


def _check(path: Path, content: str) -> None:
    """Read what is to be written before it is: a mistake in it must not spoil the file."""
    from dicomtls.cli.configuring import known_keys
    from dicomtls.config import parse

    parse(path, content.encode(), known_keys())
