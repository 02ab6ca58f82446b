"""What a server does when it is told nothing."""

from dicomtls.scp.access import AccessRules
from dicomtls.scp.services import Faults
from dicomtls.scp.settings import ServerSettings


def test_defaults_are_those_of_the_contract() -> None:
    """Any called AE title, 131072 bytes a PDU, unknown SOP classes refused, no fault."""
    settings = ServerSettings()
    assert settings.maximum_length == 131072
    assert settings.access == AccessRules(ae_title=None, allowed=())
    assert not settings.accept_unknown
    assert settings.faults == Faults(refuse=False, status=None, delay=0.0, abort_after=None)


def test_every_wait_has_its_end() -> None:
    """No default lets a peer hold on for ever, and there are limits on how many may try."""
    settings = ServerSettings()
    times = (settings.handshake_timeout, settings.association_timeout, settings.idle_timeout, settings.grace)
    assert all(0 < seconds < 3600 for seconds in times)
    assert 0 < settings.max_associations <= settings.silent_connections
    assert settings.max_operations > 1
