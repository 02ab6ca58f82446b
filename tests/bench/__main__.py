"""Measure, and print the table of the README: `python -m tests.bench [--quick] [--only NAME...]`.

Exit status 0 when every row reached what it must, 1 when one did not or could not be measured. With `--quick`
the sizes are too small to judge by, so only a row that could not be measured makes it 1.
"""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import shutil
import signal
import ssl
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import dicomtls
from tests.bench.figures import TABLE_HEAD, Verdict, render_error, render_row
from tests.bench.lab import FULL, QUICK, Lab, Sizes, open_lab
from tests.bench.processes import BenchError
from tests.bench.rows import ROWS


def header(sizes: Sizes, directory: Path) -> str:
    """Return where and with what the figures came about."""
    dcmtk = _output("storescp", "--version").split()[2].removeprefix("v")
    file_system = _output("stat", "--file-system", "--format=%T", str(directory)).strip()
    parts = (
        f"dicomtls {dicomtls.__version__}",
        f"Python {platform.python_version()}",
        ssl.OPENSSL_VERSION,
        f"DCMTK {dcmtk}",
        f"pynetdicom {version('pynetdicom')}",
        f"{len(os.sched_getaffinity(0))} CPUs",
        f"{datetime.now(UTC):%Y-%m-%d}",
    )
    pairs = f"Medians of {sizes.pairs} pairs (one pair with stock DCMTK, {sizes.starts} of commands that only start)."
    reduced = " **Reduced sizes (`--quick`): not to be judged by.**" if sizes is QUICK else ""
    return f"{' · '.join(parts)}. Mutual TLS 1.3, loopback, all files on {file_system}. {pairs}{reduced}\n"


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def measure(lab: Lab, name: str) -> bool:
    """Measure one row and print it; return whether it reached what it must (with `--quick`, whether it ran)."""
    row, started = ROWS[name], time.monotonic()
    print(f"bench: {name}", file=sys.stderr)
    title = row.title.format(**asdict(lab.sizes))
    try:
        figures = row.measure(lab)
    except BenchError as error:
        print(render_error(title, str(error)), flush=True)
        return False
    print(render_row(title, figures), flush=True)
    print(f"bench: {name} took {time.monotonic() - started:.0f} s", file=sys.stderr)
    return lab.sizes is QUICK or all(figure.verdict is not Verdict.MISSED for figure in figures)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="The benchmarks of dicomtls.")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, under a minute in all")
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), metavar="NAME", help=", ".join(ROWS))
    parser.add_argument("--directory", type=Path, default=Path("/dev/shm"), help="folder on tmpfs (default /dev/shm)")
    return parser.parse_args()


def _require(directory: Path, space: int) -> None:
    missing = [name for name in ("storescp", "storescu", "echoscu", "openssl") if shutil.which(name) is None]
    if missing:
        sys.exit(f"bench: error: not found: {', '.join(missing)}; on Debian: apt-get install dcmtk openssl")
    free = shutil.disk_usage(directory).free
    if free < space:
        sys.exit(f"bench: error: {directory} has {free >> 20} MiB free of {space >> 20} needed; see --directory")


def _leave(signal_number: int, _frame: object) -> None:
    sys.exit(128 + signal_number)


def main() -> None:
    """Measure what the command line asks for."""
    arguments = _arguments()
    sizes = QUICK if arguments.quick else FULL
    _require(arguments.directory, sizes.space)
    # As pip does for what it installs, and pynetdicom has it too.
    compileall.compile_dir(Path(dicomtls.__file__).parent, quiet=1)
    for signal_number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signal_number, _leave)
    try:
        with open_lab(arguments.directory, sizes) as lab:
            print(header(sizes, arguments.directory), TABLE_HEAD, sep="\n", flush=True)
            reached = [measure(lab, name) for name in arguments.only]
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0 if all(reached) else 1)


if __name__ == "__main__":
    main()
