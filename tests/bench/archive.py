"""Make a folder of many small instances, with its index: `python -m tests.bench.archive DIR STUDIES EACH`."""

from __future__ import annotations

import random
import sys
from pathlib import Path

from dicomtls.dataset import EXPLICIT_VR_LE, encode_file_meta
from dicomtls.dataset.identifier import Element, encode
from dicomtls.scp.sqlite_index import SQLiteIndex

CT = "1.2.840.10008.5.1.4.1.1.2"
LAST = ("SMITH", "MÜLLER", "GARCIA", "ROSSI", "WANG", "IVANOV")
FIRST = ("ANNA", "JOHN", "MARIA", "PETER", "LI", "JÜRGEN")


def make_archive(directory: Path, studies: int, per_study: int) -> None:
    """Write the files of one study after the other, then the index of all."""
    choice = random.Random(1)
    for study in range(studies):
        uid = f"1.2.826.0.1.{study}"
        folder = directory / uid / f"{uid}.1"
        folder.mkdir(parents=True)
        common = _study(study, uid, choice)
        for number in range(per_study):
            instance = f"{uid}.1.{number}"
            common[0x00080018] = Element("UI", (instance,))
            common[0x00200013] = Element("IS", (str(number),))
            meta = encode_file_meta(CT, instance, EXPLICIT_VR_LE, "BENCH")
            (folder / f"{instance}.dcm").write_bytes(meta + encode(common, EXPLICIT_VR_LE, ("ISO_IR 192",)))
    SQLiteIndex(directory).close()


def _study(study: int, uid: str, choice: random.Random) -> dict[int, Element]:
    name = f"{choice.choice(LAST)}{study % 997}^{choice.choice(FIRST)}"
    return {
        0x00080016: Element("UI", (CT,)),
        0x00080020: Element("DA", (f"20{choice.randrange(10, 25)}0{choice.randrange(1, 10)}15",)),
        0x00080030: Element("TM", ("101500",)),
        0x00080050: Element("SH", (f"A{study}",)),
        0x00080060: Element("CS", ("CT",)),
        0x00081030: Element("LO", ("CHEST",)),
        0x00100010: Element("PN", (name,)),
        0x00100020: Element("LO", (f"P{study // 2}",)),
        0x00100030: Element("DA", ("19600101",)),
        0x00100040: Element("CS", ("F",)),
        0x0020000D: Element("UI", (uid,)),
        0x0020000E: Element("UI", (f"{uid}.1",)),
        0x00200010: Element("SH", ("1",)),
        0x7FE00010: Element("OW", (bytes(512),)),
    }


if __name__ == "__main__":
    make_archive(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
