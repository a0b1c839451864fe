"""The adapted connection of trio-websocket, against peers that misbehave."""

from __future__ import annotations

import inspect
import time

import attrs
import pytest
import trio
import wsproto
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked
from trio_websocket import WebSocketConnection
from wsproto.connection import ConnectionState

from farcall._limits import Limits
from farcall._transport.transport import CloseReason
from farcall._transport.websocket import WebSocketTransport, connection
from farcall._transport.websocket.connection import TURN_SECONDS
from farcall._transport.websocket.socket import (
    LARGE_RECEIVE_BYTES,
    RECEIVE_BYTES,
    GuardedSocket,
)
from tests.patience import PATIENCE
from tests.unit.transport.suite import End, Recorder, running, send, send_ping
from tests.unit.transport.websocket.sockets import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    SMALL,
    TEXT,
    close_frame,
    frame,
    open_raw_client,
    open_raw_server,
    open_sockets,
)


async def fate_of(limits: Limits, *frames: bytes) -> tuple[CloseReason, bytes]:
    """Send `frames` to a server; return how its link ended, and what it had sent."""
    async with open_raw_client(limits) as (raw, server):
        end = End(server)
        async with running(end):
            await raw.send(*frames)
            answer = await raw.read_to_end()
            await raw.hang_up()
            return await end.wait_ended(), answer


def starts_with_close(answer: bytes, code: int) -> bool:
    return answer[0] == 0x80 | CLOSE and answer[2:4] == code.to_bytes(2, "big")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        pytest.param(frame(TEXT, b"x", masked=False), 1002, id="a client that does not mask"),
        pytest.param(frame(3, b"x"), 1002, id="an unknown opcode"),
        pytest.param(frame(TEXT | 0x40, b"x"), 1002, id="a reserved bit, as for compression"),
        pytest.param(frame(CONTINUATION, b"x"), 1002, id="a continuation of nothing"),
        pytest.param(frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002, id="no continuation"),
        pytest.param(frame(PING, b"x", fin=False), 1002, id="a fragmented ping"),
        pytest.param(frame(PING, b"x" * 126), 1002, id="a long ping"),
        pytest.param(frame(CLOSE, b"x"), 1002, id="half a close code"),
        pytest.param(close_frame(1006), 1002, id="a close code that is never sent"),
        pytest.param(close_frame(999), 1002, id="a close code that is none"),
        pytest.param(frame(CLOSE, b"\x03\xe8\xff"), 1007, id="a close reason that is no text"),
        pytest.param(frame(TEXT, b"\xff"), 1007, id="text that is none"),
        pytest.param(frame(TEXT, b"\xc3", fin=True), 1007, id="text that ends in a character"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", 1002, id="another protocol"),
    ],
)
async def test_wrong_frames(wrong: bytes, code: int) -> None:
    """A peer that breaks the protocol gets a Close frame with the reason, and is cut off."""
    reason, answer = await fate_of(SMALL, frame(PING), wrong, frame(TEXT, b"more"))

    assert (reason.code, reason.remote) == (code, False)
    pong = frame(PONG, masked=False)
    assert answer.startswith(pong)
    assert starts_with_close(answer.removeprefix(pong), code)


async def test_a_wrong_server() -> None:
    """A client treats a server in the same way."""
    async with open_raw_server() as (raw, client):
        end = End(client)
        async with running(end):
            await raw.send(frame(TEXT, b"masked"))

            assert (await raw.read(2))[0] == 0x80 | CLOSE

            await raw.read_to_end()
            await raw.hang_up()

            assert (await end.wait_ended()).code == 1002


async def test_a_peer_that_just_hangs_up() -> None:
    """An end without a Close frame is 1006."""
    async with open_raw_client() as (raw, server):
        end = End(server)
        async with running(end):
            await raw.send(frame(TEXT, b"half a message", fin=False))
            await raw.hang_up()

            assert (await end.wait_ended()).code == 1006
            assert not end.heard.has_frame()


async def test_binary() -> None:
    """A binary message arrives as bytes."""
    async with open_raw_client() as (raw, server):
        end = End(server)
        async with running(end):
            await raw.send(frame(BINARY, b"{}"))

            assert await end.heard.next_frame() == b"{}"


