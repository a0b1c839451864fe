"""Peers that bend JSON-RPC: every call ends, and no text is lost."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import farcall
from farcall import Proxy, endpoint, service
from farcall.testing import memory_pair
from tests.ends import RawPeer, dial, raw_client, raw_server
from tests.patience import PATIENCE


@asynccontextmanager
async def odd_server() -> AsyncIterator[tuple[farcall.Session, RawPeer]]:
    """Connect to a plain server that a test speaks for."""
    dialled, accepted = memory_pair()
    server = RawPeer(accepted)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run)
        async with dial(dialled, dialect="plain") as session:
            yield session, server
        nursery.cancel_scope.cancel()


class Outcome:
    """The outcome of a call that runs beside the test."""

    def __init__(self) -> None:
        self.result: Any = None
        self.error: Exception | None = None
        self.has_ended = False

    async def call(self, session: farcall.Session, *args: Any) -> None:
        try:
            self.result = await session.call("ask", *args)
        except farcall.FarcallError as error:
            self.error = error
        self.has_ended = True


async def answered(frame: str | bytes) -> Outcome:
    """Call a plain server, answer with one frame, and return the outcome of the call."""
    outcome = Outcome()
    async with odd_server() as (session, server), trio.open_nursery() as nursery:
        nursery.start_soon(outcome.call, session)
        await server.hear()
        await server.send([frame.encode() if isinstance(frame, str) else frame])
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return outcome


@pytest.mark.parametrize(
    "result",
    ["NaN", "[-Infinity]", "1e400", r'"\q"', '"\x01"', "[" * 65 + "]" * 65, "[1", "nul", "'x'"],
)
async def test_an_answer_that_is_no_json_ends_its_call(result: str) -> None:
    """A response that is no valid JSON ends its call with InvalidResult."""
    outcome = await answered(f'{{"jsonrpc":"2.0","id":1,"result":{result}}}')

    assert isinstance(outcome.error, farcall.InvalidResult)


@pytest.mark.parametrize("frame", ['{"result":[NaN],"id":1}', '{"jsonrpc":"2.0","id":1,"res'])
async def test_the_id_may_stand_last_or_the_end_be_missing(frame: str) -> None:
    """A malformed response still ends its call if its id can be found."""
    assert isinstance((await answered(frame)).error, farcall.InvalidResult)


async def test_an_answer_may_repeat_the_method() -> None:
    """A response may repeat the method of its request, as Ogmios does."""
    outcome = await answered('{"jsonrpc":"2.0","method":"ask","result":5,"id":1}')

    assert outcome.result == 5


async def test_an_answer_may_have_the_text_of_its_number() -> None:
    """A response may have its id as a string."""
    assert (await answered('{"jsonrpc":"2.0","id":"1","result":5}')).result == 5


# Errors without an id


def unclaimed(code: int) -> bytes:
    error = f'{{"code":{code},"message":"no"}}'
    return f'{{"jsonrpc":"2.0","id":null,"error":{error}}}'.encode()


@pytest.mark.parametrize("code", [-32004, -32600, -32601, -32700])
async def test_a_hello_may_be_refused_without_an_id(code: int) -> None:
    """A server that refuses the hello without an id, as Hardhat does, is taken for a plain one."""
    dialled, accepted = memory_pair()
    server, outcome = RawPeer(accepted), Outcome()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run)

        async def refuse() -> None:
            await server.hear()
            await server.send([unclaimed(code)])
            await server.hear()
            await server.send([b'{"jsonrpc":"2.0","id":2,"result":5}'])

        nursery.start_soon(refuse)
        with trio.fail_after(PATIENCE):
            async with dial(dialled) as session:
                await outcome.call(session)
        nursery.cancel_scope.cancel()

    assert outcome.result == 5


@pytest.mark.parametrize("code", [-32700, -32600])
async def test_an_error_without_an_id_ends_the_only_call(code: int) -> None:
    """An error without an id ends the call if it is the only one in flight."""
    error = (await answered(unclaimed(code))).error

    assert isinstance(error, farcall.RpcError)
    assert error.code == code


async def test_an_unknown_notification_refused_ends_no_call(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A refused notification without an id, as rpc-websockets sends it, ends no call."""
    caplog.set_level(logging.WARNING, "farcall")

    outcome = await answered(b"[%b,%b]" % (unclaimed(-32601), unclaimed(-32601)))

    assert not outcome.has_ended
    (record,) = caplog.records
    assert "an error without an id" in record.getMessage()
    assert "no (-32601)" in record.getMessage()


