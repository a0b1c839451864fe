"""A message over the limit `message` ends its own call if its id can be read, else the link."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

import farcall
from farcall import Limits, service
from farcall.testing import MemoryTransport, memory_pair
from tests.ends import KINDS, Kind, RawClient, RawPeer, dial, make_host, wait_until
from tests.inside import CloseReason, Transport, links_of
from tests.patience import PATIENCE
from tests.unit.transport.websocket.sockets import (
    BINARY,
    CONTINUATION,
    REQUEST,
    TEXT,
    Raw,
    close_frame,
    frame,
    open_pair,
)

MOST = 10_000
LIMITS = Limits(message=MOST)
WORDS = f"a message was larger than {MOST} bytes (the limit message)"
REFUSED = {
    "code": -32600,
    "message": "Invalid Request",
    "data": {"limit": "message", "bytes": MOST},
}
BIG = "x" * (3 * MOST)


@service(name="")
class Echo:
    """A service that returns the text it gets."""

    async def say(self, text: str) -> str:
        return text

    async def wait(self, text: str) -> str:
        await trio.sleep_forever()


@asynccontextmanager
async def link(kind: Kind) -> AsyncIterator[tuple[Transport, Transport]]:
    if kind == "memory":
        yield memory_pair(limits=LIMITS)
    else:
        async with open_pair(limits=LIMITS) as sockets:
            yield sockets


@asynccontextmanager
async def client_of(kind: Kind) -> AsyncIterator[RawClient]:
    """Serve `Echo` to a raw peer."""
    host = make_host(Echo(), limits=LIMITS)
    async with link(kind) as (dialled, accepted), trio.open_nursery() as nursery:
        client = RawClient(dialled, host)
        nursery.start_soon(host.serve_link, accepted)
        nursery.start_soon(client.run)
        with trio.fail_after(PATIENCE):
            yield client
        nursery.cancel_scope.cancel()


def said(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}, separators=(",", ":")).encode()


async def ask(client: RawPeer, *frames: bytes) -> Any:
    await client.send(list(frames))
    return json.loads(await client.hear(10))


async def end_of(client: RawPeer) -> CloseReason:
    await wait_until(lambda: client.reason is not None)
    assert client.reason is not None
    return client.reason


GOOD = said(method="say", params=["y"], id=2)
ANSWER = {"jsonrpc": "2.0", "id": 2, "result": "y"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("id", [7, "7", 'é"\\}', -1.5])
@pytest.mark.parametrize("is_last", [True, False])
async def test_the_call_is_answered(kind: Kind, id: Any, is_last: bool) -> None:
    """A call over the limit is answered with an error, and the next call works."""
    call = {"method": "say", "params": [BIG, {"id": 3}]}
    async with client_of(kind) as client:
        for _ in range(3):
            message = said(**call, id=id) if is_last else said(id=id, **call)
            assert await ask(client, message) == {"jsonrpc": "2.0", "id": id, "error": REFUSED}
        assert await ask(client, GOOD) == ANSWER
        (served,) = client.host.links
        assert served.account.held == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "message",
    [
        said(method="say", params=[BIG]),
        said(method="say", params={"id": 7, "text": BIG}),
        said(method="say", params={"text": BIG, "id": 7}),
        said(method="say", params=[BIG + ',"id":7}']),
        said(method="say", params=['{"id":7,' + BIG]),
        said(method="say", params=[BIG], id=None),
        said(method="say", params=[BIG], id=True),
        said(method="say", params=[BIG], id={"id": 7}),
        said(method="say", params=[BIG], id="7" * 300),
        said(method="say", id="7" * 2 * MOST),
        said(method="rpc.hello", params={"v": 1, "contracts": {BIG: ""}}, id=7),
        said(result=BIG, id=7),
        b"[%b]" % said(method="say", params=[BIG], id=7),
        said(method="say", params=[BIG * 6], id=7),
        BIG.encode(),
    ],
    ids=lambda message: message[:60].decode() + "..." + message[-20:].decode(),
)
async def test_a_message_without_a_readable_id_closes_the_link(kind: Kind, message: bytes) -> None:
    """A message without a readable id, or of over 16 times the limit, closes the link with 1009."""
    async with client_of(kind) as client:
        await client.send([message])
        assert await end_of(client) == CloseReason(1009, WORDS)
        assert not client.heard()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_in_flight_keeps_its_id(kind: Kind) -> None:
    """A message over the limit with the id of a call in flight closes the link."""
    async with client_of(kind) as client:
        await client.send([said(method="wait", params=["x"], id=7)])
        await client.send([said(method="say", params=[BIG], id=7)])
        assert await end_of(client) == CloseReason(1009, WORDS)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_greeted_peer_knows_the_limit(kind: Kind) -> None:
    """A message over the limit of a peer that has said hello closes the link."""
    async with client_of(kind) as client:
        await ask(client, said(method="rpc.hello", params={"v": 1}, id=0))
        await client.send([said(method="say", params=[BIG], id=7)])
        assert await end_of(client) == CloseReason(1009, WORDS)


async def test_binary_frames_in_memory() -> None:
    """JSON over the limit in a binary message is answered too."""
    async with client_of("memory") as client:
        transport = client.transport
        assert isinstance(transport, MemoryTransport)
        transport.send_binary(said(method="say", params=[BIG], id=7))
        assert json.loads(await client.hear()) == {"jsonrpc": "2.0", "id": 7, "error": REFUSED}


@asynccontextmanager
async def raw_peer(**limits: Any) -> AsyncIterator[tuple[Raw, farcall.Server]]:
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(
            lambda **kw: farcall.serve(Echo(), 0, limits=Limits(message=MOST, **limits), **kw)
        )
        async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
            raw = Raw(stream)
            await raw.send(
                REQUEST.replace(b"example.com", b"localhost").replace(b"/chat?token=1", b"/")
            )
            await raw.read_head()
            with trio.fail_after(PATIENCE):
                yield raw, server
        nursery.cancel_scope.cancel()


def held(server: farcall.Server) -> list[int]:
    return [each.account.held for each in links_of(server)]


def told(message: dict[str, Any]) -> bytes:
    return frame(TEXT, json.dumps(message, separators=(",", ":")).encode(), masked=False)


REFUSAL = told({"jsonrpc": "2.0", "id": 7, "error": REFUSED})


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_fragments(opcode: int) -> None:
    """A fragmented message over the limit is skipped; only its first and last bytes are kept."""
    message = said(method="say", params=["é" * 2 * MOST], id=7)
    pieces = [message[at : at + 3001] for at in range(0, len(message), 3001)]
    async with raw_peer() as (raw, server):
        for _ in range(2):
            await raw.send(frame(opcode, pieces[0], fin=False))
            await raw.send(*[frame(CONTINUATION, piece, fin=False) for piece in pieces[1:-1]])
            await wait_until(lambda: held(server) == [8192])
            await raw.send(frame(CONTINUATION, pieces[-1]))
            await raw.expect(REFUSAL)
            assert held(server) == [0]
        await raw.send(frame(TEXT, GOOD))
        await raw.expect(told(ANSWER))


async def test_a_skipped_message_must_be_complete_in_time() -> None:
    """`incomplete_seconds` holds for a message that is skipped."""
    message = frame(TEXT, said(method="say", params=[BIG], id=7))
    async with raw_peer(incomplete_seconds=0.05) as (raw, _):
        await raw.send(message[:-1])
        words = "a message was incomplete for 0.05 s (the limit incomplete_seconds)"
        assert await raw.read_to_end() == close_frame(1008, words, masked=False)


async def test_what_is_skipped_has_to_be_text() -> None:
    """A skipped text message must be UTF-8."""
    message = said(method="say", params=[BIG], id=7).replace(b"xxxx", b"xx\xff\xff", 1)
    async with raw_peer() as (raw, _):
        await raw.send(frame(TEXT, message))
        assert (await raw.read(4))[2:] == (1007).to_bytes(2, "big")


async def test_the_close_frame_arrives_while_the_peer_still_sends() -> None:
    """A peer that is still sending gets the Close frame, as the rest is read and dropped."""
    async with raw_peer() as (raw, _), trio.open_nursery() as nursery:
        nursery.start_soon(raw.send, frame(TEXT, said(method="say", params=[BIG * 100])))
        assert await raw.read_to_end() == close_frame(1009, WORDS, masked=False)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def plain_server_of(kind: Kind) -> AsyncIterator[tuple[Any, RawPeer]]:
    """Connect to a raw peer that acts as a plain server."""
    async with link(kind) as (dialled, accepted), trio.open_nursery() as nursery:
        server = RawPeer(accepted)
        nursery.start_soon(server.run)
        with trio.fail_after(PATIENCE):
            async with dial(dialled, dialect="plain", limits=LIMITS) as session:
                yield session, server
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_over_the_limit_ends_its_call(kind: Kind) -> None:
    """A response over the limit ends its call with InvalidResult, and the next call works."""
    async with plain_server_of(kind) as (session, server), trio.open_nursery() as nursery:

        async def answer() -> None:
            for result in (BIG, [BIG, {"id": 9}], "y"):
                call = json.loads(await server.hear(10))
                await server.send([said(result=result, id=call["id"])])

        nursery.start_soon(answer)
        for _ in range(2):
            with pytest.raises(farcall.InvalidResult, match=f"larger than {MOST} bytes .*message"):
                await session.call("say")
        assert await session.call("say") == "y"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "message",
    [
        said(result=BIG, id=77),
        said(method="event", params=[BIG]),
        said(notification="e", params=[BIG]),
    ],
)
async def test_a_large_message_that_answers_no_call_ends_the_link(
    kind: Kind, message: bytes
) -> None:
    """An event over the limit, or a response to an unknown call, ends the link with 1009."""
    async with plain_server_of(kind) as (session, server), trio.open_nursery() as nursery:

        async def answer() -> None:
            await server.hear(10)
            await server.send([message])

        nursery.start_soon(answer)
        with pytest.raises(farcall.ConnectionLost, match="1009"):
            await session.call("say")
