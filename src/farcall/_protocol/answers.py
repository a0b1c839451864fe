"""What an answer means: which call it ends, and how."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, UnsetType

from farcall._protocol.conversation import Conversation, shown, violation
from farcall._protocol.events import (
    ErrorReceived,
    HelloReceived,
    ProtocolEvent,
    ResultReceived,
    Stray,
    UnreadableAnswer,
)
from farcall._protocol.messages import NULL_ID, Error
from farcall._protocol.shapes import ErrorShape, read_hello
from farcall._protocol.state import OutgoingCall, Stage
from farcall._protocol.wire import Envelope, UnreadableText, canonical_id, decode, salvage
from farcall.errors import ErrorCode

_any = msgspec.json.Decoder(Any)


def is_answer(talk: Conversation, envelope: Envelope) -> bool:
    """Tell a response from a request; one with neither result nor error counts where it is due."""
    if _answered(talk, envelope) is not None:
        return True
    has_result = not isinstance(envelope.result, UnsetType)
    has_error = not isinstance(envelope.error, UnsetType)
    return isinstance(envelope.method, UnsetType) and (has_result or has_error)


def read_answer(talk: Conversation, envelope: Envelope) -> ProtocolEvent | None:
    """End the call that a response belongs to; None where its caller waits no more."""
    call = _answered(talk, envelope)
    if call is None:
        return _nobodys(talk, envelope)
    if not _settle(talk, call):
        return None
    read = _hello_answer if call is talk.hello_call else _outcome
    return read(talk, call, envelope)


def read_broken_answer(talk: Conversation, text: str | bytes, problem: str) -> ProtocolEvent | None:
    """End the call whose answer cannot be read, though its id can; None where there is none."""
    envelope = salvage(text)
    call = None if envelope is None else _answered(talk, envelope)
    if call is None:
        return None
    if not _settle(talk, call):
        return Stray(f"an answer that cannot be read: {problem}")
    return UnreadableAnswer(call, problem)


def _answered(talk: Conversation, envelope: Envelope) -> OutgoingCall | None:
    if isinstance(envelope.id, UnsetType) or not isinstance(envelope.method, UnsetType):
        return None
    id = bytes(envelope.id)
    call = talk.outgoing.get(id) or talk.outgoing.get(canonical_id(id))
    return call if call is not None and call.was_sent else None


def _settle(talk: Conversation, call: OutgoingCall) -> bool:
    """End a call and tell whether its caller still waits."""
    is_awaited = call.stage is not Stage.ABANDONED
    talk.outgoing.end(call)
    return is_awaited


def _nobodys(talk: Conversation, envelope: Envelope) -> ProtocolEvent:
    id = NULL_ID if isinstance(envelope.id, UnsetType) else bytes(envelope.id)
    # "id ... If there was an error in detecting the id in the Request object, it MUST be Null"
    # (JSON-RPC 2.0, section 5): some call of ours will never be answered, and nobody knows which.
    if id == NULL_ID and talk.is_greeted:
        return violation("an answer without an id")
    return Stray(f"an answer to id {shown(id.decode())}, which is not in flight")


def _hello_answer(talk: Conversation, call: OutgoingCall, envelope: Envelope) -> ProtocolEvent:
    outcome = _outcome(talk, call, envelope)
    if not isinstance(outcome, ResultReceived):
        return outcome
    try:
        hello = read_hello(outcome.result, talk.limits.message_out)
    except UnreadableText as error:
        return UnreadableAnswer(call, str(error))
    # "The answer carries the lower one of both, which then holds" (the protocol, section Hello).
    if hello.v > talk.own.v:
        return UnreadableAnswer(call, f"version {hello.v}, where {talk.own.v} is spoken")
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
    try:
        error = read_error(raw)
    except UnreadableText as problem:
        return UnreadableAnswer(call, str(problem))
    return ErrorReceived(call, error.code, error.message, error.data)


def read_error(raw: Raw) -> Error:
    """Read an error, or make one of whatever a JavaScript peer threw: it sends that as it is.

    Raises:
        UnreadableText: it is no JSON.
    """
    shape = _error_shape(raw)
    return Error(
        shape.code if type(shape.code) is int else int(ErrorCode.EVENT_NOT_PROVIDED),
        shape.message if isinstance(shape.message, str) else "the peer gave no message",
        _error_data(shape, raw),
    )


def _error_data(shape: ErrorShape, raw: Raw) -> bytes | None:
    """Give the data, or the whole value where it says nothing in the usual places."""
    data = bytes(shape.data)
    if data != b"null":  # which is what rpc-websockets writes for none
        return data
    return None if isinstance(shape.message, str) else bytes(raw)


def _error_shape(raw: Raw) -> ErrorShape:
    value = decode(_any, raw)
    return decode(_object, raw) if isinstance(value, dict) else ErrorShape(message=value)


_object = msgspec.json.Decoder(ErrorShape)
