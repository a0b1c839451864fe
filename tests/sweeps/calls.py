"""Calls between two peers: one-way, back, ordered and threaded ones, and subscriptions."""

from __future__ import annotations

import functools
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio

import farcall
from farcall import Session, Signal, current_call, method, service
from farcall.testing import Pair, open_pair
from tests.inside import links_of
from tests.sweeps.sweep import Sweep


@service
class Back:
    """The service of the client."""

    async def confirm(self, question: str) -> str:
        await trio.sleep(1)
        return f"{question}!"


@service
class Desk:
    """The service of the server, with each kind of method."""

    ticked: Signal[int] = Signal()

    async def work(self, seconds: float) -> str:
        await trio.sleep(seconds)
        return "done"

    async def fail(self) -> None:
        raise farcall.RpcError(7, "no")

    async def ask(self) -> str:
        return await current_call().connection.proxy(Back).confirm("sure")

    @method(ordered=True)
    async def in_turn(self) -> None:
        await trio.sleep(1)

    @method(oneway=True)
    async def forget(self) -> None:
        await trio.lowlevel.checkpoint()

    @method(thread=True)
    def in_thread(self) -> str:
        trio.from_thread.check_cancelled()
        return "read"

    def inline(self) -> str:
        return "quick"


async def call(pair: Pair[Session]) -> None:
    """One call, with a deadline that it does not reach."""
    with trio.fail_after(30):
        assert await pair.client.call("Desk.work", 1) == "done"


async def calls_at_once(pair: Pair[Session]) -> None:
    """Several calls in one bundle; one fails and one runs out of time."""

    async def fail() -> None:
        with pytest.raises(farcall.RpcError):
            await pair.client.call("Desk.fail")

    async def give_up() -> None:
        with trio.move_on_after(0.5):
            await pair.client.call("Desk.work", 1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pair.client.call, "Desk.work", 1)
        nursery.start_soon(pair.client.call, "Desk.inline")
        nursery.start_soon(fail)
        nursery.start_soon(give_up)


async def call_back(pair: Pair[Session]) -> None:
    """A call back during a call."""
    assert await pair.client.call("Desk.ask") == "sure!"


async def ordered(pair: Pair[Session]) -> None:
    """Ordered calls, all but one of which wait."""
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(pair.client.call, "Desk.in_turn")


async def in_thread(pair: Pair[Session]) -> None:
    """A call to a threaded method."""
    assert await pair.client.call("Desk.in_thread") == "read"


async def one_way(pair: Pair[Session]) -> None:
    """A one-way call, and a call after it."""
    await pair.client.notify("Desk.forget")
    assert await pair.client.call("Desk.inline") == "quick"


async def subscribe(pair: Pair[Session]) -> None:
    """A subscription that gets two values."""
    async with pair.client.subscribe("Desk.ticked") as ticks:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(emit, pair.connection)
            while await anext(ticks) != 2:
                pass


async def subscribe_twice(pair: Pair[Session]) -> None:
    """Two subscribers of one signal."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(subscribe, pair)
        nursery.start_soon(subscribe, pair)


async def emit(connection: farcall.Connection) -> None:
    (desk,) = [each.target for each in endpoints(connection) if isinstance(each.target, Desk)][:1]
    for value in (1, 2):
        await trio.sleep(0.5)
        desk.ticked.emit(value)


def endpoints(connection: farcall.Connection) -> Any:
    (link,) = links_of(connection)
    handler: Any = link.handler
    return handler.endpoints.methods.values()


async def ping(pair: Pair[Session]) -> None:
    """A ping and its pong."""
    await pair.client.ping()


async def call_more_than_may(pair: Pair[Session]) -> None:
    """Calls that wait for their turn; one runs out of time before."""

    async def give_up() -> None:
        with trio.move_on_after(1.5):
            await pair.client.call("Desk.work", 1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(give_up)
        for _ in range(3):
            nursery.start_soon(pair.client.call, "Desk.work", 1)


async def call_back_at_the_limit(pair: Pair[Session]) -> None:
    """Calls back at the limit of one call in flight."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pair.client.call, "Desk.ask")
        nursery.start_soon(pair.client.call, "Desk.ask")


def open_desk(**options: Any) -> AbstractAsyncContextManager[Pair[Session]]:
    """Serve on both sides."""
    return open_pair(Desk(), serves=[Back()], **options)


CALLS = [
    Sweep("calls", scenario, open_desk)
    for scenario in (
        call,
        calls_at_once,
        call_back,
        ordered,
        one_way,
        subscribe,
        subscribe_twice,
        ping,
    )
]

THREADS = [Sweep("threads", in_thread, open_desk, is_virtual=False)]
"""In real time, because a virtual clock does not wait for a thread."""

PLAIN = [
    # A plain peer cannot cancel a call, so that the call goes on and is answered.
    Sweep("plain", scenario, functools.partial(open_desk, dialect="plain"), settle_seconds=5)
    for scenario in (call, calls_at_once, one_way, subscribe, subscribe_twice)
]

LIMITED = [
    Sweep("at the limit", scenario, functools.partial(open_desk, limits=farcall.Limits(calls=1)))
    for scenario in (call_more_than_may, call_back_at_the_limit)
]
