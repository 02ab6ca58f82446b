"""dicomtls.cli.configuring: option, environment, the peer's section, the defaults, in this order."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dicomtls.cli.configuring import known_keys
from tests.support.cli import Result, run_dicomtls
from tests.support.peers import DicomSCP, pynetdicom_scp
from tests.support.pki import PKI, server_context


@pytest.fixture
def scp(pki: PKI) -> Iterator[DicomSCP]:
    """Somebody who demands a client certificate."""
    with pynetdicom_scp(server_context(pki)) as peer:
        yield peer


def configuration(folder: Path, pki: PKI, port: int, defaults: str = "", peer: str = "") -> Path:
    """A configuration with one peer."""
    path = folder / "dicomtls.toml"
    path.write_text(
        f'[defaults]\nca = "{pki.ca}"\ncert = "{pki.client.cert}"\nkey = "{pki.client.key}"\n{defaults}\n'
        f'[peers.pacs]\nhost = "localhost"\nport = {port}\naet = "PACS"\n{peer}\n'
    )
    return path


def asked(*arguments: str | Path, **options: Any) -> tuple[dict[str, Any], Result]:
    """The document of an echo."""
    result = run_dicomtls("echo", *arguments, "--json", **options)
    document: dict[str, Any] = result.json()
    return document, result


def test_peer_is_called_by_its_name(pki: PKI, scp: DicomSCP, tmp_path: Path) -> None:
    """Its address and AE title, with what the defaults say about TLS; the file of the working folder is found."""
    configuration(tmp_path, pki, scp.port)
    document, result = asked("pacs", cwd=tmp_path)
    assert result.exit_status == 0, result.stderr
    assert (document["peer"]["host"], document["peer"]["port"]) == ("localhost", scp.port)
    assert document["peer"]["called_aet"] == "PACS"
    assert document["tls"]["client_certificate"] == "sent"


@pytest.mark.parametrize(
    ("defaults", "peer", "variable", "option", "expected"),
    [
        ("", "", None, None, "DICOMTLS"),
        ('calling-aet = "DEF"', "", None, None, "DEF"),
        ('calling-aet = "DEF"', 'calling-aet = "PEER"', None, None, "PEER"),
        ('calling-aet = "DEF"', 'calling-aet = "PEER"', "ENV", None, "ENV"),
        ('calling-aet = "DEF"', 'calling-aet = "PEER"', "ENV", "OPT", "OPT"),
    ],
)
def test_nearest_wins(
    pki: PKI,
    scp: DicomSCP,
    tmp_path: Path,
    defaults: str,
    peer: str,
    variable: str | None,
    option: str | None,
    expected: str,
) -> None:
    """Option, environment, the peer's section, the defaults."""
    path = configuration(tmp_path, pki, scp.port, defaults, peer)
    arguments = ["--calling-aet", option] if option else []
    environment = {"DICOMTLS_CALLING_AET": variable} if variable else {}
    document, _ = asked("pacs", "--config", path, *arguments, env=environment)
    assert document["peer"]["calling_aet"] == expected


def test_file_is_named_by_option_or_variable(pki: PKI, scp: DicomSCP, tmp_path: Path) -> None:
    """The option wins."""
    path = configuration(tmp_path, pki, scp.port)
    other = tmp_path / "other.toml"
    other.write_text('[peers.pacs]\nhost = "nowhere.invalid"\n')
    assert asked("pacs", env={"DICOMTLS_CONFIG": str(path)})[1].exit_status == 0
    assert asked("pacs", "--config", path, env={"DICOMTLS_CONFIG": str(other)})[1].exit_status == 0
    assert asked("pacs", env={"DICOMTLS_CONFIG": str(other)})[0]["error"]["code"] == "name-not-found"


