"""What both sides have agreed on, and the life of every id; the one object that each call is.

The laws:

- An id settles exactly once; nothing of it is accepted or sent after that.
- *Taken by the writer* is the line between a call that may be withdrawn and one whose outcome
  only the peer knows.
- A call that its caller has abandoned stays in the table until it is answered: only then is the
  peer known to have no work left for it, and the id counts as in flight.

::

             take            start       ┌─┐ items
    QUEUED ────────► OPEN ────────► STARTED ◄┘     a peer's call begins OPEN
       │              │ │              │ │
       │ withdraw     │ └── abandon ───┼─┴──► ABANDONED ◄─┐ start, items
       ▼              ▼ end            ▼ end      │ end └─┘
     ENDED          ENDED            ENDED      ENDED
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NoReturn, Protocol

import attrs
import msgspec

from farcall._limits import DEFAULT_LIMITS, MAX_DEPTH, Limits
from farcall._protocol.binary import Encoded
from farcall._protocol.credit import DEFAULT_WINDOW, ReceiveCredit, SendCredit, Window
from farcall._protocol.framing import RequestId, canonical_id, join
from farcall._protocol.messages import Error, Hello, LinkListener, Owner, Waiter, timeout_meta
from farcall._protocol.messages import credit as credit_text
from farcall.errors import CloseCode

SUBSCRIBE: Final = "rpc.subscribe"
"""The method whose calls are subscriptions."""
NEVER: Final = math.inf
"""The deadline of a call that has none."""


class LocalProtocolError(Exception):
    """This side asked for what the state of an id does not allow; a defect of the caller."""


class Violation(Exception):
    """The peer breaks the protocol; the link is to close with this code."""

    def __init__(self, problem: str, code: CloseCode = CloseCode.PROTOCOL_ERROR) -> None:
        super().__init__(problem)
        self.code = code


class Stage:
    """Where a call stands, and what each step leads to from here; None where there is no step.

    The stages below are the table of transitions: ``call.stage = call.stage.end`` takes a step.
    """

    __slots__ = ("abandon", "end", "items", "name", "start", "take", "withdraw")

    def __init__(self, name: str) -> None:
        self.name = name
        self.take: Stage | None = None
        self.withdraw: Stage | None = None
        self.start: Stage | None = None
        self.items: Stage | None = None
        self.abandon: Stage | None = None
        self.end: Stage | None = None

    def __repr__(self) -> str:
        return self.name


QUEUED: Final = Stage("QUEUED")
OPEN: Final = Stage("OPEN")
STARTED: Final = Stage("STARTED")
ABANDONED: Final = Stage("ABANDONED")
ENDED: Final = Stage("ENDED")

QUEUED.take, QUEUED.withdraw = OPEN, ENDED
OPEN.start, OPEN.abandon, OPEN.end = STARTED, ABANDONED, ENDED
STARTED.items, STARTED.abandon, STARTED.end = STARTED, ABANDONED, ENDED
ABANDONED.start, ABANDONED.items, ABANDONED.end = ABANDONED, ABANDONED, ENDED


class OutgoingCall(Waiter, msgspec.Struct, eq=False):
    """A call that this side makes: its entry in the table, its message, and its waiter."""

    method: str
    id: RequestId = b""
    stage: Stage = QUEUED
    text: bytes = b""
    """The message; it lacks its tail where a deadline is to be told."""
    deadline: float = NEVER
    """When the caller stops to wait, on the clock that `take` is told."""
    size: int = 0
    """What the peer keeps of it, in bytes: its parameters; none of a subscription's."""
    credit: ReceiveCredit | None = None
    """Set for a stream call."""
    may_start: bool = False
    """Whether its caller expects it to tell of a start: a stream, or a remote task."""
    is_cancelled: bool = False
    """Whether the peer was asked to end it."""
    seq: int = 0
    """How many items have crossed."""

    @property
    def was_sent(self) -> bool:
        """Whether the writer has taken it, so that the peer may have seen it."""
        return self.stage is not QUEUED

    def take(self, now: float) -> bytes:
        """Give the message, at the moment when the writer takes it; empty for none."""
        if self.stage is not QUEUED:  # withdrawn
            return b""
        if self.deadline == NEVER:
            self.stage = OPEN
            return self.text
        if self.deadline <= now:
            self.expire()
            return b""
        self.stage = OPEN
        # Rounded up: the server's clock must not strike before the caller's own does.
        return self.text + timeout_meta(math.ceil((self.deadline - now) * 1000))

    def expire(self) -> None:
        """The caller's time was up before the writer took the message."""


