"""Where the process begins and ends: `dicomtls …` and `python -m dicomtls …`."""

import gc
import io
import os
import sys

from dicomtls import __version__
from dicomtls.cli.output import Output, write_page
from dicomtls.errors import DicomTLSError, ExitStatus

_ALLOCATIONS_BETWEEN_COLLECTIONS = 50_000


def main() -> int:
    """Run the command line in `sys.argv`; returns the exit status."""
    _mend_streams()
    # Collecting garbage while modules are loaded finds none and takes a twentieth of a whole echo.
    gc.set_threshold(_ALLOCATIONS_BETWEEN_COLLECTIONS)
    try:
        return _run(sys.argv[1:])
    except DicomTLSError as error:
        from dicomtls.cli.running import refuse

        return refuse(Output(None), error)
    except KeyboardInterrupt:
        return ExitStatus.INTERRUPTED
    finally:
        # The interpreter looks through everything once more on its way out, which takes a seventh of a whole echo.
        gc.freeze()


def _run(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        write_page(f"dicomtls {__version__}\n")
        return ExitStatus.SUCCESS
    if instruction := os.environ.get("_DICOMTLS_COMPLETE"):
        from dicomtls.cli.completion import answer

        write_page(answer(instruction))
        return ExitStatus.SUCCESS
    from dicomtls.cli.app import main as run  # 40 ms, which neither of these needs

    return run(arguments)


def _mend_streams() -> None:
    """Make both streams writable whatever the locale, and there even when the caller closed them."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 -- for the process's life
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
