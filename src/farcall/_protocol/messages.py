"""What a peer can say, as frozen data that renders itself as JSON text.

Parameters, results and values are text already: the codec knew their types. Member names and
shapes are those of JSON-RPC 2.0, of rpc-websockets, and of the protocol specification.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final, TypeAlias

import attrs
import msgspec

from farcall._protocol.credit import Window
from farcall.errors import ErrorCode

RequestId: TypeAlias = bytes
"""An id as JSON text, so that a peer's is echoed byte for byte."""

NULL_ID: RequestId = b"null"
LONGEST_TIMEOUT: Final = 2**53
"""In milliseconds; where JavaScript's integers end."""
_encode = msgspec.json.encode
_HEAD = b'{"jsonrpc":"2.0"'


@attrs.frozen
class Limits:
    """What a peer can take; announced in its hello."""

    message: int
    """The largest frame, in bytes."""
    calls: int = 1024
    """How many calls may be in flight."""
    subscriptions: int = 128
    bundle: int = 256
    """How many messages one bundle may hold."""
    call_bytes: int | None = None
    """How large the parameters of all those calls may be together; None where it does not say."""


TEXT_COST: Final = 128
"""Bytes that a short text costs beside what it says, with its place in a table."""


@attrs.frozen
class Hello:
    """How farcall peers greet: the version they speak and what they hold."""

    limits: Limits
    v: int = 1
    features: tuple[str, ...] = ()
    contracts: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """The digest of each contract, by the name of its service."""

    @property
    def size(self) -> int:
        """About what it costs to keep, in bytes."""
        texts = [*self.features, *self.contracts, *self.contracts.values()]
        return sum(map(len, texts)) + TEXT_COST * len(texts)

    def render(self) -> bytes:
        """Write the parameters of ``rpc.hello``, or its result."""
        return _encode(attrs.asdict(self, filter=_is_said))


def _is_said(_: object, value: object) -> bool:
    return value is not None


@attrs.frozen
class Error:
    """The error member of a response (JSON-RPC 2.0, section 5.1)."""

    code: int
    message: str
    data: bytes | None = None
    """JSON text, or None for no such member."""

    @classmethod
    def of(cls, code: ErrorCode, data: Any = None) -> Error:
        """Make one of the protocol's own errors, whose message belongs to its code."""
        return cls(int(code), MESSAGES[code], None if data is None else _encode(data))

    def render(self) -> bytes:
        data = b"" if self.data is None else b',"data":' + self.data
        return b'{"code":%d,"message":%b%b}' % (self.code, _prose(self.message), data)


MESSAGES: Mapping[ErrorCode, str] = {
    ErrorCode.PARSE_ERROR: "Parse error",
    ErrorCode.INVALID_REQUEST: "Invalid Request",
    ErrorCode.METHOD_NOT_FOUND: "Method not found",
    ErrorCode.INVALID_PARAMS: "Invalid params",
    ErrorCode.INTERNAL_ERROR: "Internal error",
    ErrorCode.EVENT_NOT_PROVIDED: "Event not provided",
    ErrorCode.PARAMS_NOT_FOUND: "Params not found",
    ErrorCode.METHOD_FORBIDDEN: "Method forbidden",
    ErrorCode.EVENT_FORBIDDEN: "Event forbidden",
    ErrorCode.SHUTTING_DOWN: "Shutting down",
    ErrorCode.DEADLINE_EXCEEDED: "Deadline exceeded",
    ErrorCode.BUSY: "Busy",
    ErrorCode.TOO_MANY_SUBSCRIPTIONS: "Too many subscriptions",
    ErrorCode.REPLY_TOO_LARGE: "Reply too large",
    ErrorCode.BATCH_TOO_LARGE: "Batch too large",
    ErrorCode.CANCELLED: "Cancelled",
}
"""The wording of JSON-RPC 2.0 and of rpc-websockets, whose clients compare it."""


class Sized(ABC):
    """A message that holds what users say, so that it may grow over the limits of the peer."""

    __slots__ = ()

    @abstractmethod
    def parts(self) -> list[bytes]:
        """Write the text in pieces: who asks for its size need not join them."""

    def render(self) -> bytes:
        return b"".join(self.parts())


@attrs.frozen
class Request(Sized):
    """A request, or a notification where `id` is None."""

    method: str
    params: bytes | None = None
    id: RequestId | None = None
    window: Window | None = None
    """How much of a stream may be on its way to the caller; set for a stream call."""
    deadline: float | None = None
    """When the caller stops to wait, on the clock that `render` is told."""
    traceparent: str | None = None
    """The caller's span (W3C Trace Context, section 3.2)."""

    def parts(self, now: float = 0.0) -> list[bytes]:
        parts = [_HEAD] if self.id is None else [_HEAD, b',"id":', self.id]
        parts += (b',"method":', _encode(self.method))
        if self.params is not None:
            parts += (b',"params":', self.params)
        if self.traceparent is not None:
            parts += (b',"traceparent":', _encode(self.traceparent))
        parts += (self._meta(now), b"}")
        return parts

    def render(self, now: float = 0.0) -> bytes:
        """Write it as it leaves at the time `now`, for what is left until the deadline."""
        return b"".join(self.parts(now))

    def has_expired(self, now: float) -> bool:
        """Tell whether nobody waits for the answer any more."""
        return self.deadline is not None and self.deadline <= now

    def _meta(self, now: float) -> bytes:
        members: list[bytes] = []
        if self.deadline is not None:
            # Rounded up: the server's clock must not strike before the caller's own does.
            left = math.ceil((self.deadline - now) * 1000)
            members.append(b'"timeout":%d' % min(max(left, 0), LONGEST_TIMEOUT))
        if self.window is not None:
            members.append(b'"credit":[%d,%d]' % (self.window.items, self.window.size))
        return b',"meta":{%b}' % b",".join(members) if members else b""


