"""The npm client against a farcall server: many calls, large ones, and reconnecting."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
import trio

import farcall
from farcall import service
from tests.interop.peers import VERSIONS, Peer, run_peer

pytestmark = [pytest.mark.requires("node"), pytest.mark.parametrize("version", VERSIONS)]


@service(name="")
class Load:
    """Methods whose results can be told apart."""

    def __init__(self) -> None:
        self._waiting: list[trio.Event] = []

    async def backwards(self, number: int, of: int) -> int:
        """Answer the last of `of` calls first."""
        turn = trio.Event()
        self._waiting.append(turn)
        if len(self._waiting) == of:
            turn.set()
        await turn.wait()
        self._waiting.pop()
        if self._waiting:
            self._waiting[-1].set()
        return number

    def same(self, text: str) -> str:
        return text


@service(name="")
class Side:
    def where(self) -> str:
        return "/side"


@asynccontextmanager
async def open_peer(
    version: str, path: str = "", *, options: str = "{}", prefix: str | None = None
) -> AsyncIterator[Peer]:
    served: Mapping[str, object] = {"/": Load(), "/side": Side()}
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, served, 0)
        extra = [] if prefix is None else [prefix]
        async with run_peer("client.cjs", version, server.url + path, options, *extra) as peer:
            assert await peer.hear() == {"open": True}
            yield peer
        nursery.cancel_scope.cancel()


async def test_a_thousand_calls_at_once(version: str) -> None:
    """A thousand calls in flight each get their own result."""
    async with open_peer(version) as peer:
        answer = await peer.ask({"many": ["backwards", 1000]})

    assert answer == {"result": {"right": 1000, "first": [999, 998, 997]}}


async def test_a_megabyte_both_ways(version: str) -> None:
    """A call of a megabyte and its result arrive whole."""
    async with open_peer(version) as peer:
        assert await peer.ask({"large": ["same", 1_000_000, 1]}) == {"result": 1}


async def test_ten_megabytes_both_ways(version: str) -> None:
    """Ten calls of a megabyte can be in flight."""
    async with open_peer(version) as peer:
        assert await peer.ask({"large": ["same", 1_000_000, 10]}) == {"result": 10}


async def test_a_message_over_the_limit(version: str) -> None:
    """A call over the limit gets an error that names the limit, and the next call works."""
    async with open_peer(version) as peer:
        answer = await peer.ask({"large": ["same", 2**21, 1]})
        assert answer["error"]["code"] == -32600
        assert answer["error"]["data"] == {"limit": "message", "bytes": 2**20}

        assert await peer.ask({"call": ["same", ["a"]]}) == {"result": "a"}


async def test_a_message_far_over_the_limit(version: str) -> None:
    """A message over 16 times the limit closes the connection with 1009."""
    async with open_peer(version) as peer:
        await peer.tell({"large": ["same", 2**24 + 1, 1]})

        assert await peer.hear() == {"closed": 1009}


async def test_ids_that_are_text(version: str) -> None:
    """Ids may be texts."""
    async with open_peer(version, prefix="\u00e9-\"'-") as peer:
        assert await peer.ask({"call": ["same", ["a"]]}) == {"result": "a"}
        answer = await peer.ask({"many": ["backwards", 20]})

    assert answer["result"]["right"] == 20


async def test_a_path_is_a_namespace(version: str) -> None:
    """Each path has its own methods, and the query is ignored."""
    async with open_peer(version, "/side?socket_id=7") as peer:
        assert await peer.ask({"call": ["where"]}) == {"result": "/side"}
        missing = await peer.ask({"call": ["same", ["a"]]})

    assert missing["error"]["code"] == -32601


async def test_the_client_reconnects_to_a_restarted_server(version: str) -> None:
    """The client reconnects to a server that was restarted."""
    options = '{"reconnect": true, "reconnect_interval": 20, "max_reconnects": 0}'
    async with trio.open_nursery() as nursery:
        first: farcall.Server = await nursery.start(farcall.serve, Load(), 0)
        async with run_peer("client.cjs", version, first.url, options) as peer:
            assert await peer.hear() == {"open": True}
            assert await peer.ask({"call": ["same", ["a"]]}) == {"result": "a"}

            first.shutdown()
            assert await peer.hear() == {"closed": 1001}
            await first.wait_closed()
            await nursery.start(farcall.serve, Load(), first.port)
            while (line := await peer.hear()) != {"open": True}:
                assert set(line) <= {"failed", "closed"}

            assert await peer.ask({"call": ["same", ["b"]]}) == {"result": "b"}
        nursery.cancel_scope.cancel()
