"""What an answer means: which call it ends, and how."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Raw, UnsetType

from farcall._protocol.conversation import Conversation, violation
from farcall._protocol.events import (
    ErrorReceived,
    HelloReceived,
    ProtocolEvent,
    ResultReceived,
    Stray,
    UnreadableAnswer,
)
from farcall._protocol.messages import NULL_ID
from farcall._protocol.shapes import ErrorShape, read_hello
from farcall._protocol.state import OutgoingCall, Stage
from farcall._protocol.wire import Envelope, UnreadableText, decode
from farcall.errors import ErrorCode

_any = msgspec.json.Decoder(Any)


def read_answer(talk: Conversation, envelope: Envelope) -> Iterator[ProtocolEvent]:
    """End the call that a response belongs to."""
    id = NULL_ID if isinstance(envelope.id, UnsetType) else bytes(envelope.id)
    call = talk.outgoing.get(id)
    if call is None or not call.was_sent:
        yield _nobodys(talk, id)
        return
    is_awaited = call.stage is not Stage.ABANDONED
    talk.outgoing.end(call)
    if call is talk.hello_call:
        yield _hello_answer(talk, call, envelope)
    elif is_awaited:
        yield _outcome(talk, call, envelope)


def _nobodys(talk: Conversation, id: bytes) -> ProtocolEvent:
    # "id ... If there was an error in detecting the id in the Request object, it MUST be Null"
    # (JSON-RPC 2.0, section 5): some call of ours will never be answered, and nobody knows which.
    if id == NULL_ID and talk.is_greeted:
        return violation("an answer without an id")
    return Stray(f"an answer to id {id.decode()}, which is not in flight")


def _hello_answer(talk: Conversation, call: OutgoingCall, envelope: Envelope) -> ProtocolEvent:
    outcome = _outcome(talk, call, envelope)
    if not isinstance(outcome, ResultReceived):
        return outcome
    try:
        hello = read_hello(outcome.result)
    except UnreadableText as error:
        return UnreadableAnswer(call, str(error))
    talk.peer = hello
    return HelloReceived(hello)


def _outcome(talk: Conversation, call: OutgoingCall, envelope: Envelope) -> ProtocolEvent:
    if not isinstance(envelope.error, UnsetType) and bytes(envelope.error) != b"null":
        return _error(call, envelope.error)
    if not isinstance(envelope.result, UnsetType):
        return ResultReceived(call, bytes(envelope.result))
    if talk.is_greeted:
        return UnreadableAnswer(call, "neither a result nor an error")
    # A JavaScript server leaves `undefined` out.
    return ResultReceived(call, b"null")


def _error(call: OutgoingCall, raw: Raw) -> ProtocolEvent:
    """Read an error, or make one of whatever stands in its place: peers send bare strings."""
    try:
        value = decode(_any, raw)
        shape = decode(_error_shape, raw) if isinstance(value, dict) else ErrorShape()
    except UnreadableText as problem:
        return UnreadableAnswer(call, str(problem))
    members: dict[str, Any] = value if isinstance(value, dict) else {"message": value}
    code, message = members.get("code"), members.get("message")
    return ErrorReceived(
        call,
        code if isinstance(code, int) and code is not True else int(ErrorCode.EVENT_NOT_PROVIDED),
        message if isinstance(message, str) else "the peer gave no message",
        None if shape.data is None else bytes(shape.data),
    )


_error_shape = msgspec.json.Decoder(ErrorShape)
