"""The rows of the table: what each compares, and what it must reach."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench import commands
from tests.bench.commands import no_delay_environment, plain_environment
from tests.bench.figures import Figure, Target, Unit, absolute, compare
from tests.bench.finding import finding
from tests.bench.lab import Batch, Lab, reported_seconds
from tests.bench.processes import BenchError, Finished, free_port, run, serving
from tests.support.targets import ANYWHERE, Mix, mixed_targets, silent_port

Measure = Callable[[], float]


@dataclass(frozen=True)
class Row:
    """One line of the table. The title names the sizes of `Sizes` in braces."""

    title: str
    measure: Callable[[Lab], Sequence[Figure]]


def in_turns(count: int, *sides: Measure, warm_up: bool = True) -> list[list[float]]:
    """Measure A B A B …, `count` times each, and return each side's figures; a first round does not count."""
    if warm_up:
        for side in sides:
            side()
    rounds = [_round(sides) for _ in range(count)]
    return [list(figures) for figures in zip(*rounds, strict=True)]


def _round(sides: Sequence[Measure]) -> list[float]:
    figures = [side() for side in sides]
    print("bench: ", *(f"{figure:8.3f}" for figure in figures), file=sys.stderr)
    return figures


def store_to_stock(lab: Lab) -> list[Figure]:
    """`store` and storescu to the same stock storescp."""
    batch = lab.batch("ct", lab.sizes.stock)
    with lab.storescp(plain_environment()) as scp:
        lab.send_with_store(batch, scp)
        ours, theirs = in_turns(
            1,
            lambda: lab.send_with_store(batch, scp).seconds,
            lambda: lab.send_with_storescu(batch, scp, plain_environment()).seconds,
            warm_up=False,
        )
    return [compare(ours, theirs, Target(14, 20, Unit.TIMES_FASTER), megabytes=batch.megabytes)]


def store_to_tuned(lab: Lab) -> list[Figure]:
    """`store` and storescu to the same storescp without Nagle's algorithm."""
    batch = lab.batch("ct", lab.sizes.ct)
    with lab.storescp(no_delay_environment()) as scp:
        ours, theirs = in_turns(
            lab.sizes.pairs,
            lambda: lab.send_with_store(batch, scp).seconds,
            lambda: lab.send_with_storescu(batch, scp, no_delay_environment()).seconds,
        )
    return [compare(ours, theirs, Target(1.3, 2, Unit.TIMES_FASTER), megabytes=batch.megabytes)]


def serve_from_tuned(lab: Lab) -> list[Figure]:
    """The same storescu without Nagle's algorithm to `serve` and to storescp."""
    batch = lab.batch("ct", lab.sizes.ct)
    environment = no_delay_environment()
    with lab.serve() as our_scp, lab.storescp(environment) as their_scp:
        ours, theirs = in_turns(
            lab.sizes.pairs,
            lambda: lab.send_with_storescu(batch, our_scp, environment).seconds,
            lambda: lab.send_with_storescu(batch, their_scp, environment).seconds,
        )
    return [compare(ours, theirs, Target(0.85, 1.1, Unit.PART_OF_SPEED), megabytes=batch.megabytes)]


def serve_from_stock(lab: Lab) -> list[Figure]:
    """The same stock storescu to `serve` and to a stock storescp."""
    batch = lab.batch("ct", lab.sizes.stock)
    environment = plain_environment()
    with lab.serve() as our_scp, lab.storescp(environment) as their_scp:
        lab.send_with_storescu(batch, our_scp, environment)
        ours, theirs = in_turns(
            1,
            lambda: lab.send_with_storescu(batch, our_scp, environment).seconds,
            lambda: lab.send_with_storescu(batch, their_scp, environment).seconds,
            warm_up=False,
        )
    return [compare(ours, theirs, Target(15, 22, Unit.TIMES_FASTER), megabytes=batch.megabytes)]


def store_to_serve(lab: Lab) -> list[Figure]:
    """`store` to `serve` over one association, and the same bytes through bare `ssl` sockets."""
    batch = lab.batch("ct", lab.sizes.ct)
    with lab.serve() as scp, serving(commands.bare_receive(lab.pki, batch.size), plain_environment()) as bare:
        ours, theirs = in_turns(
            lab.sizes.pairs,
            lambda: reported_seconds(lab.send_with_store(batch, scp, "--json")),
            lambda: _bare_seconds(lab, bare.port, batch),
        )
    return [compare(ours, theirs, Target(0.45, 0.7, Unit.PART_OF_SPEED), megabytes=batch.megabytes)]


def _bare_seconds(lab: Lab, port: int, batch: Batch) -> float:
    return float(run(commands.bare_send(lab.pki, port, batch.size), plain_environment()).stdout)


