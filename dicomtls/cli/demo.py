"""`dicomtls demo`: the whole of it at work on this machine, by the commands that a user would type."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from dicomtls.cli.command import command
from dicomtls.cli.demo_stage import Playground, ended_by_signals
from dicomtls.cli.options import OutputOptions
from dicomtls.cli.options.values import path_option
from dicomtls.cli.running import Report, run
from dicomtls.cli.text import Line, Style, Styled
from dicomtls.errors import ExitStatus, RemoteProtocolError, UsageError

_EXAMPLES = ("dicomtls demo", "dicomtls demo --keep demo")
_INSTANCES = 20
_TRUST = ("--ca", "pki/ca.pem")
_SERVER = (*_TRUST, "--cert", "pki/server.pem", "--key", "pki/server.key")
_CLIENT = (*_TRUST, "--cert", "pki/client.pem", "--key", "pki/client.key")


@command(examples=_EXAMPLES)
def demo(
    *,
    output: OutputOptions,
    keep: Annotated[
        Path | None, path_option("--keep", help="leave everything in this folder, which must be new")
    ] = None,
) -> int:
    """Make a throw-away PKI, start a server with it, and send it instances over mutual TLS."""
    out = output.open("demo")

    def body(report: Report) -> None:
        report.values.update(folder=None if keep is None else str(keep), steps=[])
        with ended_by_signals(), _folder(keep) as folder, Playground(folder, out) as playground:
            report.values["steps"] = playground.steps
            out.line(f"Two systems on this machine, and DICOM over mutual TLS between them; in {folder}")
            _play(playground, folder)
        report.lines += _last_words(keep)

    return run(out, body)


def _play(playground: Playground, folder: Path) -> None:
    playground.run(
        "1. A certificate authority, and an identity for each side",
        *("certgen", "pki", "pki", "--name", "Demo", "--host", "localhost", "--key-type", "ec:p256", "--quiet"),
    )
    playground.say("pki/ca.pem is what both sides trust; server.pem and client.pem say who they are, by their keys")
    address = playground.serve(
        "2. A server that lets in only those who show a certificate of that authority",
        *("--listen", "127.0.0.1:0", "--directory", "received", *_SERVER),
    )
    peer = f"localhost:{address.rpartition(':')[2]}"
    playground.run("3. Does it answer (C-ECHO), and over what kind of TLS?", "echo", peer, *_CLIENT)
    playground.say("verified: the server's certificate leads to pki/ca.pem, and it is for the name localhost")
    playground.run("4. The whole road there, stage by stage", "handshake-probe", peer, *_CLIENT)
    playground.say("required: it came once more without our certificate, to see whether the server insists")
    _send(playground, folder, peer)
    _bring_back(playground, folder, peer)
    _be_refused(playground, peer)
    playground.run(
        "10. The server's certificate as it shows it, and what is to be said of it",
        *("inspect-cert", peer, *_TRUST, "--purpose", "server"),
    )
    playground.say("an error there is what a handshake would fail with; files are looked at in the same way")
    playground.stop_server()
    playground.show_server_log("11. What the server wrote about it, a line for each event")


def _send(playground: Playground, folder: Path, peer: str) -> None:
    from dicomtls.cli.demo_instances import make_instances

    make_instances(folder / "instances", _INSTANCES)
    playground.run(
        f"5. {_INSTANCES} images, made just now, to the server (C-STORE)", "store", peer, "instances", *_CLIENT
    )
    _compare(folder, "received")
    playground.say(f"all {_INSTANCES} are in the folder received, every dataset the same byte for byte")


def _bring_back(playground: Playground, folder: Path, peer: str) -> None:
    playground.run(
        "6. What the server has now (C-FIND)",
        "find",
        peer,
        *("--level", "patient", "-k", "PatientID=", "-k", "PatientName="),
        *_CLIENT,
    )
    playground.say("it keeps an index beside the files, and has every instance in it that it has answered for")
    playground.run(
        "7. All of it back again, over one association of ours (C-GET)",
        *("get", peer, "-k", "PatientID=DEMO1", "--level", "patient", "--output", "fetched", *_CLIENT),
    )
    _compare(folder, "fetched")
    playground.say("the same datasets once more; move has an archive send them to another system")


def _be_refused(playground: Playground, peer: str) -> None:
    playground.run(
        "8. The same without our certificate: the server refuses us", "echo", peer, *_TRUST, status=ExitStatus.TLS
    )
    playground.say("every failure says who refused, why, and what to do; scripts get exit status 4: TLS")
    playground.run(
        "9. And without the authority: we refuse the server, before anything is sent",
        "echo",
        peer,
        status=ExitStatus.TLS,
    )
    playground.say("without --ca the system's authorities count, and none of them knows this server")


def _compare(folder: Path, arrived: str) -> None:
    """Every dataset that arrived must be what was sent, byte for byte; raises `RemoteProtocolError`."""
    sent, received = _datasets(folder / "instances"), _datasets(folder / arrived)
    changed = [uid for uid, dataset in sent.items() if received.get(uid) != dataset]
    if changed:
        msg = f"the instance {changed[0]} did not arrive as it was sent"
        raise RemoteProtocolError(msg)


def _datasets(folder: Path) -> dict[str, bytes]:
    from dicomtls.scu.instances import find_instances

    found = find_instances([str(folder)]).instances
    return {one.sop_instance_uid: Path(one.path).read_bytes()[one.offset :] for one in found}


def _last_words(keep: Path | None) -> Iterator[Line]:
    yield ""
    yield (Styled("All of it worked.", Style.GOOD),)
    if keep is None:
        yield "Everything is removed again; 'dicomtls demo --keep DIR' leaves it there to try things with."
        yield "For two real systems begin with: dicomtls certgen pki pki --name YOURS --host SERVER"
    else:
        yield f"Everything is in {keep}: go there, and start the server again with"
        yield f"  $ dicomtls serve --listen 127.0.0.1:11112 --directory received {' '.join(_SERVER)}"


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """The folder to work in, taken away at the end unless the user wants to keep it."""
    if keep is None:
        folder = Path(tempfile.mkdtemp(prefix="dicomtls-demo-"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return
    if keep.is_dir() and not any(keep.iterdir()):
        yield keep
        return
    if keep.exists():
        msg = f"{keep} is there already"
        raise UsageError(msg, hints=("name a folder that is not there yet, or an empty one",))
    keep.mkdir(parents=True)
    yield keep
