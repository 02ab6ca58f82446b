"""Queries against an archive of many instances: how soon the first match comes, and how fast all of them."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from dicomtls.association.association import Association
from dicomtls.association.dimse import Command, CommandField
from dicomtls.association.negotiation import ContextProposal
from dicomtls.association.query import FIND_SOP_CLASSES, Model
from dicomtls.dataset import EXPLICIT_VR_LE
from dicomtls.dataset.identifier import Element, encode
from dicomtls.peer import Peer
from dicomtls.scu import AssociationSettings
from dicomtls.scu.attempt import Requestor
from dicomtls.tls import TLSSettings
from tests.bench import commands
from tests.bench.commands import plain_environment
from tests.bench.figures import Figure, Target, Unit, absolute
from tests.bench.lab import Lab
from tests.bench.processes import BenchError, Server, run, serving

PER_STUDY = 10
STUDY_ROOT = FIND_SOP_CLASSES[Model.STUDY_ROOT]
RETURN_KEYS = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "StudyDescription"),
)


def finding(lab: Lab) -> list[Figure]:
    """The first match of a name with a wildcard; all studies, by findscu; peak memory of `serve` after both."""
    with tempfile.TemporaryDirectory(prefix="archive-", dir=lab.root) as name:
        archive = [sys.executable, "-m", "tests.bench.archive", name, str(lab.sizes.studies), str(PER_STUDY)]
        subprocess.run(archive, check=True)
        with serving(commands.serve(lab.pki, Path(name)), plain_environment()) as server:
            first = statistics.median(_first_match(lab, server) for _ in range(lab.sizes.starts))
            every = statistics.median(_all_matches(lab, server) for _ in range(lab.sizes.pairs))
            peak = server.peak_bytes()
    return [
        absolute(first, Target(0.05, 0.02, Unit.SECONDS)),
        absolute(every, Target(lab.sizes.studies / 5_000, lab.sizes.studies / 10_000, Unit.SECONDS)),
        absolute(peak / 1e6, Target(100, 80, Unit.MEGABYTES)),
    ]


def _first_match(lab: Lab, server: Server) -> float:
    """Seconds from the request to the first match, over an association that stands."""
    tls = TLSSettings(ca=(lab.pki.ca,), cert=(lab.pki.client_cert,), key=(lab.pki.client_key,))
    requestor = Requestor(Peer(commands.HOST, server.port), tls, AssociationSettings())
    association = requestor.associate(requestor.attempt(), [ContextProposal(STUDY_ROOT, (EXPLICIT_VR_LE,))])
    keys = {0x00080052: Element("CS", ("STUDY",)), 0x00100010: Element("PN", ("*996^*",)), 0x0020000D: Element("UI")}
    request = Command(
        command_field=CommandField.C_FIND_RQ,
        message_id=1,
        affected_sop_class_uid=STUDY_ROOT,
        priority=0,
        has_dataset=True,
    )
    started = time.perf_counter()
    association.send(1, request, encode(keys, EXPLICIT_VR_LE))
    if not _is_pending(association):
        message = "the archive has no such patient"
        raise BenchError(message)
    seconds = time.perf_counter() - started
    while _is_pending(association):
        pass
    association.release()
    return seconds


def _is_pending(association: Association) -> bool:
    message = association.receive()
    return message is not None and message.command.has_dataset


def _all_matches(lab: Lab, server: Server) -> float:
    finished = run(commands.findscu(lab.pki, server.port, RETURN_KEYS), plain_environment())
    return finished.seconds