class BatchAnswers(msgspec.Struct, eq=False):
    """The answers to one batch, in the order of its requests, until all are there."""

    answers: list[bytes] = []
    missing: int = 0
    size: int = 0
    """In bytes, of the answers that are there; the reply to the batch is one message."""
    is_read: bool = False
    """Whether every message of the batch has been looked at."""

    def reserve(self) -> int:
        """Keep a place for the answer to the next request."""
        self.answers.append(b"")
        self.missing += 1
        return len(self.answers) - 1

    @property
    def is_complete(self) -> bool:
        """Whether there is a reply to send: no answer is missing, and there are any."""
        return self.is_read and bool(self.answers) and not self.missing


class IncomingCall(msgspec.Struct, eq=False):
    """A call that the peer made."""

    id: RequestId
    method: str
    params: bytes | None = None
    stage: Stage = OPEN
    timeout: int | None = None
    """Milliseconds for which the caller will wait; None for as long as it takes."""
    traceparent: str | None = None
    credit: SendCredit | None = None
    """Set where the peer opened a window for a stream."""
    owner: Owner | None = None
    batch: BatchAnswers | None = None
    place: int = 0
    """Where its answer goes in the batch."""
    seq: int = 0
    """How many items have crossed."""


# Uploads: the streams that a caller sends along with the arguments of a call. An upload has an id
# of its own, which its call names in an argument as ``{"$stream":"u1"}``. It begins with its call
# and ends with ``rpc.end``, or with the answer to the call, whichever is first: what comes after
# that answer was on its way, and is dropped.


class UploadSender(Protocol):
    """Has the values of an upload of this side; its methods neither block nor raise."""

    def on_credit(self) -> None:
        """There is more room for them."""

    def close(self) -> None:
        """The link has ended."""


class UploadReader(Protocol):
    """Takes the values of an upload of the peer; its methods neither block nor raise."""

    def push(self, values: Sequence[Encoded], /) -> None:
        """Values have come."""

    def on_end(self, error: Error | None, /) -> None:
        """No more will come, for that reason if there is one."""

    def end(self, error: Exception, /) -> None:
        """The link has ended."""


@attrs.define(eq=False)
class OutgoingUpload:
    """What this side sends."""

    id: RequestId
    """As JSON text."""
    credit: SendCredit
    seq: int = 0
    owner: UploadSender | None = None


@attrs.define(eq=False)
class IncomingUpload:
    """What the peer sends."""

    id: RequestId
    credit: ReceiveCredit
    seq: int = 0
    owner: UploadReader | None = None


@attrs.define(eq=False)
class Uploads:
    """The uploads of one connection that are open, in both directions."""

    window: Window = DEFAULT_WINDOW
    """What each of them begins with; nobody has to be told."""
    outgoing: dict[RequestId, OutgoingUpload] = attrs.field(factory=dict[RequestId, OutgoingUpload])
    incoming: dict[RequestId, IncomingUpload] = attrs.field(factory=dict[RequestId, IncomingUpload])
    _count: int = 0

    def send(self) -> OutgoingUpload:
        """Open one to the peer."""
        self._count += 1
        upload = OutgoingUpload(b'"u%d"' % self._count, self.window.for_sender())
        self.outgoing[upload.id] = upload
        return upload

    def receive(self, id: RequestId) -> IncomingUpload | None:
        """Take one of the peer's; None where that id is open already."""
        if id in self.incoming:
            return None
        upload = IncomingUpload(id, self.window.for_receiver())
        self.incoming[id] = upload
        return upload

    def consume(self, upload: IncomingUpload, size: int) -> bytes | None:
        """Count an item as used, and give the credit that is due now, if any."""
        if self.incoming.get(upload.id) is not upload:
            return None
        totals = upload.credit.use(size)
        return None if totals is None else credit_text(upload.id, *totals, is_upload=True)

    def end_outgoing(self, upload: OutgoingUpload) -> bool:
        """Forget one of this side, and tell whether it was open."""
        return self.outgoing.pop(upload.id, None) is not None

    def end_incoming(self, upload: IncomingUpload) -> None:
        """Forget one of the peer's; what still comes on it is dropped."""
        if self.incoming.get(upload.id) is upload:
            del self.incoming[upload.id]

    def clear(self) -> None:
        """Forget all, because the link has ended."""
        self.outgoing.clear()
        self.incoming.clear()


