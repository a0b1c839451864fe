"""A few seconds of the fuzzer; ``python -m tests.fuzz`` goes on for as long as is wanted."""

from __future__ import annotations

import pytest

from tests.fuzz.cases import KINDS, Case
from tests.fuzz.ground import open_ground
from tests.fuzz.oracle import Broken, check_answer
from tests.websocket.sockets import TEXT, close_frame, frame

CASES = 100
"""Of each kind, one after another: less than a second."""


@pytest.mark.parametrize("kind", KINDS)
async def test_nobody_else_notices(kind: str) -> None:
    """Whatever a peer does, others are served at once, and nothing of it stays."""
    async with open_ground() as ground:
        before = await ground.settle()
        for seed in range(CASES):
            await ground.meet(Case(kind, seed))
        (await ground.settle()).check(before)


def test_a_websocket_ends_with_a_close_frame() -> None:
    """The fuzzer sees when a server just hangs up."""
    check_answer(OPENED)
    check_answer(OPENED + close_frame(1002, masked=False), has_hung_up=True)
    with pytest.raises(Broken):
        check_answer(OPENED, has_hung_up=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_says_it_all(kind: str) -> None:
    """A case that failed can be run again."""
    assert Case(kind, 1).script() == Case(kind, 1).script() != Case(kind, 2).script()


OPENED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


@pytest.mark.parametrize(
    "wrong",
    [
        b"SSH-2.0\r\n",
        b"HTTP/1.1 500 Internal Server Error\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nfour",
        OPENED + frame(TEXT, b"{}"),
        OPENED + frame(TEXT, b"{}", masked=False)[:-1],
        OPENED + frame(TEXT, b"{}", fin=False, masked=False),
        OPENED + frame(3, masked=False),
        OPENED + close_frame(1011, masked=False),
        OPENED + close_frame(1000, masked=False) * 2,
        OPENED + frame(TEXT, b'{"jsonrpc":"1.0","id":1,"result":2}', masked=False),
        OPENED + frame(TEXT, b'{"jsonrpc":"2.0","id":1,"result":NaN}', masked=False),
        OPENED + frame(TEXT, b'{"jsonrpc":"2.0","id":1}', masked=False),
        OPENED + frame(TEXT, b'{"jsonrpc":"2.0","result":1}', masked=False),
        OPENED + frame(TEXT, b'{"jsonrpc":"2.0","id":1,"result":1,"error":{}}', masked=False),
        OPENED + frame(TEXT, b'{"jsonrpc":"2.0","id":1,"method":"a","result":1}', masked=False),
    ],
)
def test_what_a_server_may_not_say(wrong: bytes) -> None:
    """The fuzzer sees when an answer is none."""
    with pytest.raises(Broken):
        check_answer(wrong)
