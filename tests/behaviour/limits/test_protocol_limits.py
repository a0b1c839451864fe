"""Limits of messages, depth, ids, batches and bundles, each tested at and above the limit."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock

import farcall
from farcall import Limits, service
from farcall.testing import memory_pair, open_pair
from tests.ends import RawClient, RawPeer, dial, raw_client


@service(name="")
class Echo:
    async def say(self, value: farcall.Json) -> farcall.Json:
        return value

    async def repeat(self, text: str, times: int) -> str:
        return text * times

    async def add(self, numbers: AsyncIterable[int]) -> int:
        return sum([number async for number in numbers])


def call(id: Any, name: str, *params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": name, "params": list(params)}


def result(id: Any, value: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "result": value}


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels - 1):
        value = [value]
    return value


async def greet(client: RawClient) -> None:
    await client.ask({"jsonrpc": "2.0", "id": 0, "method": "rpc.hello", "params": {"v": 1}})
    client.heard()


async def error_of(client: RawClient, message: Any) -> tuple[Any, int, Any]:
    """Return the id, code and data of the error that answers a message."""
    (answer,) = await client.ask(message)
    return answer["id"], answer["error"]["code"], answer["error"].get("data")


async def test_limit_message_out() -> None:
    """A response over `message_out` to a plain peer becomes an error, and the link lives."""
    frame = len(msgspec.json.encode(result(1, "")))
    async with raw_client(Echo(), Limits(message_out=1000)) as client:
        (answer,) = await client.ask(call(1, "repeat", "x", 1000 - frame))
        assert len(answer["result"]) == 1000 - frame

        data = {"limit": "message_out", "bytes": 1000, "excess": 1}
        assert await error_of(client, call(1, "repeat", "x", 1001 - frame)) == (1, -32008, data)
        assert await client.ask(call(1, "say", 1)) == [result(1, 1)]


async def test_limit_message_out_of_a_caller() -> None:
    """A call over `message_out` raises and is not sent."""
    size = len(msgspec.json.encode(call(1, "say", "")))
    pair = open_pair(Echo(), dialect="plain", limits=Limits(message_out=1000))
    async with pair as (session, connection):
        assert await session.call("say", "x" * (1000 - size)) == "x" * (1000 - size)
        frames = connection.statistics().frames_in
        problem = r"has 1001 bytes; the peer takes 1000 \(the limit message_out\)"
        with pytest.raises(farcall.EncodeError, match=problem):
            await session.call("say", "x" * (1001 - size))
        assert connection.statistics().frames_in == frames


async def test_limit_message_out_does_not_hold_for_farcall_peers() -> None:
    """The limit that a farcall peer announces holds instead of `message_out`."""
    async with open_pair(Echo(), limits=Limits(message_out=1000)) as (session, _):
        assert await session.call("repeat", "x", 2000) == "x" * 2000


async def test_limit_depth() -> None:
    """A message nested deeper than `depth` is a parse error without an id."""
    async with raw_client(Echo(), Limits(depth=10)) as client:
        assert await client.ask(call(1, "say", nested(8))) == [result(1, nested(8))]
        problem = "nested deeper than 10 levels (the limit depth)"
        assert await error_of(client, call(1, "say", nested(9))) == (None, -32700, problem)


async def test_limit_depth_of_results_and_calls() -> None:
    """A result nested deeper than `depth` is an error of its call; such a call is not sent."""
    deep = farcall.functions(deep_of, name="")
    async with open_pair(deep, limits=Limits(depth=10)) as (session, connection):
        assert await session.call("deep_of", 9) == nested(9)
        with pytest.raises(farcall.ReplyTooLarge) as caught:
            await session.call("deep_of", 10)
        assert caught.value.data == {"limit": "depth", "most": 10}

        frames = connection.statistics().frames_in
        with pytest.raises(farcall.EncodeError, match=r"deeper than 10 levels \(the limit depth\)"):
            await session.call("deep_of", nested(9))
        assert connection.statistics().frames_in == frames


async def deep_of(levels: int) -> farcall.Json:
    value: farcall.Json = nested(levels)
    return value


@pytest.mark.parametrize("depth", [7, 65])
def test_limit_depth_has_bounds(depth: int) -> None:
    """A `depth` that is too low for the protocol or above 64 is refused."""
    with pytest.raises(ValueError, match="depth"):
        Limits(depth=depth)


async def test_limit_depth_leaves_room_for_the_protocol(autojump_clock: MockClock) -> None:
    """The lowest `depth` is enough for every message of the protocol."""
    async with open_pair(Echo(), limits=Limits(depth=8)) as (session, _):
        echo = session.proxy(Echo)

        async def numbers() -> Any:
            for number in range(100):
                yield number

        assert await echo.add(numbers()) == sum(range(100))
        with pytest.raises(farcall.InvalidArguments, match="expected str"):
            await session.call("repeat", 1, 2)


async def test_limit_request_id() -> None:
    """An id longer than `request_id` is refused and not echoed."""
    async with raw_client(Echo(), Limits(request_id=10)) as client:
        assert await client.ask(call("x" * 8, "say", 1)) == [result("x" * 8, 1)]
        problem = "an id of more than 10 bytes (the limit request_id)"
        assert await error_of(client, call("x" * 9, "say", 1)) == (None, -32600, problem)


async def test_limit_request_id_of_an_upload() -> None:
    """The name of an upload that is longer than `request_id` is refused."""
    async with raw_client(Echo(), Limits(request_id=10)) as client:
        await greet(client)
        assert await client.ask(call(1, "add", {"$stream": "ü" * 4})) == []
        end = {"jsonrpc": "2.0", "method": "rpc.end", "params": {"upload": "ü" * 4}}
        assert result(1, 0) in await client.ask(end)

        _, code, data = await error_of(client, call(2, "add", {"$stream": "ü" * 4 + "x"}))
        problem = "an id of more than 10 bytes (the limit request_id)"
        assert (code, data["errors"][0]["message"]) == (-32602, problem)


async def test_limit_batch() -> None:
    """A batch of more messages than `batch` is refused whole."""
    async with raw_client(Echo(), Limits(batch=3)) as client:
        batch = [call(id, "say", id) for id in range(4)]
        assert await client.ask(batch[:3]) == [[result(id, id) for id in range(3)]]
        data = {"limit": "batch", "most": 3}
        assert await error_of(client, batch) == (None, -32010, data)


async def test_limit_bundle(autojump_clock: MockClock) -> None:
    """A bundle of more messages than `bundle` ends the link with 1008."""
    async with raw_client(Echo(), Limits(bundle=3)) as client:
        hello = {"jsonrpc": "2.0", "id": 0, "method": "rpc.hello", "params": {"v": 1}}
        (answer,) = await client.ask(hello)
        assert answer["result"]["limits"]["bundle"] == 3
        bundle = [call(id, "say", id) for id in range(4)]
        heard = await client.ask(bundle[:3])
        assert [each["result"] for each in heard[0]] == [0, 1, 2]

        assert await client.ask(bundle) == []
        assert client.reason is not None
        problem = "4 messages in a bundle of at most 3 (the limit bundle)"
        assert (client.reason.code, client.reason.reason) == (1008, problem)


async def test_limit_bundle_is_kept_by_farcall_peers(autojump_clock: MockClock) -> None:
    """A farcall peer sends bundles of at most `bundle` messages."""
    async with open_pair(Echo(), limits=Limits(bundle=2)) as (session, connection):
        frames = connection.statistics().frames_in
        async with trio.open_nursery() as nursery:
            for number in range(10):
                nursery.start_soon(session.call, "say", number)
        assert connection.statistics().frames_in - frames >= 5


@pytest.mark.parametrize("name", ["batch", "bundle"])
def test_limit_of_arrays_have_a_bound(name: str) -> None:
    """`batch` and `bundle` may be 65,536 at most."""
    Limits(**{name: 65_536})
    with pytest.raises(ValueError, match=name):
        Limits(**{name: 65_537})


@pytest.mark.parametrize(("seconds", "is_late"), [(4.5, False), (5.5, True)])
async def test_limit_hello_seconds(
    autojump_clock: MockClock, seconds: float, is_late: bool
) -> None:
    """A server that answers the hello after `hello_seconds` fails the connection."""
    dialled, accepted = memory_pair()
    server = RawPeer(accepted)

    async def answer() -> None:
        hello = msgspec.json.decode(await server.hear())
        await trio.sleep(seconds)
        await server.send_json(result(hello["id"], hello["params"]))

    problem = r"no response to the hello in 5 s \(the limit hello_seconds\)"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run)
        nursery.start_soon(answer)
        if is_late:
            with pytest.raises(farcall.ConnectFailed, match=problem):
                async with dial(dialled):
                    raise AssertionError
        else:
            async with dial(dialled) as session:
                assert session.state is farcall.SessionState.OPEN
        nursery.cancel_scope.cancel()