class Slow(Recorder):
    """A receiver that takes its time for each message, and notes the turn in which it came."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = 0
        self.came_in: list[int] = []

    def on_text(self, text: bytes) -> None:
        time.sleep(2 * TURN_SECONDS)
        self.came_in.append(self.turns)

    async def count_turns(self) -> None:
        while True:
            await trio.lowlevel.checkpoint()
            self.turns += 1


async def test_others_have_their_turn_between_messages_that_came_at_once() -> None:
    """A segment of many small messages is read in several turns of the event loop."""
    async with open_raw_client() as (raw, server):
        end = End(server)
        slow = end.heard = Slow()
        async with running(end):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(slow.count_turns)
                await raw.send(*[frame(TEXT, b"{}")] * 5)
                while len(slow.came_in) < 5:
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()

            # Of two tasks in the same turn either may be the first.
            first, _, third, _, fifth = slow.came_in
            assert first < third < fifth


class Steps(trio.abc.Instrument):
    """Counts how often the task of a function runs."""

    def __init__(self, function: str) -> None:
        self._function = function
        self.count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.count += task.name.endswith(self._function)


DROPPED = {
    "texts": frame(TEXT, b"{}"),
    "binary": frame(BINARY, b"{}"),
    "pings": frame(PING),
    "pongs": frame(PONG),
    "fragments": frame(TEXT, b"{", fin=False) + frame(CONTINUATION, b"}"),
}


@pytest.mark.parametrize("kind", DROPPED)
async def test_others_have_their_turn_while_what_comes_is_dropped(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """What comes after our Close frame is dropped in several turns as well."""
    monkeypatch.setattr(connection, "TURN_SECONDS", 0)
    steps = Steps(End.run.__qualname__)
    async with open_raw_client() as (raw, server):
        end = End(server)
        async with running(end), trio.open_nursery() as nursery:
            nursery.start_soon(server.aclose)
            await raw.expect(close_frame(1000, masked=False))
            trio.lowlevel.add_instrument(steps)
            await raw.send(DROPPED[kind] * 500, close_frame(1000))
            await end.wait_ended()
            trio.lowlevel.remove_instrument(steps)

    assert steps.count >= 500
    assert not end.heard.has_frame()


async def test_fragments_are_joined() -> None:
    """A message may come in fragments, with a character cut in two and a ping between."""
    async with open_raw_client() as (raw, server):
        end = End(server)
        async with running(end):
            await raw.send(
                frame(TEXT, b"gr\xc3", fin=False),
                frame(PING, b"now?"),
                frame(CONTINUATION, b"\xbc", fin=False),
                frame(CONTINUATION, b"n"),
            )

            assert await end.heard.next_frame() == "grün"
            await raw.expect(frame(PONG, b"now?", masked=False))


async def test_too_many_fragments() -> None:
    """A message of more than 1,024 fragments closes 1008; the reason names the limit."""
    reason, answer = await fate_of(
        SMALL, frame(TEXT, fin=False), *[frame(CONTINUATION, fin=False)] * 1024
    )

    expected = "a message had more than 1024 fragments (the limit fragments)"
    assert reason == CloseReason(1008, expected, remote=False)
    assert answer == close_frame(1008, expected, masked=False)


async def test_too_large_really_closes() -> None:
    """A peer that goes on sending after 1009 gets the Close frame, and then the end."""
    async with open_raw_client() as (raw, server):
        end = End(server)
        async with running(end), trio.open_nursery() as nursery:
            nursery.start_soon(raw.send, frame(TEXT, b"x" * 1_000_000), frame(PING))

            problem = "a message was larger than 1000 bytes (the limit message)"
            assert await raw.read_to_end() == close_frame(1009, problem, masked=False)

            await wait_all_tasks_blocked()
            await raw.hang_up()

            assert (await end.wait_ended()).code == 1009


async def test_a_frame_is_refused_before_it_is_there() -> None:
    """A frame over the limit is refused before all of it has come."""
    reason, _ = await fate_of(SMALL, frame(TEXT, b"x" * 100_000)[:2_000])

    assert reason.code == 1009


async def test_an_incomplete_message() -> None:
    """A message whose end does not come closes 1008."""
    reason, answer = await fate_of(
        attrs.evolve(SMALL, incomplete_seconds=0.01), frame(TEXT, b"x", fin=False)
    )

    expected = "a message was incomplete for 0.01 s (the limit incomplete_seconds)"
    assert reason == CloseReason(1008, expected, remote=False)
    assert answer == close_frame(1008, expected, masked=False)


async def test_dripping_does_not_help() -> None:
    """The time of a message runs from its first piece."""
    # Much more than lies between two drops, and much less than 1,024 of them take.
    async with open_raw_client(attrs.evolve(SMALL, incomplete_seconds=0.2)) as (raw, server):
        end = End(server)
        async with running(end), trio.open_nursery() as nursery:

            async def drip() -> None:
                while True:
                    await raw.send(frame(CONTINUATION, fin=False))
                    await trio.sleep(0.001)

            await raw.send(frame(TEXT, fin=False))
            nursery.start_soon(drip)

            assert b"incomplete" in await raw.read_to_end()

            nursery.cancel_scope.cancel()
            await raw.hang_up()


async def test_a_complete_message_has_time() -> None:
    """The time ends with the message."""
    async with open_raw_client(attrs.evolve(SMALL, incomplete_seconds=0.01)) as (raw, server):
        end = End(server)
        async with running(end):
            await raw.send(frame(TEXT, b"1", fin=False), frame(CONTINUATION, b"2"))
            await trio.sleep(0.02)
            await raw.send(frame(TEXT, b"3"))

            assert await end.heard.next_frame() == "12"
            assert await end.heard.next_frame() == "3"


ROOMY = attrs.evolve(SMALL, message=100_000)
LARGE_TEXT = frame(TEXT, b"x" * 50_000)
HEAD = len(LARGE_TEXT) - 50_000


async def test_the_rest_of_a_large_frame_is_received_in_large_pieces(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Until a large frame has begun, and after its end, pieces are small."""
    receive_some = GuardedSocket.receive_some
    sizes: list[int | None] = []

    async def receive(sock: GuardedSocket, max_bytes: int | None = None) -> bytes:
        sizes.append(max_bytes)
        return await receive_some(sock, max_bytes)

    async with open_raw_client(ROOMY) as (raw, server):
        monkeypatch.setattr(GuardedSocket, "receive_some", receive)
        end = End(server)
        async with running(end):
            await raw.send(LARGE_TEXT[:5_000])
            await wait_all_tasks_blocked()
            await raw.send(LARGE_TEXT[5_000:])
            await end.heard.next_frame()
            await wait_all_tasks_blocked()

    assert sizes[0] == RECEIVE_BYTES
    assert set(sizes[1:-1]) == {LARGE_RECEIVE_BYTES}
    assert sizes[-1] == RECEIVE_BYTES


