"""A farcall session against the npm server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

import farcall
from tests.interop.peers import VERSIONS, Peer, run_peer

pytestmark = [pytest.mark.requires("node"), pytest.mark.parametrize("version", VERSIONS)]


@asynccontextmanager
async def open_ends(version: str) -> AsyncIterator[tuple[farcall.Session, Peer]]:
    async with run_peer("server.cjs", version) as peer:
        port = (await peer.hear())["port"]
        async with farcall.connect(f"ws://127.0.0.1:{port}") as session:
            yield session, peer


async def test_a_session_falls_back_to_the_plain_dialect(version: str) -> None:
    """A session falls back to the plain dialect."""
    async with open_ends(version) as (session, _):
        assert session.statistics().dialect == "plain"


async def test_calls_by_position_and_by_name(version: str) -> None:
    """Arguments arrive by position and by name."""
    async with open_ends(version) as (session, _):
        assert await session.call("add", 2, 3, returns=int) == 5
        assert await session.call("add", a=2, b=3, returns=int) == 5
        assert await session.call("echo", arguments={"returns": 1}) == {"returns": 1}


async def test_a_result_that_is_undefined_is_none(version: str) -> None:
    """A response without a result is None."""
    async with open_ends(version) as (session, _):
        assert await session.call("nothing") is None


async def test_errors_keep_code_message_and_data(version: str) -> None:
    """Any error that JavaScript throws becomes an RpcError."""
    async with open_ends(version) as (session, _):
        with pytest.raises(farcall.RpcError) as broke:
            await session.call("fail")
        with pytest.raises(farcall.RpcError) as refused:
            await session.call("refuse")
        with pytest.raises(farcall.RpcError) as hinted:
            await session.call("hint")
        with pytest.raises(farcall.MethodNotFound):
            await session.call("missing")

    assert (broke.value.code, broke.value.message) == (-32000, "TypeError")
    assert broke.value.data == "it broke"
    assert (refused.value.code, refused.value.message) == (7, "no")
    assert refused.value.data == {"why": "closed"}
    assert hinted.value.message == "just a string"


async def test_answers_out_of_order_reach_their_calls(version: str) -> None:
    """A slow call does not hold up a quick one."""
    order: list[int] = []

    async def call(session: farcall.Session, milliseconds: int) -> None:
        order.append(await session.call("slow", milliseconds, returns=int))

    async with open_ends(version) as (session, _), trio.open_nursery() as nursery:
        nursery.start_soon(call, session, 200)
        nursery.start_soon(call, session, 1)

    assert order == [1, 200]


async def test_events_arrive_in_every_shape(version: str) -> None:
    """An event of one argument is a value, of several a tuple, of none None."""
    async with (
        open_ends(version) as (session, peer),
        session.subscribe("tick") as ticks,
        session.subscribe("tick", returns=int) as typed,
        session.subscribe("pair") as pairs,
        session.subscribe("bare") as bares,
    ):
        await peer.tell({"emit": ["tick", 7]})
        await peer.tell({"emit": ["pair", "a", 2]})
        await peer.tell({"emit": ["pair", {"a": 1}]})
        await peer.tell({"emit": ["bare"]})

        assert await anext(ticks) == await anext(typed) == 7
        assert await anext(pairs) == ("a", 2)
        assert await anext(pairs) == {"a": 1}
        assert await anext(bares) is None


async def test_an_event_that_the_server_lacks_is_refused(version: str) -> None:
    """Subscribing to an unknown event raises MethodNotFound."""
    async with open_ends(version) as (session, _):
        with pytest.raises(farcall.MethodNotFound, match="no event 'never'"):
            async with session.subscribe("never"):
                pass


async def test_a_server_that_vanishes_leaves_no_call_waiting(version: str) -> None:
    """Calls and subscriptions of a server that dies end with ConnectionLost."""
    async with open_ends(version) as (session, peer), session.subscribe("tick") as ticks:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_kill_soon, peer)
            with pytest.raises(farcall.ConnectionLost) as lost:
                await session.call("slow", 60_000)
        with pytest.raises(farcall.ConnectionLost):
            await anext(ticks)

    assert lost.value.sent


async def _kill_soon(peer: Peer) -> None:
    await trio.sleep(0.05)
    peer.kill()
