"""Two honest peers and a slow network between them: whatever they do, the laws hold."""

from __future__ import annotations

from collections import deque

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

from farcall._protocol.core import Protocol
from farcall._protocol.credit import Window
from farcall._protocol.events import (
    CancelReceived,
    CreditReceived,
    ErrorReceived,
    HelloReceived,
    ItemsReceived,
    NotificationReceived,
    ProtocolEvent,
    RequestReceived,
    ResultReceived,
    StartedReceived,
)
from farcall._protocol.messages import Error, Message, Request, join
from farcall._protocol.state import IncomingCall, OutgoingCall, Stage
from farcall.errors import ErrorCode
from tests.protocol.pair import make_hello


@attrs.define(eq=False)
class Story:
    """What happened to one call, as seen from outside of both cores."""

    outgoing: OutgoingCall
    request: Request
    window: Window | None
    incoming: IncomingCall | None = None
    is_done: bool = False
    """Whether the caller waits no more: it has an answer, or has given up."""
    has_started: bool = False
    sent: list[bytes] = attrs.field(factory=list[bytes])
    received: list[bytes] = attrs.field(factory=list[bytes])
    consumed: int = 0


@attrs.define(eq=False)
class Side:
    """One peer with a writer, as simple as one can be: what controls goes first."""

    protocol: Protocol
    control: deque[Message] = attrs.field(factory=deque[Message])
    calls: deque[Message] = attrs.field(factory=deque[Message])
    wire: deque[bytes] = attrs.field(factory=deque[bytes])
    stories: list[Story] = attrs.field(factory=list[Story])
    """Of the calls that this side made."""
    asked: list[IncomingCall] = attrs.field(factory=list[IncomingCall])
    """The calls of the other side that it has not answered."""

    def write(self, count: int) -> None:
        """Take up to `count` messages and put them on the wire."""
        taken: list[Message] = []
        while len(taken) < count and (self.control or self.calls):
            taken.append((self.control or self.calls).popleft())
        self.wire.extend(self.protocol.frames(taken))

    def say(self, message: Message | None) -> None:
        if message is not None:
            self.calls.append(message)


