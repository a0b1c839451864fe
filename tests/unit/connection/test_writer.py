"""The writer: it sends at once what the transport accepts, and the rest in its task."""

from __future__ import annotations

import logging
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import cast

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

import farcall
from farcall._connection.heartbeat import Pings
from farcall._connection.lanes import Lanes
from farcall._connection.send_queue import Promise, SendQueue
from farcall._connection.writer import Writer
from farcall._limits import Limits
from farcall._quota import MemoryAccount, ProcessQuota
from farcall._transport.transport import Endpoint, Transport
from farcall.testing import open_pair
from tests.patience import PATIENCE


@attrs.define(eq=False)
class Sink:
    """A transport that accepts frames while it has room."""

    endpoint = Endpoint("here", "there")
    is_writable: bool = True
    sent: list[list[bytes]] = attrs.field(factory=list[list[bytes]])
    closed: list[tuple[int, str]] = attrs.field(factory=list[tuple[int, str]])
    is_broken: bool = False
    on_send: Callable[[], object] = lambda: None
    _room: trio.Event = attrs.field(factory=trio.Event)

    def send_now(self, frames: Sequence[bytes]) -> bool:
        self.sent.append(list(frames))
        self.on_send()
        return self.is_writable and not self.is_broken

    def ping_now(self, payload: bytes) -> bool:
        return self.send_now([b"ping " + payload])

    async def send_rest(self) -> None:
        if self.is_broken:
            raise trio.BrokenResourceError
        await self._room.wait()

    def make_room(self) -> None:
        self.is_writable = True
        self._room.set()

    async def aclose(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))


