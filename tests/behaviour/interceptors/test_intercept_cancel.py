"""Cancelling a block works the same with interceptors around it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import CallContext, Proceed, Signal, background, service, stream
from farcall.testing import open_pair
from tests.ends import raw_server, read_now
from tests.inside import scheduled_by


@service(name="")
class Clock:
    """A stream and a signal that give a number each second."""

    ticked: Signal[int] = Signal()

    @background
    async def tick(self) -> None:
        for number in range(100):
            await trio.sleep(1)
            self.ticked.emit(number)

    @stream
    async def count(self) -> AsyncIterator[int]:
        for number in range(100):
            await trio.sleep(1)
            yield number


async def pass_on(_: CallContext, proceed: Proceed) -> Any:
    return await proceed()


KINDS = ["stream", "subscription"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(10))
async def test_a_block_that_is_cancelled_as_a_value_comes_is_cancelled(
    autojump_clock: MockClock, kind: str, seed: int
) -> None:
    """A block that is cancelled as a value arrives is cancelled, whichever task runs first."""
    async with raw_server(interceptors=[pass_on]) as (session, server):
        scope = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            with scheduled_by(seed):
                nursery.start_soon(read_without_end, scope, session, kind)
                await wait_all_tasks_blocked()
                (request,) = server.heard()
                await server.send_json(notification("rpc.started", request, value=STARTED))
                await wait_all_tasks_blocked()
                items = notification("rpc.items", request, seq=0, values=[1])
                read_now(session.connection, msgspec.json.encode(items))
                scope.cancel()
        assert scope.cancelled_caught


STARTED = {"cursor": "a1:0"}


async def read_without_end(scope: trio.CancelScope, session: farcall.Session, kind: str) -> None:
    with scope:
        opened: Any = session.stream("count") if kind == "stream" else session.subscribe("ticked")
        async with opened as values:
            async for _ in values:
                pass
            raise AssertionError("it has ended by itself")


def notification(method: str, request: Any, **params: Any) -> Any:
    return {"jsonrpc": "2.0", "method": method, "params": {"id": request["id"], **params}}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_block_in_a_shield_reads_on(autojump_clock: MockClock, kind: str) -> None:
    """A block in a shield goes on reading when the scope outside is cancelled."""
    async with open_pair(Clock(), Clock, client_interceptors=[pass_on]) as (clock, _):
        with trio.move_on_after(1.5):
            opened: Any = clock.count() if kind == "stream" else clock.ticked.subscribe()
            async with opened as values:
                with trio.CancelScope(shield=True):
                    assert [await anext(values) for _ in range(5)] == [0, 1, 2, 3, 4]
