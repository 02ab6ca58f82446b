"""dicomtls.probe.target: who was to be reached, and how."""

from dataclasses import FrozenInstanceError

import pytest

from tests.support.inquiries import target


def test_target_is_what_was_tried() -> None:
    """It does not change while it is being looked at."""
    who = target(104, None)
    assert (who.peer.port, who.tls) == (104, None)
    with pytest.raises(FrozenInstanceError):
        who.tls = None  # type: ignore[misc]  # that is the point
