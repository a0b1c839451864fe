"""Calls that wait for the writer: which are sent, in what order, and which are withdrawn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from tests.ends import RawPeer, raw_server

MORE_THAN_THE_PIPE_HOLDS = "x" * 1_000_000


@asynccontextmanager
async def stalled() -> AsyncIterator[tuple[farcall.Session, RawPeer]]:
    """Connect to a server that stops reading during a first call, so that later ones queue."""
    async with raw_server() as (session, server):
        server.stop_reading()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.call, "first", MORE_THAN_THE_PIPE_HOLDS)
            await wait_all_tasks_blocked()
            # The first call fills the link, and the writer holds the second one.
            nursery.start_soon(session.call, "second", MORE_THAN_THE_PIPE_HOLDS)
            await wait_all_tasks_blocked()
            yield session, server
            nursery.cancel_scope.cancel()


async def heard_by(server: RawPeer) -> list[str]:
    """Let the server read, and return the methods it hears, in order."""
    server.go_on_reading()
    await wait_all_tasks_blocked()
    frames = server.heard()
    bundles: list[list[Any]] = [frame if type(frame) is list else [frame] for frame in frames]
    return [each["method"] for bundle in bundles for each in bundle]


async def test_a_call_whose_time_runs_out_in_the_queue_is_not_sent(
    autojump_clock: MockClock,
) -> None:
    """A call whose deadline passes in the queue is not sent, even if the caller moved its own."""
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
    """A call whose caller runs out of time in the queue is withdrawn without a trace."""
    async with stalled() as (session, server):
        began = trio.current_time()
        with trio.move_on_after(1) as scope:
            await session.call("late")

        assert scope.cancelled_caught
        assert trio.current_time() - began == 1
        assert await heard_by(server) == ["first", "second"]


async def test_a_cancel_goes_ahead_of_calls_that_wait(autojump_clock: MockClock) -> None:
    """A cancel is sent before calls that wait in the queue."""
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
async def test_a_cancelled_caller_sends_nothing(kind: str, autojump_clock: MockClock) -> None:
    """A caller that is cancelled already sends neither a request nor a cancel."""
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