class Listener(LinkListener, Protocol):
    """Hears what is no answer to a call; its methods neither block nor raise.

    They are called while a frame is read, and do not call `receive`. The state has changed before
    they are called, so that they may give commands.
    """

    def on_reply(self, text: bytes, /) -> None:
        """The protocol answers by itself; send it."""

    def on_hello(self, hello: Hello, answer: bytes | None, /) -> None:
        """The peer is farcall; send the answer, where it greeted first, in a frame of its own."""

    def on_request(self, call: IncomingCall, /) -> None:
        """The peer calls; end the call once, by `Protocol.respond` or `Protocol.fail`."""

    def on_notification(self, method: str, params: bytes | None, trace: str | None, /) -> None:
        """The peer calls and expects no answer."""

    def on_event(self, name: str, params: bytes | None, /) -> None:
        """A plain peer emits an event."""

    def on_unclaimed(self, error: Error, /) -> None:
        """A plain peer refused something, and did not say what; a caller may wait for ever."""

    def on_stray(self, problem: str, /) -> None:
        """The peer said something that belongs to nothing; count it, and log it if you like."""

    def on_violation(self, code: int, problem: str, /) -> None:
        """The peer broke the protocol; close with this code. Nothing after it is read."""


class ProtocolState:
    """What both sides have agreed on and have in flight.

    Args:
        own: The greeting of this side.
        has_dialled: Whether this side made the connection.
        limits: What this side takes, and gives, beside what its greeting says.
    """

    listener: Listener

    def __init__(self, own: Hello, *, has_dialled: bool, limits: Limits = DEFAULT_LIMITS) -> None:
        self.own = own
        self.has_dialled = has_dialled
        self.limits = limits
        self.peer: Hello | None = None
        """The greeting of the other side, once it has come."""
        self.is_greeted = False
        """Whether both sides have said hello: the dialect is farcall's."""
        self.make_call: Callable[[RequestId, str, bytes | None], IncomingCall] = IncomingCall
        """Makes the calls of the peer; a link has its own kind, which can be answered."""
        self.hello_call: OutgoingCall | None = None
        """The call that carries our hello, if we greeted."""
        self.message_limit = limits.message_out
        """The largest message that the peer takes, in bytes."""
        self.message_limit_name = "message_out"
        """Which limit that is: one of this side, or one of the peer."""
        self.shallow = 2 * limits.depth
        """Bytes that a text needs to be too deep: each level takes two."""
        self.checks_depth = limits.depth < MAX_DEPTH
        """Whether what leaves is looked at; by default the codec has done so, value by value."""
        self.outgoing: dict[RequestId, OutgoingCall] = {}
        self.outgoing_size = self.outgoing_subscriptions = 0
        self.incoming: dict[RequestId, IncomingCall] = {}
        self.incoming_subscriptions = 0
        """Subscriptions do not count as calls that are served."""
        self.uploads = Uploads()
        self.batched = 0
        """The bytes of answers that wait for the other answers to their batch."""
        self.has_received = False
        """Whether the peer has said anything; a hello must come first."""
        self.is_broken = False
        """Whether nothing is read any more."""

    def has_feature(self, name: str) -> bool:
        """Tell whether both sides have named a feature in their hello."""
        return self.peer is not None and name in self.peer.features and name in self.own.features

    def greet(self, hello: Hello) -> None:
        """Take the hello of the peer: from here on frames may be bundles."""
        self.peer, self.is_greeted = hello, True
        if hello.limits.message is not None:
            self.message_limit = hello.limits.message
        self.message_limit_name = "message"

    def answered(self, id: RequestId) -> OutgoingCall | None:
        """Look up the call that an answer is for; the peer cannot answer what was not sent."""
        call = self.outgoing.get(id)
        if call is None:
            call = self.outgoing.get(canonical_id(id, is_plain=not self.is_greeted))
        return None if call is None or call.stage is QUEUED else call

    def end_outgoing(self, call: OutgoingCall) -> None:
        """Settle a call of this side, and forget its id."""
        call.stage = ENDED
        del self.outgoing[call.id]
        self.outgoing_size -= call.size
        if call.method == SUBSCRIBE:
            self.outgoing_subscriptions -= 1

    def fill(self, batch: BatchAnswers, place: int, answer: bytes) -> bytes | None:
        """Put an answer into its place, and give the reply to the batch if that was the last."""
        batch.answers[place] = answer
        batch.missing -= 1
        batch.size += len(answer) + 1
        self.batched += len(answer) + 1
        return self.reply(batch)

    def reply(self, batch: BatchAnswers) -> bytes | None:
        """Give the reply to a batch once all answers are there, where there are any."""
        if not batch.is_complete:
            return None
        self.batched -= batch.size
        return join(batch.answers)

    def break_off(self, fault: Violation) -> None:
        """Read nothing any more, and have the link closed."""
        self.is_broken = True
        self.listener.on_violation(int(fault.code), str(fault))


def no_step(call: OutgoingCall | IncomingCall) -> NoReturn:
    """Refuse what the stage of a call does not allow.

    It stands where there is no next stage: ``call.stage = call.stage.end or no_step(call)``.

    Raises:
        LocalProtocolError: always.
    """
    raise LocalProtocolError(f"no such step of {call.method} (id {call.id!r}) in {call.stage}")
