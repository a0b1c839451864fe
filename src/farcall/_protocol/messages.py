"""Messages: the struct that reads each, its writer, and the methods of its receiver.

Known members are read strictly, unknown ones are ignored. Parameters, results and values stay JSON
text: the codec knows their types. Member names are those of JSON-RPC 2.0, of rpc-websockets, and of
the protocol specification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Final, Protocol, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from farcall._json import LooseText, UnreadableText, decode, decode_surrogates, is_object
from farcall._protocol.binary import Encoded, binary_items
from farcall._protocol.framing import (
    LAST_COUNT,
    Count,
    Positive,
    RequestId,
    hide_surrogates,
    show_surrogates,
)
from farcall.errors import ErrorCode

LONGEST_TIMEOUT: Final = LAST_COUNT
"""In milliseconds."""
MAX_NAMES: Final = 1024
"""Contracts, or features, in a hello, which is retained for the life of the connection. No path
serves more services."""
VERSION: Final = 1
"""Of the protocol, in a hello."""
TEXT_COST: Final = 128
"""Bytes that a short text occupies beside its characters, with its entry in a table."""

Name = Annotated[str, Meta(max_length=256)]
"""As long as the id of a request."""
Digests = Annotated[str, Meta(max_length=MAX_NAMES * 65)]
"""One of 64 characters for each service that has the name, with spaces between."""

ParamsT = TypeVar("ParamsT", bound=msgspec.Struct)
_encode = msgspec.json.encode
_anything = msgspec.json.Decoder(object)
_HEAD = b'{"jsonrpc":"2.0"'
_ID, _UPLOAD = b'"id":', b'"upload":'


def read_params(decoder: msgspec.json.Decoder[ParamsT], text: bytes | None) -> ParamsT:
    """Read parameters of a known shape.

    Raises:
        UnreadableText: they have another shape; names the member.
    """
    if text is None:
        raise UnreadableText("no params")
    return decode(decoder, text)


@lru_cache(maxsize=4096)
def named(method: str) -> bytes:
    """Write the member that names a method.

    Raises:
        UnicodeEncodeError: the name holds a lone surrogate, which JSON cannot.
    """
    return b',"method":%b' % _encode(method)


# Requests and notifications


class RequestMeta(msgspec.Struct):
    """``meta`` of a request."""

    credit: tuple[Positive, Positive] | None = None
    timeout: Count | None = None


_meta = msgspec.json.Decoder(RequestMeta)


def read_meta(meta: Raw | UnsetType) -> RequestMeta:
    """Read the ``meta`` of a request; see `read_params` for what is raised."""
    return RequestMeta() if meta is UNSET else decode(_meta, meta)


def request(
    id: RequestId, method: str, params: bytes | None, tail: bytes, traceparent: str | None
) -> bytes:
    """Write a request.

    Args:
        id: As JSON text.
        method: The wire name.
        params: JSON text, or None to leave the member out.
        tail: The rest: the meta, or as much of it as is known by now.
        traceparent: The caller's span, or None (W3C Trace Context, section 3.2).
    """
    if traceparent is not None:
        tail = b',"traceparent":%b%b' % (_encode(traceparent), tail)
    if params is None:
        return b'{"jsonrpc":"2.0","id":%b%b%b' % (id, named(method), tail)
    return b'{"jsonrpc":"2.0","id":%b%b,"params":%b%b' % (id, named(method), params, tail)


END: Final = b"}"
"""The tail of a request without a meta."""


def credit_meta(items: int, size: int) -> bytes:
    """Write the tail of a request that opens a stream with this window."""
    return b',"meta":{"credit":[%d,%d]}}' % (items, size)


def timeout_meta(milliseconds: int) -> bytes:
    """Write the tail of a request whose caller waits this long."""
    return b',"meta":{"timeout":%d}}' % min(max(milliseconds, 0), LONGEST_TIMEOUT)


TIMEOUT_ROOM: Final = len(timeout_meta(LONGEST_TIMEOUT))
"""The most that a timeout adds to a request, whose size is checked before the timeout is known."""


def notification(method: str, params: bytes | None, traceparent: str | None) -> bytes:
    """Write a notification: a request without a response."""
    params = b"" if params is None else b',"params":' + params
    trace = b"" if traceparent is None else b',"traceparent":' + _encode(traceparent)
    return b"%b%b%b%b}" % (_HEAD, named(method), params, trace)


def event(name: str, value: bytes) -> bytes:
    """Write an event for a plain peer, in a form that JSON-RPC and rpc-websockets clients read."""
    text = _encode(name)
    return b'%b,"method":%b,"notification":%b,"params":[%b]}' % (_HEAD, text, text, value)


# Responses


def response(id: RequestId, result: bytes) -> bytes:
    """Write the result of a request."""
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (id, result)


def seq_member(seq: int) -> bytes:
    """Write the member that counts the items of a stream, so that a lost one is noticed."""
    return b',"seq":%d' % seq


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
"""As JSON-RPC 2.0 and rpc-websockets word them, whose clients compare the text."""


class Error(Struct, frozen=True):
    """The error member of a response (JSON-RPC 2.0, section 5.1)."""

    code: int
    message: str
    data: bytes | None = None
    """JSON text, or None to leave the member out."""

    @classmethod
    def of(cls, code: ErrorCode, data: object = None) -> Error:
        """Make one of the protocol's own errors, whose message follows from its code."""
        return cls(int(code), MESSAGES[code], None if data is None else _encode(data))

    def render(self) -> bytes:
        """Write the error object."""
        # A lone surrogate, which Python's texts may hold and JSON may not, becomes a "?".
        message = _encode(self.message.encode(errors="replace").decode())
        data = b"" if self.data is None else b',"data":' + self.data
        return b'{"code":%d,"message":%b%b}' % (self.code, message, data)


