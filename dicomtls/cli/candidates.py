"""The words for a shell's TAB that have to be looked for: peers, profiles, and keywords of the dictionary.

Each takes what has been begun and the options that stand on the line, and never fails: a TAB is no place for an error.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

Words = list[tuple[str, str]]
"""Each with what it means; that may be empty."""


def beginning(begun: str, words: Iterable[tuple[str, str]]) -> Words:
    """Those that begin so, however they are written: of our own words none differ in that alone."""
    folded = begun.casefold()
    return [(word, text) for word, text in words if word.casefold().startswith(folded)]


def peers(begun: str, given: Mapping[str, str]) -> Words:
    """The names of the configuration, of that given with `--config` if it is, with their addresses."""
    from pathlib import Path

    from dicomtls.config import find_file, load
    from dicomtls.errors import DicomTLSError

    named = given.get("--config")
    try:
        found = load(find_file(Path(named).expanduser() if named else None), None).peers
    except (DicomTLSError, RuntimeError):  # RuntimeError: `~somebody` whom the system does not know
        return []
    return [(name, peer.address()) for name, peer in found.items() if name.startswith(begun)]


def remembered(begun: str, given: Mapping[str, str]) -> Words:
    """Those that were trusted on first use, which can be forgotten, and the names of the configuration."""
    from dicomtls.cli.folders import data_folder
    from dicomtls.errors import DicomTLSError
    from dicomtls.remembered import RememberedPeers

    try:
        known = RememberedPeers(data_folder()).all()
    except DicomTLSError:
        known = []
    return [(one.address, one.subject) for one in known if one.address.startswith(begun)] + peers(begun, given)


def profiles(begun: str, _given: Mapping[str, str]) -> Words:
    """The names of the security profiles, each with its title."""
    from dicomtls.profiles import PROFILES

    return beginning(begun, ((profile.name, profile.title) for profile in PROFILES))


def keywords(begun: str, _given: Mapping[str, str]) -> Words:
    """The keywords of PS3.6 that begin so, also behind the sequences of a path; none for a value."""
    from dicomtls.dataset.attributes import all_keywords

    above, dot, last = begun.rpartition(".")
    if "=" in begun:
        return []
    return [(f"{above}{dot}{word}", text) for word, text in beginning(last, ((word, "") for word in all_keywords()))]


BY_NAME: Final[Mapping[str, Callable[[str, Mapping[str, str]], Words]]] = {
    "keywords": keywords,
    "peers": peers,
    "profiles": profiles,
    "remembered": remembered,
}
"""As `options.values.Found` and `completion_table` name them."""
