"""C-STORE: instances to a peer, as fast as it takes them (PS3.7 section 9.1.1, PS3.4 annex B)."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dicomtls.association.contexts import MAXIMUM_CONTEXTS
from dicomtls.association.negotiation import ContextProposal
from dicomtls.association.outbox import FileShrank
from dicomtls.errors import AssociationError, DicomTLSError, DIMSEError, NetworkError, NoPresentationContext
from dicomtls.scu.attempt import Attempt, Requestor
from dicomtls.scu.instances import Instance
from dicomtls.scu.ledger import Ledger, StoreObserver, StoreResult
from dicomtls.scu.sender import Originator, Sender
from dicomtls.waiting import pause

if TYPE_CHECKING:
    from dicomtls.scu.transcode import Transcoder

DEFAULT_MAX_OPERATIONS: Final = 128
_RETRY_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class StoreOptions:
    """How to send: `associations` at once, `max_operations` outstanding on each where the peer grants them.

    `retry` is how often each association is made anew after it broke; `stop_on_error` ends at the first instance
    that fails; `transcode` changes the transfer syntax of what the peer does not take as it is; `originator` is whose
    C-MOVE it is that the instances are sent for.
    """

    associations: int = 1
    max_operations: int = DEFAULT_MAX_OPERATIONS
    retry: int = 0
    stop_on_error: bool = False
    transcode: bool = False
    originator: Originator | None = None


@dataclass(frozen=True)
class Batch:
    """Instances whose presentation contexts fit into one association."""

    proposals: tuple[ContextProposal, ...]
    instances: tuple[Instance, ...]


def plan(instances: Sequence[Instance], *, transcode: bool = False) -> list[Batch]:
    """Split instances into batches of at most 128 presentation contexts, in their order within each.

    Each SOP class and transfer syntax gets a context of its own, since an acceptor picks one transfer syntax for
    each context, and data are not changed. With `transcode` each SOP class also gets contexts for the syntaxes
    that can be made of others.
    """
    targets = _targets() if transcode else ()
    batches: list[tuple[dict[tuple[str, str], None], list[Instance]]] = []
    where: dict[tuple[str, str], int] = {}
    for instance in instances:
        key = (instance.sop_class_uid, instance.transfer_syntax)
        if key not in where:
            wanted = dict.fromkeys([key, *((key[0], target) for target in targets)])
            if not batches or len(batches[-1][0] | wanted) > MAXIMUM_CONTEXTS:
                batches.append(({}, []))
            batches[-1][0].update(wanted)
            where[key] = len(batches) - 1
        batches[where[key]][1].append(instance)
    return [Batch(tuple(_proposals(contexts)), tuple(members)) for contexts, members in batches]


def _targets() -> tuple[str, ...]:
    from dicomtls.scu.transcode import TARGETS

    return TARGETS


def _proposals(contexts: dict[tuple[str, str], None]) -> Iterator[ContextProposal]:
    for sop_class, transfer_syntax in contexts:
        yield ContextProposal(abstract_syntax=sop_class, transfer_syntaxes=(transfer_syntax,))


def store(
    requestor: Requestor,
    instances: Sequence[Instance],
    options: StoreOptions,
    *,
    attempt: Attempt | None = None,
    observer: StoreObserver | None = None,
    ledger: Ledger | None = None,
) -> StoreResult:
    """Send all instances and say what became of each; `attempt` is filled by the first association.

    Who gives the `ledger` may stop it, and gives the observer with it.

    Nothing is raised for what a peer, the network or a file does: it is in the result. Raises `UsageError` where
    transcoding is asked for and cannot be done here.
    """
    transcoder = _transcoder() if options.transcode else None
    ledger = ledger or Ledger(observer, stop_on_error=options.stop_on_error)
    attempts = iter([attempt] if attempt is not None else [])
    for batch in plan(instances, transcode=options.transcode):
        ledger.open(batch.instances)
        if _leaves_hope(ledger.result.error) and not ledger.is_done:
            count = min(options.associations, len(batch.instances))
            requestor.is_alone = count == 1
            _run_all(
                [_Worker(requestor, batch, ledger, options, next(attempts, None), transcoder) for _ in range(count)]
            )
        ledger.close()
    return ledger.result


def _leaves_hope(error: DicomTLSError | None) -> bool:
    """Whether another batch may fare better: the next one has other presentation contexts, but the same peer."""
    return error is None or isinstance(error, NoPresentationContext)


def _run_all(workers: Sequence["_Worker"]) -> None:
    if len(workers) == 1:
        workers[0].run()
        return
    threads = [threading.Thread(target=worker.run, daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _transcoder() -> "Transcoder":
    from dicomtls.scu.transcode import Transcoder

    return Transcoder()


class _Worker:
    """Sends instances of one batch over one association after another, as long as that makes sense."""

    def __init__(
        self,
        requestor: Requestor,
        batch: Batch,
        ledger: Ledger,
        options: StoreOptions,
        attempt: Attempt | None,
        transcoder: "Transcoder | None",
    ) -> None:
        self._requestor = requestor
        self._batch = batch
        self._ledger = ledger
        self._options = options
        self._attempt = attempt
        self._transcoder = transcoder
        self._retries = options.retry

    def run(self) -> None:
        """Work until the ledger has no more, or an error that a retry does not mend."""
        while not self._ledger.is_done:
            try:
                self._run_association()
            except FileShrank:
                continue  # that instance is booked; the others deserve an association
            except DicomTLSError as error:
                if not self._may_retry(error):
                    self._ledger.broken(error)
                    return
                self._retries -= 1
                try:
                    pause(_RETRY_SECONDS, self._requestor.interrupt)
                except DicomTLSError as interrupted:
                    self._ledger.broken(interrupted)
                    return

    def _run_association(self) -> None:
        attempt = self._attempt or self._requestor.attempt()
        self._attempt = None
        association = self._requestor.associate(
            attempt,
            self._batch.proposals,
            max_operations=self._options.max_operations,
            before_request=self._ledger.start_clock,
        )
        window = association.parameters.window or self._options.max_operations or DEFAULT_MAX_OPERATIONS
        sender = Sender(
            association, self._ledger, window=window, transcoder=self._transcoder, originator=self._options.originator
        )
        try:
            sender.run()
        except BaseException:  # an interrupt too: where the association has not ended, the peer is to know
            association.abort()
            raise
        finally:
            self._ledger.give_back(instance for instance, _ in sender.outstanding.values())

    def _may_retry(self, error: DicomTLSError) -> bool:
        passing = isinstance(error, (NetworkError, AssociationError, DIMSEError))
        return passing and self._retries > 0 and not isinstance(error, NoPresentationContext)
