"""Both ends of a connection serve, call and have interceptors."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

import farcall
from farcall import CallContext, Limits, Proceed, current_call, service
from farcall.errors import ErrorCode
from farcall.testing import open_pair
from tests.ends import raw_server


@service
class Callbacks:
    """The service of a client."""

    async def ask(self, question: str, depth: int = 0) -> str:
        if depth:
            return await current_call().connection.proxy(Desk).ask(question, depth - 1)
        return f"{question}!"


@service
class Desk:
    """A service that calls its callers back."""

    async def ask(self, question: str, depth: int = 0) -> str:
        return await current_call().connection.proxy(Callbacks).ask(question, depth)

    async def left(self) -> float:
        return trio.current_effective_deadline() - trio.current_time()


async def test_a_handler_calls_its_caller_back() -> None:
    """A handler can call its caller back while the call is in flight."""
    async with open_pair(Desk(), Desk, serves=[Callbacks()]) as (desk, connection):
        assert await desk.ask("hello") == "hello!"
        assert await desk.ask("deep", depth=5) == "deep!"
        assert await connection.proxy(Callbacks).ask("direct") == "direct!"


async def test_a_side_that_serves_nothing_says_so() -> None:
    """A call back to a client that serves nothing is an error of the handler."""
    async with open_pair(Desk(), Desk) as (desk, _):
        with pytest.raises(farcall.InternalError):
            await desk.ask("hello")


async def test_interceptors_wrap_calls_on_both_sides(autojump_clock: MockClock) -> None:
    """Interceptors of both sides wrap a call, the first one outermost."""
    seen: list[Any] = []

    def noting(side: str) -> farcall.Interceptor:
        async def note(call: CallContext, proceed: Proceed) -> Any:
            seen.append((side, call.method, call.kind, dict(call.arguments)))
            result = await proceed()
            return f"{result} {side}"

        return note

    async with open_pair(
        Desk(),
        Desk,
        serves=[Callbacks()],
        interceptors=[noting("outer"), noting("inner")],
    ) as (desk, _):
        assert await desk.ask("hello") == "hello! inner outer inner outer"
    assert seen == [
        ("outer", "Desk.ask", "call", {"question": "hello"}),
        ("inner", "Desk.ask", "call", {"question": "hello"}),
        ("outer", "Callbacks.ask", "call", {"question": "hello", "depth": 0}),
        ("inner", "Callbacks.ask", "call", {"question": "hello", "depth": 0}),
    ]


@service
class Slow:
    """A service of a client whose calls take a while."""

    def __init__(self) -> None:
        self.working = self.busiest = 0
        self.ended: list[float] = []

    async def work(self, seconds: float = 1) -> None:
        self.working += 1
        self.busiest = max(self.busiest, self.working)
        try:
            await trio.sleep(seconds)
        finally:
            self.working -= 1
            self.ended.append(trio.current_time())


async def test_a_client_that_serves_limits_its_server(autojump_clock: MockClock) -> None:
    """A server's calls back wait until the client's limit of calls allows them."""
    slow = Slow()
    async with open_pair(Desk(), serves=[slow], limits=Limits(calls=2)) as (_, connection):
        async with trio.open_nursery() as nursery:
            for _number in range(6):
                nursery.start_soon(connection.proxy(Slow).work)
    assert slow.busiest == 2
    assert len(slow.ended) == 6


async def test_a_client_refuses_what_is_over_its_limit(autojump_clock: MockClock) -> None:
    """A client refuses calls over its limit with BUSY."""
    async with raw_server(serves=[Slow()], limits=Limits(calls=1)) as (_, server):
        answers = await server.ask(
            [
                {"jsonrpc": "2.0", "id": f"s{number}", "method": "Slow.work", "params": []}
                for number in range(2)
            ]
        )
    assert [answer["error"]["code"] for answer in answers] == [ErrorCode.BUSY]
    assert answers[0]["error"]["data"]["limit"] == "calls"


async def test_a_client_caps_the_time_of_its_server(autojump_clock: MockClock) -> None:
    """`max_call_seconds` of `connect` ends calls that the client serves."""
    slow = Slow()
    async with raw_server(serves=[slow], max_call_seconds=1) as (_, server):
        began = trio.current_time()
        await server.send_json({"jsonrpc": "2.0", "id": "s1", "method": "Slow.work", "params": [9]})
        answer = msgspec.json.decode(await server.hear(2))
    assert answer["error"]["code"] == ErrorCode.DEADLINE_EXCEEDED
    assert answer["error"]["data"] == {"by": "server"}
    assert slow.ended == [pytest.approx(began + 1)]
