"""Where and when a handler runs: in order, one at a time, in a thread, or inline."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import CallContext, Proceed, current_call, method, service
from farcall.testing import open_pair
from tests.ends import cut, raw_client, wait_until


@service(name="")
class Yard:
    """A service that records when its calls begin and end."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.may_go = threading.Event()

    @method(ordered=True)
    async def load(self, name: str) -> None:
        self.log.append(f"+{name}")
        await trio.sleep(1)
        self.log.append(f"-{name}")

    @method(ordered=True)
    async def unload(self, name: str) -> None:
        self.log.append(f"+{name}")
        await trio.sleep(1)
        self.log.append(f"-{name}")

    async def note(self, name: str) -> None:
        self.log.append(name)

    def jot(self, name: str) -> None:
        self.log.append(name)

    @method(thread=True)
    def saw(self) -> str:
        self.log.append("+saw")
        assert self.may_go.wait(5)
        self.log.append("-saw")
        return "planks"

    @method(thread=True)
    def look(self) -> bool:
        return threading.current_thread() is threading.main_thread()


@pytest.fixture
def yard() -> Iterator[Yard]:
    yard = Yard()
    yield yard
    yard.may_go.set()


async def pass_on(call: CallContext, proceed: Proceed) -> Any:
    return await proceed()


@pytest.mark.parametrize("interceptors", [[], [pass_on]])
async def test_ordered_calls_in_one_frame_run_in_the_order_sent(
    yard: Yard, autojump_clock: MockClock, interceptors: list[farcall.Interceptor]
) -> None:
    """Ordered calls of one frame run in the order sent, with and without interceptors."""
    async with raw_client(yard, interceptors=interceptors) as client:
        await client.send_json(
            [
                {"jsonrpc": "2.0", "id": number, "method": "load", "params": [str(number)]}
                for number in range(20)
            ]
        )
        await trio.sleep(30)
    assert yard.log == [f"{sign}{number}" for number in range(20) for sign in "+-"]


async def test_ordered_calls_hold_up_no_other_method(yard: Yard, autojump_clock: MockClock) -> None:
    """Each ordered method has its own order, and other methods do not wait."""
    async with open_pair(yard) as (session, _), trio.open_nursery() as nursery:
        for name, argument in (("load", "a"), ("load", "b"), ("unload", "c"), ("note", "d")):
            nursery.start_soon(session.call, name, argument)
            await wait_all_tasks_blocked()
    assert yard.log[:3] == ["+a", "+c", "d"]
    assert yard.log.index("-a") < yard.log.index("+b")


async def test_ordered_calls_hold_up_no_other_connection(
    yard: Yard, autojump_clock: MockClock
) -> None:
    """Ordered calls of one connection do not wait for those of another."""
    async with (
        open_pair(yard) as (one, _),
        open_pair(yard) as (other, _),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(one.call, "load", "a")
        nursery.start_soon(other.call, "load", "b")
    assert sorted(yard.log[:2]) == ["+a", "+b"]


async def test_a_threaded_method_holds_up_no_other_call(yard: Yard) -> None:
    """Other calls are served while a threaded method runs."""
    results: list[str] = []

    async def saw(session: farcall.Session) -> None:
        results.append(await session.call("saw"))

    async with open_pair(yard) as (session, _), trio.open_nursery() as nursery:
        nursery.start_soon(saw, session)
        await wait_until(lambda: yard.log == ["+saw"])
        await session.call("note", "meanwhile")
        yard.may_go.set()
    assert yard.log == ["+saw", "meanwhile", "-saw"]
    assert results == ["planks"]


async def test_a_thread_is_in_flight_until_it_has_ended(yard: Yard) -> None:
    """A cancelled call to a threaded method is in flight until its thread has ended."""
    async with open_pair(yard, cancel_grace=0) as (session, connection):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.call, "saw")
                await wait_until(lambda: yard.log == ["+saw"])
                scope.cancel()
        await wait_all_tasks_blocked()  # the server has received the cancel
        assert connection.statistics().calls_in == session.statistics().calls_out == 1
        yard.may_go.set()
        await wait_until(lambda: session.statistics().calls_out == 0)
        assert connection.statistics().calls_in == 0
    assert yard.log == ["+saw", "-saw"]


async def test_a_thread_is_another_one(yard: Yard) -> None:
    """A threaded method runs in another thread than Trio."""
    async with open_pair(yard) as (session, _):
        assert await session.call("look", returns=bool) is False


async def test_an_inline_def_does_not_overtake_what_was_sent_before_it(yard: Yard) -> None:
    """An inline method does not run before calls that were sent before it."""
    methods = ["note", "jot", "jot", "note"] * 10
    async with raw_client(yard) as client:
        await client.ask(
            [
                {"jsonrpc": "2.0", "id": id, "method": method, "params": [str(id)]}
                for id, method in enumerate(methods)
            ]
        )
    assert yard.log == [str(number) for number in range(40)]


async def test_a_call_is_sent_once_and_only_once() -> None:
    """A call is sent once, even if its connection is lost."""

    @service
    class Shop:
        def __init__(self) -> None:
            self.sold = 0

        async def buy(self) -> None:
            self.sold += 1
            cut(current_call().connection)

    shop = Shop()
    async with open_pair(shop, Shop) as (proxy, _):
        with pytest.raises(farcall.ConnectionLost) as caught:
            await proxy.buy()
        assert caught.value.sent
        with pytest.raises(farcall.ConnectionLost) as caught:
            await proxy.buy()
        assert not caught.value.sent
    assert shop.sold == 1
