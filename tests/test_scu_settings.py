"""What a requestor does when it is told nothing."""

from dicomtls.scu import AssociationSettings


def test_defaults_are_those_of_the_contract() -> None:
    """Names and times of the command line's options."""
    settings = AssociationSettings()
    assert settings.calling_ae_title == "DICOMTLS"
    assert settings.called_ae_title is None
    assert (settings.connect_timeout, settings.association_timeout, settings.dimse_timeout) == (10.0, 30.0, 60.0)
    assert settings.maximum_length == 131072
    assert settings.identity is None


def test_settings_show_no_listener() -> None:
    """Two settings are equal whoever listens to the PDUs."""
    assert AssociationSettings(trace=print) == AssociationSettings()
    assert "trace" not in repr(AssociationSettings(trace=print))
