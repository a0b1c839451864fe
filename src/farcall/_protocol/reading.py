"""What each frame means: from text to events, for `core.Protocol.receive`.

The order of the checks is that of JSON-RPC 2.0: can it be read (-32700), is it a message
(-32600), is there such a method (-32601). Everything a peer can send ends in an event.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs
from msgspec import Raw, UnsetType

from farcall._protocol.answers import is_answer, read_answer, read_broken_answer
from farcall._protocol.binary import FEATURE, is_binary
from farcall._protocol.controls import (
    CONTROLS,
    read_binary_items,
    read_control,
    read_foreign_cancel,
)
from farcall._protocol.conversation import Conversation, shown, violation
from farcall._protocol.credit import Window
from farcall._protocol.events import (
    EventReceived,
    HelloReceived,
    NotificationReceived,
    ProtocolEvent,
    Reply,
    RequestReceived,
    Stray,
    Violation,
)
from farcall._protocol.messages import (
    NULL_ID,
    Error,
    ErrorResponse,
    RequestId,
    Response,
)
from farcall._protocol.shapes import read_hello, read_meta
from farcall._protocol.state import BatchAnswers, IncomingCall
from farcall._protocol.wire import Envelope, UnreadableText, read_envelope, read_frame, read_text
from farcall.errors import CloseCode, ErrorCode

MAX_TRACEPARENT_BYTES = 256
"""Those of today have 55; a later version may be longer (W3C Trace Context, section 3.2.4)."""

PLAIN_METHODS = frozenset({"rpc.on", "rpc.off", "rpc.login", "rpc.discover"})
GREETED_METHODS = frozenset({"rpc.subscribe", "rpc.login", "rpc.discover"})
"""The only names under ``rpc.`` that may be called, by dialect; the rest are not found."""


class _Invalid(Exception):
    """A message is not a JSON-RPC request; answered with -32600."""

    def __init__(self, problem: str, id: RequestId = NULL_ID) -> None:
        super().__init__(problem)
        self.problem = problem
        self.id = id


def read(talk: Conversation, frame: str | bytes) -> Iterator[ProtocolEvent]:
    """Give the events of one frame, in order; stop at a violation."""
    for event in _frame(talk, frame):
        if event is not None:
            yield event
        if isinstance(event, Violation):
            return


_Events = Iterator[ProtocolEvent | None]


def _frame(talk: Conversation, frame: str | bytes) -> _Events:
    if isinstance(frame, bytes) and is_binary(frame) and talk.has_feature(FEATURE):
        yield read_binary_items(talk, frame)
        return
    try:
        parts = read_frame(frame, talk.limits.depth)
    except UnreadableText as error:
        yield _unreadable(talk, frame, str(error))
        return
    if not parts.is_array:
        yield _message(talk, parts.messages[0])
    elif talk.is_greeted:
        yield from _bundle(talk, parts.messages)
    else:
        yield from _batch(talk, parts.messages)


def _bundle(talk: Conversation, messages: Sequence[bytes]) -> _Events:
    if not messages:
        yield violation("an empty bundle")
    elif len(messages) > talk.own.limits.bundle:
        problem = f"{len(messages)} messages in a bundle of at most {talk.own.limits.bundle}"
        yield violation(f"{problem} (the limit bundle)", CloseCode.POLICY)
    elif not all(text.lstrip().startswith(b"{") for text in messages):
        yield violation("a bundle holds something that is no object")
    else:
        yield from (_message(talk, text) for text in messages)


def _batch(talk: Conversation, messages: Sequence[bytes]) -> _Events:
    if not messages:
        yield _invalid(talk, _Invalid("Invalid array"))
    elif len(messages) > talk.limits.batch:
        error = Error.of(ErrorCode.BATCH_TOO_LARGE, {"limit": "batch", "most": talk.limits.batch})
        yield _refusal(talk, f"a batch of {len(messages)} messages", error)
    else:
        talk.has_received = True  # a hello in a batch is not the first message
        yield from _batch_messages(talk, messages)


def _batch_messages(talk: Conversation, messages: Sequence[bytes]) -> _Events:
    batch = BatchAnswers()
    for text in messages:
        event = _message(talk, text, batch)
        if isinstance(event, Reply):
            talk.answer_batch(batch, batch.reserve(), event.message.render())
        else:
            yield event
    batch.is_read = True
    reply = talk.complete(batch)
    if reply is not None:
        yield Reply(reply)


def _message(
    talk: Conversation, text: bytes, batch: BatchAnswers | None = None
) -> ProtocolEvent | None:
    try:
        return _classify(talk, read_envelope(text), batch)
    except UnreadableText as error:
        return _unreadable(talk, text, str(error))
    except _Invalid as fault:
        return _invalid(talk, fault)


def _classify(
    talk: Conversation, envelope: Envelope | None, batch: BatchAnswers | None
) -> ProtocolEvent | None:
    if envelope is None:
        raise _Invalid("not an object")
    if is_answer(talk, envelope):
        return read_answer(talk, envelope)
    if not isinstance(envelope.id, UnsetType):
        return _request(talk, envelope, batch)
    if talk.has_dialled and not isinstance(envelope.notification, UnsetType):
        return _event(envelope.notification, _params(envelope, NULL_ID))
    return _notification(talk, envelope)


def _event(name: Raw, params: bytes | None) -> ProtocolEvent:
    return EventReceived(_text(name, "notification", NULL_ID), params)


def _request(talk: Conversation, envelope: Envelope, batch: BatchAnswers | None) -> ProtocolEvent:
    call = _incoming(talk, envelope)
    if call.method == "rpc.hello":
        return _hello(talk, call)
    allowed = GREETED_METHODS if talk.is_greeted else PLAIN_METHODS
    if call.method.startswith("rpc.") and call.method not in allowed:
        return Reply(ErrorResponse(call.id, Error.of(ErrorCode.METHOD_NOT_FOUND)))
    if call.id in talk.incoming:
        raise _Invalid(f"id {call.id.decode()} is in flight already")
    if batch is not None:
        call.batch, call.place = batch, batch.reserve()
    talk.incoming.insert(call)
    return RequestReceived(call)


def _incoming(talk: Conversation, envelope: Envelope) -> IncomingCall:
    id = _id(talk, envelope.id)
    call = IncomingCall(id, _method(envelope, id), params=_params(envelope, id))
    if talk.is_greeted:  # to a plain peer `meta` means nothing, or something of its own
        _add_meta(call, envelope)
    return call


def _add_meta(call: IncomingCall, envelope: Envelope) -> None:
    try:
        meta = read_meta(envelope.meta)
    except UnreadableText as error:
        raise _Invalid(f"meta: {error}", call.id) from None
    call.timeout = meta.timeout
    if meta.credit is not None:
        call.credit = Window(*meta.credit).for_sender()
    call.traceparent = _traceparent(envelope.traceparent)


def _traceparent(raw: Raw | UnsetType) -> str | None:
    """Read the caller's span; one that cannot be right is as good as none (W3C, section 3.2.2)."""
    if isinstance(raw, UnsetType) or len(bytes(raw)) > MAX_TRACEPARENT_BYTES:
        return None
    try:
        return read_text(raw)
    except UnreadableText:
        return None


