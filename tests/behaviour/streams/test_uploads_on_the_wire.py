"""Uploads as a raw peer sees them."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import trio
from trio.testing import wait_all_tasks_blocked

from farcall import service
from tests.ends import raw_server


@service(name="")
class Files:
    """A service that takes an upload."""

    async def write(self, lines: AsyncIterable[str]) -> int:
        return len([line async for line in lines])


OTHERS = ("fill", "rpc.discover")
"""The methods of messages beside the call under test."""


async def lines() -> AsyncIterator[str]:
    for number in range(100):
        yield f"line {number}"


async def test_no_item_leaves_before_its_request_and_none_beyond_the_credit() -> None:
    """The items of an upload follow their request and stay within the credit."""
    async with raw_server() as (session, server), trio.open_nursery() as nursery:
        server.stop_reading()
        for _number in range(20):
            await session.notify("fill", "x" * 10_000)
        nursery.start_soon(session.proxy(Files).write, lines())
        await wait_all_tasks_blocked()
        server.go_on_reading()
        await wait_all_tasks_blocked()

        request, *items = [
            each for each in messages(server.heard()) if each["method"] not in OTHERS
        ]
        assert request["method"] == "write"
        assert request["params"] == {"lines": {"$stream": "u1"}}
        assert {each["method"] for each in items} == {"rpc.items"}
        assert {each["params"]["upload"] for each in items} == {"u1"}
        assert sum(len(each["params"]["values"]) for each in items) == 32

        await server.send_json({"jsonrpc": "2.0", "id": request["id"], "result": 7})


def messages(heard: list[Any]) -> list[Any]:
    """Unpack the messages of bundles."""
    return [each for frame in heard for each in (frame if isinstance(frame, list) else [frame])]
