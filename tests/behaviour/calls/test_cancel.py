"""Cancelling a call ends its handler, and each call is answered once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import current_call, method, service
from farcall.testing import open_pair
from tests.ends import RawClient, cut, drain, raw_client


@service
class Stubborn:
    """Handlers that each treat their cancellation differently."""

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

    async def group(self) -> None:
        async def fail() -> None:
            try:
                await trio.sleep_forever()
            except trio.Cancelled:
                raise ValueError("on the way out") from None

        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            nursery.start_soon(trio.sleep_forever)

    def quick(self) -> str:
        return "quick"

    @method(thread=True)
    def in_thread(self) -> str:
        trio.from_thread.check_cancelled()
        return current_call().method


async def cancelled_after(seconds: float, session: farcall.Session, name: str) -> object:
    """Cancel a call after some seconds; return its result, or the scope if it was cancelled."""
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
    """The handler of a cancelled call has ended when the caller's scope ends."""
    stubborn = Stubborn()
    async with open_pair(stubborn) as (session, connection):
        outcome = await cancelled_after(1, session, "Stubborn.obey")

        assert isinstance(outcome, trio.CancelScope)
        assert outcome.cancelled_caught
        assert stubborn.log == ["ended: caller"]
        assert session.statistics().calls_out == connection.statistics().calls_in == 0


async def test_a_result_that_won_is_returned(autojump_clock: MockClock) -> None:
    """A result that the handler returns in spite of the cancel reaches the caller."""
    async with open_pair(Stubborn()) as (session, _):
        assert await cancelled_after(1, session, "Stubborn.swallow") == "too late"


async def test_a_handler_that_turns_its_cancellation_into_an_error_is_heard(
    autojump_clock: MockClock,
) -> None:
    """An error that the handler raises in place of its cancellation reaches the caller."""
    async with open_pair(Stubborn()) as (session, _):
        with pytest.RaisesGroup(pytest.RaisesExc(farcall.RpcError, match="turned")):
            await cancelled_after(1, session, "Stubborn.turn")


async def test_a_cancelled_caller_waits_at_most_the_grace(
    autojump_clock: MockClock,
) -> None:
    """A cancelled caller waits at most the grace; the call stays in flight until it is answered."""
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
    """A lost connection cancels its handlers with the reason "disconnect"."""
    stubborn = Stubborn()
    async with open_pair(stubborn) as (session, connection):
        async with trio.open_nursery() as nursery:

            async def call() -> None:
                with pytest.raises(farcall.ConnectionLost) as caught:
                    await session.call("Stubborn.obey")
                assert caught.value.sent

            nursery.start_soon(call)
            await wait_all_tasks_blocked()
            cut(connection)
        assert stubborn.log == ["ended: disconnect"]


async def test_a_drain_cancels_what_takes_too_long(autojump_clock: MockClock) -> None:
    """A drain cancels a call that outlasts it, and the caller gets RemoteCancelled."""
    stubborn = Stubborn()
    async with open_pair(stubborn) as (session, connection):
        async with trio.open_nursery() as nursery:

            async def call() -> None:
                with pytest.raises(farcall.RemoteCancelled):
                    await session.call("Stubborn.obey")

            nursery.start_soon(call)
            await wait_all_tasks_blocked()
            await drain(connection, 5)
        assert stubborn.log == ["ended: shutdown"]


async def test_ordered_calls_run_one_at_a_time(autojump_clock: MockClock) -> None:
    """Ordered calls run one at a time, in the order sent."""
    stubborn = Stubborn()
    async with open_pair(stubborn) as (session, _):
        async with trio.open_nursery() as nursery:
            for name in "abc":
                nursery.start_soon(session.call, "Stubborn.one_at_a_time", name)
                await wait_all_tasks_blocked()
        assert stubborn.log == ["+a", "-a", "+b", "-b", "+c", "-c"]


async def test_a_method_may_run_in_a_thread() -> None:
    """`current_call()` works in the thread of a threaded method."""
    async with open_pair(Stubborn()) as (session, _):
        assert await session.call("Stubborn.in_thread") == "Stubborn.in_thread"


HELLO = {"jsonrpc": "2.0", "id": 1, "method": "rpc.hello", "params": {"v": 1, "limits": {}}}
CANCELLED = {"code": -32800, "message": "Cancelled"}


def request(id: int, method: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method}


def cancel(id: int, method: str = "rpc.cancel") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": {"id": id}}


@asynccontextmanager
async def greeted(served: object) -> AsyncIterator[RawClient]:
    """Serve an object to a raw peer that has said hello."""
    async with raw_client(served) as client:
        await client.ask(HELLO)
        yield client


def answers(heard: list[Any]) -> list[Any]:
    """Unpack the messages of bundles."""
    return [each for part in heard for each in (part if isinstance(part, list) else [part])]


