"""What comes out of the core: events for the application, and replies and faults for the link."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import attrs

from farcall._protocol.binary import Encoded
from farcall._protocol.messages import Error, Hello, Message
from farcall._protocol.state import IncomingCall, OutgoingCall
from farcall._protocol.uploads import IncomingUpload, OutgoingUpload


@attrs.frozen
class HelloReceived:
    """The peer is farcall; the frames from here on may be bundles."""

    hello: Hello
    answer: Message | None = None
    """What to reply, on the side that was greeted."""


@attrs.frozen
class RequestReceived:
    """The peer calls; answer with `Protocol.respond` or `Protocol.fail`, once."""

    call: IncomingCall


@attrs.frozen
class NotificationReceived:
    """The peer says something and expects no answer."""

    method: str
    params: bytes | None
    traceparent: str | None = None
    """The caller's span, if it has one."""


@attrs.frozen
class CancelReceived:
    """The caller wants `call` to end; it is to be answered all the same."""

    call: IncomingCall
    reason: str


@attrs.frozen
class CreditReceived:
    """There is more room for the items of `call`."""

    call: IncomingCall


@attrs.frozen
class ResultReceived:
    """A call has ended well."""

    call: OutgoingCall
    result: bytes


@attrs.frozen
class ErrorReceived:
    """A call has ended with an error of the peer."""

    call: OutgoingCall
    code: int
    message: str
    data: bytes | None


@attrs.frozen
class UnreadableAnswer:
    """A call has ended with an answer that is none; nobody knows what the peer meant."""

    call: OutgoingCall
    problem: str


@attrs.frozen
class StartedReceived:
    """A stream call, or a remote task, has begun."""

    call: OutgoingCall
    value: bytes


@attrs.frozen
class ItemsReceived:
    """Values of a stream call, in order."""

    call: OutgoingCall
    values: Sequence[Encoded]
    cursor: str | None
    missed: int | None


@attrs.frozen
class UploadItems:
    """Values of an upload of the peer, in order."""

    upload: IncomingUpload
    values: Sequence[Encoded]


@attrs.frozen
class UploadEnded:
    """An upload of the peer is complete, or has failed."""

    upload: IncomingUpload
    error: Error | None


@attrs.frozen
class UploadCredit:
    """There is more room for an upload of this side."""

    upload: OutgoingUpload


@attrs.frozen
class EventReceived:
    """A plain peer emits an event."""

    name: str
    params: bytes | None


@attrs.frozen
class GoawayReceived:
    """The peer is about to close."""

    grace_ms: int
    reconnect_after_ms: int


@attrs.frozen
class Reply:
    """The core answers by itself; queue the message."""

    message: Message


@attrs.frozen
class Stray:
    """The peer said something that belongs to nothing; count it, and log it if you like."""

    problem: str


@attrs.frozen
class Violation:
    """The peer broke the protocol; close with this code. Nothing after it is read."""

    code: int
    problem: str


AnswerEvent: TypeAlias = (
    ResultReceived | ErrorReceived | UnreadableAnswer | StartedReceived | ItemsReceived
)
"""What the peer says to a call of this side."""

PeerEvent: TypeAlias = (
    RequestReceived | NotificationReceived | CancelReceived | CreditReceived | EventReceived
)
"""What the peer asks of this side, or says to it."""

UploadEvent: TypeAlias = UploadItems | UploadEnded | UploadCredit
"""What the peer says of uploads, its own or those of this side."""

LinkEvent: TypeAlias = HelloReceived | GoawayReceived | Reply | Stray | Violation
"""What concerns the link itself."""

ProtocolEvent: TypeAlias = AnswerEvent | PeerEvent | UploadEvent | LinkEvent