def _hello(talk: Conversation, call: IncomingCall) -> ProtocolEvent:
    if talk.has_received or talk.has_dialled:
        raise _Invalid("a hello that is not the first message", call.id)
    try:
        hello = read_hello(call.params, talk.limits.message_out)
    except UnreadableText as error:
        data = {"errors": [{"path": "params", "message": str(error)}]}
        return Reply(ErrorResponse(call.id, Error.of(ErrorCode.INVALID_PARAMS, data)))
    talk.peer = hello
    return HelloReceived(hello, _greeting(talk, call.id, hello.v))


def _greeting(talk: Conversation, id: RequestId, v: int) -> Response:
    own = attrs.evolve(talk.own, v=min(talk.own.v, v))
    return Response(id, own.render(), is_alone=True)


def _notification(talk: Conversation, envelope: Envelope) -> ProtocolEvent | None:
    method = _method(envelope, NULL_ID)
    params = _params(envelope, NULL_ID)
    if method == "$/cancelRequest":
        return read_foreign_cancel(talk, params)
    if method == "rpc.hello":
        raise _Invalid("a hello without an id")
    if talk.is_greeted and method in CONTROLS:
        return read_control(talk, method, params)
    if method.startswith("rpc.") and method not in PLAIN_METHODS:
        return Stray(f"a notification {shown(method)}")
    trace = _traceparent(envelope.traceparent) if talk.is_greeted else None
    return NotificationReceived(method, params, trace)


# The parts of an envelope


def _id(talk: Conversation, raw: Raw | UnsetType) -> RequestId:
    """Check an id and copy it: a view of 3 bytes would keep the whole frame alive."""
    id = bytes(raw) if not isinstance(raw, UnsetType) else NULL_ID
    most = talk.limits.request_id
    if len(id) > most:
        raise _Invalid(f"an id of more than {most} bytes (the limit request_id)")
    if id[:1] in b"{[tf":
        raise _Invalid("an id must be a string, a number or null")
    return id


def _method(envelope: Envelope, id: RequestId) -> str:
    if isinstance(envelope.jsonrpc, UnsetType) or bytes(envelope.jsonrpc) != b'"2.0"':
        raise _Invalid("Invalid JSON RPC version", id)
    if isinstance(envelope.method, UnsetType):
        raise _Invalid("Method not specified", id)
    return _text(envelope.method, "method", id)


def _text(raw: Raw, member: str, id: RequestId) -> str:
    try:
        return read_text(raw)
    except UnreadableText:
        raise _Invalid(f"Invalid {member} name", id) from None


def _params(envelope: Envelope, id: RequestId) -> bytes | None:
    """Copy the params. A null is what rpc-websockets clients send for none at all."""
    if isinstance(envelope.params, UnsetType):
        return None
    params = bytes(envelope.params)
    if params == b"null":
        return None
    if params[:1] not in b"[{":
        raise _Invalid("params must be an array or an object", id)
    return params


# Faults


def _unreadable(talk: Conversation, text: str | bytes, problem: str) -> ProtocolEvent:
    error = Error.of(ErrorCode.PARSE_ERROR, problem)
    broken = read_broken_answer(talk, text, problem)
    return broken or _refusal(talk, f"a text that cannot be read: {problem}", error)


def _invalid(talk: Conversation, fault: _Invalid) -> ProtocolEvent:
    error = Error.of(ErrorCode.INVALID_REQUEST, fault.problem)
    return _refusal(talk, f"an invalid message: {fault.problem}", error, fault.id)


def _refusal(
    talk: Conversation, problem: str, error: Error, id: RequestId = NULL_ID
) -> ProtocolEvent:
    """Answer what means nothing, on the side that has somebody to tell.

    A greeted server might have meant an answer, and its caller must not wait for ever; others are
    known to say strange things and go on.
    """
    if not talk.has_dialled:
        return Reply(ErrorResponse(id, error))
    return violation(problem) if talk.is_greeted else Stray(problem)
