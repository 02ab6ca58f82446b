"""`dicomtls peers`: the group."""

from tests.support.cli import run_dicomtls


def test_group_lists_its_commands() -> None:
    """Each with a line."""
    said = run_dicomtls("peers", "--help").stdout
    assert [name for name in ("list", "add", "check", "forget") if f"  {name} " in said] == [
        "list",
        "add",
        "check",
        "forget",
    ]
