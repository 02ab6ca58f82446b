"""dicomtls.cli.completion_table: every command is in it. What it says of them is tested where it is made."""

from dicomtls.cli.completion_table import COMMANDS, GROUPS


def test_every_command_of_a_group_is_there() -> None:
    """As a group of its own, or with its options."""
    paths = {f"{group} {name}".lstrip() for group, entries in GROUPS.items() for name, _ in entries}
    assert paths | {""} == {*GROUPS, *COMMANDS}