def small_instances(lab: Lab) -> list[Figure]:
    """Small instances, `store` to `serve`, and DCMTK to DCMTK without Nagle's algorithm."""
    batch = lab.batch("small", lab.sizes.small)
    environment = no_delay_environment()
    with lab.serve() as our_scp, lab.storescp(environment) as their_scp:
        ours, theirs = in_turns(
            lab.sizes.pairs,
            lambda: lab.send_with_store(batch, our_scp).seconds,
            lambda: lab.send_with_storescu(batch, their_scp, environment).seconds,
        )
    return [compare(ours, theirs, Target(2, 4, Unit.TIMES_FASTER), megabytes=batch.megabytes)]


def indexed(lab: Lab, kind: str, count: int) -> list[Figure]:
    """`store` to `serve`, and to one that keeps no index."""
    batch = lab.batch(kind, count)
    with lab.serve() as with_index, lab.serve("--no-index") as without:
        ours, theirs = in_turns(
            lab.sizes.pairs,
            lambda: reported_seconds(lab.send_with_store(batch, with_index, "--json")),
            lambda: reported_seconds(lab.send_with_store(batch, without, "--json")),
        )
    return [compare(ours, theirs, Target(0.9, 0.97, Unit.PART_OF_SPEED), megabytes=batch.megabytes)]


def got(lab: Lab, kind: str, count: int) -> list[Figure]:
    """`get` from `serve`, and `store` of the same to another."""
    batch = lab.batch(kind, count)
    with lab.serve() as archive, lab.serve("--no-index") as other:
        lab.fill(batch, archive)
        ours, theirs = in_turns(
            lab.sizes.pairs,
            lambda: reported_seconds(lab.get(batch, archive)),
            lambda: reported_seconds(lab.send_with_store(batch, other, "--json")),
        )
    return [compare(ours, theirs, Target(0.6, 0.9, Unit.PART_OF_SPEED), megabytes=batch.megabytes)]


def moved(lab: Lab, kind: str, count: int) -> list[Figure]:
    """`move` from `serve` to another, and `store` of the same to that; whole processes."""
    batch = lab.batch(kind, count)
    with lab.serve("--no-index") as there:
        known = f"THERE@{commands.HOST}:{there.server.port}"
        with lab.serve("--move-destination", known) as archive:
            lab.fill(batch, archive)
            ours, theirs = in_turns(
                lab.sizes.pairs,
                lambda: lab.move(batch, archive, there).seconds,
                lambda: lab.send_with_store(batch, there).seconds,
            )
    return [compare(ours, theirs, Target(0.6, 0.9, Unit.PART_OF_SPEED), megabytes=batch.megabytes)]


def memory(lab: Lab) -> list[Figure]:
    """Peak memory of `store` and of `serve` with one large instance."""
    target = Target(80, 60, Unit.MEGABYTES)
    with lab.large_batch() as batch, lab.serve() as scp:
        finished = lab.send_with_store(batch, scp)
        peaks = (finished.peak_bytes, scp.server.peak_bytes())
    return [absolute(peak / 1e6, target) for peak in peaks]


def echo(lab: Lab) -> list[Figure]:
    """`echo` to a stock storescp: CPU against pynetdicom, wall clock against echoscu."""
    environment = plain_environment()
    with lab.storescp(environment) as scp:
        our_command, *their_commands = (
            build(lab.pki, scp.server.port) for build in (commands.echo, commands.pynetdicom_echo, commands.echoscu)
        )
        our_cpu, pynetdicom_cpu = in_turns(
            lab.sizes.starts,
            lambda: run(our_command, environment).cpu_seconds,
            lambda: run(their_commands[0], environment).cpu_seconds,
        )
        our_wall, echoscu_wall = in_turns(
            lab.sizes.starts,
            lambda: run(our_command, environment).seconds,
            lambda: run(their_commands[1], environment).seconds,
        )
    return [
        compare(our_cpu, pynetdicom_cpu, Target(0.5, 0.45, Unit.PART_OF_COST)),
        compare(our_wall, echoscu_wall, Target(0.9, 0.7, Unit.PART_OF_COST)),
    ]


def probe(lab: Lab) -> list[Figure]:
    """`handshake-probe` of one working peer, and of many of which some refuse and some are silent."""
    environment = plain_environment()
    with lab.storescp(environment) as scp:
        command = commands.probe(lab.pki, f"{commands.HOST}:{scp.server.port}")
        (one,) = in_turns(lab.sizes.starts, lambda: run(command, environment).seconds)
    many = _probe_many(lab, environment)
    return [
        absolute(statistics.median(one), Target(0.25, 0.15, Unit.SECONDS)),
        absolute(many.seconds, Target(15, 8, Unit.SECONDS)),
        absolute(many.peak_bytes / 1e6, Target(200, 120, Unit.MEGABYTES)),
    ]


