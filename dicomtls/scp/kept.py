"""Handing out kept instances for sending: each file is looked at when its turn comes, and not a thousand at once."""

from collections.abc import Callable, Iterable

from dicomtls.dataset.repeated import FileMetaReader
from dicomtls.errors import DataError
from dicomtls.scp.index import KeptInstance
from dicomtls.scu.instances import Instance, look_at, reason_of
from dicomtls.scu.ledger import Ledger, StoreObserver

_UNSEEN = -1


def unseen(kept: Iterable[KeptInstance]) -> list[Instance]:
    """Instances whose files have not been looked at; only a `KeptLedger` can hand them out."""
    return [
        Instance(one.path, one.sop_class_uid, one.sop_instance_uid, one.transfer_syntax, _UNSEEN, _UNSEEN)
        for one in kept
    ]


class KeptLedger(Ledger):
    """A ledger of `unseen` instances; `before` is called before each is handed out, by whoever sends."""

    def __init__(self, observer: StoreObserver, before: Callable[[], None] | None = None) -> None:
        super().__init__(observer, stop_on_error=False)
        self._reader = FileMetaReader()
        self._before = before

    def take(self) -> Instance | None:
        """The next instance whose file is what the index says; the others are booked as not sent."""
        if self._before is not None:
            self._before()
        while (instance := super().take()) is not None:
            if instance.offset != _UNSEEN:  # given back
                return instance
            try:
                return _looked_at(instance, self._reader)
            except DataError as error:
                self.not_sent(instance, error.message, code=error.code)
            except OSError as error:
                self.not_sent(instance, reason_of(error), code="unreadable-file")
        return None


def _looked_at(unseen_instance: Instance, reader: FileMetaReader) -> Instance:
    instance = look_at(unseen_instance.path, reader)
    if instance[1:4] != unseen_instance[1:4]:
        msg = f"the file holds another instance than the index says: {instance.sop_instance_uid}"
        raise DataError(msg)
    return instance
