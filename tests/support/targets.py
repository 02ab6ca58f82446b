"""Many targets on one machine: every address of 127.0.0.0/8 is its own, so one server stands for all that answer."""

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

ANYWHERE = "0.0.0.0"  # noqa: S104 -- all addresses of 127.0.0.0/8, for as long as a test lasts
_PER_NETWORK = 250


class Mix(NamedTuple):
    """How many of the targets answer, refuse connections, or take them and keep silent."""

    good: int
    refusing: int
    silent: int


THOUSAND = Mix(800, 100, 100)


@contextmanager
def silent_port(backlog: int) -> Iterator[int]:
    """A port at which so many connections come about, and nobody ever says a word."""
    with socket.create_server((ANYWHERE, 0), backlog=backlog) as listener:
        yield listener.getsockname()[1]


def mixed_targets(mix: Mix, *, good_port: int, refusing_port: int, silent_port: int) -> list[str]:
    """Targets of each kind, no two at the same address, in an order that says nothing about them."""
    kinds = [good_port] * mix.good + [refusing_port] * mix.refusing + [silent_port] * mix.silent
    targets = [
        f"127.{1 + number // _PER_NETWORK}.{1 + number % _PER_NETWORK}.1:{port}" for number, port in enumerate(kinds)
    ]
    random.Random(0).shuffle(targets)
    return targets