async def test_a_large_frame_whose_end_does_not_come() -> None:
    """The time of a large frame runs from its first bytes."""
    async with open_raw_client(attrs.evolve(ROOMY, incomplete_seconds=0.1)) as (raw, server):
        end = End(server)
        async with running(end), trio.open_nursery() as nursery:

            async def drip() -> None:
                while True:
                    await raw.send(b"x")
                    await trio.sleep(0.001)

            await raw.send(LARGE_TEXT[:5_000])
            nursery.start_soon(drip)

            problem = "a message was incomplete for 0.1 s (the limit incomplete_seconds)"
            assert await raw.read_to_end() == close_frame(1008, problem, masked=False)

            nursery.cancel_scope.cancel()
            await raw.hang_up()


async def test_a_large_frame_has_time_when_it_is_complete(mock_clock: MockClock) -> None:
    """The time of a large frame ends with its last byte."""
    async with open_raw_client(attrs.evolve(ROOMY, incomplete_seconds=10)) as (raw, server):
        end = End(server)
        async with running(end):
            await raw.send(LARGE_TEXT[:5_000])
            while not end.heard.incomplete:
                await wait_all_tasks_blocked()
            await raw.send(LARGE_TEXT[5_000:])
            assert await end.heard.next_frame() == "x" * 50_000
            mock_clock.jump(15)
            await wait_all_tasks_blocked()
            await raw.send(frame(TEXT, b"still here"))

            assert await end.heard.next_frame() == "still here"


