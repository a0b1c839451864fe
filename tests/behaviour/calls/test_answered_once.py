"""Each request is answered exactly once, however its handler ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import current_call, method, service, stream
from tests.ends import RawClient, raw_client


@service(name="")
class Ends:
    """Handlers that each end in their own way, at once or when they are cancelled."""

    async def returns(self) -> str:
        return "done"

    def returns_inline(self) -> str:
        return "done"

    async def returns_what_does_not_fit(self) -> int:
        return "done"  # type: ignore[return-value]  # on purpose

    async def raises(self) -> None:
        raise KeyError("secret")

    def raises_inline(self) -> None:
        raise KeyError("secret")

    async def raises_an_rpc_error(self) -> None:
        raise farcall.RpcError(7, "seven")

    async def raises_what_cannot_be_told(self) -> None:
        raise farcall.RpcError(7, "seven", {"data": object()})

    async def raises_a_group(self) -> None:
        raise BaseExceptionGroup("two", [KeyError("secret"), GeneratorExit()])

    async def raises_no_exception(self) -> None:
        raise GeneratorExit

    async def stops_iteration(self) -> None:
        raise StopAsyncIteration

    async def cancels_itself(self) -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await trio.sleep_forever()

    async def keeps_a_cancellation(self) -> None:
        kept: BaseException | None = None
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.sleep_forever()
            except trio.Cancelled as cancelled:
                kept = cancelled
        assert kept is not None
        raise kept

    @method(ordered=True)
    async def is_in_order(self) -> None:
        await trio.lowlevel.checkpoint()

    @stream
    async def streams(self) -> AsyncIterator[int]:
        yield 1

    @stream
    async def streams_and_raises(self) -> AsyncIterator[int]:
        yield 1
        raise KeyError("secret")

    async def hangs(self) -> None:
        await trio.sleep_forever()

    async def swallows(self) -> str:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            return "too late"

    async def turns(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise farcall.RpcError(7, str(current_call().cancel_reason))

    async def clings(self) -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(3)

    @stream
    async def streams_without_end(self) -> AsyncIterator[int]:
        while True:
            yield 1


QUICK = [
    "returns",
    "returns_inline",
    "returns_what_does_not_fit",
    "raises",
    "raises_inline",
    "raises_an_rpc_error",
    "raises_what_cannot_be_told",
    "raises_a_group",
    "raises_no_exception",
    "stops_iteration",
    "cancels_itself",
    "keeps_a_cancellation",
    "is_in_order",
    "streams",
    "streams_and_raises",
]
SLOW = ["hangs", "swallows", "turns", "clings", "streams_without_end"]

HELLO: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "rpc.hello",
    "params": {"v": 1, "limits": {}},
}


def request(name: str, id: int, **meta: Any) -> dict[str, Any]:
    if name.startswith("streams"):
        meta["credit"] = [32, 1000]
    return {"jsonrpc": "2.0", "id": id, "method": name, **({"meta": meta} if meta else {})}


def cancel(id: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "rpc.cancel", "params": {"id": id}}


async def answers(client: RawClient) -> list[Any]:
    """Wait for every answer and return their ids."""
    await trio.sleep(10)
    await wait_all_tasks_blocked()
    frames = client.heard()
    bundles: list[list[Any]] = [frame if type(frame) is list else [frame] for frame in frames]
    return [each["id"] for bundle in bundles for each in bundle if "method" not in each]


@pytest.mark.parametrize("greeted", [True, False])
@pytest.mark.parametrize("name", QUICK)
async def test_a_handler_that_ends_by_itself_is_one_answer(
    name: str, greeted: bool, autojump_clock: MockClock
) -> None:
    """A handler that ends by itself is answered once, even if a cancel follows."""
    async with raw_client(Ends()) as client:
        if greeted:
            await client.ask(HELLO)
        await client.send_json(request(name, 7))
        await client.send_json([request(name, 8), cancel(8)] if greeted else request(name, 8))
        await client.send_json(cancel(7))
        assert sorted(await answers(client)) == [7, 8]
        await client.send_json(request("returns", 9))
        assert await answers(client) == [9]


@pytest.mark.parametrize("name", SLOW)
async def test_a_handler_that_is_ended_is_one_answer(name: str, autojump_clock: MockClock) -> None:
    """A handler that is cancelled once or twice, or runs out of time, is answered once."""
    async with raw_client(Ends()) as client:
        await client.ask(HELLO)
        meta = {} if name.startswith("streams") else {"timeout": 1000}
        for message in (request(name, 7), request(name, 8, **meta), cancel(7), cancel(7)):
            await client.send_json(message)
        if not meta:
            await trio.sleep(1)
            await client.send_json(cancel(8))
        await trio.sleep(1)
        await client.send_json(cancel(8))
        assert sorted(await answers(client)) == [7, 8]
        await client.send_json(request("returns", 9))
        assert await answers(client) == [9]
