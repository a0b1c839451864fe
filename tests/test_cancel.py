"""Cancelling a call: the handler ends as well, and each call is answered once."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import current_call, method, service
from farcall.testing import open_pair


@service
class Stubborn:
    """Handlers that take being cancelled in different ways."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def obey(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.log.append(f"ended: {current_call().cancel_reason}")

    async def swallow(self) -> str:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            return "too late"

    async def turn(self) -> str:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            raise farcall.RpcError(7, "turned") from None

    async def cling(self) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(10)
        self.log.append("let go")

    @method(ordered=True)
    async def one_at_a_time(self, name: str) -> None:
        self.log.append(f"+{name}")
        await trio.sleep(1)
        self.log.append(f"-{name}")

    @method(thread=True)
    def in_thread(self) -> str:
        trio.from_thread.check_cancelled()
        return current_call().method


async def cancelled_after(seconds: float, session: farcall.Session, name: str) -> object:
    """Cancel a call after some seconds, and give what it returned all the same."""
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def cancel() -> None:
                await trio.sleep(seconds)
                scope.cancel()

            nursery.start_soon(cancel)
            return await session.call(name)
    return scope


async def test_a_cancelled_call_ends_its_handler_before_the_scope_ends(
    autojump_clock: MockClock,
) -> None:
    """What a scope started has ended when it ends, on the other machine as well."""
    stubborn = Stubborn()
    async with open_pair(stubborn) as (session, connection):
        outcome = await cancelled_after(1, session, "Stubborn.obey")

        assert isinstance(outcome, trio.CancelScope)
        assert outcome.cancelled_caught
        assert stubborn.log == ["ended: caller"]
        assert session.statistics().calls_out == connection.statistics().calls_in == 0


async def test_a_result_that_won_is_returned(autojump_clock: MockClock) -> None:
    """Nothing that has happened is lost, though the caller was cancelled meanwhile."""
    async with open_pair(Stubborn()) as (session, _):
        assert await cancelled_after(1, session, "Stubborn.swallow") == "too late"


async def test_a_handler_that_turns_its_cancellation_into_an_error_is_heard(
    autojump_clock: MockClock,
) -> None:
    """As a local function would be."""
    async with open_pair(Stubborn()) as (session, _):
        with pytest.RaisesGroup(pytest.RaisesExc(farcall.RpcError, match="turned")):
            await cancelled_after(1, session, "Stubborn.turn")


async def test_a_caller_waits_for_the_answer_to_its_cancel_only_so_long(
    autojump_clock: MockClock,
) -> None:
    """After the grace the call is abandoned; it is in flight until its handler has ended."""
    stubborn = Stubborn()
    async with open_pair(stubborn, cancel_grace=2) as (session, _):
        began = trio.current_time()
        await cancelled_after(1, session, "Stubborn.cling")

        assert trio.current_time() - began == 3
        assert session.statistics().calls_out == 1
        await trio.sleep(10)
        assert stubborn.log == ["let go"]
        assert session.statistics().calls_out == 0
        assert session.statistics().strays == 0


async def test_a_lost_connection_cancels_its_handlers(autojump_clock: MockClock) -> None:
    """At once, and they can tell why."""
    stubborn = Stubborn()
    async with open_pair(stubborn) as (session, connection):
        async with trio.open_nursery() as nursery:

            async def call() -> None:
                with pytest.raises(farcall.ConnectionLost) as caught:
                    await session.call("Stubborn.obey")
                assert caught.value.sent

            nursery.start_soon(call)
            await wait_all_tasks_blocked()
            connection._link.abort(1011, "pulled")
        assert stubborn.log == ["ended: disconnect"]


async def test_a_drain_cancels_what_takes_too_long(autojump_clock: MockClock) -> None:
    """Its caller, who had not asked for that, gets RemoteCancelled."""
    stubborn = Stubborn()
    async with open_pair(stubborn) as (session, connection):
        async with trio.open_nursery() as nursery:

            async def call() -> None:
                with pytest.raises(farcall.RemoteCancelled):
                    await session.call("Stubborn.obey")

            nursery.start_soon(call)
            await wait_all_tasks_blocked()
            await connection._link.drain(5)
        assert stubborn.log == ["ended: shutdown"]


async def test_ordered_calls_run_one_at_a_time(autojump_clock: MockClock) -> None:
    """In the order in which they were sent."""
    stubborn = Stubborn()
    async with open_pair(stubborn) as (session, _):
        async with trio.open_nursery() as nursery:
            for name in "abc":
                nursery.start_soon(session.call, "Stubborn.one_at_a_time", name)
                await wait_all_tasks_blocked()
        assert stubborn.log == ["+a", "-a", "+b", "-b", "+c", "-c"]


async def test_a_method_may_run_in_a_thread() -> None:
    """It knows its call there as well."""
    async with open_pair(Stubborn()) as (session, _):
        assert await session.call("Stubborn.in_thread") == "Stubborn.in_thread"