@pytest.mark.parametrize("kind", ["a frame", "a fragment"])
async def test_what_an_incomplete_message_costs_is_told(kind: str) -> None:
    """The receiver learns how many bytes are held, and 0 when the message is complete."""
    if kind == "a frame":
        pieces = [LARGE_TEXT[:5_000], LARGE_TEXT[5_000:10_000], LARGE_TEXT[10_000:]]
        expected = [5_000 - HEAD, 10_000 - HEAD, 0]
    else:
        halves = [frame(TEXT, b"x" * 25_000, fin=False), frame(CONTINUATION, b"x" * 25_000)]
        pieces, expected = [halves[0], halves[1][:-1], halves[1][-1:]], [25_000, 49_999, 0]
    async with open_raw_client(ROOMY) as (raw, server):
        end = End(server)
        async with running(end):
            for piece in pieces:
                await raw.send(piece)
                await wait_all_tasks_blocked()
            assert await end.heard.next_frame() == "x" * 50_000

            # A piece may come in two, and then more is told.
            assert set(expected) <= set(end.heard.incomplete)
            assert sorted(end.heard.incomplete[:-1]) == end.heard.incomplete[:-1]
            assert end.heard.incomplete[-1] == 0


async def test_a_peer_that_hangs_up_in_a_large_frame() -> None:
    """The end of the bytes in a large frame is 1006."""
    async with open_raw_client(ROOMY) as (raw, server):
        end = End(server)
        async with running(end):
            await raw.send(LARGE_TEXT[:5_000])
            await wait_all_tasks_blocked()
            await raw.hang_up()

            assert (await end.wait_ended()).code == 1006


async def test_a_large_frame_that_is_no_text() -> None:
    """A large frame that is not UTF-8 closes 1007, even if only its end shows it."""
    wrong = frame(TEXT, b"x" * 50_000 + b"\xff")
    async with open_raw_client(ROOMY) as (raw, server):
        end = End(server)
        async with running(end):
            await raw.send(wrong[:5_000])
            await wait_all_tasks_blocked()
            await raw.send(wrong[5_000:])

            assert starts_with_close(await raw.read_to_end(), 1007)

            await raw.hang_up()
            assert (await end.wait_ended()).code == 1007
            assert not end.heard.has_frame()


async def test_our_close_in_the_middle_of_a_large_frame() -> None:
    """The frame is dropped, and the Close of the peer behind it is found."""
    async with open_raw_client(ROOMY) as (raw, server):
        end = End(server)
        async with running(end), trio.open_nursery() as nursery:
            await raw.send(LARGE_TEXT[:5_000])
            await wait_all_tasks_blocked()
            nursery.start_soon(server.aclose, 1001)
            await raw.expect(close_frame(1001, masked=False))
            await raw.send(LARGE_TEXT[5_000:], LARGE_TEXT, close_frame(1001))

            assert await raw.read_to_end() == b""
            assert (await end.wait_ended()).code == 1001
            assert not end.heard.has_frame()


async def test_nothing_comes_between_two_pieces_of_a_frame() -> None:
    """A pong or a Close frame waits for the rest of a frame."""
    async with open_raw_client() as (raw, server):
        end = End(server)
        async with running(end), trio.open_nursery() as nursery:
            assert not server.send_now([b"x" * 16_000_000])
            await raw.send(frame(PING, b"now?"), frame(TEXT, b"the reader does not wait"))
            await end.heard.next_frame()
            nursery.start_soon(server.aclose, 1001)
            large = frame(TEXT, b"x" * 16_000_000, masked=False)
            await raw.expect(large, frame(PONG, b"now?", masked=False))
            await raw.expect(close_frame(1001, masked=False))
            await raw.send(close_frame(1001))


async def test_pongs_are_told_apart() -> None:
    """A pong comes with its payload, solicited or not."""
    async with open_raw_client() as (raw, server):
        end = End(server)
        async with running(end):
            await send_ping(server, b"1")
            await raw.expect(frame(PING, b"1", masked=False))
            await raw.send(frame(PONG, b"unasked"), frame(PONG, b"1"))

            assert await end.heard.next_pong() == b"unasked"
            assert await end.heard.next_pong() == b"1"


async def test_a_pong_that_cannot_leave() -> None:
    """A peer that has gone when its ping is answered is a lost link, and no error."""
    async with open_raw_client() as (raw, server):
        await raw.send(frame(PING), frame(TEXT, b"behind"))
        await send(server, [b"unread"])
        await wait_all_tasks_blocked()
        await raw.hang_up()
        heard = Recorder()

        assert (await server.run(heard)).code == 1006
        assert await heard.next_frame() == "behind"


