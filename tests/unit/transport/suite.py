"""What every transport does: one suite, run on the pair in memory and on WebSocket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from typing import Protocol, TypeAlias

import attrs
import pytest
import trio
from msgspec.structs import replace
from trio.testing import wait_all_tasks_blocked

from farcall import Limits
from farcall._limits import MessageLimit
from farcall._protocol.skipped import Skipped
from farcall._transport.transport import CloseReason, Transport, too_big
from tests.patience import PATIENCE

SMALL = 1000
"""The size in bytes of the largest message that the links of `Maker` take in these checks."""


class Maker(Protocol):
    """Opens a link, and gives the end that dialled, and the other."""

    def __call__(
        self, *, limits: Limits | None = None
    ) -> AbstractAsyncContextManager[tuple[Transport, Transport]]: ...


async def send(transport: Transport, frames: Sequence[bytes]) -> None:
    """Let other tasks run, send frames, and wait until all have been sent."""
    await trio.lowlevel.checkpoint()
    if not transport.send_now(frames):
        await transport.send_rest()


async def send_ping(transport: Transport, payload: bytes) -> None:
    """Send a ping, and wait until it has been sent."""
    if not transport.ping_now(payload):
        await transport.send_rest()


class Recorder:
    """A receiver that records what it gets, and lets a test wait for it."""

    def __init__(self) -> None:
        self._put_frame, self._frames = trio.open_memory_channel[str | bytes](10_000)
        self._put_pong, self._pongs = trio.open_memory_channel[bytes](10_000)
        self.incomplete: list[int] = []
        """All that it was told of messages without their end."""
        self.is_reading = False
        """Whether something came since the last pause."""
        self.on_rest: Callable[[], None] = lambda: None
        """Have what found no room sent; set by the end that is run."""

    def on_text(self, text: bytes) -> None:
        self.is_reading = True
        self._put_frame.send_nowait(text.decode())

    def on_binary(self, data: bytes) -> None:
        self.is_reading = True
        self._put_frame.send_nowait(data)

    def may_skip(self, start: bytes) -> bool:
        return False

    def on_skipped(self, message: Skipped) -> None:
        pass

    def on_incomplete(self, size: int) -> None:
        self.incomplete.append(size)

    def on_pong(self, payload: bytes) -> None:
        self._put_pong.send_nowait(payload)

    def on_pause(self) -> None:
        self.is_reading = False

    async def next_frame(self) -> str | bytes:
        return await self._frames.receive()

    async def next_pong(self) -> bytes:
        return await self._pongs.receive()

    def has_frame(self) -> bool:
        return self._frames.statistics().current_buffer_used > 0

    def has_pong(self) -> bool:
        return self._pongs.statistics().current_buffer_used > 0


class FaultyReceiver(Recorder):
    """A receiver with a bug."""

    def on_text(self, text: bytes) -> None:
        raise KeyError(text)

    def on_pong(self, payload: bytes) -> None:
        raise KeyError(payload)


@attrs.define
class End:
    """One end of a link, whose `run` a task calls."""

    transport: Transport
    heard: Recorder = attrs.field(factory=Recorder)
    _reason: CloseReason | None = None
    _ended: trio.Event = attrs.field(factory=trio.Event)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            self.heard.on_rest = partial(nursery.start_soon, self._send_rest)
            self._reason = await self.transport.run(self.heard)
            self._ended.set()

    async def _send_rest(self) -> None:
        with suppress(trio.BrokenResourceError):
            await self.transport.send_rest()

    @property
    def has_ended(self) -> bool:
        return self._ended.is_set()

    async def wait_ended(self) -> CloseReason:
        await self._ended.wait()
        assert self._reason is not None
        return self._reason


@asynccontextmanager
async def running(*ends: End) -> AsyncIterator[None]:
    """Run `ends`; when the block is left, hang up and check that each `run` returns."""
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            for end in ends:
                nursery.start_soon(end.run)
            await wait_all_tasks_blocked()
            yield
            for end in ends:
                end.transport.abort()


@asynccontextmanager
async def open_ends(
    maker: Maker, *, limits: Limits | None = None, heard: Recorder | None = None
) -> AsyncIterator[tuple[End, End]]:
    async with maker(limits=limits) as (dialling, accepting):
        ends = End(dialling), End(accepting, heard or Recorder())
        async with running(*ends):
            yield ends


async def text_arrives_in_order_both_ways(maker: Maker) -> None:
    """Frames arrive as text, in the order in which they were sent."""
    async with open_ends(maker) as (left, right):
        await send(left.transport, [b"one"])
        await send(left.transport, [b"two", b"three"])
        await send(right.transport, [b"four"])

        assert [await right.heard.next_frame() for _ in range(3)] == ["one", "two", "three"]
        assert await left.heard.next_frame() == "four"


async def text_is_unicode(maker: Maker) -> None:
    """A frame holds any text, and may be empty."""
    async with open_ends(maker) as (left, right):
        await send(left.transport, ["grün 🦊\0".encode(), b""])

        assert await right.heard.next_frame() == "grün 🦊\0"
        assert await right.heard.next_frame() == ""


async def nothing_to_send_is_fine(maker: Maker) -> None:
    """An empty batch sends nothing."""
    async with open_ends(maker) as (left, right):
        await send(left.transport, [])
        await send(left.transport, [b"next"])

        assert await right.heard.next_frame() == "next"


async def large_messages_pass(maker: Maker) -> None:
    """A message may be larger than the buffers between the ends."""
    message = b"x" * 1_000_000
    async with open_ends(maker) as (left, right):
        await send(left.transport, [message])
        await send(right.transport, [message])

        assert await right.heard.next_frame() == message.decode()
        assert await left.heard.next_frame() == message.decode()


async def frames_wait_for_run(maker: Maker) -> None:
    """Frames that came before the other end was run are not lost."""
    async with maker() as (left, right):
        await send(left, [b"early"])
        reading = End(right)
        async with running(End(left), reading):
            assert await reading.heard.next_frame() == "early"


async def pings_are_answered(maker: Maker) -> None:
    """The receiver gets the pong of a ping, with its payload."""
    async with open_ends(maker) as (left, right):
        await send_ping(left.transport, b"123")
        await send_ping(right.transport, b"")

        assert await left.heard.next_pong() == b"123"
        assert await right.heard.next_pong() == b""


async def received_at_moves(maker: Maker) -> None:
    """`received_at` is the time of the last message."""
    async with open_ends(maker) as (left, right):
        before = trio.current_time()
        await send(left.transport, [b"x"])
        await right.heard.next_frame()

        assert before <= right.transport.received_at <= trio.current_time()


async def both_ends_know_why_they_closed(maker: Maker) -> None:
    """`run` returns the code and the reason of the Close frame at both ends."""
    async with open_ends(maker) as (left, right):
        await right.transport.aclose(1001, "going away")

        assert await left.wait_ended() == CloseReason(1001, "going away", remote=True)
        assert await right.wait_ended() == CloseReason(1001, "going away", remote=False)


async def the_dialling_end_may_close(maker: Maker) -> None:
    """Either end may close."""
    async with open_ends(maker) as (left, right):
        await left.transport.aclose(1008, "policy: ü")

        assert await right.wait_ended() == CloseReason(1008, "policy: ü", remote=True)
        assert await left.wait_ended() == CloseReason(1008, "policy: ü", remote=False)


async def what_was_sent_before_a_close_arrives(maker: Maker) -> None:
    """A Close frame queues behind the frames that were sent before it."""
    async with open_ends(maker) as (left, right):
        await send(left.transport, [b"x" * 100_000, b"last"])
        await left.transport.aclose()

        assert await right.heard.next_frame() == "x" * 100_000
        assert await right.heard.next_frame() == "last"
        assert (await right.wait_ended()).code == 1000


async def closing_twice_is_fine(maker: Maker) -> None:
    """A second `aclose` does nothing, at either end, also after the link has ended."""
    async with open_ends(maker) as (left, right):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(left.transport.aclose, 1001)
            nursery.start_soon(left.transport.aclose, 1001)
        reason = await right.wait_ended()
        await right.transport.aclose(1008)

        assert reason.code == 1001


async def both_may_close_at_once(maker: Maker) -> None:
    """Two Close frames that cross end the link for both."""
    async with open_ends(maker) as (left, right):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(left.transport.aclose)
            nursery.start_soon(right.transport.aclose)

        assert (await left.wait_ended()).code == (await right.wait_ended()).code == 1000


async def a_link_that_is_not_run_can_be_closed(maker: Maker) -> None:
    """A Close frame arrives even if no task reads the answer to it."""
    async with maker() as (left, right):
        reading = End(right)
        async with running(reading):
            await left.aclose(1001)

            assert (await reading.wait_ended()).code == 1001


async def abort_ends_both(maker: Maker) -> None:
    """`abort` ends `run` here at once, and at the peer with 1006."""
    async with open_ends(maker) as (left, right):
        left.transport.abort()
        left.transport.abort()

        here, there = await left.wait_ended(), await right.wait_ended()

        assert (here.code, here.remote) == (1006, False)
        assert (there.code, there.remote) == (1006, True)


async def a_receiver_may_abort(maker: Maker) -> None:
    """After an abort in the receiver, nothing more is delivered."""
    async with maker() as (left, right):

        class Aborting(Recorder):
            def on_text(self, text: bytes) -> None:
                super().on_text(text)
                right.abort()

        heard = Aborting()
        await send(left, [b"one", b"two"])
        async with running(End(right, heard)):
            assert await heard.next_frame() == "one"
        assert not heard.has_frame()


async def sending_on_an_ended_link_raises(maker: Maker) -> None:
    """A link that has ended sends nothing, and `send_rest` raises."""
    async with open_ends(maker) as (left, right):
        await left.transport.aclose()
        await right.wait_ended()

        for end in (left, right):
            assert not end.transport.send_now([b"late"])
            assert not end.transport.ping_now(b"late")
            with pytest.raises(trio.BrokenResourceError):
                await end.transport.send_rest()


async def sending_needs_no_task(maker: Maker) -> None:
    """A frame or a ping for which there is room is sent in the same step."""
    async with open_ends(maker) as (left, right):
        if not left.transport.send_now([b"now"]):
            await left.transport.send_rest()  # TLS cannot
        else:
            assert left.transport.ping_now(b"now")

        assert await right.heard.next_frame() == "now"


async def what_finds_no_room_is_kept(maker: Maker) -> None:
    """Frames for which there is no room wait for `send_rest`, and arrive in order."""
    texts = [b"%d" % number * 500_000 for number in range(8)]
    async with maker() as (left, right):
        for text in texts:
            has_left = left.send_now([text])
        assert not has_left
        assert not left.ping_now(b"after them")
        assert not left.send_now([b"last"])

        sending, reading = End(left), End(right)
        async with running(sending, reading):
            await left.send_rest()
            for text in texts:
                assert await reading.heard.next_frame() == text.decode()
            assert await sending.heard.next_pong() == b"after them"
            assert await reading.heard.next_frame() == "last"


async def a_close_waits_for_what_finds_no_room(maker: Maker) -> None:
    """A Close frame waits for the frames before it, and nothing follows it."""
    async with open_ends(maker) as (left, right):
        for _ in range(8):
            left.transport.send_now([b"x" * 500_000])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(left.transport.aclose, 1001)
            await wait_all_tasks_blocked()
            assert not left.transport.send_now([b"late"])

            assert (await right.wait_ended()).code == 1001

        for _ in range(8):
            assert await right.heard.next_frame() == "x" * 500_000
        assert not right.heard.has_frame()


async def a_cancelled_wait_goes_on(maker: Maker) -> None:
    """A cancelled `send_rest` leaves no frame half sent."""
    async with maker() as (left, right):
        for _ in range(8):
            left.send_now([b"x" * 500_000])
        scope = trio.CancelScope()

        async def send_rest() -> None:
            with scope:
                await left.send_rest()

        reading = End(right)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_rest)
            await wait_all_tasks_blocked()
            scope.cancel()
            await wait_all_tasks_blocked()
            async with running(reading):
                await send(left, [b"next"])
                for _ in range(8):
                    assert await reading.heard.next_frame() == "x" * 500_000
                assert await reading.heard.next_frame() == "next"


async def many_may_wait_for_the_rest(maker: Maker) -> None:
    """Several tasks may wait in `send_rest`; each returns when all has been sent."""
    async with maker() as (left, right):
        for _ in range(8):
            left.send_now([b"x" * 500_000])
        reading = End(right)
        async with running(End(left), reading), trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(left.send_rest)
            left.send_now([b"last"])
            for _ in range(8):
                await reading.heard.next_frame()

            assert await reading.heard.next_frame() == "last"


async def a_busy_link_keeps_order(maker: Maker) -> None:
    """Frames of any size in both directions, among pings, arrive whole and in order."""
    sizes = [0, 3, 125, 126, 4_000, 5_000, 65_535, 65_536, 200_000] * 12
    frames = [b"%d:" % number + b"x" * size for number, size in enumerate(sizes)]
    async with open_ends(maker) as ends, trio.open_nursery() as nursery:

        async def send_all(end: End) -> None:
            for number, frame in enumerate(frames):
                await send(end.transport, [frame, b"and"])
                if number % 10 == 0:
                    await send_ping(end.transport, b"%d" % number)

        async def hear_all(end: End) -> None:
            for frame in frames:
                assert await end.heard.next_frame() == frame.decode()
                assert await end.heard.next_frame() == "and"

        for end in ends:
            nursery.start_soon(send_all, end)
            nursery.start_soon(hear_all, end)


async def a_receiver_may_send(maker: Maker) -> None:
    """A receiver may send in the reader itself."""
    async with maker() as (left, right):

        class Echo(Recorder):
            def on_text(self, text: bytes) -> None:
                super().on_text(text)
                self.has_left = right.send_now([text])

        calling, heard = End(left), Echo()
        async with running(calling, End(right, heard)):
            await send(left, [b"to and fro"])
            await heard.next_frame()
            if not heard.has_left:
                await right.send_rest()

            assert await calling.heard.next_frame() == "to and fro"


async def a_reader_pauses_before_it_waits(maker: Maker) -> None:
    """`on_pause` is called when nothing is left to read, whatever frame came last."""
    async with open_ends(maker) as (left, right):
        await send(left.transport, [b"text"])
        await right.heard.next_frame()
        await wait_all_tasks_blocked()
        assert not right.heard.is_reading

        await send(left.transport, [b"\0binary"])
        assert await right.heard.next_frame() == b"\0binary"
        await wait_all_tasks_blocked()
        assert not right.heard.is_reading


async def a_reader_pauses_when_it_ends(maker: Maker) -> None:
    """`on_pause` is called when reading ends, even if it is cancelled."""
    async with maker() as (left, right):
        with trio.CancelScope() as scope:

            class Cancelling(Recorder):
                def on_text(self, text: bytes) -> None:
                    super().on_text(text)
                    scope.cancel()

            heard = Cancelling()
            await send(left, [b"text"])
            await right.run(heard)

        assert heard.has_frame()
        assert not heard.is_reading


async def a_cancelled_run_leaves_the_link(maker: Maker) -> None:
    """After a cancelled `run` the link can still send, and be aborted."""
    async with maker() as (left, right):
        reading = End(right)
        async with running(reading):
            with trio.CancelScope() as scope:
                scope.cancel()
                await left.run(Recorder())
            await send(left, [b"still here"])

            assert await reading.heard.next_frame() == "still here"

            left.abort()

            assert (await reading.wait_ended()).code == 1006


async def large_enough_is_not_too_large(maker: Maker) -> None:
    """A message of exactly the limit, in bytes, passes."""
    message = "ü" * (SMALL // 2)
    async with open_ends(maker, limits=Limits(message=SMALL)) as (left, right):
        await send(left.transport, [message.encode()])

        assert await right.heard.next_frame() == message


async def too_large_closes_1009(maker: Maker) -> None:
    """A message over the limit closes the link; the reason names the limit."""
    async with open_ends(maker, limits=Limits(message=SMALL)) as (left, right):
        await send(left.transport, [b"x" * (SMALL + 1)])

        here, there = await left.wait_ended(), await right.wait_ended()

        assert here == CloseReason(1009, too_big(MessageLimit(SMALL)), remote=True)
        assert there == replace(here, remote=False)
        assert not right.heard.has_frame()


async def characters_are_counted_in_bytes(maker: Maker) -> None:
    """The limit counts bytes, not characters."""
    async with open_ends(maker, limits=Limits(message=SMALL)) as (left, right):
        await send(left.transport, [("ü" * (SMALL // 2 + 1)).encode()])

        assert (await right.wait_ended()).code == 1009


async def a_faulty_receiver_closes_1011(maker: Maker) -> None:
    """An exception of the receiver is logged, and the peer gets 1011."""
    async with open_ends(maker, heard=FaultyReceiver()) as (left, right):
        await send(left.transport, [b"boom"])

        assert await left.wait_ended() == CloseReason(1011, "internal error", remote=True)
        assert await right.wait_ended() == CloseReason(1011, "internal error", remote=False)


async def a_fault_in_a_pong_closes_1011(maker: Maker) -> None:
    """An exception in `on_pong` is handled in the same way."""
    async with open_ends(maker, heard=FaultyReceiver()) as (left, right):
        await send_ping(right.transport, b"boom")

        assert (await left.wait_ended()).code == 1011


Check: TypeAlias = Callable[[Maker], Awaitable[None]]

CHECKS: tuple[Check, ...] = (
    text_arrives_in_order_both_ways,
    text_is_unicode,
    nothing_to_send_is_fine,
    large_messages_pass,
    frames_wait_for_run,
    pings_are_answered,
    received_at_moves,
    both_ends_know_why_they_closed,
    the_dialling_end_may_close,
    what_was_sent_before_a_close_arrives,
    closing_twice_is_fine,
    both_may_close_at_once,
    a_link_that_is_not_run_can_be_closed,
    abort_ends_both,
    a_receiver_may_abort,
    sending_on_an_ended_link_raises,
    sending_needs_no_task,
    what_finds_no_room_is_kept,
    a_close_waits_for_what_finds_no_room,
    a_cancelled_wait_goes_on,
    many_may_wait_for_the_rest,
    a_busy_link_keeps_order,
    a_receiver_may_send,
    a_reader_pauses_before_it_waits,
    a_reader_pauses_when_it_ends,
    a_cancelled_run_leaves_the_link,
    large_enough_is_not_too_large,
    too_large_closes_1009,
    characters_are_counted_in_bytes,
    a_faulty_receiver_closes_1011,
    a_fault_in_a_pong_closes_1011,
)

check_transport = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
"""Decorate a test that calls ``check`` with its maker, and does no more."""
