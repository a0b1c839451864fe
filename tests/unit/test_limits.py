"""The limit of messages, of which a server and a client have different defaults."""

from __future__ import annotations

import pytest

from farcall._limits import Limits, MessageLimit, message_limit


@pytest.mark.parametrize(("is_client", "size"), [(False, 2**20), (True, 16 * 2**20)])
def test_message_limit(is_client: bool, size: int) -> None:
    """A server takes 1 MiB and a client 16, unless `Limits` says otherwise."""
    assert message_limit(Limits(), is_client=is_client) == MessageLimit(size)
    assert message_limit(Limits(message=7), is_client=is_client) == MessageLimit(7)