def _probe_many(lab: Lab, environment: dict[str, str]) -> Finished:
    tenth = lab.sizes.targets // 10
    with lab.serve(host=ANYWHERE) as scp, silent_port(2 * tenth) as silent:
        ports = {"good_port": scp.server.port, "refusing_port": free_port(), "silent_port": silent}
        targets = lab.root / "targets"
        targets.write_text("\n".join(mixed_targets(Mix(8 * tenth, tenth, tenth), **ports)))
        options = ("--jobs", "128", "--connect-timeout", "2", "--server-name", "localhost", "--json")
        finished = run(commands.probe(lab.pki, "--targets", str(targets), *options), environment, status=4)
    works = sum(json.loads(line)["ok"] for line in finished.stdout.splitlines())
    if works != 8 * tenth:
        message = f"{works} of {8 * tenth} working peers were found to work"
        raise BenchError(message)
    return finished


def start(lab: Lab) -> list[Figure]:
    """How long `--help` and `--version` take, and the answer to a shell's TAB behind `find -k`."""
    environment = plain_environment()
    tab = {"_DICOMTLS_COMPLETE": "complete_bash", "_DICOMTLS_COMPLETE_LINE": "dicomtls find pacs -k Patient"}
    help_seconds, version_seconds, tab_seconds = in_turns(
        lab.sizes.starts,
        lambda: run(commands.dicomtls("--help"), environment).seconds,
        lambda: run(commands.dicomtls("--version"), environment).seconds,
        lambda: run(commands.dicomtls(), environment | tab).seconds,
    )
    return [
        absolute(statistics.median(help_seconds), Target(0.3, 0.15, Unit.SECONDS)),
        absolute(statistics.median(version_seconds), Target(0.15, 0.08, Unit.SECONDS)),
        absolute(statistics.median(tab_seconds), Target(0.15, 0.08, Unit.SECONDS)),
    ]


ROWS = {
    "store-stock": Row(
        "`store` {stock:,} CT to a stock DCMTK storescp, against DCMTK's own storescu to the same", store_to_stock
    ),
    "store-tuned": Row(
        "`store` {ct:,} CT to storescp, against storescu to storescp, TCP_NODELAY=1 at both DCMTK ends", store_to_tuned
    ),
    "serve-tuned": Row(
        "storescu (TCP_NODELAY=1) {ct:,} CT to `serve`, against the same to storescp (TCP_NODELAY=1)", serve_from_tuned
    ),
    "serve-stock": Row("stock storescu {stock:,} CT to `serve`, against the same to stock storescp", serve_from_stock),
    "store-serve": Row(
        "`store` {ct:,} CT to `serve`, one association, seconds that `store` reports, against bare `ssl` sockets",
        store_to_serve,
    ),
    "small": Row(
        "{small:,} instances of 12 KB, `store` to `serve`, against DCMTK to DCMTK with TCP_NODELAY=1", small_instances
    ),
    "index-ct": Row(
        "`store` {ct:,} CT to `serve`, against the same to `serve --no-index`",
        lambda lab: indexed(lab, "ct", lab.sizes.ct),
    ),
    "index-small": Row(
        "{small:,} instances of 12 KB to `serve`, against the same to `serve --no-index`",
        lambda lab: indexed(lab, "small", lab.sizes.small),
    ),
    "find": Row(
        "`serve` with {studies:,} studies of 10 instances: first match of a name with wildcards; all to findscu,"
        " whole process; peak memory",
        finding,
    ),
    "get-ct": Row(
        "`get` {ct:,} CT from `serve`, against `store` of the same to `serve --no-index`",
        lambda lab: got(lab, "ct", lab.sizes.ct),
    ),
    "get-small": Row(
        "`get` {small:,} instances of 12 KB from `serve`, against `store` of the same",
        lambda lab: got(lab, "small", lab.sizes.small),
    ),
    "move-ct": Row(
        "`move` {ct:,} CT from `serve` to another, against `store` of the same to that",
        lambda lab: moved(lab, "ct", lab.sizes.ct),
    ),
    "move-small": Row(
        "`move` {small:,} instances of 12 KB from `serve` to another, against `store` of the same",
        lambda lab: moved(lab, "small", lab.sizes.small),
    ),
    "memory": Row("{large_size} instance: peak memory of `store`; of `serve`", memory),
    "echo": Row("`echo` to a stock storescp: CPU against pynetdicom; wall clock against echoscu", echo),
    "probe": Row(
        "`handshake-probe` of a stock storescp; of {targets:,} peers, a tenth of which refuse and a tenth keep silent"
        " for 2 s; memory",
        probe,
    ),
    "start": Row("`dicomtls --help`; `--version`; a TAB", start),
}
