"""The caller's half of uploads: what becomes of the iterables that are among the arguments."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any, TypeVar

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from farcall import EncodeError, Limits, service
from farcall.testing import open_pair
from tests.ends import raw_server

T = TypeVar("T")


@service
class Drain:
    async def blobs(self, blobs: AsyncIterable[bytes]) -> int:
        return sum([len(blob) async for blob in blobs])

    async def texts(self, texts: AsyncIterable[str]) -> int:
        return sum([len(text) async for text in texts])

    async def early(self, numbers: AsyncIterable[int]) -> str:
        """Take one."""
        async for _ in numbers:
            break
        return "enough"


async def each(values: Iterable[T]) -> AsyncIterator[T]:
    for value in values:
        yield value


async def test_items_are_joined_as_far_as_the_peer_takes_them(autojump_clock: MockClock) -> None:
    """More of them leave together to a peer that takes larger messages."""
    async with open_pair(Drain(), Drain, limits=Limits(message=2048)) as (drain, _):
        assert await drain.texts(each(["x" * 400] * 100)) == 40_000
        assert await drain.blobs(each([b"x" * 400] * 100)) == 40_000


@pytest.mark.parametrize("kind", ["texts", "blobs"])
async def test_an_item_passes_whole_or_fails_in_the_caller(
    kind: str, autojump_clock: MockClock
) -> None:
    """Whatever its size and its number are; the link lives."""
    limit = 1024
    x: dict[str, str | bytes] = {"texts": "x", "blobs": b"x"}
    refusals: list[EncodeError] = []
    async with open_pair(Drain(), Drain, limits=Limits(message=limit)) as (drain, _):
        for size in range(limit - 200, limit):
            try:
                count = await getattr(drain, kind)(each([x[kind]] * 11 + [x[kind] * size]))
            except EncodeError as error:
                refusals.append(error)
            else:
                assert count == 11 + size
    assert 0 < len(refusals) < 200
    assert f"(its limit message) @ params.{kind}[11]" in str(refusals[0])


# On the wire


@service(name="")
class Files:
    """Takes what it is sent."""

    async def write(self, lines: AsyncIterable[str]) -> int:
        return len([line async for line in lines])


async def lines() -> AsyncIterator[str]:
    for number in range(100):
        yield f"line {number}"


async def test_no_item_leaves_before_its_request_and_none_beyond_the_credit() -> None:
    """However long the request has to wait: the peer knows the name when the first item comes."""
    async with raw_server() as (session, server), trio.open_nursery() as nursery:
        server.stop_reading()
        for _number in range(20):
            await session.notify("fill", "x" * 10_000)
        nursery.start_soon(session.proxy(Files).write, lines())
        await wait_all_tasks_blocked()
        server.go_on_reading()
        await wait_all_tasks_blocked()

        request, *items = [each for each in messages(server.heard()) if each["method"] != "fill"]
        assert request["method"] == "write"
        assert request["params"] == {"lines": {"$stream": "u1"}}
        assert {each["method"] for each in items} == {"rpc.items"}
        assert {each["params"]["upload"] for each in items} == {"u1"}
        assert sum(len(each["params"]["values"]) for each in items) == 32

        await server.send_json({"jsonrpc": "2.0", "id": request["id"], "result": 7})


def messages(heard: list[Any]) -> list[Any]:
    """Take bundles apart."""
    return [each for frame in heard for each in (frame if isinstance(frame, list) else [frame])]
