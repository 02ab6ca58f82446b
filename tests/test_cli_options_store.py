"""The options of `store`; where they are used as users do is in test_cli_store."""

import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dicomtls.cli.options.store import CommitOptions, SendingOptions
from dicomtls.errors import UsageError
from dicomtls.scu.store import StoreOptions


def test_options_become_settings() -> None:
    """Each by its own name."""
    settings = SendingOptions(associations=3, max_ops=5, retry=2, stop_on_error=True, transcode=True).settings()
    assert settings == StoreOptions(associations=3, max_operations=5, retry=2, stop_on_error=True, transcode=True)


def test_defaults_are_those_of_the_library() -> None:
    """The help says what holds without any option."""
    assert SendingOptions().settings() == StoreOptions()


def test_list_may_hold_any_bytes_that_a_path_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that are not UTF-8, spaces, carriage returns of another system at the ends of lines."""
    content = b"a b.dcm\r\n\n  \nM\xfcller.dcm\nlast.dcm"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    paths = SendingOptions(files_from="-").paths([Path("first.dcm")])
    assert paths == ["first.dcm", "a b.dcm", os.fsdecode(b"M\xfcller.dcm"), "last.dcm"]
    (tmp_path / "list").write_bytes(content)
    assert SendingOptions(files_from=str(tmp_path / "list")).paths([]) == paths[1:]


def test_list_with_an_impossible_name_is_an_error_of_usage() -> None:
    """No file can be called so."""
    with pytest.raises(UsageError, match="cannot read the list of paths from"):
        SendingOptions(files_from="a\0b").paths([])


@pytest.mark.parametrize(
    ("options", "trusts_anybody", "said"),
    [
        ({"listen": "11112"}, True, "--listen is about our receiver"),
        ({"commit": True, "client_auth": "none"}, True, "--client-auth is about our receiver"),
        ({"commit": True, "listen": "11112"}, False, "needs --ca"),
        ({"commit": True, "listen": "nonsense:x"}, True, "not a TCP port"),
        ({"commit": True, "listen": "70000"}, True, "not a TCP port"),
    ],
)
def test_commitment_that_contradicts_itself_is_refused(
    options: dict[str, Any],
    trusts_anybody: bool,  # noqa: FBT001 -- a parameter of the test
    said: str,
) -> None:
    """With what to do about it."""
    with pytest.raises(UsageError, match=said) as caught:
        CommitOptions(**options).check(trusts_anybody=trusts_anybody)
    assert caught.value.hints


def test_address_is_there_only_for_who_asks_for_commitment() -> None:
    """What stands in the environment for other commands opens no port."""
    for options in (CommitOptions(), CommitOptions(commit=True), CommitOptions(listen="11112")):
        replace(options, from_environment=frozenset({"listen"})).check(trusts_anybody=False)
    assert CommitOptions(listen="11112").address() is None
    assert CommitOptions(commit=True).address() is None
    assert CommitOptions(commit=True, listen="11112").address() == ("", 11112)
