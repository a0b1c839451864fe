"""Calls of peers that send several messages at once, or hang up."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import farcall
from farcall import CallContext, Proceed, Signal, current_call, service, stream
from tests.ends import raw_client


@service(name="back")
class Back:
    """A service of the peer."""

    async def ask(self) -> int:
        return 0


@service(name="")
class Waiting:
    """Handlers that wait for their caller, or for its credit."""

    ticked: Signal[int] = Signal()

    def __init__(self) -> None:
        self.raised: list[BaseException] = []

    async def read(self, numbers: AsyncIterable[int]) -> int:
        return await self._note(sum_of(numbers))

    @stream
    async def count(self, number: int) -> AsyncIterator[int]:
        for each in range(number):
            yield each

    async def ask(self) -> int:
        return await self._note(current_call().connection.proxy(Back).ask())

    async def both(self) -> None:
        """Wait in a nursery, which groups exceptions."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.ask)
            nursery.start_soon(self.ask)

    async def stumble(self) -> int:
        try:
            return await current_call().connection.proxy(Back).ask()
        except farcall.ConnectionLost:
            raise KeyError("a defect") from None

    async def _note(self, waiting: Awaitable[int]) -> int:
        try:
            return await waiting
        except farcall.ConnectionLost as lost:
            self.raised.append(lost)
            raise


async def sum_of(numbers: AsyncIterable[int]) -> int:
    return sum([number async for number in numbers])


async def lose(method: str, *params: object) -> Waiting:
    """Call a method, hang up while it waits, and wait for its end."""
    waiting = Waiting()
    async with raw_client(waiting) as client:
        await client.ask(HELLO)
        await client.ask({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        client.hang_up()
        await wait_all_tasks_blocked()
    return waiting


HELLO = {"jsonrpc": "2.0", "id": 0, "method": "rpc.hello", "params": {"v": 1}}


def told(method: str, **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


async def test_an_upload_may_share_the_bundle_of_its_call() -> None:
    """Items of an upload may follow their request in one bundle."""
    async with raw_client(Waiting()) as client:
        await client.ask(HELLO)
        answers = await client.ask(
            [
                {"jsonrpc": "2.0", "id": 1, "method": "read", "params": [{"$stream": "u1"}]},
                told("rpc.items", upload="u1", seq=0, values=[1, 2]),
                told("rpc.end", upload="u1"),
            ]
        )

    assert {"jsonrpc": "2.0", "id": 1, "result": 3} in flat(answers)


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        ({"code": 7, "message": "no more"}, {"code": 7, "message": "no more"}),
        ({"code": -32603, "message": "no more"}, {"code": 1, "message": "no more"}),
        (None, {"code": -32000, "message": "the peer gave no message"}),
        (
            {"code": 2, "message": "both", "data": {"errors": [{"code": -32001, "message": "x"}]}},
            {"code": 1, "message": "both"},
        ),
    ],
)
async def test_what_ends_an_upload_is_the_callers_own_failure(
    error: object, answer: object, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller gets its own failure back, which is no defect of the handler."""
    caplog.set_level(logging.ERROR)
    async with raw_client(Waiting()) as client:
        await client.ask(HELLO)
        await client.ask(
            {"jsonrpc": "2.0", "id": 1, "method": "read", "params": [{"$stream": "u1"}]}
        )
        (response,) = await client.ask(told("rpc.end", upload="u1", error=error))

    assert response == {"jsonrpc": "2.0", "id": 1, "error": answer}
    assert caplog.messages == []


async def test_credit_may_share_the_bundle_of_its_stream() -> None:
    """Credit that comes before the handler has begun counts."""
    window = {"credit": [1, 100]}
    async with raw_client(Waiting()) as client:
        await client.ask(HELLO)
        answers = await client.ask(
            [
                {"jsonrpc": "2.0", "id": 1, "method": "count", "params": [40], "meta": window},
                told("rpc.credit", id=1, items=50, bytes=2**20),
            ]
        )

    assert {"jsonrpc": "2.0", "id": 1, "result": None, "seq": 40} in flat(answers)


async def test_credit_may_share_the_bundle_of_its_subscription() -> None:
    """Credit counts even if the request has no window."""
    waiting = Waiting()
    async with raw_client(waiting) as client:
        await client.ask(HELLO)
        await client.ask(
            [
                {"jsonrpc": "2.0", "id": 1, "method": "rpc.subscribe", "params": TICKED},
                told("rpc.credit", id=1, items=50, bytes=2**20),
            ]
        )
        for number in range(40):
            waiting.ticked.emit(number)
        await wait_all_tasks_blocked()
        items = [each["params"]["values"] for each in flat(client.heard())]

    assert [value for values in items for value in values] == list(range(40))


TICKED = {"signal": "ticked"}


def flat(answers: list[Any]) -> list[Any]:
    """Split bundles into messages."""
    return [part for each in answers for part in (each if isinstance(each, list) else [each])]


@pytest.mark.parametrize(
    ("method", "params"), [("read", [{"$stream": "u1"}]), ("ask", []), ("both", [])]
)
async def test_a_peer_that_leaves_writes_no_errors_into_the_log(
    method: str, params: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    """A handler that waits for a peer that hangs up gets ConnectionLost, which is not logged."""
    caplog.set_level(logging.ERROR)

    waiting = await lose(method, *params)

    assert {type(each) for each in waiting.raised} == {farcall.ConnectionLost}
    assert caplog.messages == []


async def test_a_defect_that_a_lost_peer_brings_out_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An error of a handler is logged even if its peer has hung up."""
    await lose("stumble")

    assert "stumble failed" in caplog.text
    assert "a defect" in caplog.text


STRANGE = "\u202e" + "\n" * 500


@pytest.mark.parametrize(
    "messages",
    [
        [{"jsonrpc": "2.0", "method": STRANGE}],
        [
            {"jsonrpc": "2.0", "id": 1, "method": "ask"},
            told("rpc.cancel", id=1, reason=STRANGE),
        ],
        [
            {"jsonrpc": "2.0", "id": 1, "method": "rpc.subscribe", "params": TICKED},
            told("rpc.cancel", id=1, reason=STRANGE),
        ],
    ],
)
@pytest.mark.parametrize("is_intercepted", [False, True])
async def test_a_peer_writes_no_lines_into_the_log(
    messages: list[object], is_intercepted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Names and reasons of a peer are cut and escaped in the log."""
    caplog.set_level(logging.DEBUG)
    interceptors = [pass_on] if is_intercepted else []
    async with raw_client(Waiting(), interceptors=interceptors) as client:
        await client.ask(HELLO)
        for message in messages:
            await client.ask(message)
        lines = list(caplog.messages)

    assert [line for line in lines if not line.isprintable() or len(line) > 200] == []


async def pass_on(_call: CallContext, proceed: Proceed) -> Any:
    return await proceed()