def test_peer_in_clear_has_no_use_for_the_defaults_about_tls(pki: PKI, tmp_path: Path) -> None:
    """They contradict an option only where the user has put both there."""
    with pynetdicom_scp() as scp:
        path = configuration(tmp_path, pki, scp.port, peer="no-tls = true")
        document, result = asked("pacs", "--config", path)
        assert (result.exit_status, document["tls"]) == (0, None)
        _, contradicting = asked("pacs", "--config", path, "--cert", pki.client.cert)
        assert contradicting.exit_status == 2


def test_mistakes_are_one_clear_line(tmp_path: Path) -> None:
    """The file, the line, the key, the nearest; as a document too."""
    path = tmp_path / "dicomtls.toml"
    path.write_text('[defaults]\ncaling-aet = "X"\n')
    document, result = asked("pacs", "--config", path)
    assert result.exit_status == 2
    assert document["error"]["code"] == "configuration"
    assert document["error"]["message"] == f"{path}: 'caling-aet' is not a key of [defaults] (line 2)"
    assert document["error"]["hints"] == ["did you mean calling-aet?"]
    _, missing = asked("pacs", "--config", tmp_path / "missing.toml")
    assert missing.exit_status == 2
    assert "cannot read the configuration" in missing.stderr


@pytest.mark.parametrize(
    ("line", "error", "hint"),
    [
        (
            'connect-timeout = "soon"',
            "connect-timeout (line 2): 'soon' is not a number of seconds",
            "'dicomtls echo --help'",
        ),
        ('no-tls = "perhaps"', "no-tls (line 2): 'perhaps' is neither true nor false", "'dicomtls echo --help'"),
        ("verbose = 1.5", "verbose (line 2): '1.5' is not a whole number", "'dicomtls echo --help'"),
        ("ca = true", "ca (line 2) takes a value, not true", 'write ca = "..."'),
        ("calling-aet = false", "calling-aet (line 2) takes a value, not false", "leave the line out"),
        (
            'profile = ["a", "b"]',
            "profile (line 2) takes one value, not a list of 2",
            'write it without brackets: profile = "..."',
        ),
        ('no-tls = ["true"]', "no-tls (line 2) takes one value, not a list of 1", "without brackets"),
    ],
)
def test_value_that_an_option_does_not_take_is_told_with_its_file(
    tmp_path: Path, line: str, error: str, hint: str
) -> None:
    """Nobody typed the option: the file, the key and its line are what to look at."""
    path = tmp_path / "dicomtls.toml"
    path.write_text(f"[defaults]\n{line}\n")
    document, result = asked("localhost:1", "--config", path)
    assert result.exit_status == 2
    assert document["error"]["code"] == "configuration"
    assert document["error"]["message"].startswith(f"{path}: {error}")
    assert hint in document["error"]["hints"][0]


def test_what_a_value_may_be_is_taken(tmp_path: Path) -> None:
    """The negative twin: true for a flag, a number or text for a number, one value of many."""
    path = tmp_path / "dicomtls.toml"
    path.write_text('[defaults]\nno-tls = true\nverbose = 1\nconnect-timeout = 5\nmax-pdu = "16384"\n')
    _, result = asked("localhost:1", "--config", path)
    assert result.exit_status == 3, result.stderr


def test_help_and_other_commands_need_no_configuration(tmp_path: Path) -> None:
    """A broken file does not stand in the way of them."""
    (tmp_path / "dicomtls.toml").write_text("broken [")
    assert run_dicomtls("echo", "--help", cwd=tmp_path).exit_status == 0
    assert run_dicomtls("certgen", "self-signed", "--name", "x", "--host", "x", cwd=tmp_path).exit_status == 0


def test_keys_are_those_of_the_options() -> None:
    """TLS, associations, servers and output; nothing internal."""
    keys = known_keys()
    assert {"ca", "cert", "profile", "calling-aet", "connect-timeout", "client-auth", "json", "no-tls"} <= keys
    assert not {"from-environment", "configuration", "config"} & keys