@attrs.frozen
class Response(Sized):
    """The result of a request."""

    id: RequestId
    result: bytes
    is_alone: bool = False
    """Whether it must not share its frame: the answer to a hello, before which no bundle is."""

    def parts(self) -> list[bytes]:
        return [_HEAD, b',"id":', self.id, b',"result":', self.result, b"}"]


@attrs.frozen
class ErrorResponse(Sized):
    """The error that a request ended with."""

    id: RequestId
    error: Error

    def parts(self) -> list[bytes]:
        return [_HEAD, b',"id":', self.id, b',"error":', self.error.render(), b"}"]


@attrs.frozen
class BatchReply:
    """The answers to a batch (JSON-RPC 2.0, section 6), each as text."""

    answers: Sequence[bytes]

    def render(self) -> bytes:
        return join(self.answers)


@attrs.frozen
class Started(Sized):
    """A stream call, or a remote task, has begun."""

    id: RequestId
    value: bytes

    def parts(self) -> list[bytes]:
        head = b'%b,"method":"rpc.started","params":{"id":%b,"value":'
        return [head % (_HEAD, self.id), self.value, b"}}"]


@attrs.frozen
class Items(Sized):
    """Values of a stream, in order; `seq` is the number of the first, counted from 0."""

    id: RequestId
    seq: int
    values: Sequence[bytes]
    cursor: str | None = None
    missed: int | None = 0
    """How many were dropped before the first value; None when nobody knows."""
    is_upload: bool = False
    """Whether `id` is that of an upload, and not of a call."""

    def parts(self) -> list[bytes]:
        head = b'%b,"method":"rpc.items","params":{%b,"seq":%d,"values":['
        address = _address(self.id, self.is_upload)
        parts = [head % (_HEAD, address, self.seq), *self.values[:1]]
        parts += chain.from_iterable((b",", value) for value in self.values[1:])
        parts.append(b"]")
        if self.cursor is not None:
            parts += (b',"cursor":', _encode(self.cursor))
        if self.missed != 0:
            parts += (b',"missed":', _encode(self.missed))
        parts.append(b"}}")
        return parts


BINARY_MARK: Final = b"\0"
"""How a frame begins that is binary: as no JSON text does."""
HEAD_LENGTH: Final = 4
"""Bytes that tell how long the head of a binary frame is."""


@attrs.frozen
class BinaryItems(Sized):
    """Values of a stream, each the bytes that it is, in a frame of its own; see `Items`."""

    id: RequestId
    seq: int
    values: Sequence[bytes]
    is_upload: bool = False

    def parts(self) -> list[bytes]:
        sizes = ",".join(str(len(value)) for value in self.values).encode()
        address = _address(self.id, self.is_upload)
        head = b'{%b,"seq":%d,"sizes":[%b]}' % (address, self.seq, sizes)
        return [BINARY_MARK, len(head).to_bytes(HEAD_LENGTH, "big"), head, *self.values]


@attrs.frozen
class Credit:
    """How much of a stream its receiver can take, as totals since its start."""

    id: RequestId
    items: int
    size: int
    """In bytes of encoded values."""
    is_upload: bool = False
    """Whether `id` is that of an upload, and not of a call."""

    def render(self) -> bytes:
        address = _address(self.id, self.is_upload)
        members = b'%b,"items":%d,"bytes":%d' % (address, self.items, self.size)
        return _notification(b"credit", members)


@attrs.frozen
class UploadEnd:
    """Nothing follows on an upload, or what has made it fail."""

    id: RequestId
    error: Error | None = None

    def render(self) -> bytes:
        error = b"" if self.error is None else b',"error":' + self.error.render()
        return _notification(b"end", _address(self.id, is_upload=True) + error)


@attrs.frozen
class Cancel:
    """The caller wants the call to end; it will still be answered."""

    id: RequestId
    reason: str

    def render(self) -> bytes:
        return _notification(b"cancel", b'"id":%b,"reason":%b' % (self.id, _encode(self.reason)))


@attrs.frozen
class Goaway:
    """This side is about to close; calls under way may still end."""

    grace_ms: int
    reconnect_after_ms: int

    def render(self) -> bytes:
        members = b'"grace_ms":%d,"reconnect_after_ms":%d'
        return _notification(b"goaway", members % (self.grace_ms, self.reconnect_after_ms))


@attrs.frozen
class Event(Sized):
    """An event for a plain peer, in a shape that JSON-RPC and rpc-websockets clients both read."""

    name: str
    value: bytes

    def parts(self) -> list[bytes]:
        name = _encode(self.name)
        head = b'%b,"method":%b,"notification":%b,"params":[' % (_HEAD, name, name)
        return [head, self.value, b"]}"]


Message: TypeAlias = (
    Request
    | Response
    | ErrorResponse
    | BatchReply
    | Started
    | Items
    | BinaryItems
    | Credit
    | UploadEnd
    | Cancel
    | Goaway
    | Event
)


def join(texts: Sequence[bytes]) -> bytes:
    """Write texts as one JSON array."""
    return b"[%b]" % b",".join(texts)


def _address(id: RequestId, is_upload: bool) -> bytes:
    return (b'"upload":' if is_upload else b'"id":') + id


def _prose(text: str) -> bytes:
    """Write what people read. Python's errors may hold lone surrogates, JSON has none."""
    return _encode(text.encode(errors="replace").decode())


def _notification(name: bytes, members: bytes) -> bytes:
    return b'%b,"method":"rpc.%b","params":{%b}}' % (_HEAD, name, members)
