"""What becomes of a call whose peer has gone."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterable, Awaitable

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import farcall
from farcall import current_call, service
from tests.ends import raw_client


@service(name="back")
class Back:
    """What the peer would serve."""

    async def ask(self) -> int:
        return 0


@service(name="")
class Waiting:
    """Methods that wait for their caller."""

    def __init__(self) -> None:
        self.raised: list[BaseException] = []

    async def read(self, numbers: AsyncIterable[int]) -> int:
        return await self._note(sum_of(numbers))

    async def ask(self) -> int:
        return await self._note(current_call().connection.proxy(Back).ask())

    async def both(self) -> None:
        """Do it in a nursery, which groups what fails."""
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
    """Call a method, hang up while it waits, and let it end."""
    waiting = Waiting()
    hello = {"jsonrpc": "2.0", "id": 0, "method": "rpc.hello", "params": {"v": 1}}
    async with raw_client(waiting) as client:
        await client.ask(hello)
        await client.ask({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        client.hang_up()
        await wait_all_tasks_blocked()
    return waiting


@pytest.mark.parametrize(
    ("method", "params"), [("read", [{"$stream": "u1"}]), ("ask", []), ("both", [])]
)
async def test_a_peer_that_leaves_writes_no_errors_into_the_log(
    method: str, params: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    """What a handler was waiting for from it is lost, which is no defect of the handler."""
    caplog.set_level(logging.ERROR)

    waiting = await lose(method, *params)

    assert {type(each) for each in waiting.raised} == {farcall.ConnectionLost}
    assert caplog.messages == []


async def test_a_defect_that_a_lost_peer_brings_out_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Though nobody is left to be told its id."""
    await lose("stumble")

    assert "stumble failed" in caplog.text
    assert "a defect" in caplog.text
