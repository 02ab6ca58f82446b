"""The options about TLS where we are the client."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from dicomtls.cli.options import TLSOptions
from dicomtls.errors import UsageError
from dicomtls.tls import ClientAuth, TLSSettings

A, B = Path("a.pem"), Path("b.pem")
PIN = "sha256:" + "0" * 64


def test_client_options_become_settings() -> None:
    """Every option arrives in the field that it is about."""
    options = TLSOptions(
        ca=(A, B),
        cert=A,
        key=B,
        profile="modern",
        tls_min="1.2",
        tls_max="1.3",
        ciphers="ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256, X Y",
        server_name="pacs",
        no_verify_name=True,
        crl=(A,),
        keylog=B,
        no_alpn=True,
        no_sni=True,
        warn_days=7,
    )
    settings = options.settings()
    assert settings is not None
    assert settings.passphrase is not None
    assert {f.name: getattr(settings, f.name) for f in fields(settings) if f.name != "passphrase"} == {
        "ca": (A, B),
        "cert": (A,),
        "key": (B,),
        "profile": "modern",
        "tls_min": "1.2",
        "tls_max": "1.3",
        "ciphers": ("ECDHE-RSA-AES128-GCM-SHA256", "TLS_AES_128_GCM_SHA256", "X", "Y"),
        "server_name": "pacs",
        "verify_name": False,
        "insecure": False,
        "pins": (),
        "remember": None,
        "crl": (A,),
        "keylog": B,
        "alpn": False,
        "sni": False,
        "client_auth": ClientAuth.REQUIRED,
        "warn_days": 7,
    }

    pinned = TLSOptions(pin=(PIN,)).settings()
    assert pinned is not None
    assert pinned.pins == (PIN,)


def test_nothing_said_is_the_safe_default() -> None:
    """Without options: everything verified, the default profile, no passphrase asked for before it is needed."""
    settings = TLSOptions().settings()
    assert settings == TLSSettings(passphrase=settings.passphrase if settings else None)


SAID: dict[str, Any] = {
    "ca": (A,),
    "cert": A,
    "key": A,
    "passphrase_file": A,
    "passphrase_env": "NAME",
    "profile": "modern",
    "tls_min": "1.2",
    "tls_max": "1.2",
    "ciphers": "X",
    "server_name": "pacs",
    "no_verify_name": True,
    "insecure": True,
    "pin": (PIN,),
    "crl": (A,),
    "keylog": A,
    "no_alpn": True,
    "no_sni": True,
}


@pytest.mark.parametrize("name", SAID)
def test_no_tls_contradicts_every_option_about_tls(name: str) -> None:
    """Each is named in the error, with both ways out."""
    with pytest.raises(UsageError, match=f"^--no-tls and --{name.replace('_', '-')} contradict each other$") as caught:
        TLSOptions(no_tls=True, **{name: SAID[name]}).settings()
    assert caught.value.hints[0].startswith("leave out --no-tls to speak TLS")


def test_no_tls_wins_over_what_the_environment_says_for_all_runs() -> None:
    """Who has DICOMTLS_CA set may still try in clear; the other way round it stays a contradiction."""
    assert TLSOptions(no_tls=True, ca=(A,), from_environment=frozenset({"ca"})).settings() is None
    with pytest.raises(UsageError):
        TLSOptions(no_tls=True, ca=(A,), from_environment=frozenset({"no_tls"})).settings()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"key": A}, "--key without --cert"),
        ({"insecure": True, "pin": (PIN,)}, "--insecure verifies nothing, so --pin"),
        ({"insecure": True, "crl": (A,)}, "--insecure verifies nothing, so --crl"),
        ({"pin": ("sha256:" + "0" * 64,), "crl": (A,)}, "--pin stands for the chain, so --crl"),
        ({"passphrase_file": A, "passphrase_env": "X"}, "--passphrase-file and --passphrase-env"),
        ({"tls_min": "1.3", "tls_max": "1.2"}, "--tls-min 1.3 and --tls-max 1.2 leave no protocol"),
    ],
)
def test_client_options_that_contradict_each_other_are_refused(said: dict[str, Any], error: str) -> None:
    """Each pair has its own sentence and a hint."""
    with pytest.raises(UsageError, match=error) as caught:
        TLSOptions(**said).settings()
    assert caught.value.hints