def error_response(id: RequestId, error: Error) -> bytes:
    """Write the error of a request."""
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (id, error.render())


class _ErrorData(msgspec.Struct):
    data: Raw = Raw(b"null")


_error_data = msgspec.json.Decoder(_ErrorData)


def read_error(raw: Raw, *, is_plain: bool) -> Error:
    """Read an error, or make one of any other value: JavaScript peers send whatever was thrown.

    Args:
        raw: JSON text; each member may be missing, or of a wrong type.
        is_plain: Whether its texts may hold lone surrogates.

    Raises:
        UnreadableText: it is not JSON.
    """
    text = bytes(raw)
    try:
        value = decode(_anything, text)
    except UnreadableText:
        if not is_plain:
            raise
        text = LooseText(text)
        value = decode_surrogates(text)
    code: object = None
    message: object = value
    data: bytes | None = b"null"
    if is_object(value):
        code, message = value.get("code"), value.get("message")
        data = show_surrogates(decode(_error_data, hide_surrogates(text)).data)
    has_message = isinstance(message, str)
    if data == b"null":  # rpc-websockets writes null for no data
        data = None if has_message else text
    return Error(
        code if type(code) is int else int(ErrorCode.EVENT_NOT_PROVIDED),
        message if isinstance(message, str) else "the peer gave no message",
        None if data is None else type(text)(data),
    )


# Hello


class PeerLimits(msgspec.Struct, frozen=True):
    """The limits that a peer announces in its hello."""

    message: Positive | None = None
    """The largest frame, in bytes; None if not announced."""
    calls: Positive = 1024
    """How many calls may be in flight."""
    subscriptions: Count = 128
    bundle: Positive = 256
    """How many messages one bundle may hold."""
    call_bytes: Positive | None = None
    """How large the parameters of these calls may be together; None if not announced."""


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """The greeting of a farcall peer: its version, limits, features and contracts."""

    limits: PeerLimits = PeerLimits()
    v: Positive
    features: Annotated[tuple[Name, ...], Meta(max_length=MAX_NAMES)] = ()
    contracts: Annotated[Mapping[Name, Digests], Meta(max_length=MAX_NAMES)] = {}
    """The digest of each contract, by the name of its service."""

    @property
    def size(self) -> int:
        """About how many bytes it occupies."""
        texts = [*self.features, *self.contracts, *self.contracts.values()]
        return sum(map(len, texts)) + TEXT_COST * len(texts)

    def render(self) -> bytes:
        """Write the parameters of ``rpc.hello``, or its result."""
        limits = msgspec.structs.asdict(self.limits)
        announced = {name: value for name, value in limits.items() if value is not None}
        return _encode(msgspec.structs.asdict(self) | {"limits": announced})


_hello = msgspec.json.Decoder(Hello)


def read_hello(text: bytes | None) -> Hello:
    """Read a greeting; see `read_params` for what is raised."""
    return read_params(_hello, text)


# Control messages


class Started(msgspec.Struct):
    """The parameters of ``rpc.started``: a stream call, or a remote task, has begun."""

    id: Raw
    value: Raw


def started(id: RequestId, value: bytes) -> bytes:
    return b'%b,"method":"rpc.started","params":{"id":%b,"value":%b}}' % (_HEAD, id, value)


class Items(msgspec.Struct, kw_only=True):
    """The parameters of ``rpc.items``: values of a stream, in order."""

    id: Raw | UnsetType = UNSET
    upload: Raw | UnsetType = UNSET
    """In place of the id of a call."""
    seq: Count
    """The number of the first value, counted from 0."""
    values: list[Raw]
    cursor: str | None = None
    missed: Count | None = 0
    """How many were dropped before the first value; None if unknown."""


