"""The order in which the writer takes messages from the lanes."""

from __future__ import annotations

from functools import partial

from farcall._connection.lanes import BUNDLE_BYTES, Lanes
from farcall._connection.send_queue import SendQueue
from farcall._limits import Limits
from farcall._quota import MemoryAccount, ProcessQuota


class Numbers:
    """A stream with some messages to send."""

    ahead = 0

    def __init__(self, name: str, count: int) -> None:
        self.waiting = [b"%b%d" % (name.encode(), number) for number in range(count)]

    @property
    def has_more(self) -> bool:
        return bool(self.waiting)

    def pop(self) -> bytes | None:
        return self.waiting.pop(0) if self.waiting else None


class Credit:
    """A stream whose credit grows until it is sent."""

    def __init__(self, total: int = 0) -> None:
        self.total = total

    def credit_message(self) -> bytes:
        return b"%d" % self.total


class Call:
    """A call that the writer takes, unless it was withdrawn before."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.is_withdrawn = False
        self.taken_at: float | None = None

    def take(self, now: float) -> bytes:
        self.taken_at = now
        return b"" if self.is_withdrawn else self.text


def make_lanes(bundle: int = 0) -> tuple[Lanes, list[str]]:
    woken: list[str] = []
    queue = SendQueue(Limits(), MemoryAccount(2**30, lambda: None, ProcessQuota()))
    wake, wake_call, wake_late = (partial(woken.append, how) for how in ("other", "call", "late"))
    lanes = Lanes(wake, wake_call, queue, wake_late)
    lanes.bundle = bundle
    return lanes, woken


def test_control_goes_first() -> None:
    """Control messages overtake calls and streams that were put before them."""
    lanes, _ = make_lanes()
    lanes.put_call(b"call")
    lanes.put_stream(Numbers("s", 1))
    lanes.put_control(b"cancel")

    assert lanes.take(0)[0] == b"cancel"


def test_the_answer_to_a_hello_leaves_alone() -> None:
    """The response to a hello has a frame of its own: the peer reads bundles only after it."""
    lanes, _ = make_lanes(bundle=10)
    lanes.put_call(b"call")
    lanes.put_control(b"cancel")
    lanes.put_greeting(b"hello")

    assert [lanes.take(0), lanes.take(0)] == [[b"hello"], [b"[cancel,call]"]]


def test_credit_is_merged_for_each_stream() -> None:
    """A stream has one message of credit, with its totals at the time when it leaves."""
    lanes, _ = make_lanes()
    first, second = Credit(40), Credit(41)
    for stream in (first, second, first):
        lanes.put_credit(stream, is_late=False)
    first.total = 50

    assert lanes.take(0) == [b"50", b"41"]
    assert lanes.take(0) == []


def test_calls_keep_their_order() -> None:
    """Calls leave in the order in which they were put."""
    lanes, _ = make_lanes()
    for call in (b"a", b"b", b"c"):
        lanes.put_call(call)

    assert lanes.take(0) == [b"a", b"b", b"c"]


def test_calls_and_streams_share() -> None:
    """Calls and streams take turns, and so do the streams."""
    lanes, _ = make_lanes()
    for call in (b"a", b"b", b"c"):
        lanes.put_call(call)
    lanes.put_stream(Numbers("s", 2))
    lanes.put_stream(Numbers("t", 2))

    assert lanes.take(0) == [b"s0", b"a", b"t0", b"b", b"s1", b"c", b"t1"]


def test_a_stream_with_nothing_to_send_leaves_until_it_is_put_again() -> None:
    """A stream that has nothing to send does not wake the writer again."""
    lanes, _ = make_lanes()
    stream = Numbers("s", 0)
    lanes.put_stream(stream)
    lanes.put_stream(stream)
    assert len(lanes) == 1

    assert lanes.take(0) == []
    assert len(lanes) == 0


def test_what_a_call_brings_along_is_taken_with_it() -> None:
    """Uploads that are put as their call is taken may follow at once."""
    lanes, _ = make_lanes()

    class Bringing(Call):
        def take(self, now: float) -> bytes:
            lanes.put_stream(Numbers("s", 1))
            return super().take(now)

    lanes.put_call(Bringing(b"a"))

    assert lanes.take(0) == [b"a", b"s0"]


def test_a_call_learns_when_it_is_taken() -> None:
    """A call that has nothing to send when it is taken is skipped."""
    lanes, _ = make_lanes()
    kept, withdrawn = Call(b"kept"), Call(b"withdrawn")
    withdrawn.is_withdrawn = True
    lanes.put_call(withdrawn)
    lanes.put_call(kept)

    assert lanes.take(7.0) == [b"kept"]
    assert kept.taken_at == withdrawn.taken_at == 7.0


def test_a_bundle_holds_no_more_than_the_peer_takes() -> None:
    """A bundle is limited in messages and bytes; a larger message has a frame of its own."""
    lanes, _ = make_lanes(bundle=2)
    for call in (b"a", b"b", b"c"):
        lanes.put_call(call)
    assert lanes.take(0) == [b"[a,b]", b"c"]

    lanes.bundle, lanes.bundle_bytes = 10, 10
    for call in (b"1234", b"1234", b"12", b"1" * 20, b"1"):
        lanes.put_call(call)
    assert lanes.take(0) == [b"1234", b"[1234,12]", b"1" * 20, b"1"]


def test_a_binary_message_has_a_frame_of_its_own() -> None:
    """JSON messages after a binary one go on in a new frame, in order."""
    lanes, _ = make_lanes(bundle=10)
    for call in (b"a", b"\0b", b"c", b"d"):
        lanes.put_call(call)

    assert lanes.take(0) == [b"a", b"\0b", b"[c,d]"]


def test_the_writer_takes_no_more_than_it_sends_at_once() -> None:
    """What stays in the lanes may still be withdrawn, or overtaken by a cancel."""
    lanes, _ = make_lanes()
    for _ in range(3):
        lanes.put_call(b"x" * (BUNDLE_BYTES // 2))

    assert [len(lanes.take(0)), len(lanes.take(0)), len(lanes.take(0))] == [2, 1, 0]


def test_a_ping_is_a_thing_of_its_own() -> None:
    """A ping is taken apart from the messages."""
    lanes, _ = make_lanes()
    assert lanes.take_ping() is None
    lanes.put_ping(b"1")

    assert len(lanes) == 1
    assert lanes.take_ping() == b"1"


def test_closed_lanes_drop_everything_but_pings() -> None:
    """Closed lanes drop all messages, but still give out pings."""
    lanes, _ = make_lanes()
    lanes.put_call(b"a")
    lanes.close()
    lanes.put_call(b"a")
    lanes.put_control(b"a")
    lanes.put_greeting(b"a")
    lanes.put_credit(Credit(), is_late=False)
    lanes.put_stream(Numbers("s", 1))
    lanes.put_ping(b"1")

    assert lanes.take(0) == []
    assert len(lanes) == 1


def test_every_lane_wakes_the_writer() -> None:
    """Calls and late credit wake it in their own way: a lone call is sent at once."""
    lanes, woken = make_lanes()
    lanes.put_control(b"a")
    lanes.put_ping(b"1")
    lanes.put_credit(Credit(), is_late=False)
    lanes.put_credit(Credit(), is_late=True)
    lanes.put_call(b"a")
    lanes.put_stream(Numbers("s", 1))
    lanes.put_greeting(b"a")

    assert woken == ["other", "other", "other", "late", "call", "other", "other"]
