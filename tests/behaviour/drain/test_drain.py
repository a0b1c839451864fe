"""A side that drains lets running calls finish, with the calls back that they make."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import SessionState, Signal, background, current_call, service, stream
from farcall.testing import open_pair
from tests.ends import drain
from tests.sweeps.sweep import ignore


@service
class Desk:
    """A service that calls its client back."""

    async def work(self, seconds: float = 0) -> str:
        await trio.sleep(seconds)
        return "done"

    async def ask(self) -> str:
        await trio.sleep(2)
        return await current_call().connection.proxy(Back).confirm()

    async def ask_round(self) -> str:
        await trio.sleep(2)
        return await current_call().connection.proxy(Back).ask_desk()

    async def add_up(self) -> int:
        await trio.sleep(2)
        async with current_call().connection.proxy(Back).numbers() as values:
            return sum([value async for value in values])

    async def listen(self) -> int:
        await trio.sleep(2)
        async with current_call().connection.proxy(Back).changed.subscribe() as values:
            return await anext(values)


@service
class Back:
    """The client's service for calls back."""

    changed: Signal[int] = Signal()

    @background
    async def change(self) -> None:
        while True:
            await trio.sleep(0.5)
            self.changed.emit(7)

    async def confirm(self) -> str:
        await trio.sleep(1)
        return "yes"

    async def ask_desk(self) -> str:
        await trio.sleep(1)
        return await current_call().connection.proxy(Desk).work(1)

    @stream
    async def numbers(self) -> AsyncIterator[int]:
        for number in range(3):
            yield number


@pytest.mark.parametrize(
    ("name", "answer"),
    [("ask", "yes"), ("ask_round", "done"), ("add_up", 3), ("listen", 7)],
)
async def test_calls_back_of_a_running_handler_are_served(
    name: str, answer: object, autojump_clock: MockClock
) -> None:
    """The calls back of a running handler are served during a drain."""
    async with open_pair(Desk(), serves=[Back()]) as pair:
        answers: list[object] = []

        async def call() -> None:
            answers.append(await pair.client.call(f"Desk.{name}"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await trio.sleep(1)
            await drain(pair.connection, 10)
        assert answers == [answer]
        assert trio.current_time() < 6


async def test_a_new_call_is_refused_during_a_drain(autojump_clock: MockClock) -> None:
    """A new call is refused during a drain, and the client knows that the server drains."""
    async with open_pair(Desk(), serves=[Back()]) as (session, connection):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.call, "Desk.work", 3)
            await wait_all_tasks_blocked()
            nursery.start_soon(drain, connection, 10)
            await trio.sleep(1)
            assert session.state is SessionState.DRAINING
            with pytest.raises(farcall.ShuttingDown):
                await session.call("Desk.work")


async def test_both_sides_may_go_away(autojump_clock: MockClock) -> None:
    """A side that begins to drain refuses calls that it served until then."""
    async with open_pair(Desk(), serves=[Back()]) as (session, connection):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ignore, session.call, "Desk.work", 4)
            await wait_all_tasks_blocked()
            nursery.start_soon(drain, connection, 10)
            await trio.sleep(0.5)
            assert await connection.proxy(Back).confirm() == "yes"
            nursery.start_soon(connection.proxy(Back).confirm)
            await wait_all_tasks_blocked()
            nursery.start_soon(drain, session, 10)
            await wait_all_tasks_blocked()
            with pytest.raises(farcall.ShuttingDown):
                await connection.proxy(Back).confirm()


@service(name="")
class Long:
    """A service whose calls outlast any drain."""

    ticked: Signal[int] = Signal()

    async def wait(self) -> None:
        await trio.sleep_forever()

    @stream
    async def count(self) -> AsyncIterator[int]:
        yield 1
        await trio.sleep_forever()


REASON = "the server is shutting down"


async def call(session: farcall.Session) -> None:
    await session.call("wait")


async def iterate(session: farcall.Session) -> None:
    async with session.stream("count") as items:
        async for _ in items:
            pass


async def listen(session: farcall.Session) -> None:
    async with session.subscribe("ticked") as values:
        async for _ in values:
            pass


async def proceed(_call: farcall.CallContext, proceed: farcall.Proceed) -> Any:
    return await proceed()


@pytest.mark.parametrize("interceptors", [(), (proceed,)])
@pytest.mark.parametrize("begin", [call, iterate, listen])
async def test_a_call_that_a_drain_cancels_gets_the_reason(
    begin: Callable[[farcall.Session], Awaitable[None]],
    interceptors: Sequence[farcall.Interceptor],
    autojump_clock: MockClock,
) -> None:
    """A call, stream or subscription that a drain cancels gets the reason."""
    async with (
        open_pair(Long(), interceptors=interceptors) as (session, connection),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(drain_later, connection)
        with pytest.raises(farcall.RemoteCancelled, match=REASON) as caught:
            await begin(session)

        assert caught.value.reason == REASON


async def test_a_call_that_a_drain_refuses_gets_the_reason(autojump_clock: MockClock) -> None:
    """A request during or after a drain gets the reason why it is refused."""
    async with (
        open_pair(Long()) as (session, connection),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(suppressed, call, session)
        await trio.sleep(1)
        nursery.start_soon(drain_later, connection, 0)
        await trio.sleep(1)
        for begin in (call, iterate, listen):
            with pytest.raises(farcall.ShuttingDown, match=REASON) as caught:
                await begin(session)
            assert caught.value.reason == REASON
        await trio.sleep(20)
        with pytest.raises(farcall.ConnectionLost, match=REASON):
            await call(session)


async def drain_later(connection: farcall.Connection, after: float = 1) -> None:
    await trio.sleep(after)
    await drain(connection, 10)


async def suppressed(
    function: Callable[[farcall.Session], Awaitable[None]], session: farcall.Session
) -> None:
    with contextlib.suppress(farcall.FarcallError):
        await function(session)
