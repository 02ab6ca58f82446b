"""dicomtls.tls.settings: the safe defaults, and how pins are written."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomtls.errors import UsageError
from dicomtls.tls import ClientAuth, TLSSettings

DIGEST = "ab" * 32
WITH_COLONS = ":".join(["AB"] * 32)


def test_defaults_are_the_safe_ones() -> None:
    """TLS by the current profile, chain and name verified, a client certificate demanded."""
    settings = TLSSettings()
    assert settings.profile == "bcp195"
    assert settings.verify_name
    assert settings.sni
    assert settings.alpn
    assert not settings.insecure
    assert settings.client_auth is ClientAuth.REQUIRED
    assert settings.warn_days == 30
    assert settings.pin_digests() == frozenset()


def test_settings_are_frozen() -> None:
    """One value serves many connections and threads."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        TLSSettings().insecure = True  # type: ignore[misc]  # the point of the test


@pytest.mark.parametrize(
    "pin",
    [DIGEST, DIGEST.upper(), f"sha256:{DIGEST}", f"SHA256:{DIGEST.upper()}", WITH_COLONS, f"sha256:{WITH_COLONS}"],
)
def test_pin_is_read_as_fingerprints_are_written(pin: str) -> None:
    """With and without prefix and colons, in any case, as openssl, browsers and dicomtls print them."""
    assert TLSSettings(pins=(pin,)).pin_digests() == {DIGEST}


@pytest.mark.parametrize(
    "pin",
    ["", "sha256:", DIGEST[:-1], DIGEST + "0", "g" * 64, f"sha1:{DIGEST}", f"sha256/{DIGEST}", "sha256:" + "é" * 64],
)
def test_pin_is_refused_when_it_is_none(pin: str) -> None:
    """A pin that can never match must not be taken for one."""
    with pytest.raises(UsageError, match="not a pin") as caught:
        TLSSettings(pins=(f"sha256:{DIGEST}", pin)).pin_digests()
    assert repr(pin) in caught.value.message
    assert "64 hexadecimal digits" in caught.value.hints[0]


@given(digests=st.sets(st.binary(min_size=32, max_size=32).map(bytes.hex)))
def test_all_pins_are_kept(digests: set[str]) -> None:
    """Each in lower case, once."""
    pins = [*(f"sha256:{digest.upper()}" for digest in digests), *digests]
    assert TLSSettings(pins=tuple(pins)).pin_digests() == digests
