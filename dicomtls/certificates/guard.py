"""What `--force` does not reach: a CA's own files, and a private key in a file that is to hold a certificate only.

Either would be gone for good: without its key a CA issues nothing, and a device's certificate is worth nothing.
"""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from cryptography import x509

from dicomtls.certificates.building import is_authority
from dicomtls.certificates.bundle import load_leaf
from dicomtls.certificates.content import REFUSALS, recognise
from dicomtls.certificates.issue import CredentialFiles
from dicomtls.certificates.reading import read
from dicomtls.certificates.record import RECORD_NAME
from dicomtls.errors import CredentialError, UsageError
from dicomtls.files import write_files

_OWN: Final = ("ca.pem", "ca.key", RECORD_NAME)


def write_credentials(files: CredentialFiles, out: Path, *, force: bool) -> list[Path]:
    """Write what no CA of ours records, all or nothing; returns where it is.

    Raises `UsageError` as `check_replaced` does, and where a file is there already, `MachineError`.
    """
    contents, private = files.below(out)
    check_replaced(contents, private)
    write_files(contents, private=private, force=force)
    return list(contents)


def check_replaced(
    contents: Mapping[Path, bytes], private: Collection[Path], *, renewed: x509.Certificate | None = None
) -> None:
    """Raise `UsageError` where a file that is to be written is a CA's own, or holds a key that would be lost.

    `renewed` may take the place of a certificate of the same CA with the same key. Files in `private` hold keys
    themselves: whoever asks for a new key by force means it.
    """
    for path in filter(os.path.exists, contents):
        if _is_a_cas_own(path) and not (renewed is not None and path not in private and _is_renewal(path, renewed)):
            msg = f"{path} is a CA's own: without it nothing could be issued any more"
            raise UsageError(msg, hints=("give another name, or another folder with --out",))
        if path not in private and not path.is_symlink() and _holds_a_key(path):
            msg = f"{path} holds a private key, which would be lost"
            raise UsageError(msg, hints=("give another folder with --out",))


def _is_a_cas_own(path: Path) -> bool:
    own = (path.with_name(name) for name in _OWN)
    return any(one.exists() and path.samefile(one) for one in own) and _is_a_cas_folder(path.parent)


def _is_a_cas_folder(folder: Path) -> bool:
    if (folder / RECORD_NAME).exists():
        return True
    try:
        return is_authority(load_leaf(folder / "ca.pem"))
    except CredentialError:
        return False


def _is_renewal(path: Path, renewed: x509.Certificate) -> bool:
    try:
        old = load_leaf(path)
        return is_authority(renewed) and (old.subject, old.public_key()) == (renewed.subject, renewed.public_key())
    except (CredentialError, *REFUSALS):
        return False


def _holds_a_key(path: Path) -> bool:
    try:
        contents = recognise(read(path))
    except CredentialError:
        return False
    return bool(contents.keys or contents.archives)