def items(
    id: RequestId,
    seq: int,
    values: Sequence[bytes],
    cursor: str | None = None,
    missed: int | None = 0,
    is_upload: bool = False,
) -> bytes:
    more = b"" if cursor is None else b',"cursor":%b' % _encode(cursor)
    if missed != 0:
        more += b',"missed":%b' % _encode(missed)
    address = _UPLOAD if is_upload else _ID
    text = b'%b,"method":"rpc.items","params":{%b%b,"seq":%d,"values":[%b]%b}}'
    return text % (_HEAD, address, id, seq, b",".join(values), more)


ITEM_OVERHEAD: Final = 8
"""At least what each item after the first adds to its own bytes: a comma, and in a binary frame the
digits of its size, which are few: only small items share a message."""


def max_items_size(
    limit: int,
    id: RequestId,
    *,
    is_binary: bool = False,
    is_upload: bool = False,
    cursor: str | None = None,
) -> int:
    """Compute how many bytes of values fit into one message of items; once for each stream.

    A message of items is made when the writer takes it, which is too late to refuse one that is too
    large. So the sender checks each item beforehand, for the largest sequence number.

    Args:
        limit: The largest message that the peer takes, in bytes.
        id: Of the call, or of the upload.
        is_binary: Whether the message is a binary frame.
        is_upload: Whether `id` is that of an upload.
        cursor: None for messages without one; else a cursor of the greatest length, beside which
            there may be a count of missed values.

    Returns:
        The size of the largest item; of several, each takes `ITEM_OVERHEAD` more. Negative if not
        even an empty item fits.
    """
    if is_binary:
        digits = len(str(limit))
        return limit - digits - len(binary_items(id, LAST_COUNT, (), is_upload))
    missed = 0 if cursor is None else LAST_COUNT
    return limit - len(items(id, LAST_COUNT, (), cursor, missed, is_upload))


class Credit(msgspec.Struct, kw_only=True):
    """The parameters of ``rpc.credit``: how much a receiver takes, since the stream began."""

    id: Raw | UnsetType = UNSET
    upload: Raw | UnsetType = UNSET
    items: Count
    bytes: Count


def credit(id: RequestId, items: int, size: int, is_upload: bool = False) -> bytes:
    members = b'%b%b,"items":%d,"bytes":%d' % (_UPLOAD if is_upload else _ID, id, items, size)
    return _notification(b"credit", members)


class UploadEnd(msgspec.Struct):
    """The parameters of ``rpc.end``: an upload is complete, or has failed."""

    upload: Raw
    error: Raw | UnsetType = UNSET
    seq: Count | UnsetType = UNSET
    """How many values there were."""


def upload_end(id: RequestId, error: Error | None = None, seq: int | None = None) -> bytes:
    members = b"" if error is None else b',"error":' + error.render()
    if seq is not None:
        members += seq_member(seq)
    return _notification(b"end", _UPLOAD + id + members)


class Cancel(msgspec.Struct):
    """The parameters of ``rpc.cancel``: a caller cancels its call, which still gets a response."""

    id: Raw
    reason: str = "caller"


def cancel(id: RequestId, reason: str) -> bytes:
    return _notification(b"cancel", b'"id":%b,"reason":%b' % (id, _encode(reason)))


class Goaway(msgspec.Struct):
    """The parameters of ``rpc.goaway``: a peer is about to close; calls in flight may still end."""

    grace_ms: Count = 0
    reconnect_after_ms: Count = 0


def goaway(grace_ms: int, reconnect_after_ms: int) -> bytes:
    members = b'"grace_ms":%d,"reconnect_after_ms":%d'
    return _notification(b"goaway", members % (grace_ms, reconnect_after_ms))


def _notification(name: bytes, members: bytes) -> bytes:
    return b'%b,"method":"rpc.%b","params":{%b}}' % (_HEAD, name, members)


# The receivers. Their methods are called while a frame is read, and neither block nor raise.


class Waiter:
    """Waits for a call of this side."""

    __slots__ = ()

    def on_result(self, result: bytes, /) -> None:
        """The call has ended well."""

    def on_error(self, error: Error, /) -> None:
        """The call has ended with an error of the peer."""

    def on_unreadable(self, problem: str, /) -> None:
        """The response to the call was malformed; what the peer meant is unknown."""

    def on_started(self, value: bytes, /) -> None:
        """A stream call, or a remote task, has begun."""

    def on_items(
        self, values: Sequence[Encoded], cursor: str | None, missed: int | None, /
    ) -> None:
        """Values of a stream call have come, in order."""


class Owner:
    """Serves a call of the peer."""

    __slots__ = ()

    def cancel(self, reason: str, /) -> None:
        """Cancel the call, because its caller wants it to end; it still gets a response."""
        raise NotImplementedError

    def on_credit(self) -> None:
        """The peer takes more items of the call."""


class LinkListener(Protocol):
    """Hears what is about the link as a whole."""

    def on_goaway(self, grace_ms: int, reconnect_after_ms: int, /) -> None:
        """The peer is about to close."""
