"""Arguments of methods with positional-only parameters travel in an array."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio

import farcall
from farcall import endpoint, service, stream, stream_endpoint, stubgen
from farcall.testing import open_pair
from tests.ends import RawPeer, raw_server


@attrs.frozen
class Block:
    number: int


@service(name="")
class Node:
    async def block(self, number: str, full: bool = False, /) -> Block:
        return Block(int(number, 16) + full)

    async def mixed(self, number: str, /, full: bool = False) -> Block:
        return Block(int(number, 16) + full)

    async def named(self, *, number: str) -> Block:
        return Block(int(number, 16))

    async def store(self, name: str, lines: AsyncIterable[str], /) -> list[str]:
        return [name, *[line async for line in lines]]

    async def wait(self, seconds: float, /, *, task_status: trio.TaskStatus[str]) -> None:
        task_status.started(f"{seconds} s")

    @stream
    async def blocks(self, first: int, last: int, /) -> AsyncIterator[int]:
        for number in range(first, last):
            yield number


class NodeProxy(farcall.Proxy):
    @endpoint("block")
    async def block(self, number: str, full: bool = False, /) -> Block:
        raise NotImplementedError

    @endpoint("mixed")
    async def mixed(self, number: str, /, full: bool = False) -> Block:
        raise NotImplementedError

    @endpoint("named")
    async def named(self, *, number: str) -> Block:
        raise NotImplementedError

    @endpoint("note", oneway=True)
    async def note(self, text: str, /) -> None: ...

    @stream_endpoint("blocks")
    def blocks(self, first: int, last: int, /) -> Any: ...


async def lines() -> AsyncIterator[str]:
    yield "a"
    yield "b"


@pytest.mark.parametrize(
    ("call", "params"),
    [
        (lambda node: node.block("0x1", True), ["0x1", True]),
        (lambda node: node.block("0x1"), ["0x1"]),
        (lambda node: node.mixed("0x1", True), {"number": "0x1", "full": True}),
        (lambda node: node.named(number="0x1"), {"number": "0x1"}),
    ],
)
async def test_positional_only_arguments_travel_in_an_array(
    call: Callable[[NodeProxy], Awaitable[Block]], params: object
) -> None:
    """Arguments travel in an array if every parameter is positional-only, else in an object."""
    async with raw_server(NodeProxy) as (node, server), trio.open_nursery() as nursery:
        nursery.start_soon(call, node)
        await trio.testing.wait_all_tasks_blocked()
        (request,) = calls(server)
        answer = {"jsonrpc": "2.0", "id": request["id"], "result": {"number": 1}}
        await server.send_json(answer)

    assert request["params"] == params


def calls(server: RawPeer) -> list[Any]:
    """Return the calls that a server got, without `rpc.discover`."""
    frames = server.heard()
    messages = [
        each for frame in frames for each in (frame if isinstance(frame, list) else [frame])
    ]
    return [each for each in messages if each["method"] != "rpc.discover"]


async def test_one_way_calls_travel_in_an_array() -> None:
    """One-way calls with positional-only parameters travel in an array."""
    async with raw_server(NodeProxy) as (node, server):
        await node.note("hello")
        await trio.testing.wait_all_tasks_blocked()

        (request,) = calls(server)

    assert request["params"] == ["hello"]


@pytest.mark.parametrize("options", [{}, {"dialect": "plain"}])
async def test_a_farcall_server_reads_arrays(options: dict[str, Any]) -> None:
    """A server reads arrays of arguments for calls, uploads and streams in both dialects."""
    async with open_pair(Node(), **options) as (session, _):
        assert await session.call("block", "0x1", True, returns=Block) == Block(2)
        assert await session.call("block", number="0x1", full=True, returns=Block) == Block(2)

    async with open_pair(Node(), Node, **options) as (node, _):
        assert await node.block("0x1", True) == Block(2)
        assert await node.store("it", lines()) == ["it", "a", "b"]
        async with node.blocks(1, 4) as blocks:
            assert [block async for block in blocks] == [1, 2, 3]


async def test_a_remote_task_gets_positional_arguments() -> None:
    """A remote task gets its positional-only arguments."""
    async with open_pair(Node(), Node) as (node, _), trio.open_nursery() as nursery:
        assert await nursery.start(node.wait, 1.5) == "1.5 s"


async def test_a_call_back_gets_positional_arguments() -> None:
    """A call back gets its positional-only arguments."""
    heard = list[object]()

    @service(name="back")
    class Back:
        async def add(self, a: int, b: int, /) -> int:
            heard.append(farcall.current_call().arguments)
            return a + b

    @service
    class Front:
        async def ask(self) -> int:
            back = farcall.current_call().connection.proxy(Back)
            return await back.add(1, 2)

    async with open_pair(Front(), Front, serves=[Back()]) as (front, _):
        assert await front.ask() == 3

    assert heard == [{"a": 1, "b": 2}]


def test_the_stub_keeps_the_slash() -> None:
    """A generated stub keeps the slash of positional-only parameters."""
    source = stubgen.render(Node())

    assert "async def block(self, number: str, full: bool = False, /) -> Block:" in source
    assert "async def mixed(self, number: str, /, full: bool = False) -> Block:" in source
    assert "def blocks(self, first: int, last: int, /)" in source
    assert "async def store(self, name: str, lines: AsyncIterable[str], /)" in source
