"""What the options of clients and servers about TLS have in common."""

from dataclasses import fields
from pathlib import Path

import pytest

from dicomtls.cli.options import ServerTLSOptions, TLSOptions
from dicomtls.cli.output import Output

A, B = Path("a.pem"), Path("b.pem")
RETIRED = (
    "--profile bcp195-2015 is retired: BCP 195 TLS Secure Transport Connection Profile (PS3.15 B.9, retired);"
    " DCMTK calls this one bcp195"
)
CLIENT_ONLY = {"server_name", "no_verify_name", "insecure", "pin", "no_sni", "no_follow_up", "trust_on_first_use"}


def test_server_has_the_clients_options_but_for_those_about_whom_to_trust() -> None:
    """Both sides share the options; those that only a client can mean are missing on the server."""
    client, server = ({f.name for f in fields(options)} for options in (TLSOptions, ServerTLSOptions))
    assert client - server == CLIENT_ONLY
    assert server - client == {"client_auth"}


@pytest.mark.parametrize("options", [TLSOptions(no_tls=True), ServerTLSOptions(no_tls=True)])
def test_no_tls_is_no_settings(options: TLSOptions | ServerTLSOptions) -> None:
    """In clear there is nothing to set, nor a CA to demand."""
    assert options.settings() is None


@pytest.mark.parametrize(
    "options",
    [
        TLSOptions(tls_min="1.2", tls_max="1.2"),
        TLSOptions(insecure=True, ca=(A,)),
        TLSOptions(cert=A),
        ServerTLSOptions(client_auth="none"),
        ServerTLSOptions(ca=(A,), cert=(A, B)),
    ],
)
def test_options_that_go_together_are_taken(options: TLSOptions | ServerTLSOptions) -> None:
    """The negative twins of the contradictions."""
    assert options.settings() is not None


@pytest.mark.parametrize(
    ("options", "warnings"),
    [
        (TLSOptions(), []),
        (TLSOptions(no_tls=True), ["everything is sent in clear (--no-tls)"]),
        (TLSOptions(insecure=True), ["the peer's certificate is not verified (--insecure)"]),
        (TLSOptions(no_verify_name=True), ["the peer's certificate may be for any name (--no-verify-name)"]),
        (TLSOptions(keylog=A), ["whoever reads a.pem can read all that is sent (--keylog)"]),
        (
            TLSOptions(profile="b.9"),
            [
                RETIRED,
            ],
        ),
        (ServerTLSOptions(ca=(A,)), []),
        (ServerTLSOptions(no_tls=True), ["everything is received in clear (--no-tls)"]),
        (
            ServerTLSOptions(client_auth="none"),
            ["clients without a certificate are let in (--client-auth none)"],
        ),
    ],
)
def test_relaxations_are_said_on_every_run(
    options: TLSOptions | ServerTLSOptions, warnings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever makes it less safe than the default is a warning; the default warns of nothing."""
    options.announce(Output("echo"))
    assert capsys.readouterr().err.splitlines() == [f"dicomtls: warning: {warning}" for warning in warnings]


def test_log_names_the_profile_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    """With `-v` the short name is spelled out, with its section."""
    TLSOptions(profile="8996-mod").announce(Output("echo", verbose=1))
    assert "profile: Modified BCP 195 RFC 8996, 9325 TLS" in capsys.readouterr().err
