"""Two honest peers with a slow network between them: the laws always hold."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from itertools import accumulate, cycle, takewhile

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from farcall._protocol.binary import BINARY_MARK, FEATURE, FEATURES
from farcall._protocol.credit import SendCredit, Window
from farcall._protocol.framing import join
from farcall._protocol.messages import Error, Hello
from farcall._protocol.state import (
    ABANDONED,
    NEVER,
    OPEN,
    STARTED,
    IncomingCall,
    IncomingUpload,
    Stage,
)
from farcall.errors import ErrorCode
from tests.unit.protocol.pair import Call, Owner, Peer, Told, make_hello, use


@attrs.define(eq=False)
class Story:
    """What happened to one call, as seen from outside of both protocols."""

    outgoing: Call
    window: Window | None
    sent_at: float = 0.0
    incoming: IncomingCall | None = None
    is_done: bool = False
    """Whether the caller waits no more: it has a response, or has given up."""
    has_started: bool = False
    sent: list[bytes] = attrs.field(factory=list[bytes])
    received: list[bytes] = attrs.field(factory=list[bytes])
    consumed: int = 0

    @property
    def deadline(self) -> float | None:
        """When its caller stops waiting, if the peer knows that."""
        return None if self.outgoing.deadline == NEVER else self.outgoing.deadline


class Side(Peer):
    """One peer with a writer, as simple as one can be: what controls goes first.

    Args:
        own: How it greets.
        has_dialled: Whether it made the connection.
        react: Is told what it hears, as it hears it.
    """

    def __init__(
        self, own: Hello, *, has_dialled: bool, react: Callable[[Side, Told], None]
    ) -> None:
        super().__init__(own, has_dialled=has_dialled)
        self._react = react
        self._greeting: bytes | None = None
        self.control: deque[bytes] = deque()
        self.calls: deque[bytes | Call] = deque()
        self.stories: list[Story] = []
        """Of the calls that this side made."""
        self.asked: list[IncomingCall] = []
        """The calls of the other side that it has not answered."""
        self.due: dict[IncomingCall, float] = {}
        """When those that have a deadline run out of time, by the clock of this side."""
        self.unwanted: set[IncomingCall] = set()
        """The calls that the other side has cancelled."""
        self.reading: dict[IncomingCall, list[IncomingUpload]] = {}
        """The uploads of those."""

    def make_hello(self) -> Call:
        """Make a greeting, whose message waits for the writer."""
        call = Call("rpc.hello", hear=self.hear)
        self.protocol.hello(call)
        return call

    def hear(self, told: Told) -> None:
        """Do what a link would do."""
        self._react(self, told)

    def on_reply(self, text: bytes, /) -> None:
        raise AssertionError(f"honest peers are not refused: {text!r}")

    def on_hello(self, hello: Hello, answer: bytes | None, /) -> None:
        if answer is not None:
            self._greeting = answer
            self.control.append(answer)

    def write(self, count: int, now: float) -> None:
        """Put up to `count` messages on the wire, in bundles where the peer takes them."""
        waiting: list[bytes] = []
        while count and (self.control or self.calls):
            message = (self.control or self.calls).popleft()
            text = message.take(now) if isinstance(message, Call) else message
            if not text:
                continue
            count -= 1
            self.note_sent(message, now)
            is_alone = text.startswith(BINARY_MARK) or text is self._greeting
            if is_alone or len(waiting) == self.most_joined:
                self._flush(waiting)
            waiting.append(text)
            if is_alone:
                self._flush(waiting)
        self._flush(waiting)

    @property
    def most_joined(self) -> int:
        """How many messages may share a frame."""
        peer = self.protocol.peer
        return 1 if peer is None else min(peer.limits.bundle, self.protocol.own.limits.bundle)

    def _flush(self, waiting: list[bytes]) -> None:
        if waiting:
            self.sent.append(waiting[0] if len(waiting) == 1 else join(waiting))
            waiting.clear()

    def note_sent(self, message: bytes | Call, now: float) -> None:
        for story in self.stories:
            if story.outgoing is message:
                story.sent_at = now

    def forget(self, call: Call) -> None:
        """Withdraw a call that the peer will never hear of."""
        self.protocol.withdraw(call)
        self.stories = [each for each in self.stories if each.outgoing is not call]

    def answer(self, call: IncomingCall, message: bytes | None) -> None:
        """Respond to a call, whose uploads end with the response."""
        for upload in self.reading.pop(call, ()):
            self.protocol.uploads.end_incoming(upload)
        self.asked.remove(call)
        self.due.pop(call, None)
        self.unwanted.discard(call)
        self.say_soon(message)

    def say_soon(self, message: bytes | Call | None) -> None:
        if message is not None:
            self.calls.append(message)


GREETINGS = ["over", "over", "over", "under way", "never"]
TIMEOUTS = st.sampled_from([0.0004, 0.001, 0.0015, 0.25, 3.0])
WINDOWS = st.builds(Window, st.integers(1, 5), st.integers(5, 25))
STREAMS = ("rpc.subscribe", "Market.history")
SIZES = st.lists(st.sampled_from([1, 2, 3, 5, 8, 30]), min_size=1, max_size=5)


class TwoPeers(RuleBasedStateMachine):
    """The rules; each does something that an application, a writer or the network may do."""

    def __init__(self) -> None:
        super().__init__()
        self.open("over", 2, 9_000)

    @initialize(
        greeting=st.sampled_from(GREETINGS),
        bundle=st.integers(1, 4),
        message=st.sampled_from([300, 9_000]),
        features=st.sampled_from([(), FEATURES]),
        windows=st.lists(WINDOWS, min_size=1, max_size=3),
    )
    def begin(
        self,
        greeting: str,
        bundle: int,
        message: int,
        features: tuple[str, ...],
        windows: list[Window],
    ) -> None:
        """Connect, and have some streams under way from the beginning."""
        self.open(greeting, bundle, message, features)
        if greeting == "over":
            for window, name in zip(windows, cycle(STREAMS), strict=False):
                self.call(is_client=True, window=window, name=name)
            self.settle()
            for side, call in self.asked(OPEN):
                side.say_soon(side.protocol.start(call, b"{}"))

    def open(
        self, greeting: str, bundle: int, message: int, features: tuple[str, ...] = FEATURES
    ) -> None:
        """Make a connection whose sides have greeted, are about to, or do not greet."""
        self.now = 1_000.0
        self.client = Side(
            make_hello(bundle=bundle, features=FEATURES), has_dialled=True, react=self.react
        )
        self.server = Side(
            make_hello(message=message, features=features), has_dialled=False, react=self.react
        )
        self.sides = (self.client, self.server)
        self.greeting = greeting
        if greeting != "never":
            self.client.say_soon(self.client.make_hello())
        if greeting == "over":
            self.settle()

    def other(self, side: Side) -> Side:
        return self.server if side is self.client else self.client

    def stories(self) -> list[tuple[Side, Story]]:
        return [(side, story) for side in self.sides for story in side.stories]

    def asked(self, *stages: Stage) -> list[tuple[Side, IncomingCall]]:
        """Give the calls that a side has not answered; only streams where stages are named."""
        calls = [(side, call) for side in self.sides for call in side.asked]
        return [
            (side, call)
            for side, call in calls
            if not stages or (call.credit is not None and call.stage in stages)
        ]

    # What callers do

    @rule(
        is_client=st.booleans(),
        window=st.none() | WINDOWS,
        name=st.sampled_from(STREAMS),
        seconds=st.none() | TIMEOUTS,
    )
    def call(
        self, is_client: bool, window: Window | None, name: str, seconds: float | None = None
    ) -> None:
        side = self.client if is_client else self.server
        if not side.protocol.is_greeted:
            window = None
        method = "add" if window is None else name
        deadline = NEVER if seconds is None else self.now + seconds
        call = side.make(method, b"[1]", window=window, deadline=deadline)
        side.stories.append(Story(call, window))
        side.say_soon(call)

    @precondition(lambda self: self.greeting == "never")
    @rule(count=st.integers(1, 3))
    def call_in_a_batch(self, count: int) -> None:
        """A client of another make may send several requests as one."""
        texts: list[bytes] = []
        for _ in range(count):
            call = self.client.make("add")
            self.client.stories.append(Story(call, None))
            texts.append(call.take(self.now))
        self.client.sent.append(join(texts))

    def queued(self) -> list[tuple[Side, Story]]:
        return [each for each in self.stories() if not each[1].outgoing.was_sent]

    @precondition(lambda self: bool(self.queued()))
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        side, story = data.draw(st.sampled_from(self.queued()))
        side.calls.remove(story.outgoing)
        side.forget(story.outgoing)

    def not_cancelled(self) -> list[tuple[Side, Story]]:
        return [each for each in self.stories() if not each[1].outgoing.is_cancelled]

    @precondition(lambda self: bool(self.not_cancelled()))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        side, story = data.draw(st.sampled_from(self.not_cancelled()))
        message = side.protocol.cancel(story.outgoing, "caller")
        may_be_asked = side.protocol.is_greeted and story.outgoing.was_sent and not story.is_done
        assert (message is not None) is may_be_asked
        side.control.extend([] if message is None else [message])

    def waiting(self) -> list[tuple[Side, Story]]:
        return [
            (side, story)
            for side, story in self.stories()
            if story.outgoing.was_sent and not story.is_done
        ]

    @precondition(lambda self: bool(self.waiting()))
    @rule(data=st.data())
    def abandon(self, data: st.DataObject) -> None:
        side, story = data.draw(st.sampled_from(self.waiting()))
        side.protocol.abandon(story.outgoing)
        story.is_done = True

    def unread(self) -> list[tuple[Side, Story]]:
        return [each for each in self.stories() if each[1].consumed < len(each[1].received)]

    @precondition(lambda self: bool(self.unread()))
    @rule(count=st.integers(1, 4))
    def consume(self, count: int) -> None:
        for side, story in self.unread()[:count]:
            self.consume_one(side, story)

    def consume_one(self, side: Side, story: Story) -> None:
        size = len(story.received[story.consumed])
        story.consumed += 1
        if story.outgoing.stage.abandon is not None:  # else it has ended
            credit = use(story.outgoing, size)
            side.control.extend([] if credit is None else [credit])

    # What handlers do

    @precondition(lambda self: bool(self.asked()))
    @rule(data=st.data(), is_good=st.booleans(), size=st.sampled_from([1, 400]))
    def answer(self, data: st.DataObject, is_good: bool, size: int) -> None:
        side, call = data.draw(st.sampled_from(self.asked()))
        if is_good:
            side.answer(call, side.protocol.respond(call, b"1" * size))
        else:
            side.answer(call, side.protocol.fail(call, Error.of(ErrorCode.CANCELLED)))

    @precondition(lambda self: any(side.unwanted for side in self.sides))
    @rule()
    def obey(self) -> None:
        """End what the other side has cancelled."""
        for side in self.sides:
            for call in [each for each in side.asked if each in side.unwanted]:
                side.answer(call, side.protocol.fail(call, Error.of(ErrorCode.CANCELLED)))

    @rule(seconds=TIMEOUTS)
    def sleep(self, seconds: float) -> None:
        """Let time pass; what has run out of it ends, and not before its caller's own has."""
        self.now += seconds
        for side in self.sides:
            for call in [each for each, due in side.due.items() if due <= self.now]:
                deadline = self.story_of(side, call).deadline
                assert deadline is not None
                assert deadline <= self.now + 1e-9  # the precision of the clock
                error = Error.of(ErrorCode.DEADLINE_EXCEEDED, {"by": "caller"})
                side.answer(call, side.protocol.fail(call, error))

    @precondition(lambda self: bool(self.asked(OPEN)))
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        side, call = data.draw(st.sampled_from(self.asked(OPEN)))
        side.say_soon(side.protocol.start(call, b"{}"))

    @precondition(lambda self: bool(self.asked(STARTED)))
    @rule(sizes=SIZES | st.just([]), is_binary=st.booleans())
    def produce(self, sizes: list[int], is_binary: bool) -> None:
        """Let each stream send as many of the values as its credit has room for."""
        for side, call in self.asked(STARTED):
            values = fitting(side.protocol.send_credit(call), sizes)
            if values or not sizes:
                side.say_soon(
                    side.protocol.items(call, values, is_binary=True)
                    if is_binary and side.protocol.has_feature(FEATURE)
                    else side.protocol.items(call, values, cursor="c")
                )
                self.story_of(side, call).sent += values

    # What writers and the network do

    @precondition(lambda self: any(side.control or side.calls for side in self.sides))
    @rule(counts=st.tuples(st.integers(0, 6), st.integers(0, 6)))
    def write(self, counts: tuple[int, int]) -> None:
        for side, count in zip(self.sides, counts, strict=True):
            side.write(count, self.now)

    @precondition(lambda self: any(side.sent for side in self.sides))
    @rule(counts=st.tuples(st.integers(0, 2), st.integers(0, 2)))
    def deliver(self, counts: tuple[int, int]) -> None:
        for side, count in zip(self.sides, counts, strict=True):
            for _ in range(min(count, len(side.sent))):
                self.deliver_from(side)

    def deliver_from(self, sender: Side) -> None:
        receiver = self.other(sender)
        receiver.receive(sender.sent.popleft())

    def is_moving(self) -> bool:
        return any(side.sent or side.calls or side.control for side in self.sides)

    @precondition(is_moving)
    @rule()
    def settle(self) -> None:
        """Let everything arrive, and be consumed, what has come before as well."""
        self.consume_all()
        while self.is_moving():
            for side in self.sides:
                side.write(10, self.now)
                while side.sent:
                    self.deliver_from(side)
            self.consume_all()

    def consume_all(self) -> None:
        while unread := self.unread():
            self.consume_one(*unread[0])

    @precondition(lambda self: len(self.stories()) > 6)
    @rule(greeting=st.sampled_from(GREETINGS))
    def cut(self, greeting: str) -> None:
        """Lose the link: every call that nobody has settled is given back; then begin anew."""
        for side in self.sides:
            still_open = {each.outgoing for each in side.stories if not each.is_done}
            lost = {each for each in side.protocol.cut() if each.stage is not ABANDONED}
            assert lost - {side.protocol.hello_call} == still_open
            assert len(side.protocol.outgoing) == len(side.protocol.incoming) == 0
            assert not side.protocol.uploads.outgoing
            assert not side.protocol.uploads.incoming
        for side in self.sides:  # what was under way comes to nobody
            for frame in side.sent:
                self.other(side).receive(frame)
        self.open(greeting, 2, 9_000)

    # What is seen of it

    def react(self, side: Side, told: Told) -> None:
        match told:
            case ("request", call):
                call.owner = Owner(call, side.hear)
                side.asked.append(call)
                self.begin_to_serve(side, call)
            case ("expired", call):
                side.forget(call)
            case ("cancel", call, _):
                assert call in side.asked
                side.unwanted.add(call)
            case ("credit", call):
                assert call in side.asked
            case (("result" | "error"), call, _):
                if call is side.protocol.hello_call:
                    return
                story = self.told(side, call)
                story.is_done = True
                assert story.received == story.sent
            case ("started", call, _):
                story = self.told(side, call)
                assert not story.has_started
                story.has_started = True
            case ("items", call, values, _, _):
                story = self.told(side, call)
                assert story.has_started
                story.received += map(bytes, values)
                assert story.received == story.sent[: len(story.received)]
            case _:
                raise AssertionError(f"honest peers cause no {told}")

    def begin_to_serve(self, side: Side, call: IncomingCall) -> None:
        """Note a call; the time that it brings is what was left when it was written, rounded up."""
        story = self.story_of(side, call)
        story.incoming = call
        if call.timeout is None:
            assert story.deadline is None
            return
        assert story.deadline is not None
        left = story.deadline - story.sent_at
        assert 0 < left <= call.timeout / 1000 <= left + 0.001 + 1e-9
        side.due[call] = self.now + call.timeout / 1000

    def told(self, side: Side, call: Call) -> Story:
        """Find a story, whose caller must still be waiting: nothing follows the end."""
        (story,) = [each for each in side.stories if each.outgoing is call]
        assert not story.is_done
        return story

    def story_of(self, side: Side, call: IncomingCall) -> Story:
        (story,) = [each for each in self.other(side).stories if each.outgoing.id == call.id]
        assert story.incoming in (None, call)
        return story

    @invariant()
    def no_stream_is_beyond_its_credit(self) -> None:
        """What is sent is granted, but for one large item that had the stream for itself."""
        for side, call in self.asked(STARTED):
            sent = self.story_of(side, call).sent
            check_credit(side.protocol.send_credit(call), call.seq, sent)

    @invariant()
    def what_is_over_is_in_no_table(self) -> None:
        """What nobody has settled is in flight, and so is what nobody has answered."""
        for side in self.sides:
            open_calls = set(side.protocol.outgoing.values())
            assert all(each.is_done or each.outgoing in open_calls for each in side.stories)
            assert set(side.asked) == set(side.protocol.incoming.values())

    def teardown(self) -> None:
        """Let everything arrive, check that no stream is stuck, answer all: nothing is left."""
        self.settle()
        for side, call in self.asked():
            self.check_not_stuck(side, call)
            side.answer(call, side.protocol.respond(call, b"null"))
        self.settle()
        for side in self.sides:
            assert len(side.protocol.outgoing) == len(side.protocol.incoming) == 0
            assert all(story.is_done for story in side.stories)

    def check_not_stuck(self, side: Side, call: IncomingCall) -> None:
        """A stream whose values are all consumed has room for an item of any size."""
        if call.credit is not None and not self.story_of(side, call).is_done:
            assert call.credit.allows(10**9)


def check_credit(credit: SendCredit, seq: int, sent: Sequence[bytes]) -> None:
    """Check the laws of what a sender has sent."""
    before_last = sum(map(len, sent[:-1]))
    assert credit.sent_items == seq == len(sent) <= credit.granted_items
    assert credit.sent_bytes == sum(map(len, sent))
    assert (
        credit.sent_bytes <= credit.granted_bytes
        or before_last + credit.window.size <= credit.granted_bytes
    )


def fitting(credit: SendCredit, sizes: Sequence[int]) -> list[bytes]:
    """Take as many values as may leave now, as one message."""
    if sizes and sizes[0] > credit.bytes_left:
        sizes = sizes[:1] if credit.allows(sizes[0]) else []
        return [b"1" * size for size in sizes]
    within = takewhile(lambda total: total <= credit.bytes_left, accumulate(sizes))
    count = min(len(list(within)), credit.items_left)
    return [b"1" * size for size in sizes[:count]]


TestTwoPeers = TwoPeers.TestCase
TestTwoPeers.settings = settings(max_examples=80, stateful_step_count=60)