class TwoPeers(RuleBasedStateMachine):
    """The rules; each does something that an application, a writer or the network may do."""

    # Setting up

    @initialize(
        is_greeted=st.booleans(), bundle=st.integers(1, 4), message=st.sampled_from([300, 9_000])
    )
    def connect(self, is_greeted: bool, bundle: int, message: int) -> None:
        self.client = Side(Protocol(make_hello(bundle=bundle), has_dialled=True))
        self.server = Side(Protocol(make_hello(message=message), has_dialled=False))
        self.greets = is_greeted
        if is_greeted:
            self.client.say(self.client.protocol.hello())

    sides = st.sampled_from(["client", "server"])

    def side(self, name: str) -> Side:
        side: Side = getattr(self, name)
        return side

    def other(self, side: Side) -> Side:
        return self.server if side is self.client else self.client

    # What callers do

    @rule(name=sides, window=st.none() | st.builds(Window, st.integers(1, 4), st.integers(1, 20)))
    def call(self, name: str, window: Window | None) -> None:
        side = self.side(name)
        is_stream = window is not None and side.protocol.is_greeted
        method = "rpc.subscribe" if is_stream else "add"
        call, request = side.protocol.request(method, b"[1]", window=window if is_stream else None)
        side.stories.append(Story(call, request, window if is_stream else None))
        side.say(request)

    @rule(name=sides)
    def notify(self, name: str) -> None:
        side = self.side(name)
        side.say(side.protocol.notify("log", b"[1]"))

    @precondition(lambda self: not self.greets)
    @rule(count=st.integers(1, 3))
    def call_in_a_batch(self, count: int) -> None:
        """A client of another make may send several requests as one."""
        texts: list[bytes] = []
        for _ in range(count):
            call, request = self.client.protocol.request("add", None)
            self.client.stories.append(Story(call, request, None))
            texts.append(self.client.protocol.render(request))
        self.client.wire.append(join(texts))

    @rule(name=sides, data=st.data())
    def withdraw(self, name: str, data: st.DataObject) -> None:
        side = self.side(name)
        queued = [each for each in side.stories if not each.outgoing.was_sent]
        if queued:
            story = data.draw(st.sampled_from(queued))
            side.calls.remove(story.request)
            side.protocol.withdraw(story.outgoing)
            side.stories.remove(story)

    @rule(name=sides, data=st.data())
    def cancel(self, name: str, data: st.DataObject) -> None:
        side = self.side(name)
        if side.stories:
            story = data.draw(st.sampled_from(side.stories))
            message = side.protocol.cancel(story.outgoing, "caller")
            if message is not None:
                side.control.append(message)

    @rule(name=sides, data=st.data())
    def abandon(self, name: str, data: st.DataObject) -> None:
        side = self.side(name)
        waiting = [each for each in side.stories if not each.is_done and each.outgoing.was_sent]
        if waiting:
            story = data.draw(st.sampled_from(waiting))
            side.protocol.abandon(story.outgoing)
            story.is_done = True

    @rule(name=sides, data=st.data())
    def consume(self, name: str, data: st.DataObject) -> None:
        side = self.side(name)
        unread = [each for each in side.stories if each.consumed < len(each.received)]
        if unread:
            self.consume_one(side, data.draw(st.sampled_from(unread)))

    def consume_one(self, side: Side, story: Story) -> None:
        size = len(story.received[story.consumed])
        story.consumed += 1
        credit = side.protocol.consume(story.outgoing, size)
        if credit is not None:
            side.control.append(credit)

    # What handlers do

    @rule(name=sides, data=st.data(), is_good=st.booleans(), size=st.sampled_from([1, 400]))
    def answer(self, name: str, data: st.DataObject, is_good: bool, size: int) -> None:
        side = self.side(name)
        if side.asked:
            call = data.draw(st.sampled_from(side.asked))
            side.asked.remove(call)
            if is_good:
                side.say(side.protocol.respond(call, b"1" * size))
            else:
                side.say(side.protocol.fail(call, Error.of(ErrorCode.CANCELLED)))

    @rule(name=sides, data=st.data())
    def start(self, name: str, data: st.DataObject) -> None:
        side = self.side(name)
        fresh = [each for each in side.asked if each.credit and each.stage is Stage.OPEN]
        if fresh:
            side.say(side.protocol.start(data.draw(st.sampled_from(fresh)), b"{}"))

    @rule(
        name=sides,
        data=st.data(),
        sizes=st.lists(st.integers(1, 30), max_size=5),
    )
    def produce(self, name: str, data: st.DataObject, sizes: list[int]) -> None:
        """Send as many of the values as the credit has room for, in one message."""
        side = self.side(name)
        running = [each for each in side.asked if each.stage is Stage.STARTED]
        if running:
            call = data.draw(st.sampled_from(running))
            values = self.fitting(side, call, sizes)
            if values or not sizes:
                side.say(side.protocol.items(call, values, cursor="c"))
                self.story_of(side, call).sent += values

    def fitting(self, side: Side, call: IncomingCall, sizes: list[int]) -> list[bytes]:
        credit = side.protocol.send_credit(call)
        values = [b"1" * size for size in sizes]
        if values and len(values[0]) > credit.bytes_left:
            return values[:1] if credit.allows(len(values[0])) else []
        count = 0
        while (
            count < min(len(values), credit.items_left)
            and sum(sizes[: count + 1]) <= credit.bytes_left
        ):
            count += 1
        return values[:count]

    # What the network does

    @rule(name=sides, count=st.integers(1, 6))
    def write(self, name: str, count: int) -> None:
        self.side(name).write(count)

    @rule(name=sides)
    def deliver(self, name: str) -> None:
        sender = self.side(name)
        if sender.wire:
            receiver = self.other(sender)
            for event in receiver.protocol.receive(sender.wire.popleft()):
                self.react(receiver, event)

    @rule()
    def cut(self) -> None:
        """Lose the link: every call that nobody has settled is given back, and told apart."""
        for side in (self.client, self.server):
            open_calls = {each.outgoing for each in side.stories if not each.is_done}
            lost = {each for each in side.protocol.cut() if each.stage is not Stage.ABANDONED}
            assert lost - {side.protocol.hello_call} == open_calls
            assert not len(side.protocol.outgoing) + len(side.protocol.incoming)
        self.connect(self.greets, 2, 9_000)

    # What is seen of it

    def react(self, side: Side, event: ProtocolEvent) -> None:
        match event:
            case HelloReceived(_, answer):
                side.control.extend([] if answer is None else [answer])
            case RequestReceived(call):
                side.asked.append(call)
                self.story_of(side, call).incoming = call
            case CancelReceived(call) | CreditReceived(call):
                assert call in side.asked
            case ResultReceived(call) | ErrorReceived(call):
                story = self.told(side, call)
                story.is_done = True
                assert story.received == story.sent
            case StartedReceived(call):
                story = self.told(side, call)
                assert not story.has_started
                story.has_started = True
            case ItemsReceived(call, values):
                story = self.told(side, call)
                assert story.has_started
                story.received += values
                assert story.received == story.sent[: len(story.received)]
            case NotificationReceived():
                pass
            case _:
                raise AssertionError(f"honest peers make no {event}")

    def told(self, side: Side, call: OutgoingCall) -> Story:
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
        for side in (self.client, self.server) if hasattr(self, "client") else ():
            for call in side.protocol.incoming:
                credit = call.credit
                if credit is not None and (sent := self.story_of(side, call).sent):
                    assert credit.sent_items <= credit.granted_items
                    before = credit.sent_bytes - len(sent[-1])
                    is_alone = before + credit.window.size <= credit.granted_bytes
                    assert credit.sent_bytes <= credit.granted_bytes or is_alone
                    assert credit.sent_items == call.seq == len(sent)

    @invariant()
    def what_is_over_is_in_no_table(self) -> None:
        """A settled call is not in flight; one that nobody has settled is."""
        for side in (self.client, self.server) if hasattr(self, "client") else ():
            for story in side.stories:
                is_open = story.outgoing in list(side.protocol.outgoing)
                assert is_open or story.is_done
            assert set(side.asked) == set(side.protocol.incoming)

    def teardown(self) -> None:
        """Let everything arrive, check that no stream is stuck, answer all: nothing is left."""
        if not hasattr(self, "client"):
            return
        self.settle()
        for side in (self.client, self.server):
            for call in side.asked:
                self.check_not_stuck(side, call)
            while side.asked:
                side.say(side.protocol.respond(side.asked.pop(), b"null"))
        self.settle()
        for side in (self.client, self.server):
            assert len(side.protocol.outgoing) == len(side.protocol.incoming) == 0
            assert all(story.is_done for story in side.stories)

    def settle(self) -> None:
        sides = {"client": self.client, "server": self.server}
        while any(each.wire or each.calls or each.control for each in sides.values()):
            for name, side in sides.items():
                side.write(10)
                self.deliver(name)
                for story in side.stories:
                    while story.consumed < len(story.received):
                        self.consume_one(side, story)

    def check_not_stuck(self, side: Side, call: IncomingCall) -> None:
        """A stream whose values are all consumed has room for an item of any size."""
        if call.credit is not None and not self.story_of(side, call).is_done:
            assert call.credit.allows(10**9)


TestTwoPeers = TwoPeers.TestCase
TestTwoPeers.settings = settings(max_examples=60, stateful_step_count=50)
