"""WebSocket as a transport."""

from __future__ import annotations

from contextlib import suppress

import attrs
import pytest
import trio

from farcall._transport.transport import CloseReason, Transport
from farcall._transport.websocket.socket import GuardedSocket
from tests.patience import PATIENCE
from tests.unit.transport.suite import Check, End, Recorder, check_transport, running, send
from tests.unit.transport.websocket.sockets import (
    CLOSE,
    SMALL,
    TEXT,
    close_frame,
    frame,
    open_pair,
    open_raw_client,
    open_raw_server,
)

IMPATIENT = attrs.evolve(SMALL, close_seconds=0.2)
"""A Close frame leaves within that also on a busy machine."""


@check_transport
async def test_is_a_transport(check: Check) -> None:
    """It passes the suite of every transport."""
    await check(open_pair)


async def test_repr() -> None:
    """The repr names the peer, and says how the link ended."""
    async with open_pair() as (client, _):
        assert repr(client) == f"<WebSocketTransport {client.endpoint.peer} / open>"

        client.abort()

        assert "closed by this side with 1006" in repr(client)


async def test_a_batch_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """All frames of a batch are sent in one write."""
    written: list[bytes] = []
    async with open_raw_client() as (_, server):

        def note(_sock: GuardedSocket, data: bytes) -> int:
            written.append(data)
            return len(data)

        monkeypatch.setattr(GuardedSocket, "send_now", note)
        assert server.send_now([b"one", b"two"])

    assert written == [frame(TEXT, b"one", masked=False) + frame(TEXT, b"two", masked=False)]


async def test_a_frame_that_began_is_finished() -> None:
    """A send that is cancelled while the peer does not read is finished when it does."""
    message = b"x" * 8_000_000
    scope = trio.CancelScope()
    async with open_raw_client() as (raw, server), trio.open_nursery() as nursery:

        async def send_it() -> None:
            with scope:
                await send(server, [message])

        nursery.start_soon(send_it)
        await raw.read(1)
        scope.cancel()
        head = await raw.read(9)
        received = await raw.read(len(message))

        assert head[-8:] == len(message).to_bytes(8, "big")
        assert received == message


async def test_the_wait_for_a_close_is_bounded() -> None:
    """A peer that does not answer our Close frame is cut off."""
    async with open_raw_client(IMPATIENT) as (raw, server):
        end = End(server)
        async with running(end):
            await server.aclose(1001, "away")

            assert await raw.read_to_end() == close_frame(1001, "away", masked=False)
            assert await end.wait_ended() == CloseReason(1001, "away", remote=False)


async def test_so_is_it_without_run() -> None:
    """The same holds if no task runs the link."""
    async with open_raw_client(IMPATIENT) as (raw, server):
        await server.aclose(1001)

        assert await raw.read_to_end() == close_frame(1001, masked=False)


async def test_a_close_arrives_where_nothing_is_read() -> None:
    """A link that is closed with unread bytes does not reset the connection."""
    async with open_raw_client() as (raw, server), trio.open_nursery() as nursery:
        await raw.send(frame(TEXT, b"unread"))
        nursery.start_soon(server.aclose, 1001)

        assert await raw.read_to_end() == close_frame(1001, masked=False)

        await raw.hang_up()


async def test_a_second_close_does_not_wait() -> None:
    """A second `aclose` returns at once, and disturbs nothing."""
    async with open_raw_client(attrs.evolve(SMALL, close_seconds=1000)) as (raw, server):
        end = End(server)
        async with running(end), trio.open_nursery() as nursery:
            nursery.start_soon(server.aclose)
            await raw.expect(close_frame(1000, masked=False))
            await server.aclose(1001)
            await raw.send(close_frame(1000))

            assert await raw.read_to_end() == b""
            assert (await end.wait_ended()).code == 1000


async def test_a_cancelled_close_hangs_up() -> None:
    """A cancelled `aclose` does not wait for the Close frame of the peer."""
    async with open_raw_client() as (raw, server):
        end = End(server)
        async with running(end):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.aclose, 1001)
                await raw.expect(close_frame(1001, masked=False))
                nursery.cancel_scope.cancel()

            assert await raw.read_to_end() == b""
            assert (await end.wait_ended()).code == 1001


async def test_nothing_is_heard_after_our_close(caplog: pytest.LogCaptureFixture) -> None:
    """Messages, pings and even nonsense that cross our Close frame are dropped."""
    async with open_raw_client() as (raw, server):
        end = End(server)
        async with running(end), trio.open_nursery() as nursery:
            nursery.start_soon(server.aclose)
            await raw.expect(close_frame(1000, masked=False))
            await raw.send(frame(TEXT, b"late"), frame(9, b"late"), frame(10, b"late"))
            await raw.send(close_frame(1000))

            assert await raw.read_to_end() == b""
            assert await end.wait_ended() == CloseReason(1000, "", remote=False)
            assert not end.heard.has_frame()
            assert not end.heard.has_pong()
            assert "failed" not in caplog.text


async def test_nonsense_after_our_close_ends_the_link() -> None:
    """Bytes that are no frame end the wait for the Close frame of the peer."""
    async with open_raw_client() as (raw, server):
        end = End(server)
        async with running(end), trio.open_nursery() as nursery:
            nursery.start_soon(server.aclose)
            await raw.expect(close_frame(1000, masked=False))
            await raw.send(b"\xff\xff\xff\xff")

            assert await raw.read_to_end() == b""

            await raw.hang_up()

            assert await end.wait_ended() == CloseReason(1000, "", remote=False)


async def send_until_broken(transport: Transport) -> None:
    with suppress(trio.BrokenResourceError):
        while True:
            await send(transport, [b"x" * 10_000])


async def test_the_last_word_of_a_peer_is_heard() -> None:
    """A send that fails does not hide why the peer has closed."""
    async with open_raw_server() as (raw, client):
        await send(client, [b"unread"])
        await raw.send(close_frame(1013, "slow", masked=False))
        await raw.hang_up()
        await send_until_broken(client)

        assert await client.run(Recorder()) == CloseReason(1013, "slow", remote=True)


async def test_a_server_that_does_not_hang_up() -> None:
    """A client waits for the server to hang up first, but not for ever."""
    async with open_raw_server(IMPATIENT) as (raw, client):
        end = End(client)
        async with running(end):
            await raw.send(close_frame(4000, "bye", masked=False))

            with trio.fail_after(PATIENCE):
                assert await end.wait_ended() == CloseReason(4000, "bye", remote=True)
            assert len(await raw.read_to_end()) == len(close_frame(4000, "bye"))


async def test_a_close_without_code() -> None:
    """An empty Close frame has the code 1005, and gets an empty answer."""
    async with open_raw_client() as (raw, server):
        end = End(server)
        async with running(end):
            await raw.send(frame(CLOSE))

            assert await raw.read_to_end() == frame(CLOSE, masked=False)
            assert await end.wait_ended() == CloseReason(1005, "", remote=True)


async def test_a_stalled_peer() -> None:
    """A peer that accepts no byte is cut off, and `run` returns the reason."""
    async with open_raw_client(attrs.evolve(SMALL, stall_seconds=0.01)) as (_, server):
        with pytest.raises(trio.BrokenResourceError, match="no byte was taken"):
            await send(server, [b"x" * 16_000_000])

        problem = "no byte was taken for 0.01 s (the limit stall_seconds)"
        assert await server.run(Recorder()) == CloseReason(1013, problem, remote=False)