class Desk:
    """A writer on its lanes, as in a link."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.sink = Sink()
        self.process = ProcessQuota()
        self.pings = Pings()
        account = MemoryAccount(2**30, lambda: None, self.process)
        self.lanes = Lanes(self._wake, self._wake, SendQueue(Limits(), account))
        transport = cast("Transport", self.sink)
        self.writer = Writer(transport, self.lanes, self.pings, account, nursery.start_soon)

    def _wake(self) -> None:
        self.writer.wake()

    @property
    def sent(self) -> list[list[bytes]]:
        return self.sink.sent


@asynccontextmanager
async def open_desk() -> AsyncIterator[Desk]:
    async with trio.open_nursery() as nursery:
        desk = Desk(nursery)
        desk.writer.begin()
        await wait_all_tasks_blocked()
        yield desk
        desk.writer.end()
        nursery.cancel_scope.cancel()


async def test_what_is_put_in_one_turn_leaves_together() -> None:
    """Nothing is sent in the step that puts it; all is in the next turn of the event loop."""
    async with open_desk() as desk:
        desk.lanes.put_call(b"1")
        desk.lanes.put_call(b"2")
        assert desk.sent == []
        await wait_all_tasks_blocked()

        assert desk.sent == [[b"1", b"2"]]
        assert desk.writer.frames == 2


async def test_a_lone_message_leaves_at_once() -> None:
    """`wake_through` sends in the same step."""
    async with open_desk() as desk:
        desk.lanes.put_call(b"1")
        desk.writer.wake_through()

        assert desk.sent == [[b"1"]]
        await wait_all_tasks_blocked()
        assert desk.sent == [[b"1"]]


async def test_nothing_leaves_while_the_reader_holds_it() -> None:
    """What is put while the reader reads is sent when it pauses, without another turn."""
    async with open_desk() as desk:
        desk.writer.is_held = True
        desk.lanes.put_call(b"1")
        desk.lanes.put_call(b"2")
        await wait_all_tasks_blocked()
        assert desk.sent == []
        desk.writer.is_held = False
        desk.writer.flush_now()

        assert desk.sent == [[b"1", b"2"]]


async def test_a_flush_without_anything_to_send() -> None:
    """A flush of empty lanes sends nothing."""
    async with open_desk() as desk:
        desk.writer.flush_now()
        desk.writer.wake_through()

        assert desk.sent == []


async def test_what_is_put_as_a_message_is_taken_leaves_in_the_same_flush() -> None:
    """A flush within a flush only notes that there is more to send."""
    async with open_desk() as desk:

        def put_more() -> None:
            desk.lanes.put_control(b"cancel")
            desk.writer.wake_through()
            assert desk.sent == []

        desk.lanes.put_call(Promise(b"1", put_more))
        desk.writer.wake_through()
        await wait_all_tasks_blocked()

        assert [text for frames in desk.sent for text in frames] == [b"1", b"cancel"]


async def test_what_is_put_where_nothing_can_be_taken_leaves_as_well() -> None:
    """A call that ran out of time sends nothing, but lets the next one be sent."""

    class Expired:
        text = b"late"

        def take(self, now: float) -> bytes:
            desk.lanes.put_call(b"next in line")
            return b""

    async with open_desk() as desk:
        desk.lanes.put_call(cast("Promise", Expired()))
        desk.writer.wake_through()

        assert desk.sent == [[b"next in line"]]


async def test_what_a_transport_tells_while_it_is_given_something() -> None:
    """What is put while the transport sends is sent after that."""
    async with open_desk() as desk:

        def put_once() -> None:
            desk.sink.on_send = lambda: None
            desk.lanes.put_call(b"2")
            desk.writer.wake_through()

        desk.sink.on_send = put_once
        desk.lanes.put_call(b"1")
        desk.writer.wake_through()

        assert desk.sent == [[b"1"], [b"2"]]


async def test_nothing_is_taken_before_the_rest_has_left() -> None:
    """The transport gets nothing more until it has sent the rest."""
    async with open_desk() as desk:
        desk.sink.is_writable = False
        desk.lanes.put_call(b"1")
        desk.writer.wake_through()
        assert desk.writer.is_sending
        desk.lanes.put_call(b"2")
        desk.writer.wake_through()
        await wait_all_tasks_blocked()
        assert desk.sent == [[b"1"]]

        desk.sink.make_room()
        await wait_all_tasks_blocked()

        assert desk.sent == [[b"1"], [b"2"]]
        assert not desk.writer.is_sending


async def test_what_is_being_sent_is_counted() -> None:
    """Bytes are charged until they have been sent."""
    async with open_desk() as desk:
        desk.sink.is_writable = False
        desk.lanes.put_call(b"x" * 1000)
        desk.writer.wake_through()
        assert desk.process.held == 1000
        desk.sink.make_room()
        await wait_all_tasks_blocked()

        assert desk.process.held == 0


async def test_what_was_put_before_the_link_runs() -> None:
    """Messages that were put before the writer begins are sent when it does."""
    async with trio.open_nursery() as nursery:
        desk = Desk(nursery)
        desk.lanes.put_call(b"1")
        desk.lanes.put_call(b"2")
        await wait_all_tasks_blocked()
        assert desk.sent == []
        desk.writer.begin()
        await wait_all_tasks_blocked()
        desk.writer.end()

    assert desk.sent == [[b"1", b"2"]]


async def test_a_task_runs_only_while_there_is_a_rest() -> None:
    """What the transport accepts at once needs no task; one rest after another needs one."""
    async with open_desk() as desk:
        desk.lanes.put_call(b"1")
        desk.writer.wake_through()
        assert not desk.nursery.child_tasks
        desk.sink.is_writable = False
        for number in (b"2", b"3"):
            desk.lanes.put_call(number)
            desk.writer.wake_through()
        assert len(desk.nursery.child_tasks) == 1
        desk.sink.make_room()
        await wait_all_tasks_blocked()

        assert desk.sent == [[b"1"], [b"2"], [b"3"]]
        assert not desk.nursery.child_tasks


async def test_a_broken_link() -> None:
    """On a broken link nothing is taken, and pings do not wait for the writer."""
    async with open_desk() as desk:
        desk.sink.is_broken = True
        desk.lanes.put_call(b"1")
        desk.writer.wake_through()
        await wait_all_tasks_blocked()
        desk.lanes.put_call(b"2")
        desk.writer.wake_through()
        await wait_all_tasks_blocked()

        assert desk.sent == [[b"1"]]
        assert desk.pings.new().is_taken


async def test_a_pong_that_found_no_room() -> None:
    """The task waits until the pong has been sent; nothing is taken before that."""
    async with open_desk() as desk:
        desk.writer.note_rest()
        desk.lanes.put_call(b"1")
        desk.writer.wake_through()
        await wait_all_tasks_blocked()
        assert desk.sent == []
        desk.sink.make_room()
        await wait_all_tasks_blocked()
        assert desk.sent == [[b"1"]]

        desk.sink.is_writable = False
        desk.lanes.put_call(b"2")
        desk.writer.wake_through()
        desk.writer.note_rest()

        assert desk.process.held == 1


async def test_pings_go_first() -> None:
    """A ping has a frame of its own, and its round trip begins when it is taken."""
    async with open_desk() as desk:
        desk.lanes.put_call(b"1")
        ping = desk.pings.new()
        desk.lanes.put_ping(ping.payload)
        await wait_all_tasks_blocked()

        assert desk.sent == [[b"ping 1"], [b"1"]]
        assert ping.is_taken


async def test_a_ping_waits_for_what_is_being_sent() -> None:
    """A large message on a slow line is not part of a round trip."""
    async with open_desk() as desk:
        desk.sink.is_writable = False
        desk.lanes.put_call(b"1")
        desk.writer.wake_through()
        desk.lanes.put_ping(b"1")
        await wait_all_tasks_blocked()
        assert desk.sent == [[b"1"]]
        desk.sink.make_room()
        await wait_all_tasks_blocked()

        assert desk.sent == [[b"1"], [b"ping 1"]]


async def test_lanes_that_are_closed_as_messages_are_taken() -> None:
    """If taking messages hangs up the link, they are not sent."""
    async with open_desk() as desk:
        desk.lanes.put_call(Promise(b"1", desk.lanes.close))
        desk.writer.wake_through()
        await wait_all_tasks_blocked()

        assert desk.sent == []
        assert desk.writer.frames == 0


async def test_waiting_until_all_has_left() -> None:
    """`flush` waits for what is being sent, and for what was put meanwhile."""
    async with open_desk() as desk, trio.open_nursery() as nursery:
        desk.sink.is_writable = False
        desk.lanes.put_call(b"1")
        desk.writer.wake_through()
        desk.lanes.put_call(b"2")
        nursery.start_soon(desk.writer.flush)
        await wait_all_tasks_blocked()
        assert nursery.child_tasks
        desk.sink.make_room()
        await wait_all_tasks_blocked()

        assert not nursery.child_tasks
        assert desk.sent == [[b"1"], [b"2"]]


async def test_waiting_where_nothing_is_to_be_sent() -> None:
    """`flush` returns if there is nothing to send."""
    async with open_desk() as desk:
        with trio.fail_after(PATIENCE):
            await desk.writer.flush()


async def test_a_link_that_ends_lets_go_who_waits() -> None:
    """The end of the link ends a wait in `flush`."""
    async with open_desk() as desk, trio.open_nursery() as nursery:
        desk.sink.is_writable = False
        desk.lanes.put_call(b"1")
        nursery.start_soon(desk.writer.flush)
        await wait_all_tasks_blocked()
        assert nursery.child_tasks
        desk.writer.end()


async def test_a_fault_ends_its_link_alone(caplog: pytest.LogCaptureFixture) -> None:
    """A fault is logged and ends its own link; the task that flushed and other links go on."""
    async with open_desk() as good, open_desk() as bad:

        def fail() -> None:
            raise KeyError("a bug")

        bad.lanes.put_call(Promise(b"1", fail))
        good.lanes.put_call(b"2")
        bad.lanes.put_call(b"3")
        await wait_all_tasks_blocked()
        bad.writer.wake_through()
        await wait_all_tasks_blocked()
        good.lanes.put_call(b"4")
        await wait_all_tasks_blocked()

        assert (bad.sent, bad.sink.closed) == ([], [(1011, "internal error")])
        assert good.sent == [[b"2"], [b"4"]]
        assert "there: sending failed" in caplog.text
        assert "a bug" in caplog.text
        assert bad.pings.new().is_taken


def test_an_interrupt_loses_nothing() -> None:
    """A Ctrl-C during a flush is raised after it, when all that was taken has been sent."""
    desks: list[Desk] = []

    async def main() -> None:
        async with open_desk() as desk:
            desks.append(desk)
            desk.lanes.put_call(Promise(b"1", lambda: signal.raise_signal(signal.SIGINT)))
            desk.lanes.put_call(b"2")
            desk.writer.wake_through()

    with pytest.RaisesGroup(KeyboardInterrupt, flatten_subgroups=True, allow_unwrapped=True):
        trio.run(main)

    assert desks[0].sent == [[b"1", b"2"]]


@farcall.service
class Echo:
    async def say(self, text: str) -> str:
        return text


async def test_callers_of_a_link_with_such_a_fault(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Callers lose the connection with the fault, and keep all others."""
    caplog.set_level(logging.CRITICAL, "farcall")
    async with open_pair(Echo()) as (good, _), open_pair(Echo()) as (bad, _):

        def fail(_now: float) -> list[bytes]:
            raise RuntimeError("a bug")

        monkeypatch.setattr(bad._link.lanes, "take", fail)
        with pytest.raises(farcall.ConnectionLost, match="1011"):
            await bad.call("Echo.say", "lost")

        assert await good.call("Echo.say", "well") == "well"