async def test_a_close_that_cannot_leave() -> None:
    """A link that is closed for a fault, but accepts no byte, is cut."""
    async with open_raw_client(attrs.evolve(SMALL, close_seconds=0.01)) as (raw, server):
        end = End(server)
        async with running(end), trio.open_nursery() as nursery:
            nursery.start_soon(send_quietly, server, b"x" * 16_000_000)
            await wait_all_tasks_blocked()
            await raw.send(frame(3))

            with trio.fail_after(PATIENCE):
                assert (await end.wait_ended()).code == 1002


async def test_a_pong_that_began_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancelled reader leaves no pong half sent."""
    send_now, scope, heard = GuardedSocket.send_now, trio.CancelScope(), Recorder()
    heard.on_rest = scope.cancel
    async with open_raw_client() as (raw, server):
        await raw.send(frame(PING, b"12345"))
        monkeypatch.setattr(GuardedSocket, "send_now", lambda sock, data: send_now(sock, data[:3]))
        with scope:
            await server.run(heard)
        assert scope.cancelled_caught
        await send(server, [b"next"])

        await raw.expect(frame(PONG, b"12345", masked=False), frame(TEXT, b"next", masked=False))


async def send_quietly(transport: WebSocketTransport, message: bytes) -> None:
    with pytest.raises(trio.BrokenResourceError):
        await send(transport, [message])


async def test_a_fault_below_us(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected exception is logged, and ends this link alone, with 1011."""
    async with open_raw_client() as (raw, server):
        monkeypatch.setattr(wsproto.WSConnection, "receive_data", raise_bug)
        end = End(server)
        async with running(end):
            await raw.send(frame(TEXT, b"x", fin=False))

            assert await raw.read_to_end() == close_frame(1011, "internal error", masked=False)

            await raw.hang_up()

            assert (await end.wait_ended()).code == 1011
            assert "RuntimeError: a bug" in caplog.text


async def test_a_fault_below_us_while_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    """After our Close frame, such an exception just ends the link."""
    async with open_raw_client() as (raw, server):
        monkeypatch.setattr(wsproto.WSConnection, "receive_data", raise_bug)
        end = End(server)
        async with running(end), trio.open_nursery() as nursery:
            nursery.start_soon(server.aclose, 1001)
            await raw.expect(close_frame(1001, masked=False))
            await raw.send(close_frame(1001))

            assert await raw.read_to_end() == b""

            await raw.hang_up()

            assert (await end.wait_ended()).code == 1001


def raise_bug(_self: wsproto.WSConnection, _data: bytes) -> None:
    raise RuntimeError("a bug")


@given(said=st.binary(max_size=200))
@settings(max_examples=50)
async def test_any_bytes(said: bytes) -> None:
    """Whatever bytes come, `run` returns, and the socket is closed."""
    async with open_raw_client(early=[said]) as (raw, server), trio.open_nursery() as nursery:
        await raw.stream.send_eof()
        nursery.start_soon(raw.read_to_end)
        with trio.fail_after(PATIENCE):
            reason = await server.run(Recorder())

        assert reason.code >= 1000


async def test_what_is_used_of_trio_websocket() -> None:
    """The parts of trio-websocket that `GuardedConnection` uses have the expected shape."""
    signatures = {
        "__init__": "self stream ws_connection host path client_subprotocols client_extra_headers "
        "message_queue_size max_message_size receive_buffer_size",
        "_reader_task": "self",
        "_send": "self event",
        "_handle_message_event": "self event",
        "_handle_ping_event": "self event",
        "_handle_pong_event": "self event",
        "_handle_close_connection_event": "self event",
    }
    for name, expected in signatures.items():
        found = inspect.signature(getattr(WebSocketConnection, name)).parameters
        assert list(found) == expected.split(), name

    async with open_sockets() as (stream, _):
        made = WebSocketConnection(stream, wsproto.WSConnection(wsproto.ConnectionType.SERVER))

    assert made._stream is stream
    assert made._wsproto.state is ConnectionState.CONNECTING
    assert made._close_reason is None
    assert made._initial_request is None
