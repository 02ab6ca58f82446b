"""`dicomtls echo`: does the peer answer, and over what kind of TLS?"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from dicomtls.cli.command import command
from dicomtls.cli.declaring import option
from dicomtls.cli.options import AssociationOptions, OutputOptions, TLSOptions
from dicomtls.cli.options.peer import PeerName
from dicomtls.cli.options.values import seconds_or_zero, whole_number
from dicomtls.cli.running import Report, interruptible, run
from dicomtls.cli.sentences import join, status_word, tls_phrases, warn_of_expiry
from dicomtls.cli.text import Styled

if TYPE_CHECKING:
    from dicomtls.scu.attempt import Attempt
    from dicomtls.scu.echo import EchoResult

_EXAMPLES = (
    "dicomtls echo PACS@pacs.example --ca hospital-ca.pem",
    "dicomtls echo pacs.example:11112 --ca ca.pem --cert ws1.pem --key ws1.key",
    "dicomtls echo 192.0.2.7 --no-tls --json",
)


@command(examples=_EXAMPLES)
def echo(
    peer: PeerName,
    *,
    tls: TLSOptions,
    association: AssociationOptions,
    output: OutputOptions,
    repeat: Annotated[int, option("--repeat", metavar="N", parser=whole_number(1), help="how often to ask")] = 1,
    interval: Annotated[
        float, option("--interval", metavar="S", parser=seconds_or_zero, help="seconds between two questions")
    ] = 1.0,
) -> int:
    """Ask a peer whether it answers (C-ECHO), and say over what kind of TLS it did."""
    out = output.open("echo")

    def body(report: Report) -> None:
        from dicomtls.scu import Attempt
        from dicomtls.scu.echo import echo as ask

        report.values.update(status=None, status_meaning=None, round_trip_ms=[])
        settings, target = association.settings(trace=out.trace), association.peer(peer, no_tls=tls.no_tls)
        tls_settings = tls.trusting(tls.settings(), target)
        tls.announce(out)
        attempt = report.follow(Attempt(target, settings.calling_ae_title))
        report.target = tls.follow_up(target, tls_settings, settings)
        with interruptible() as interrupt:
            result = ask(
                target, tls_settings, settings, repeat=repeat, interval=interval, attempt=attempt, interrupt=interrupt
            )
        if result.statuses:
            _describe(report, attempt, result)
        warn_of_expiry(out, attempt.negotiated, tls.warn_days)
        result.check()

    return run(out, body)


def _describe(report: Report, attempt: "Attempt", result: "EchoResult") -> None:
    from dicomtls.association.status import status_meaning

    status = next(filter(None, result.statuses), 0)
    meaning = status_meaning(status)
    report.values.update(
        status=f"0x{status:04X}",
        status_meaning=meaning,
        round_trip_ms=[round(milliseconds, 3) for milliseconds in result.round_trip_ms],
    )
    report.lines.append(join(_phrases(status, meaning, attempt, result)))


def _phrases(status: int, meaning: str, attempt: "Attempt", result: "EchoResult") -> Iterator[str | Styled]:
    yield status_word(status, meaning)
    yield from tls_phrases(attempt.negotiated)
    times = sorted(result.round_trip_ms)
    if len(times) == 1:
        yield f"{times[0]:.1f} ms"
    elif times:
        middle = (times[(len(times) - 1) // 2] + times[len(times) // 2]) / 2
        yield f"{len(times)} round trips: minimum {times[0]:.1f} ms"
        yield f"median {middle:.1f} ms"
        yield f"maximum {times[-1]:.1f} ms"
