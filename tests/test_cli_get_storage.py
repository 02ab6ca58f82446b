"""What `get` says of each instance; where it is used as users do is in test_cli_get."""

import pytest

from dicomtls.cli.get_storage import keeper
from dicomtls.cli.output import Output
from dicomtls.scp.services import StoreOutcome
from dicomtls.scp.storage import StoredInstance
from tests.support.kept import header


@pytest.mark.parametrize("verbose", [0, 1])
def test_instances_that_are_not_kept_are_named(capsys: pytest.CaptureFixture[str], verbose: int) -> None:
    """And the others where more is wanted."""
    counting = keeper(Output("get", verbose=verbose), None)  # type: ignore[arg-type]  # nothing is stored
    counting.count(StoreOutcome(header(), 0xC000, None, "the request has no dataset"))
    counting.count(StoreOutcome(header(), 0, StoredInstance("/a/b.dcm", 100, is_new=True)))
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"dicomtls: warning: not kept: {header().sop_instance_uid}: the request has no dataset"
    assert said[1:] == ["dicomtls: info: kept /a/b.dcm"] * verbose
