"""Both ends serve, and interceptors stand around what they do."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

import farcall
from farcall import CallContext, Proceed, current_call, service
from farcall.testing import open_pair


@service
class Callbacks:
    """What a client serves to its server."""

    async def ask(self, question: str, depth: int = 0) -> str:
        if depth:
            return await current_call().connection.proxy(Desk).ask(question, depth - 1)
        return f"{question}!"


@service
class Desk:
    """A service that asks its callers back."""

    async def ask(self, question: str, depth: int = 0) -> str:
        return await current_call().connection.proxy(Callbacks).ask(question, depth)

    async def left(self) -> float:
        return trio.current_effective_deadline() - trio.current_time()


async def test_a_handler_calls_its_caller_back() -> None:
    """While the call is in flight; the reader of neither side waits for a handler."""
    async with open_pair(Desk(), Desk, serves=[Callbacks()]) as (desk, connection):
        assert await desk.ask("hello") == "hello!"
        assert await desk.ask("deep", depth=5) == "deep!"
        assert await connection.proxy(Callbacks).ask("direct") == "direct!"


async def test_a_side_that_serves_nothing_says_so() -> None:
    """A call back to it finds no method; the handler's failure is its own."""
    async with open_pair(Desk(), Desk) as (desk, _):
        with pytest.raises(farcall.InternalError):
            await desk.ask("hello")


async def test_interceptors_stand_around_calls_on_both_sides(autojump_clock: MockClock) -> None:
    """The first one outermost; each sees the arguments by name, and may change the result."""
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