async def test_the_log_of_an_error_without_an_id_is_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An error without an id takes one short line of ASCII in the log."""
    caplog.set_level(logging.WARNING, "farcall")

    await answered(r'{"id":null,"error":{"code":7,"message":"a\nb\ud83d %s"}}' % ("x" * 10_000))

    (record,) = caplog.records
    assert record.getMessage().isascii()
    assert len(record.getMessage()) < 200
    assert "\n" not in record.getMessage()


# Lone surrogates

HALF = "\ud83d"


async def test_half_of_an_emoji_is_read_from_a_plain_server_and_sent_back() -> None:
    """A lone surrogate from a plain server can be read and sent back."""
    outcome, again = Outcome(), Outcome()
    async with odd_server() as (session, server), trio.open_nursery() as nursery:
        nursery.start_soon(outcome.call, session)
        await server.hear()
        await server.send(
            [rb'{"jsonrpc":"2.0","id":1,"result":["\ud83d","\ud83d\ude00","\\ud83d"]}']
        )
        await wait_all_tasks_blocked()
        assert outcome.result == [HALF, "\U0001f600", "\\ud83d"]

        nursery.start_soon(again.call, session, outcome.result)
        asked = await server.hear()
        nursery.cancel_scope.cancel()

    asked.decode()
    assert json.loads(asked)["params"] == [[HALF, "\U0001f600", "\\ud83d"]]


class Files(Proxy, service="", contract="?"):
    """A stub for a plain server, written by hand."""

    @endpoint("read")
    async def read(self, name: str, size: int) -> str:
        raise NotImplementedError

    @endpoint("delete")
    async def delete(self, names: AsyncIterable[str]) -> None:
        raise NotImplementedError


async def test_a_proxy_takes_half_of_an_emoji_as_well() -> None:
    """A proxy sends and receives lone surrogates in a plain dialect, and still checks types."""
    async with odd_server() as (session, server), trio.open_nursery() as nursery:
        files = session.proxy(Files)
        with pytest.raises(farcall.EncodeError, match="expected int"):
            await files.read(HALF, "5")  # type: ignore[arg-type]
        read: list[str] = []

        async def ask() -> None:
            read.append(await files.read(HALF, 5))

        nursery.start_soon(ask)
        asked = await server.hear()
        assert json.loads(asked)["params"] == {"name": HALF, "size": 5}
        await server.send([rb'{"jsonrpc":"2.0","id":1,"result":"\udcff"}'])

    assert read == ["\udcff"]


async def test_an_upload_to_a_plain_server_may_hold_half_of_an_emoji() -> None:
    """An upload to a plain server may hold a lone surrogate."""

    async def names() -> AsyncIterator[str]:
        yield HALF

    async with odd_server() as (session, server), trio.open_nursery() as nursery:
        nursery.start_soon(session.proxy(Files).delete, names())
        asked = await server.hear()
        nursery.cancel_scope.cancel()

    assert json.loads(asked)["params"] == {"names": [HALF]}


async def test_an_error_may_hold_half_of_an_emoji() -> None:
    """An error of a plain server may hold a lone surrogate."""
    outcome = await answered(r'{"id":1,"error":{"code":7,"message":"\ud83d","data":"\ud83d"}}')

    assert isinstance(outcome.error, farcall.RpcError)
    assert outcome.error.code == 7
    assert outcome.error.message == HALF


async def test_an_event_may_hold_half_of_an_emoji() -> None:
    """An event of a plain server may hold a lone surrogate."""
    async with odd_server() as (session, server), trio.open_nursery() as nursery:

        async def grant() -> None:
            await server.hear()
            await server.send([b'{"jsonrpc":"2.0","id":1,"result":{"named":"ok"}}'])

        nursery.start_soon(grant)
        async with session.subscribe("named") as names:
            await server.send([rb'{"notification":"named","params":["\ud83d"]}'])
            await server.send([rb'{"notification":"named","params":["\ud83d",1]}'])
            assert await anext(names) == HALF
            assert await anext(names) == (HALF, 1)
            nursery.cancel_scope.cancel()


async def test_among_farcall_peers_the_caller_refuses_half_of_an_emoji() -> None:
    """Between farcall peers, the caller refuses a lone surrogate in arguments and results."""
    async with raw_server() as (session, server):
        with pytest.raises(farcall.EncodeError, match="lone surrogates"):
            await session.call("ask", HALF)
        outcome = Outcome()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outcome.call, session)
            id = json.loads(await server.hear())["id"]
            await server.send([rb'{"jsonrpc":"2.0","id":%d,"result":["\ud83d"]}' % id])

    assert isinstance(outcome.error, farcall.InvalidResult)
    assert "expected str without lone surrogates @ result[0]" in str(outcome.error)


@service(name="")
class Shelf:
    def put(self, name: str, *, tags: dict[str, list[str]] | None = None) -> str:
        return name


@pytest.mark.parametrize(
    ("params", "path"),
    [
        (r'["\ud83d"]', "params[0]"),
        (r'{"name":"\ud83d"}', "params.name"),
        (r'{"name":"a","tags":{"x":["b","c\udc00"]}}', "params.tags.x[1]"),
        (r'{"name":"a","tags":{"\udc00":[]}}', r"params.tags['\udc00']"),
    ],
)
@pytest.mark.parametrize("is_greeted", [True, False])
async def test_half_of_an_emoji_among_arguments_is_refused_at_its_place(
    params: str, path: str, is_greeted: bool
) -> None:
    """A server refuses a lone surrogate in arguments and names its path."""
    async with raw_client(Shelf()) as client:
        if is_greeted:
            await client.ask({"jsonrpc": "2.0", "id": 1, "method": "rpc.hello", "params": {"v": 1}})
        await client.send([f'{{"jsonrpc":"2.0","id":7,"method":"put","params":{params}}}'.encode()])
        await wait_all_tasks_blocked()
        (answer,) = client.heard()

    assert answer["id"] == 7
    assert answer["error"]["code"] == -32602
    assert answer["error"]["data"]["errors"] == [
        {"path": path, "message": "expected str without lone surrogates"}
    ]


async def test_half_of_an_emoji_does_not_condemn_a_batch() -> None:
    """A lone surrogate in one call of a batch fails that call only."""
    async with raw_client(Shelf()) as client:
        await client.send(
            [
                rb'[{"jsonrpc":"2.0","id":1,"method":"put","params":["a"]},'
                rb'{"jsonrpc":"2.0","id":2,"method":"put","params":["\ud83d"]},'
                rb'{"jsonrpc":"2.0","id":3,"method":"put","params":["\ud83d\ude00"]}]'
            ]
        )
        await wait_all_tasks_blocked()
        (answers,) = client.heard()

    assert [each.get("result") for each in answers] == ["a", None, "\U0001f600"]
    assert answers[1]["error"]["code"] == -32602


# Among farcall peers


async def test_an_unexpected_answer_ends_a_farcall_link() -> None:
    """A response to a call that is not in flight ends a farcall link."""
    async with raw_server() as (session, server):
        await server.send([b'{"jsonrpc":"2.0","id":99,"result":5}'])
        with pytest.raises(farcall.ConnectionLost, match="not in flight"):
            await session.call("ask")


async def test_a_stream_that_lost_its_last_items_does_not_look_whole() -> None:
    """A stream that lost its last items ends the link, because the response counts them."""
    async with raw_server() as (session, server), trio.open_nursery() as nursery:

        async def stream() -> None:
            id = json.loads(await server.hear())["id"]
            for name, value in (("started", '"value":null'), ("items", '"seq":0,"values":[1]')):
                text = f'{{"jsonrpc":"2.0","method":"rpc.{name}","params":{{"id":{id},{value}}}}}'
                await server.send([text.encode()])
            await server.send([b'{"jsonrpc":"2.0","id":%d,"result":null,"seq":2}' % id])

        nursery.start_soon(stream)
        with pytest.raises(farcall.ConnectionLost, match="counts 2 items where 1 came"):
            async with session.stream("count") as items:
                _ = [each async for each in items]
