"""The protocol of one connection as a machine: frames in, events out; commands in, messages out.

Theory of operation. `Protocol` holds what both sides have agreed on (`peer`, whether the dialect
is farcall's), and two tables of calls in flight, one for each direction. It has no clock, no task
and no queue: whoever owns the link gives it each frame that arrives (`receive`) and acts on the
events; asks it for messages (`request`, `respond`, `cancel` ...) and queues them in the right
order; and lets it render each one at the moment the writer takes it (`render`), for that is when
a request becomes *sent*.

Both sides run the same code. What differs is who numbers calls how, and who answers a text that
cannot be read: the side that accepted the connection does, as JSON-RPC has it; the side that
dialled has nobody to tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from farcall._limits import DEFAULT_LIMITS, ProtocolLimits
from farcall._protocol import reading
from farcall._protocol.conversation import Conversation
from farcall._protocol.credit import DEFAULT_WINDOW, SendCredit, Window
from farcall._protocol.events import ProtocolEvent, Violation
from farcall._protocol.messages import (
    BinaryItems,
    Cancel,
    Credit,
    Error,
    ErrorResponse,
    Hello,
    Items,
    Message,
    Request,
    Response,
    Sized,
    Started,
)
from farcall._protocol.state import SUBSCRIBE, CallTable, IncomingCall, OutgoingCall, Step
from farcall._protocol.uploads import OutgoingUpload, Uploads
from farcall._protocol.wire import BUNDLE_BYTES, count_brackets, is_too_deep, pack
from farcall.errors import EncodeError, ErrorCode

MAX_TAKEN = 256
"""Messages that the writer takes at once; the rest may still change, or be withdrawn."""

USUAL_LIMITS = DEFAULT_LIMITS._of_protocol()


class Protocol:
    """What is said on one connection.

    Args:
        own: The greeting of this side, sent by the one that dialled.
        has_dialled: Whether this side made the connection.
        limits: What it takes, and gives, beside what the greeting says.
    """

    def __init__(
        self, own: Hello, *, has_dialled: bool, limits: ProtocolLimits = USUAL_LIMITS
    ) -> None:
        self._talk = Conversation(own, has_dialled, limits)
        self._is_broken = False
        self._calls_made = 0

    @property
    def own(self) -> Hello:
        """The greeting of this side."""
        return self._talk.own

    @property
    def peer(self) -> Hello | None:
        """The greeting of the other side, once it has come."""
        return self._talk.peer

    @property
    def is_greeted(self) -> bool:
        """Whether both sides have said hello: the dialect is farcall's."""
        return self._talk.is_greeted

    @property
    def has_dialled(self) -> bool:
        """Whether this side made the connection."""
        return self._talk.has_dialled

    @property
    def outgoing(self) -> CallTable[OutgoingCall]:
        """The calls of this side that are in flight."""
        return self._talk.outgoing

    @property
    def incoming(self) -> CallTable[IncomingCall]:
        """The calls of the peer that are in flight."""
        return self._talk.incoming

    @property
    def hello_call(self) -> OutgoingCall | None:
        """The call that carries our hello, if we greeted."""
        return self._talk.hello_call

    @property
    def batched(self) -> int:
        """The bytes of answers that wait for the other answers to their batch."""
        return self._talk.batched

    @property
    def message_limit(self) -> int:
        """The largest message that the peer takes, in bytes."""
        return self._talk.limits.message_out if self.peer is None else self.peer.limits.message

    @property
    def message_limit_name(self) -> str:
        """Which limit that is: one of the peer, or one of this side."""
        return "message_out" if self.peer is None else "message"

    def has_feature(self, name: str) -> bool:
        """Whether both sides have named a feature in their hello."""
        return self._talk.has_feature(name)

    # Reading

    def receive(self, frame: str | bytes) -> Iterator[ProtocolEvent]:
        """Take one frame; whatever it holds, tell what it means and never raise.

        A frame of many messages is read as its events are taken, and each has to be acted on
        before the next one is: what a bundle says of an upload, or of a stream, is about what an
        earlier message of it has begun.

        After a `Violation`, which is the last event of a frame, frames are ignored.
        """
        if self._is_broken:
            return
        for event in reading.read(self._talk, frame):
            self._is_broken = isinstance(event, Violation)
            yield event
        self._talk.has_received = True

    # Asking

    def hello(self) -> Request:
        """Greet; the answer comes as `HelloReceived`, or as the error of `hello_call`."""
        self._talk.hello_call, request = self.request("rpc.hello", self.own.render())
        return request

    def request(
        self,
        method: str,
        params: bytes | None,
        *,
        window: Window | None = None,
        deadline: float | None = None,
        traceparent: str | None = None,
        may_start: bool = False,
    ) -> tuple[OutgoingCall, Request]:
        """Make a call; it is in the table from now on, and sent when its message is rendered.

        Args:
            method: The wire name.
            params: JSON text, or None for no such member.
            window: Given for a stream call.
            deadline: When the caller stops to wait, on the clock that `frames` is told.
            traceparent: The caller's span, if it has one.
            may_start: Whether it may tell of a start before it ends, as stream calls do.

        Raises:
            EncodeError: the message would be larger than the peer takes.
        """
        self._calls_made += 1
        number = b"%d" % self._calls_made
        id = number if self._talk.has_dialled else b'"s%b"' % number
        if not self.is_greeted:  # a plain peer gets JSON-RPC 2.0 and nothing else
            deadline = traceparent = None
        request = Request(method, params, id, window, deadline, traceparent)
        self.check_size(request)
        credit = None if window is None else window.for_receiver()
        size = 0 if params is None or method == SUBSCRIBE else len(params)
        may_start = may_start or credit is not None
        call = OutgoingCall(id, method, size=size, credit=credit, may_start=may_start)
        self._talk.outgoing.insert(call)
        return call, request

    def notify(
        self, method: str, params: bytes | None, *, traceparent: str | None = None
    ) -> Request:
        """Make a notification, under the rules of `request`."""
        request = Request(method, params, traceparent=traceparent if self.is_greeted else None)
        self.check_size(request)
        return request

    def check_size(self, message: Sized) -> None:
        """Refuse a message that the peer would not take, or that is no JSON.

        Raises:
            EncodeError: names the limit that the message is over.
        """
        try:
            parts = message.parts()
        except UnicodeEncodeError as error:
            raise EncodeError(str(error)) from error
        size = sum(map(len, parts))
        if size > self.message_limit:
            problem = f"the message has {size} bytes; the peer takes {self.message_limit}"
            whose = "the" if self.peer is None else "its"
            raise EncodeError(f"{problem} ({whose} limit {self.message_limit_name})")
        if self._is_too_deep(parts):
            most = self._talk.limits.depth
            raise EncodeError(f"the message nests deeper than {most} levels (the limit depth)")

    def _is_too_deep(self, parts: Iterable[bytes]) -> bool:
        # Few messages have so many brackets at all; only those are put together to be looked at.
        most = self._talk.limits.depth
        return sum(map(count_brackets, parts)) > most and is_too_deep(b"".join(parts), most)

    def withdraw(self, call: OutgoingCall) -> None:
        """Forget a call whose message the writer has not taken."""
        self._talk.outgoing.end(call, Step.WITHDRAW)

    def cancel(self, call: OutgoingCall, reason: str) -> Cancel | None:
        """Ask the peer to end a call, once; None where it cannot be asked, or need not be."""
        if call.is_cancelled or not self.is_greeted or not call.can(Step.ABANDON):
            return None
        call.is_cancelled = True
        return Cancel(call.id, reason)

    def abandon(self, call: OutgoingCall) -> None:
        """Stop waiting for a call; its id counts as in flight until it is answered."""
        call.move(Step.ABANDON)

    def consume(self, call: OutgoingCall, size: int) -> Credit | None:
        """Count an item as used, and give the credit that is due now, if any."""
        if call.credit is None or not call.can(Step.ABANDON):
            return None
        call.credit.consume(size)
        totals = call.credit.grant()
        return None if totals is None else Credit(call.id, *totals)

    # Answering

    def respond(self, call: IncomingCall, result: bytes) -> Message | None:
        """End a call of the peer with its result, or with -32008 where that is too large.

        Returns:
            What to send: None while a batch waits for its other answers.
        """
        return self._end(call, Response(call.id, result))

    def fail(self, call: IncomingCall, error: Error) -> Message | None:
        """End a call of the peer with an error; see `respond`."""
        return self._end(call, ErrorResponse(call.id, error))

    def _end(self, call: IncomingCall, answer: Response | ErrorResponse) -> Message | None:
        self._talk.incoming.end(call)
        answer = self._fitting(call, answer)
        if call.batch is None:
            return answer
        return self._talk.answer_batch(call.batch, call.place, answer.render())

    def _fitting(
        self, call: IncomingCall, answer: Response | ErrorResponse
    ) -> Response | ErrorResponse:
        parts = answer.parts()
        taken = 0 if call.batch is None else call.batch.size + len(b"[]")
        excess = sum(map(len, parts)) + taken - self.message_limit
        data: dict[str, str | int]
        if excess > 0:
            limit, most = self.message_limit_name, self.message_limit
            data = {"limit": limit, "bytes": most, "excess": excess}
        elif self._is_too_deep(parts):
            data = {"limit": "depth", "most": self._talk.limits.depth}
        else:
            return answer
        return ErrorResponse(call.id, Error.of(ErrorCode.REPLY_TOO_LARGE, data))

    def start(self, call: IncomingCall, value: bytes) -> Started:
        """Tell the peer that its stream call, or its remote task, has begun."""
        call.move(Step.START)
        return Started(call.id, value)

    def send_credit(self, call: IncomingCall) -> SendCredit:
        """Give the credit of a stream call, which says what `items` may send."""
        if call.credit is None:
            call.credit = DEFAULT_WINDOW.for_sender()
        return call.credit

    def items(
        self,
        call: IncomingCall,
        values: Sequence[bytes],
        *,
        cursor: str | None = None,
        missed: int | None = 0,
        is_binary: bool = False,
    ) -> Items | BinaryItems:
        """Send the next values of a stream.

        The caller has asked `send_credit` for room, and `items_room` whether they fit: this is the
        writer's step, in which nothing may fail.

        Args:
            call: The stream.
            values: As JSON texts.
            cursor: Where the last of them stands in its signal.
            missed: How many were dropped before the first; None when nobody knows.
            is_binary: Whether the values are bytes as they are; both sides have the feature.
        """
        call.move(Step.ITEMS)
        message = (
            BinaryItems(call.id, call.seq, values)
            if is_binary
            else Items(call.id, call.seq, values, cursor, missed)
        )
        self.send_credit(call).spend(len(values), sum(map(len, values)))
        call.seq += len(values)
        return message

    # Uploads

    @property
    def uploads(self) -> Uploads:
        """The uploads that are open, in both directions."""
        return self._talk.uploads

    def upload_items(
        self, upload: OutgoingUpload, values: Sequence[bytes], *, is_binary: bool = False
    ) -> Items | BinaryItems:
        """Send the next values of an upload; under the rules of `items`."""
        make = BinaryItems if is_binary else Items
        message = make(upload.id, upload.seq, values, is_upload=True)
        upload.credit.spend(len(values), sum(map(len, values)))
        upload.seq += len(values)
        return message

    # Writing

    def render(self, message: Message, now: float = 0.0) -> bytes:
        """Write a message at the moment the writer takes it; a request is *sent* from here on."""
        if not isinstance(message, Request):
            return message.render()
        if message.id is not None:
            call = self._talk.outgoing.get(message.id)
            if call is not None:
                call.move(Step.TAKE)
        return message.render(now)

    def frames(self, messages: Iterable[Message], now: float = 0.0) -> list[bytes]:
        """Render messages and join them as the dialect allows: bundles, or one to a frame.

        It takes no more of `messages` than make up a bundle, and leaves the rest to their owner.

        Args:
            messages: In the order in which they are to leave.
            now: The time, by which the deadlines of requests are measured.
        """
        texts = self._texts(messages, now)
        if self.peer is None:
            return [text for text, _ in texts]
        limits = self.peer.limits
        most = min(limits.bundle, self.own.limits.bundle)
        return pack(texts, most=most, max_bytes=min(BUNDLE_BYTES, limits.message))

    def _texts(self, messages: Iterable[Message], now: float) -> list[tuple[bytes, bool]]:
        texts: list[tuple[bytes, bool]] = []
        size = 0
        for message in messages:
            texts.append((self.render(message, now), _is_alone(message)))
            size += len(texts[-1][0])
            if size >= BUNDLE_BYTES or len(texts) == MAX_TAKEN:
                break
        return texts

    def cut(self) -> list[OutgoingCall]:
        """Forget everything in flight because the link has ended, and give the open calls."""
        self._is_broken = True
        self._talk.incoming.end_all()
        self._talk.uploads.clear()
        return self._talk.outgoing.end_all()


def _is_alone(message: Message) -> bool:
    match message:
        case Response(is_alone=is_alone):
            return is_alone
        case _:
            return isinstance(message, BinaryItems)
