"""What both sides have agreed on, and the life of every id: one object for each call.

The laws:

- An id settles exactly once; nothing of it is accepted or sent after that.
- *Taken by the writer* is the line between a call that may be withdrawn and one whose outcome
  only the peer knows.
- A call that its caller has abandoned stays in the table, and its id in flight, until its response
  comes: only then is the peer known to have ended it.

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

import msgspec
from msgspec import Struct, field

from farcall._limits import DEFAULT_LIMITS, MAX_DEPTH, Limits
from farcall._protocol.binary import Encoded
from farcall._protocol.credit import DEFAULT_WINDOW, ReceiveCredit, SendCredit, Window
from farcall._protocol.framing import RequestId, canonical_id, join
from farcall._protocol.messages import Error, Hello, LinkListener, Owner, Waiter, timeout_meta
from farcall.errors import CloseCode

SUBSCRIBE: Final = "rpc.subscribe"
"""The method whose calls are subscriptions."""
NEVER: Final = math.inf
"""The deadline of a call that has none."""


class LocalProtocolError(Exception):
    """This side took a step that the state of a call does not allow; a defect of the caller."""


class Violation(Exception):
    """The peer breaks the protocol; the link closes with this code."""

    def __init__(self, problem: str, code: CloseCode = CloseCode.PROTOCOL_ERROR) -> None:
        super().__init__(problem)
        self.code = code


class Stage:
    """Where a call stands, and the stage that each step leads to; None if a step is not allowed.

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
    """The message; without its tail if a deadline travels."""
    deadline: float = NEVER
    """When the caller stops waiting, on the clock of `take`."""
    size: int = 0
    """Bytes of its parameters, which the peer holds while it serves it; 0 for a subscription."""
    credit: ReceiveCredit | None = None
    """Of the reader of a stream call; None for any other call."""
    may_start: bool = False
    """Whether ``rpc.started`` may come: for a stream, or a remote task."""
    is_cancelled: bool = False
    """Whether the peer was asked to end it."""
    seq: int = 0
    """How many items have crossed."""

    @property
    def was_sent(self) -> bool:
        """Whether the writer has taken it, so that the peer may have seen it."""
        return self.stage is not QUEUED

    def take(self, now: float) -> bytes:
        """Return the message, in the step in which the writer takes it; empty if there is none."""
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


class Batch(msgspec.Struct, eq=False):
    """The responses to one batch, in the order of its requests, until all are there."""

    responses: list[bytes] = []
    missing: int = 0
    size: int = 0
    """In bytes, of the responses so far; the reply to the batch is one message."""
    is_read: bool = False
    """Whether every message of the batch has been read."""

    def reserve(self) -> int:
        """Add an index for the response to the next request."""
        self.responses.append(b"")
        self.missing += 1
        return len(self.responses) - 1

    @property
    def is_complete(self) -> bool:
        """Whether there is a reply to send: responses, of which none is missing."""
        return self.is_read and bool(self.responses) and not self.missing


class IncomingCall(msgspec.Struct, eq=False):
    """A call that the peer made."""

    id: RequestId
    method: str
    params: bytes | None = None
    stage: Stage = OPEN
    timeout: int | None = None
    """Milliseconds for which the caller waits; None for ever."""
    traceparent: str | None = None
    credit: SendCredit | None = None
    """Set where the peer opened a window for a stream."""
    owner: Owner | None = None
    batch: Batch | None = None
    index: int = 0
    """Of its response in the batch."""
    seq: int = 0
    """How many items have crossed."""


# Uploads: the streams that a caller sends along with the arguments of a call. An upload has an id
# of its own, which its call names in an argument as ``{"$stream":"u1"}``. It begins with its call
# and ends with ``rpc.end`` or with the response to the call, whichever is first: items that come
# after the response were on their way, and are dropped.


class UploadSender(Protocol):
    """Holds the values of an upload of this side; its methods neither block nor raise."""

    def on_credit(self) -> None:
        """The peer takes more of them."""

    def close(self) -> None:
        """The link has ended."""


class UploadReader(Protocol):
    """Takes the values of an upload of the peer; its methods neither block nor raise."""

    def push(self, values: Sequence[Encoded], /) -> None:
        """Values have come."""

    def on_end(self, error: Error | None, /) -> None:
        """No more will come; `error` says why, if the upload failed."""

    def end(self, error: Exception, /) -> None:
        """The link has ended."""


class OutgoingUpload(Struct, eq=False):
    """An upload of this side."""

    id: RequestId
    """As JSON text."""
    credit: SendCredit
    seq: int = 0
    owner: UploadSender | None = None


class IncomingUpload(Struct, eq=False):
    """An upload of the peer."""

    id: RequestId
    credit: ReceiveCredit
    seq: int = 0
    owner: UploadReader | None = None


