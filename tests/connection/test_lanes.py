"""The order in which what waits is taken."""

from __future__ import annotations

from farcall._budget import Account, Process
from farcall._connection.lanes import Lanes
from farcall._connection.send_queue import SendQueue
from farcall._limits import Limits
from farcall._protocol.messages import Cancel, Credit, Event, Message, Request


class Numbers:
    """A stream that has some messages to send."""

    def __init__(self, name: str, count: int) -> None:
        self.waiting = [Event(name, b"%d" % number) for number in range(count)]

    def pop(self) -> Message | None:
        return self.waiting.pop(0) if self.waiting else None


def make_lanes() -> tuple[Lanes, list[None]]:
    woken: list[None] = []
    queue = SendQueue(Limits(), Account(2**30, lambda: None, Process()))
    return Lanes(lambda: woken.append(None), queue), woken


def test_control_goes_first() -> None:
    """Ahead of calls and streams, whatever was put first."""
    lanes, _ = make_lanes()
    call, cancel = Request("a"), Cancel(b"1", "caller")
    lanes.put_call(call)
    lanes.put_stream(Numbers("s", 1))
    lanes.put_control(cancel)

    assert next(lanes.drain()) == cancel


def test_credit_is_merged_for_each_stream() -> None:
    """Totals only grow, so the last one says all."""
    lanes, _ = make_lanes()
    lanes.put_credit(Credit(b"1", 40, 400))
    lanes.put_credit(Credit(b"2", 40, 400))
    lanes.put_credit(Credit(b"1", 50, 500))

    assert list(lanes.drain()) == [Credit(b"1", 50, 500), Credit(b"2", 40, 400)]


def test_calls_keep_their_order() -> None:
    """First in, first out."""
    lanes, _ = make_lanes()
    calls = [Request(name) for name in "abc"]
    for call in calls:
        lanes.put_call(call)

    assert list(lanes.drain()) == calls


def test_calls_and_streams_share() -> None:
    """One of each in turn, and the streams in turn among themselves."""
    lanes, _ = make_lanes()
    for name in "abc":
        lanes.put_call(Request(name))
    lanes.put_stream(Numbers("s", 2))
    lanes.put_stream(Numbers("t", 2))

    taken = [
        each.method if isinstance(each, Request) else each.name
        for each in lanes.drain()
        if isinstance(each, Request | Event)
    ]

    assert taken == ["s", "a", "t", "b", "s", "c", "t"]


def test_a_stream_with_nothing_to_send_leaves_until_it_is_put_again() -> None:
    """It does not keep the writer awake."""
    lanes, _ = make_lanes()
    stream = Numbers("s", 0)
    lanes.put_stream(stream)
    lanes.put_stream(stream)
    assert len(lanes) == 1

    assert list(lanes.drain()) == []
    assert len(lanes) == 0


def test_a_withdrawn_call_is_not_taken() -> None:
    """Nobody ever sees it."""
    lanes, _ = make_lanes()
    kept, withdrawn = Request("a", id=b"1"), Request("b", id=b"2")
    lanes.put_call(kept)
    lanes.put_call(withdrawn)
    lanes.withdraw(withdrawn)

    assert list(lanes.drain()) == [kept]


def test_a_ping_is_a_thing_of_its_own() -> None:
    """It is a frame, not a message."""
    lanes, _ = make_lanes()
    assert lanes.take_ping() is None
    lanes.put_ping(b"1")

    assert len(lanes) == 1
    assert lanes.take_ping() == b"1"


def test_every_lane_wakes_the_writer() -> None:
    """Whatever is put."""
    lanes, woken = make_lanes()
    lanes.put_control(Cancel(b"1", "caller"))
    lanes.put_ping(b"1")
    lanes.put_credit(Credit(b"1", 1, 1))
    lanes.put_call(Request("a"))
    lanes.put_stream(Numbers("s", 1))

    assert len(woken) == 5
