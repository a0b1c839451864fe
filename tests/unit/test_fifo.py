"""Calls start in the order in which they were sent, whatever kinds of methods they call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import outcome
import pytest
import trio
from trio.testing import MockClock

from farcall import CallContext, Proceed, method, service
from tests.ends import raw_client, wait_until

HELLO: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "rpc.hello",
    "params": {"v": 1, "limits": {}},
}


@service(name="")
class Kinds:
    """Notes who has begun."""

    def __init__(self) -> None:
        self.begun: list[int] = []

    @method(ordered=True)
    async def ordered(self, number: int) -> None:
        self.begun.append(number)

    @method(ordered=True)
    async def ordered_and_slow(self, number: int) -> None:
        self.begun.append(number)
        await trio.sleep(1)

    async def plain(self, number: int) -> None:
        self.begun.append(number)

    @method(thread=True)
    def in_thread(self, number: int) -> None:
        self.begun.append(number)

    def inline(self, number: int) -> None:
        self.begun.append(number)


def requests(*names: str) -> list[Any]:
    return [
        {"jsonrpc": "2.0", "id": 10 + place, "method": name, "params": [place]}
        for place, name in enumerate(names)
    ]


@pytest.fixture
def _no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run what is handed to a thread here and now: which thread runs first is the system's say."""

    def start_soon(job: Callable[[], Any], deliver: Callable[[Any], None], name: str) -> None:
        deliver(outcome.capture(job))

    monkeypatch.setattr("trio._threads.start_thread_soon", start_soon)


MIXES = {
    "ordered": ["ordered", "plain"] * 6,
    "threads": ["in_thread"] * 12,
    "all": ["ordered", "in_thread", "plain", "inline", "in_thread", "ordered", "inline"] * 3,
}


@pytest.mark.usefixtures("_no_threads")
@pytest.mark.parametrize("mix", MIXES)
async def test_kinds_of_methods_start_in_the_order_sent(
    mix: str, autojump_clock: MockClock
) -> None:
    """Plain, async and threaded methods start in the order of their calls."""
    kinds = Kinds()
    async with raw_client(kinds) as client:
        await client.ask(HELLO)
        await client.ask(requests(*MIXES[mix]))
        await trio.sleep(1)
    assert kinds.begun == list(range(len(MIXES[mix])))


@pytest.mark.usefixtures("_no_threads")
@pytest.mark.parametrize("mix", MIXES)
async def test_interceptors_are_entered_in_the_order_sent(
    mix: str, autojump_clock: MockClock
) -> None:
    """The first interceptors of calls start in the order of the calls."""
    entered: list[object] = []

    async def note(call: CallContext, proceed: Proceed) -> Any:
        entered.append(call.arguments["number"])
        return await proceed()

    async with raw_client(Kinds(), interceptors=[note]) as client:
        await client.ask(HELLO)
        await client.ask(requests(*MIXES[mix]))
        await trio.sleep(1)
    assert entered == list(range(len(MIXES[mix])))


@pytest.mark.usefixtures("_no_threads")
async def test_calls_that_wait_for_a_thread_start_in_the_order_sent() -> None:
    """The order holds when several threads become free at once."""
    kinds = Kinds()
    limiter = trio.to_thread.current_default_thread_limiter()
    holders = [object() for _ in range(int(limiter.total_tokens))]
    for holder in holders:
        limiter.acquire_on_behalf_of_nowait(holder)
    async with raw_client(kinds) as client:
        await client.ask(HELLO)
        await client.ask(requests(*["in_thread"] * 20))
        assert kinds.begun == []
        for holder in holders:
            limiter.release_on_behalf_of(holder)
        await wait_until(lambda: len(kinds.begun) == 20)
    assert kinds.begun == list(range(20))


async def test_an_ordered_call_that_waits_is_overtaken(autojump_clock: MockClock) -> None:
    """Other methods overtake a waiting call of an ordered method."""
    kinds = Kinds()
    async with raw_client(kinds) as client:
        await client.ask(HELLO)
        await client.ask(requests("ordered_and_slow", "ordered_and_slow", "plain"))
        assert kinds.begun == [0, 2]
        await trio.sleep(2)
    assert kinds.begun == [0, 2, 1]
