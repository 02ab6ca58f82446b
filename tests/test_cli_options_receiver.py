"""What `move` and `store` say alike of a receiver; where they do is in their own tests."""

from dataclasses import replace

import pytest

from dicomtls.cli.options.receiver import check_trust, check_unused
from dicomtls.cli.options.store import CommitOptions
from dicomtls.errors import UsageError


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (CommitOptions(listen="11112"), "--listen is about our receiver"),
        (CommitOptions(client_auth="none"), "--client-auth is about our receiver"),
        (CommitOptions(listen="11112", client_auth="none"), "--listen and --client-auth are about our receiver"),
    ],
)
def test_options_without_a_receiver_are_refused_where_they_were_given(options: CommitOptions, said: str) -> None:
    """What stands in the configuration for `serve` is no contradiction."""
    with pytest.raises(UsageError, match=said) as caught:
        check_unused(options, "do this")
    assert caught.value.hints == ("do this",)
    check_unused(replace(options, from_environment=frozenset({"listen", "client_auth"})), "")


def test_receiver_that_asks_for_certificates_needs_anchors() -> None:
    """The system's are never used for that."""
    with pytest.raises(UsageError, match="--listen with --client-auth optional needs --ca"):
        check_trust("--listen", "optional", trusts_anybody=False)
    check_trust("--listen", "optional", trusts_anybody=True)
    check_trust("--listen", "none", trusts_anybody=False)