class Uploads(Struct, eq=False):
    """The uploads of one connection that are open, in both directions."""

    window: Window = DEFAULT_WINDOW
    """With which each begins; both sides know it."""
    outgoing: dict[RequestId, OutgoingUpload] = field(
        default_factory=dict[RequestId, OutgoingUpload]
    )
    incoming: dict[RequestId, IncomingUpload] = field(
        default_factory=dict[RequestId, IncomingUpload]
    )
    _count: int = 0

    def send(self) -> OutgoingUpload:
        """Open an upload to the peer."""
        self._count += 1
        upload = OutgoingUpload(b'"u%d"' % self._count, self.window.for_sender())
        self.outgoing[upload.id] = upload
        return upload

    def receive(self, id: RequestId) -> IncomingUpload | None:
        """Open an upload of the peer; None if its id is open already."""
        if id in self.incoming:
            return None
        upload = IncomingUpload(id, self.window.for_receiver())
        self.incoming[id] = upload
        return upload

    def end_outgoing(self, upload: OutgoingUpload) -> bool:
        """End an upload of this side, and tell whether it was open."""
        return self.outgoing.pop(upload.id, None) is not None

    def end_incoming(self, upload: IncomingUpload) -> None:
        """End an upload of the peer; items that still come are dropped."""
        if self.incoming.get(upload.id) is upload:
            del self.incoming[upload.id]

    def clear(self) -> None:
        """Remove all, because the link has ended."""
        self.outgoing.clear()
        self.incoming.clear()


class Listener(LinkListener, Protocol):
    """Hears everything but responses to calls; its methods neither block nor raise.

    They are called while a frame is read, and do not call `receive`. The state has changed before
    they are called, so they may give commands.
    """

    def on_reply(self, text: bytes, /) -> None:
        """Send a response that the protocol has made by itself."""

    def on_hello(self, hello: Hello, answer: bytes | None, /) -> None:
        """The peer is farcall; if it greeted, send `answer`, in a frame of its own."""

    def on_request(self, call: IncomingCall, /) -> None:
        """The peer calls; end the call once, by `Protocol.respond` or `Protocol.fail`."""

    def on_notification(self, method: str, params: bytes | None, trace: str | None, /) -> None:
        """The peer calls and expects no response."""

    def on_event(self, name: str, params: bytes | None, /) -> None:
        """A plain peer emits an event."""

    def on_unclaimed(self, error: Error, /) -> None:
        """A plain peer sent an error without an id; a caller may wait for ever."""

    def on_stray(self, problem: str, /) -> None:
        """A message belongs to no call and no signal; count it."""

    def on_violation(self, code: int, problem: str, /) -> None:
        """The peer broke the protocol; close with this code. Nothing more is read."""


class ProtocolState:
    """What both sides have agreed on and have in flight.

    Args:
        own: The greeting of this side.
        has_dialled: Whether this side made the connection.
        limits: Of this side, beside those in its greeting.
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
        """Makes the calls of the peer; a link has its own class, with methods to respond."""
        self.hello_call: OutgoingCall | None = None
        """The call that carries the hello of this side, if it greets."""
        self.message_limit = limits.message_out
        """The largest message that the peer takes, in bytes."""
        self.message_limit_name = "message_out"
        """The name of that limit, of this side or of the peer."""
        self.shallow = 2 * limits.depth
        """A text of so few bytes cannot be too deep: each level takes two."""
        self.checks_depth = limits.depth < MAX_DEPTH
        """Whether messages are checked as they are made; by default the codec checks each value."""
        self.outgoing: dict[RequestId, OutgoingCall] = {}
        self.outgoing_size = self.outgoing_subscriptions = 0
        self.incoming: dict[RequestId, IncomingCall] = {}
        self.incoming_subscriptions = 0
        """Among `incoming`; they do not count against the limit of calls."""
        self.uploads = Uploads()
        self.batched = 0
        """The bytes of responses that wait for the others of their batch."""
        self.has_received = False
        """Whether a message has come; a hello must be the first."""
        self.is_broken = False
        """Whether frames are ignored from now on."""

    def has_feature(self, name: str) -> bool:
        """Tell whether both sides have named a feature in their hello."""
        return self.peer is not None and name in self.peer.features and name in self.own.features

    def greet(self, hello: Hello) -> None:
        """Take the hello of the peer: from here on frames may be bundles."""
        self.peer, self.is_greeted = hello, True
        if hello.limits.message is not None:
            self.message_limit = hello.limits.message
        self.message_limit_name = "message"

    def call_awaiting(self, id: RequestId) -> OutgoingCall | None:
        """Find the call that a response is for: one that was sent."""
        call = self.outgoing.get(id)
        if call is None:
            call = self.outgoing.get(canonical_id(id, is_plain=not self.is_greeted))
        return None if call is None or call.stage is QUEUED else call

    def end_outgoing(self, call: OutgoingCall) -> None:
        """Settle a call of this side, and free its id."""
        call.stage = ENDED
        del self.outgoing[call.id]
        self.outgoing_size -= call.size
        if call.method == SUBSCRIBE:
            self.outgoing_subscriptions -= 1

    def fill(self, batch: Batch, index: int, response: bytes) -> bytes | None:
        """Add a response to its batch, and return the reply to the batch if it was the last."""
        batch.responses[index] = response
        batch.missing -= 1
        batch.size += len(response) + 1
        self.batched += len(response) + 1
        return self.reply(batch)

    def reply(self, batch: Batch) -> bytes | None:
        """Return the reply to a batch, if it is complete."""
        if not batch.is_complete:
            return None
        self.batched -= batch.size
        return join(batch.responses)

    def break_off(self, fault: Violation) -> None:
        """Ignore all further frames, and have the link closed."""
        self.is_broken = True
        self.listener.on_violation(int(fault.code), str(fault))


def no_step(call: OutgoingCall | IncomingCall) -> NoReturn:
    """Refuse a step that the stage of a call does not allow.

    Used as in ``call.stage = call.stage.end or no_step(call)``.

    Raises:
        LocalProtocolError: always.
    """
    raise LocalProtocolError(f"no such step of {call.method} (id {call.id!r}) in {call.stage}")
