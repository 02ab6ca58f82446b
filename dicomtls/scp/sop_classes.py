"""The SOP classes that a server offers, by pynetdicom's tables, which take 0.2 s to import: once a server starts."""

from functools import lru_cache
from typing import Final

VERIFICATION: Final = "1.2.840.10008.1.1"


@lru_cache(maxsize=1)
def storage_sop_classes() -> frozenset[str]:
    """Every storage SOP class of PS3.4 annex B that pynetdicom knows."""
    from pynetdicom.presentation import AllStoragePresentationContexts

    return frozenset(str(context.abstract_syntax) for context in AllStoragePresentationContexts)
