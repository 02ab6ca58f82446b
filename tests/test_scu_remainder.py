"""What a C-GET could not bring at first: found out and asked for again, or left as it was."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dicomtls.association.association import Association, Message
from dicomtls.association.dimse import Command, CommandField
from dicomtls.association.query import Level, Model
from dicomtls.dataset import tags
from dicomtls.dataset.identifier import Element, Identifier, decode, encode
from dicomtls.errors import AssociationAborted, DicomTLSError, Interrupted
from dicomtls.scp.services import Services
from dicomtls.scp.storage import FolderStorage
from dicomtls.scu import remainder as module
from dicomtls.scu.remainder import get_remainder
from dicomtls.scu.retrieve import RetrieveRequest, RetrieveResult, get
from dicomtls.scu.suboperations import Counts
from dicomtls.waiting import Interrupt
from tests.support.kept import DATASET
from tests.support.receivers import requestor_of
from tests.support.retrieving import STUDY, archive, failed_list, retrieve_response, send_instance
from tests.support.servers import CT, context_of, store_request, stored_files

RAW, SPECTROSCOPY = "1.2.840.10008.5.1.4.1.1.66", "1.2.840.10008.5.1.4.1.1.4.2"
HELD = {"1.2.3.1.1": ("1.2.3.1", CT), "1.2.3.2.1": ("1.2.3.2", RAW), "1.2.3.3.1": ("1.2.3.3", SPECTROSCOPY)}
"""SOP instances of the study 1.2.3, with their series and SOP classes."""


@dataclass
class Holder:
    """An archive of these instances: how strict it is, what it lists of what fails, and what it was asked.

    `wants_keys` refuses to find without the unique keys above the level; `gives_up` ends at the first failure, as
    Orthanc does; `tells_classes` answers with the SOP class; `lists` names those that failed.
    """

    wants_keys: bool = False
    gives_up: bool = False
    tells_classes: bool = True
    lists: bool = True
    finds: list[str] = field(default_factory=list)
    gets: list[Identifier] = field(default_factory=list)
    before_find: Callable[[Association], None] = lambda _association: None

    def __call__(self, association: Association) -> None:
        """Serve one association."""
        while (message := association.receive()) is not None:
            if message.command.command_field is CommandField.C_CANCEL_RQ:
                continue
            keys = decode(b"".join(map(bytes, association.fragments())), message.context.transfer_syntax)
            if message.command.command_field is CommandField.C_FIND_RQ:
                self.before_find(association)
                self.find(association, message, keys)
            else:
                self.get(association, message, keys)

    def find(self, association: Association, message: Message, keys: Identifier) -> None:
        """All that matches by its UIDs."""
        level = str(keys[0x00080052].values[0])
        self.finds.append(level)
        series = keys.get(tags.SERIES_INSTANCE_UID, Element("UI", ())).values
        if self.wants_keys and level == "IMAGE" and not series:
            association.send(message.context.context_id, found(message, 0xC000))
            return
        rows: dict[str, tuple[str, str]] = {}
        for uid, (of, sop_class) in HELD.items():
            if not series or of in series:
                rows[{"STUDY": "1.2.3", "SERIES": of, "IMAGE": uid}[level]] = (of, sop_class)
        for uid, (of, sop_class) in rows.items():
            answer = {tags.STUDY_INSTANCE_UID: Element("UI", ("1.2.3",))}
            if level != "STUDY":
                answer[tags.SERIES_INSTANCE_UID] = Element("UI", (of,))
            if level == "IMAGE":
                answer[tags.SOP_INSTANCE_UID] = Element("UI", (uid,))
                if self.tells_classes:
                    answer[tags.SOP_CLASS_UID] = Element("UI", (sop_class,))
            dataset = encode(answer, message.context.transfer_syntax)
            association.send(message.context.context_id, found(message, 0xFF00), dataset)
        association.send(message.context.context_id, found(message, 0))

    def get(self, association: Association, message: Message, keys: Identifier) -> None:
        """What there is a context for; the others fail."""
        self.gets.append(keys)
        wanted = keys.get(tags.SOP_INSTANCE_UID, Element("UI", ())).values or tuple(HELD)
        offered = {context.abstract_syntax for context in association.parameters.contexts.values()}
        sent, failed = 0, []
        for uid in map(str, wanted):
            if HELD[uid][1] not in offered:
                failed.append(uid)
                if self.gives_up:
                    break
                continue
            assert send(association, uid, HELD[uid][1]) == 0
            sent += 1
        counts = Counts(None, sent, len(failed), 0)
        listed = failed_list(message, failed) if failed and self.lists else None
        status = (0xC000 if self.gives_up else 0xB000) if failed else 0
        response = retrieve_response(message, status, counts, has_dataset=listed is not None)
        association.send(message.context.context_id, response, listed)


def send(association: Association, uid: str, sop_class: str) -> int:
    """A C-STORE of a C-GET; the status of its response."""
    if sop_class == CT:
        return send_instance(association, uid, DATASET)
    association.send(context_of(association, sop_class), store_request(uid, sop_class=sop_class), DATASET)
    message = association.receive()
    assert message is not None
    return message.command.status or 0


def found(request: Message, status: int) -> Command:
    """A C-FIND-RSP."""
    return Command(
        command_field=CommandField.C_FIND_RSP,
        message_id_being_responded_to=request.command.message_id,
        status=status,
        has_dataset=status == 0xFF00,
    )


def got(
    holder: Holder,
    directory: Path,
    request: RetrieveRequest = STUDY,
    *,
    told: list[str] | None = None,
    sop_classes: tuple[str, ...] = (),
    interrupt: Interrupt | None = None,
) -> tuple[RetrieveResult, RetrieveResult]:
    """How a C-GET ended at first, and after it was asked again."""
    with archive(holder) as peer, closing(FolderStorage(directory)) as storage:
        requestor = requestor_of(peer, interrupt)

        def receiver(association: Association) -> Services:
            return Services(association, storage, on_outcome=lambda _outcome: None)

        first = get(requestor, request, receiver, sop_classes=sop_classes)
        on_again = (told if told is not None else []).extend
        return first, get_remainder(requestor, request, first, receiver, sop_classes=sop_classes, on_again=on_again)


@pytest.mark.parametrize("wants_keys", [False, True])
def test_what_was_listed_as_failed_is_asked_for_again(tmp_path: Path, wants_keys: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """With the unique keys of all levels, and the SOP classes that the archive told; nothing comes twice."""
    holder, told = Holder(wants_keys=wants_keys), list[str]()
    first, result = got(holder, tmp_path, told=told)
    assert (first.status, first.counts.failed) == (0xB000, 2)
    result.check()
    assert (result.status, result.counts, result.failed_instances) == (0, Counts(None, 3, 0, 0), ())
    assert (result.received, len(stored_files(tmp_path))) == (3, 3)
    assert told == [RAW, SPECTROSCOPY]
    assert holder.finds == (["IMAGE", "STUDY", "SERIES", "IMAGE", "IMAGE", "IMAGE"] if wants_keys else ["IMAGE"])
    again = [{tag: keys[tag].values for tag in (0x0020000D, 0x0020000E, 0x00080018)} for keys in holder.gets[1:]]
    assert again == [
        {0x0020000D: ("1.2.3",), 0x0020000E: (series,), 0x00080018: (series + ".1",)}
        for series in ("1.2.3.2", "1.2.3.3")
    ]


def test_archive_that_gives_up_at_the_first_is_asked_for_all_again(tmp_path: Path) -> None:
    """What it would have sent after that is not known; Orthanc is such a one."""
    holder = Holder(gives_up=True, lists=False)
    first, result = got(holder, tmp_path)
    assert (first.status, first.counts.completed) == (0xC000, 1)
    result.check()
    assert (result.counts.completed, len(stored_files(tmp_path))) == (3, 3)
    assert len(holder.gets) == 2


def test_patient_root_keeps_its_patient(tmp_path: Path) -> None:
    """In the keys of the second request, too."""
    keys = {tags.PATIENT_ID: Element("LO", ("P1",)), tags.STUDY_INSTANCE_UID: Element("UI", ("1.2.3",))}
    holder = Holder()
    request = RetrieveRequest(model=Model.PATIENT_ROOT, level=Level.STUDY, keys=keys)
    _, result = got(holder, tmp_path, request)
    result.check()
    assert {keys[tags.PATIENT_ID].values for keys in holder.gets} == {("P1",)}


def test_archive_is_not_looked_into_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is for studies and series together, however many an archive claims to have."""
    monkeypatch.setattr(module, "_MOST_BRANCHES", 2)
    holder = Holder(wants_keys=True)
    got(holder, tmp_path)
    assert holder.finds == ["IMAGE", "STUDY", "SERIES", "IMAGE"]