@service
class Marked:
    """A service that counts the calls it begins."""

    def __init__(self) -> None:
        self.begun = 0

    async def begin(self) -> str:
        self.begun += 1
        return "done"

    async def last(self) -> None:
        self.begun += 1
        await trio.sleep_forever()


async def test_a_call_that_is_cancelled_before_its_start_is_not_begun() -> None:
    """A call that is cancelled before it starts is answered without starting."""
    marked = Marked()
    async with greeted(marked) as client:
        bundle = [request(2, "Marked.begin"), request(3, "Marked.begin"), cancel(2)]
        heard = answers(await client.ask(bundle))

    assert marked.begun == 1
    assert {each["id"]: each.get("error", each.get("result")) for each in heard} == {
        2: CANCELLED,
        3: "done",
    }


async def test_a_cancel_may_come_twice_late_or_for_nothing() -> None:
    """A cancel that is repeated, late or of an unknown id changes nothing."""
    async with greeted(Marked()) as client:
        assert await client.ask(request(2, "Marked.last")) == []
        heard = answers(await client.ask([cancel(2), cancel(2), cancel(2), cancel(99)]))
        assert [(each["id"], each["error"]) for each in heard] == [(2, CANCELLED)]
        assert await client.ask(cancel(2)) == []
        (answer,) = await client.ask(request(3, "Marked.begin"))
        assert answer["result"] == "done"


async def test_a_plain_peer_cancels_by_the_name_that_other_protocols_have() -> None:
    """A plain peer may cancel with `$/cancelRequest`."""
    async with raw_client(Marked()) as client:
        assert await client.ask(request(2, "Marked.last")) == []
        (answer,) = await client.ask(cancel(2, "$/cancelRequest"))
        assert answer["error"] == CANCELLED


async def test_a_cancel_and_the_answer_may_cross(autojump_clock: MockClock) -> None:
    """A cancel in the same frame as a call to an inline method comes too late."""
    async with greeted(Stubborn()) as client:
        bundle = [request(2, "Stubborn.quick"), cancel(2)]
        (answer,) = answers(await client.ask(bundle))
        assert answer["result"] == "quick"


async def test_a_handler_whose_tasks_fail_while_it_is_cancelled_answers_once(
    autojump_clock: MockClock,
) -> None:
    """A handler whose tasks fail during a cancellation is answered with their errors."""
    async with open_pair(Stubborn()) as (session, connection):
        with pytest.RaisesGroup(farcall.FarcallError, flatten_subgroups=True):
            await cancelled_after(1, session, "Stubborn.group")
        assert session.statistics().calls_out == connection.statistics().calls_in == 0


async def test_without_grace_a_cancelled_caller_goes_at_once(autojump_clock: MockClock) -> None:
    """Without a grace, a cancelled caller returns at once and the call stays in flight."""
    async with open_pair(Stubborn(), cancel_grace=0) as (session, _):
        began = trio.current_time()
        await cancelled_after(1, session, "Stubborn.cling")
        assert trio.current_time() - began == 1
        assert session.statistics().calls_out == 1


async def test_a_link_that_breaks_ends_the_grace(autojump_clock: MockClock) -> None:
    """A lost connection ends the grace: the caller is cancelled and gets no ConnectionLost."""
    async with open_pair(Stubborn(), cancel_grace=60) as (session, connection):
        began = trio.current_time()
        async with trio.open_nursery() as nursery:

            async def call() -> None:
                outcome = await cancelled_after(1, session, "Stubborn.cling")
                assert isinstance(outcome, trio.CancelScope)
                assert outcome.cancelled_caught
                assert trio.current_time() - began == 3

            nursery.start_soon(call)
            await trio.sleep(3)
            cut(connection)


async def test_a_shielded_caller_is_not_cancelled(autojump_clock: MockClock) -> None:
    """A call in a shielded scope is not cancelled."""
    stubborn = Stubborn()
    async with open_pair(stubborn) as (session, _):
        with trio.move_on_after(0.5), trio.CancelScope(shield=True):
            await session.call("Stubborn.one_at_a_time", "a")
    assert stubborn.log == ["+a", "-a"]


async def test_the_reason_of_a_cancellation_travels(autojump_clock: MockClock) -> None:
    """The reason of a cancellation reaches the handlers that a handler has called."""
    stubborn = Stubborn()
    async with open_pair(stubborn) as (session, _):
        Relay.session = session
        async with open_pair(Relay()) as (outer, connection):
            async with trio.open_nursery() as nursery:

                async def call() -> None:
                    with pytest.raises(farcall.RemoteCancelled):
                        await outer.call("Relay.obey")

                nursery.start_soon(call)
                await wait_all_tasks_blocked()
                await drain(connection, 1)
    assert stubborn.log == ["ended: shutdown"]


@service
class Relay:
    """A service that passes its call on to another one."""

    session: ClassVar[farcall.Session]

    async def obey(self) -> None:
        await self.session.call("Stubborn.obey")
