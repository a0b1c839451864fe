"""The small parts that everything else about a conversation is made of."""

from __future__ import annotations

import pytest

from farcall._limits import DEFAULT_LIMITS
from farcall._protocol.conversation import MOST_SHOWN, Conversation, shown, violation
from farcall._protocol.events import Violation
from farcall.errors import CloseCode
from tests.protocol.pair import make_hello


def test_a_conversation_is_plain_until_the_peer_has_said_hello() -> None:
    """The dialect is farcall's from the hello of the peer on."""
    talk = Conversation(make_hello(), has_dialled=True, limits=DEFAULT_LIMITS._of_protocol())

    assert not talk.is_greeted

    talk.peer = make_hello()

    assert talk.is_greeted


def test_a_violation_closes_with_1002() -> None:
    """Breaking the protocol is a protocol error, where nothing else is said."""
    assert violation("why") == Violation(1002, "why")
    assert violation("why", CloseCode.POLICY) == Violation(1008, "why")


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Market.quote", "Market.quote"),
        ("caf\u00e9", "caf\u00e9"),
        ("x" * 10_000, "x" * MOST_SHOWN),
        ("a\nb\u202e", "'a\\nb\\u202e'"),
    ],
)
def test_what_a_peer_wrote_is_cut(text: str, result: str) -> None:
    """Neither a megabyte nor a line break of a peer gets into a log line."""
    assert shown(text) == result
