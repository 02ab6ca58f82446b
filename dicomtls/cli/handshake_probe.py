"""`dicomtls handshake-probe`: the whole road to a peer, stage by stage, and why it ends where it does."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dicomtls.cli.command import command
from dicomtls.cli.handshake_probe_report import EMPTY, ProbeReport
from dicomtls.cli.options import AssociationOptions, ProbeOutputOptions, ProbingOptions, TLSOptions
from dicomtls.cli.options.peer import PeerNames
from dicomtls.cli.progress import PeerCount
from dicomtls.cli.running import Report, interruptible, run

if TYPE_CHECKING:
    from dicomtls.cli.options.probe import Named
    from dicomtls.probe.handshake import ProbeResult
    from dicomtls.scu import AssociationSettings
    from dicomtls.tls import TLSSettings
    from dicomtls.waiting import Interrupt

_EXAMPLES = (
    "dicomtls handshake-probe PACS@pacs.example --ca ca.pem --cert ws1.pem",
    "dicomtls handshake-probe pacs.example ct1.example:11112 --ca ca.pem --json",
    "dicomtls handshake-probe --targets peers.txt --format junit --output p.xml",
)


@command(examples=_EXAMPLES)
def handshake_probe(
    peers: PeerNames = (),
    *,
    probing: ProbingOptions,
    tls: TLSOptions,
    association: AssociationOptions,
    output: ProbeOutputOptions,
) -> int:
    """Show the whole road to a peer: name, TCP, TLS, association, echo, each with its time.

    Where it ends, say who refused, why, and what to do. Of a peer that works it tells whether a client certificate is
    demanded, by associating once more without ours (not with --no-follow-up). No instance and no query is ever sent.
    """
    out = output.open("handshake-probe")
    status = 0

    def body(report: Report) -> None:
        nonlocal status
        report.values.update(EMPTY)
        form, tls_settings, settings = output.chosen(), tls.settings(), association.settings(trace=out.trace)
        named = probing.named(peers, association, no_tls=tls.no_tls)
        tls.announce(out)
        prober = _Prober(tls, tls_settings, settings, with_contexts=probing.contexts)
        told = ProbeReport(out, form, output.output, peers=len(named), warn_days=tls.warn_days)
        report.is_told = True
        status = prober.run(named, told, PeerCount(out, peers=len(named)), jobs=probing.jobs)

    return run(out, body) or status


class _Prober:
    """What the command line asks of each of its peers."""

    def __init__(
        self,
        options: TLSOptions,
        tls: "TLSSettings | None",
        settings: "AssociationSettings",
        *,
        with_contexts: bool,
    ) -> None:
        """Build the SSL context; raises `CredentialError`, `UsageError` for settings that cannot be had."""
        from dicomtls.probe.sharing import SharedTLS

        self._options = options
        self._tls = tls
        self._settings = settings
        self._with_contexts = with_contexts
        self._shared = SharedTLS(options.without_memory(tls))
        _ = self._shared.ssl_context  # its errors are not those of a peer

    def run(self, named: "Sequence[Named]", told: ProbeReport, bar: PeerCount, *, jobs: int) -> int:
        """Probe all, and return the exit status."""
        from dicomtls.probe.many import each_once_at_a_time

        is_interrupted = False
        with interruptible() as interrupt:

            def work(one: "Named") -> "ProbeResult":
                return self._probe(one, interrupt, is_alone=len(named) == 1)

            try:
                for place, result in each_once_at_a_time(
                    named, work, key=_address, jobs=jobs, is_stopped=lambda: interrupt.is_set
                ):
                    told.add(place, named[place].text, result)
                    bar.advance(has_failed=result.diagnosis is not None)
            except KeyboardInterrupt:  # the second Ctrl-C
                is_interrupted = True
            finally:
                bar.close()
            is_interrupted = is_interrupted or interrupt.is_set
        return told.finish(is_interrupted=is_interrupted)

    def _probe(self, one: "Named", interrupt: "Interrupt", *, is_alone: bool) -> "ProbeResult":
        from dicomtls.probe.handshake import probe
        from dicomtls.probe.target import Target

        return probe(
            Target(one.peer, self._options.trusting(self._tls, one.peer), self._settings),
            follow_up=not self._options.no_follow_up,
            with_contexts=self._with_contexts,
            interrupt=interrupt,
            shared=self._shared,
            is_alone=is_alone,
        )


def _address(named: "Named") -> tuple[str, int]:
    return named.peer.host.casefold(), named.peer.port
