"""Handing out kept instances for sending: each is looked up, and its file looked at, when its turn comes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from dicomtls.dataset.repeated import FileMetaReader
from dicomtls.errors import DataError, MachineError
from dicomtls.scp.index import Index
from dicomtls.scp.selection import Selected, Selection
from dicomtls.scu.instances import Instance, look_at, reason_of
from dicomtls.scu.ledger import InstanceReport, Ledger, StoreObserver

_UNSEEN = -1
_NOT_KNOWN = "the index does not have it any more"


class KeptLedger(Ledger):
    """A ledger of the instances of a selection; `before` is called before each is handed out, by whoever sends.

    `missing` are those that the index has and whose files are gone. What becomes of each is told and not kept.
    """

    def __init__(
        self, index: Index, selection: Selection, observer: StoreObserver, before: Callable[[], None] | None = None
    ) -> None:
        super().__init__(observer, stop_on_error=False)
        self.missing: list[str] = []
        self._index = index
        self._selection = selection
        self._before = before
        self._reader = FileMetaReader()
        self._chunks: Iterator[list[Selected]] = iter(())
        self._found: deque[Instance | Selected] = deque()
        self._reason = _NOT_KNOWN
        self._left = 0

    def kinds(self) -> list[Instance]:
        """One for each kind of instance, without a file: what `open` takes, and presentation contexts are made for."""
        return [_without_file(Selected("", kind)) for kind in self._selection.kinds]

    def open(self, instances: Iterable[Instance]) -> None:
        """Hand out the instances of these `kinds` next."""
        super().open(())
        kinds = [(one.sop_class_uid, one.transfer_syntax) for one in instances]
        self._chunks = self._selection.chunks(kinds)
        self._left = self._selection.count(kinds)

    def take(self) -> Instance | None:
        """The next instance whose file is what the index says; the others are booked as not sent."""
        if self._before is not None:
            self._before()
        given_back = super().take()
        if given_back is not None:
            return given_back
        while not self._stopped and (one := self._next()) is not None:
            if isinstance(one, Selected):
                self.not_sent(_without_file(one), self._reason, code="unreadable-file")
                continue
            try:
                return _looked_at(one, self._reader)
            except DataError as error:
                self.not_sent(one, error.message, code=error.code)
            except OSError as error:
                if isinstance(error, FileNotFoundError):
                    self.missing.append(one.sop_instance_uid)
                self.not_sent(one, reason_of(error), code="unreadable-file")
        return None

    @property
    def is_done(self) -> bool:
        """Whether nothing more is to be sent."""
        return self._stopped or not (self._left or self._waiting)

    def close(self) -> None:
        """Book everything that is left as failed."""
        error = self._obstacle
        if self._left:
            self.result.error = self.result.error or error
        while (one := self._next(look_up=False)) is not None:
            instance = _without_file(one) if isinstance(one, Selected) else one
            self.not_sent(
                instance, error.message if error else "not sent", code=error.code if error else "status-failure"
            )
        super().close()

    def _next(self, *, look_up: bool = True) -> Instance | Selected | None:
        """The next instance; as it was selected where the index does not know it like that any more."""
        if not self._found:
            chunk = next(self._chunks, None)
            if chunk is None:
                return None
            self._found.extend(self._look_up(chunk) if look_up else chunk)
        self._left -= 1
        return self._found.popleft()

    def _look_up(self, chunk: list[Selected]) -> Iterator[Instance | Selected]:
        self._reason = _NOT_KNOWN
        try:
            kept = {one.sop_instance_uid: one for one in self._index.look_up([one.sop_instance_uid for one in chunk])}
        except MachineError as error:
            kept, self._reason = {}, error.message
        for selected in chunk:
            found = kept.get(selected.sop_instance_uid)
            if found is None or (found.sop_class_uid, found.transfer_syntax) != selected.kind:
                yield selected
            else:
                yield Instance(*found, _UNSEEN, _UNSEEN)

    def _fail(self, report: InstanceReport) -> None:
        """Reports are the observer's, who keeps what he needs."""


def _without_file(selected: Selected) -> Instance:
    sop_class_uid, transfer_syntax = selected.kind
    return Instance("", sop_class_uid, selected.sop_instance_uid, transfer_syntax, _UNSEEN, _UNSEEN)


def _looked_at(unseen_instance: Instance, reader: FileMetaReader) -> Instance:
    instance = look_at(unseen_instance.path, reader)
    if instance[1:4] != unseen_instance[1:4]:
        msg = f"the file holds another instance than the index says: {instance.sop_instance_uid}"
        raise DataError(msg)
    return instance
