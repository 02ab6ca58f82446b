"""The options of `store`; where they are used as users do is in test_cli_store."""

import io
import os
from pathlib import Path

import pytest

from dicomtls.cli.options.store import SendingOptions
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