@pytest.mark.parametrize("holder", [Holder(tells_classes=False), Holder(lists=False, gives_up=True)])
def test_what_nothing_can_be_found_out_about_stays_as_it_was(holder: Holder) -> None:
    """SOP classes that are not told, or were proposed in every transfer syntax already: the failure has a hint."""
    known = (RAW, SPECTROSCOPY) if holder.tells_classes else ()
    holder.gives_up = bool(known)
    first = RetrieveResult(status=0xB000, counts=Counts(None, 1, 2, 0), sop_classes=frozenset({CT}))
    with archive(holder) as peer:
        result = get_remainder(requestor_of(peer), STUDY, first, _nobody, sop_classes=known)
    assert result is first
    with pytest.raises(DicomTLSError) as caught:
        result.check()
    assert "--sop-class" in caught.value.hints[-1]
    assert holder.gets == []


@pytest.mark.parametrize(
    "result",
    [
        RetrieveResult(status=0, counts=Counts(None, 2, 0, 0)),
        RetrieveResult(status=0xC000, counts=Counts(None, 0, 0, 0)),
        RetrieveResult(counts=Counts(None, 0, 2, 0), error=AssociationAborted("gone")),
    ],
)
def test_nobody_is_asked_where_that_would_not_help(result: RetrieveResult) -> None:
    """All has come, nothing was counted as failed, or the peer is gone."""
    holder = Holder()
    with archive(holder) as peer:
        assert get_remainder(requestor_of(peer), STUDY, result, _nobody) is result
    assert holder.finds == []


@pytest.mark.parametrize("what", ["abort", "interrupt"])
def test_second_look_that_breaks_off_loses_nothing(tmp_path: Path, what: str) -> None:
    """The first result stands; Ctrl-C is one."""
    interrupt = Interrupt()
    holder = Holder(before_find=lambda association: association.abort() if what == "abort" else interrupt.set())
    first, result = got(holder, tmp_path, interrupt=interrupt)
    interrupt.close()
    assert (result.counts, result.failed_instances) == (first.counts, first.failed_instances)
    assert isinstance(result.error, Interrupted) is (what == "interrupt")


def _nobody(_association: Association) -> Services:
    pytest.fail("nothing is to be retrieved")
