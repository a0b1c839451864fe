"""What waits for the writer: what may leave, what goes first, and what the peer never hears of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from tests.ends import RawPeer, raw_server

MORE_THAN_THE_PIPE_HOLDS = "x" * 1_000_000


@asynccontextmanager
async def stalled() -> AsyncIterator[tuple[farcall.Session, RawPeer]]:
    """Connect to a server that has not read all of a first call, which holds up the writer."""
    async with raw_server() as (session, server):
        server.stop_reading()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.call, "first", MORE_THAN_THE_PIPE_HOLDS)
            await wait_all_tasks_blocked()
            # The first one fills the link, and the writer waits with this one in its hands.
            nursery.start_soon(session.call, "second", MORE_THAN_THE_PIPE_HOLDS)
            await wait_all_tasks_blocked()
            yield session, server
            nursery.cancel_scope.cancel()


async def heard_by(server: RawPeer) -> list[str]:
    """Let the server read, and tell which methods it hears, in order."""
    server.go_on_reading()
    await wait_all_tasks_blocked()
    frames = server.heard()
    bundles: list[list[Any]] = [frame if type(frame) is list else [frame] for frame in frames]
    return [each["method"] for bundle in bundles for each in bundle]


async def test_a_call_whose_time_runs_out_in_the_queue_is_not_sent(
    autojump_clock: MockClock,
) -> None:
    """Though its caller waits on, who has more time by now and gets the error."""
    async with stalled() as (session, server):
        with trio.move_on_after(1) as scope:
            async with trio.open_nursery() as nursery:

                async def call() -> None:
                    with pytest.raises(farcall.DeadlineExceeded):
                        await session.call("late")

                nursery.start_soon(call)
                await wait_all_tasks_blocked()
                scope.deadline += 10
                await trio.sleep(2)
                assert "late" not in await heard_by(server)
        assert not scope.cancelled_caught
        assert session.statistics().calls_out == 2


async def test_a_call_whose_caller_runs_out_of_time_is_withdrawn(
    autojump_clock: MockClock,
) -> None:
    """The peer hears neither of it nor of its cancellation, and the caller waits for nobody."""
    async with stalled() as (session, server):
        began = trio.current_time()
        with trio.move_on_after(1) as scope:
            await session.call("late")

        assert scope.cancelled_caught
        assert trio.current_time() - began == 1
        assert await heard_by(server) == ["first", "second"]


async def test_a_cancel_goes_ahead_of_calls_that_wait(autojump_clock: MockClock) -> None:
    """They were made before, and have not been taken."""
    async with raw_server() as (session, server):
        async with trio.open_nursery() as nursery:
            scope = trio.CancelScope()

            async def call() -> None:
                with scope:
                    await session.call("unwanted")

            nursery.start_soon(call)
            await wait_all_tasks_blocked()
            server.stop_reading()
            for name in ("first", "second"):
                nursery.start_soon(session.call, name, MORE_THAN_THE_PIPE_HOLDS)
                await wait_all_tasks_blocked()
            nursery.start_soon(session.call, "third")
            await wait_all_tasks_blocked()
            scope.cancel()
            await wait_all_tasks_blocked()
            heard = await heard_by(server)
            nursery.cancel_scope.cancel()
    assert heard == ["unwanted", "first", "second", "rpc.cancel", "third"]


@pytest.mark.parametrize("kind", ["call", "stream", "subscription"])
async def test_who_is_cancelled_already_sends_nothing(kind: str, autojump_clock: MockClock) -> None:
    """Neither a request nor its cancellation."""
    async with raw_server() as (session, server):
        with trio.CancelScope() as scope:
            scope.cancel()
            if kind == "call":
                await session.call("late")
            opened: Any = session.stream("late") if kind == "stream" else session.subscribe("late")
            async with opened:
                raise AssertionError
        await wait_all_tasks_blocked()
        assert scope.cancelled_caught
        assert server.heard() == []


@farcall.service(name="")
class Callbacks:
    """What a client serves."""

    async def hang(self) -> None:
        await trio.sleep_forever()


async def test_what_a_client_serves_obeys_its_limits(autojump_clock: MockClock) -> None:
    """Of time and of number, as at a server."""
    options: dict[str, Any] = {"serves": [Callbacks()], "max_call_seconds": 1}
    async with raw_server(limits=farcall.Limits(calls=1), **options) as (_, server):
        for id in (7, 8):
            await server.send([msgspec.json.encode({"jsonrpc": "2.0", "id": id, "method": "hang"})])
        await trio.sleep(2)
        errors = {each["id"]: each["error"] for each in server.heard()}
    assert errors[7]["code"] == -32002
    assert errors[7]["data"] == {"by": "server"}
    assert errors[8]["code"] == -32003
    assert errors[8]["data"]["limit"] == "calls"
