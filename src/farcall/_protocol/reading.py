"""One message, told to whom it is for: requests, answers, batches and bundles, and faults.

The order of the checks is that of JSON-RPC 2.0: can it be read (-32700), is it a message
(-32600), is there such a method (-32601). A message that is none is answered by the side that
accepted the connection; the side that dialled has nobody to tell.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Raw, UnsetType

from farcall._json import DECODE_ERRORS, LooseText, UnreadableText, is_too_deep
from farcall._limits import exceeded
from farcall._protocol.credit import Window
from farcall._protocol.framing import (
    NULL_ID,
    Message,
    RequestId,
    decode_message,
    decode_odd,
    find_answered,
    read_text,
    shown,
    shown_id,
    split,
)
from farcall._protocol.messages import (
    Error,
    error_response,
    read_error,
    read_hello,
    read_meta,
    response,
)
from farcall._protocol.notifications import read_cancel, read_notification
from farcall._protocol.state import (
    ABANDONED,
    SUBSCRIBE,
    BatchAnswers,
    IncomingCall,
    OutgoingCall,
    ProtocolState,
    Violation,
)
from farcall.errors import CloseCode, ErrorCode

MAX_TRACEPARENT_BYTES = 256
"""Those of today have 55; a later version may be longer (W3C Trace Context, section 3.2.4)."""
PLAIN_METHODS = frozenset({"rpc.on", "rpc.off", "rpc.login", "rpc.discover"})
GREETED_METHODS = frozenset({"rpc.subscribe", "rpc.login", "rpc.discover"})
"""The only names under ``rpc.`` that may be called, by dialect; the rest are not found."""


UNREAD_CODES = frozenset({ErrorCode.PARSE_ERROR, ErrorCode.INVALID_REQUEST})
"""What a server answers that could not read a request, and so does not know its id."""


class _Invalid(Exception):
    """A message is not a JSON-RPC request; answered with -32600."""

    def __init__(self, problem: str, id: RequestId = NULL_ID) -> None:
        super().__init__(problem)
        self.problem = problem
        self.id = id


# Frames


def read_array(state: ProtocolState, frame: bytes) -> None:
    """Read an array of messages: a bundle from a farcall peer, a batch from another.

    Raises:
        Violation: the peer breaks the protocol.
    """
    try:
        texts = split(frame)
    except UnreadableText as error:
        refuse_text(state, frame, str(error))
        return
    if state.is_greeted:
        _read_bundle(state, texts)
    else:
        _read_batch(state, texts)


def _read_bundle(state: ProtocolState, texts: Sequence[bytes]) -> None:
    most = state.own.limits.bundle
    if not texts:
        raise Violation("an empty bundle")
    if len(texts) > most:
        problem = f"{len(texts)} messages in a bundle of at most {most} (the limit bundle)"
        raise Violation(problem, CloseCode.POLICY)
    if not all(text.lstrip()[:1] == b"{" for text in texts):
        raise Violation("a bundle holds something that is no object")
    for text in texts:
        read_message(state, text)
        if state.is_broken:  # by who was told of the message
            return


def _read_batch(state: ProtocolState, texts: Sequence[bytes]) -> None:
    most = state.limits.batch
    if not texts:
        _refuse_message(state, _Invalid("Invalid array"))
        return
    if len(texts) > most:
        error = Error.of(ErrorCode.BATCH_TOO_LARGE, exceeded("batch", most))
        _refuse(state, f"a batch of {len(texts)} messages", error)
        return
    state.has_received = True  # a hello in a batch is not the first message
    batch = BatchAnswers()
    for text in texts:
        read_message(state, text, batch)
        if state.is_broken:
            return
    batch.is_read = True
    reply = state.reply(batch)
    if reply is not None:
        state.listener.on_reply(reply)


def read_message(state: ProtocolState, text: bytes, batch: BatchAnswers | None = None) -> None:
    """Read one message, and tell whom it is for.

    Raises:
        Violation: the peer breaks the protocol.
    """
    if len(text) > state.shallow and is_too_deep(text, state.limits.depth):
        problem = f"nested deeper than {state.limits.depth} levels (the limit depth)"
        refuse_text(state, text, problem, batch)
        return
    is_odd = False
    try:
        message = decode_message(text)
    except DECODE_ERRORS:
        odd = _read_odd(state, text, batch)
        if odd is None:
            return
        message, is_odd = odd, True
    try:
        # An answer may repeat the method that it answers, as those of Ogmios do.
        has_outcome = message.result is not UNSET or message.error is not UNSET
        if has_outcome or (message.method is UNSET and _is_due(state, message)):
            _read_answer(state, message, is_odd)
        elif message.id is not UNSET:
            _read_request(state, message, message.id, batch)
        elif state.has_dialled and message.notification is not UNSET:
            _read_event(state, message, is_odd)
        else:
            _read_notification(state, message, is_odd)
    except _Invalid as fault:
        _refuse_message(state, fault, batch)


def _read_odd(state: ProtocolState, text: bytes, batch: BatchAnswers | None) -> Message | None:
    try:
        message = decode_odd(text)
    except UnreadableText as problem:
        refuse_text(state, text, str(problem), batch)
        return None
    if message is None:
        _refuse_message(state, _Invalid("not an object"), batch)
    return message


# Requests and notifications


def _read_request(
    state: ProtocolState, message: Message, raw_id: Raw, batch: BatchAnswers | None
) -> None:
    # A view of 3 bytes would keep the whole frame alive.
    id = bytes(raw_id)
    if len(id) > state.limits.request_id:
        most = state.limits.request_id
        raise _Invalid(f"an id of more than {most} bytes (the limit request_id)")
    if id[:1] in b"{[tf":
        raise _Invalid("an id must be a string, a number or null")
    method = _method(message, id)
    call = state.make_call(id, method, _params(message, id))
    if state.is_greeted and (message.meta is not UNSET or message.traceparent is not UNSET):
        _add_meta(call, message)  # to a plain peer `meta` means nothing, or something of its own
    if method[:4] == "rpc." and _read_reserved(state, call, batch):
        return
    if id in state.incoming:
        raise _Invalid(f"id {id.decode()} is in flight already")
    if batch is not None:
        call.batch, call.place = batch, batch.reserve()
    if id != NULL_ID:  # one with a null id cannot be addressed
        state.incoming[id] = call
        if method == SUBSCRIBE:
            state.incoming_subscriptions += 1
    state.listener.on_request(call)


def _add_meta(call: IncomingCall, message: Message) -> None:
    try:
        meta = read_meta(message.meta)
    except UnreadableText as error:
        raise _Invalid(f"meta: {error}", call.id) from None
    call.timeout = meta.timeout
    if meta.credit is not None:
        call.credit = Window(*meta.credit).for_sender()
    call.traceparent = _traceparent(message.traceparent)


def _read_reserved(state: ProtocolState, call: IncomingCall, batch: BatchAnswers | None) -> bool:
    """Answer a call of a reserved name, unless it is one that the listener knows."""
    if call.method == "rpc.hello":
        _read_hello(state, call, batch)
        return True
    if call.method in (GREETED_METHODS if state.is_greeted else PLAIN_METHODS):
        return False
    _answer_error(state, call.id, Error.of(ErrorCode.METHOD_NOT_FOUND), batch)
    return True


def _read_hello(state: ProtocolState, call: IncomingCall, batch: BatchAnswers | None) -> None:
    if state.has_received or state.has_dialled:
        raise _Invalid("a hello that is not the first message", call.id)
    try:
        hello = read_hello(call.params)
    except UnreadableText as error:
        data = {"errors": [{"path": "params", "message": str(error)}]}
        _answer_error(state, call.id, Error.of(ErrorCode.INVALID_PARAMS, data), batch)
        return
    state.greet(hello)
    own = msgspec.structs.replace(state.own, v=min(state.own.v, hello.v))
    state.listener.on_hello(hello, response(call.id, own.render()))


def _read_event(state: ProtocolState, message: Message, is_odd: bool) -> None:
    params = _loose(state, _params(message, NULL_ID), is_odd)
    if not isinstance(message.notification, str):
        raise _Invalid("Invalid notification name")
    state.listener.on_event(message.notification, params)


def _read_notification(state: ProtocolState, message: Message, is_odd: bool) -> None:
    method = _method(message, NULL_ID)
    params = _loose(state, _params(message, NULL_ID), is_odd)
    if method == "$/cancelRequest":  # which peers know from the Language Server Protocol
        try:
            read_cancel(state, params)
        except UnreadableText as error:
            state.listener.on_stray(f"$/cancelRequest: {error}")
    elif method == "rpc.hello":
        raise _Invalid("a hello without an id")
    elif method[:4] != "rpc." or (method in PLAIN_METHODS and not state.is_greeted):
        trace = _traceparent(message.traceparent) if state.is_greeted else None
        state.listener.on_notification(method, params, trace)
    elif not (state.is_greeted and read_notification(state, method, params)):
        state.listener.on_stray(f"a notification {shown(method)}")


def _method(message: Message, id: RequestId) -> str:
    if message.jsonrpc != "2.0":
        raise _Invalid("Invalid JSON RPC version", id)
    if isinstance(message.method, str):
        return message.method
    problem = "Method not specified" if message.method is UNSET else "Invalid method name"
    raise _Invalid(problem, id)


def _params(message: Message, id: RequestId) -> bytes | None:
    """Copy the params. A null is what rpc-websockets clients send for none at all."""
    if message.params is UNSET:
        return None
    params = bytes(message.params)
    if params[0] in b"[{":
        return params
    if params == b"null":
        return None
    raise _Invalid("params must be an array or an object", id)


def _loose(state: ProtocolState, params: bytes | None, is_odd: bool) -> bytes | None:
    """Let what a plain server tells hold lone surrogates; what a client asks may not."""
    if params is None or not is_odd or state.is_greeted or not state.has_dialled:
        return params
    return LooseText(params)


def _traceparent(raw: Raw | UnsetType) -> str | None:
    """Read the caller's span; one that cannot be right is as good as none (W3C, section 3.2.2)."""
    if raw is UNSET or len(bytes(raw)) > MAX_TRACEPARENT_BYTES:
        return None
    try:
        return read_text(raw)
    except UnreadableText:
        return None


# Answers


def _is_due(state: ProtocolState, message: Message) -> bool:
    """Tell whether a message with neither result nor error is the answer to a call."""
    return message.id is not UNSET and state.answered(bytes(message.id)) is not None


def _read_answer(state: ProtocolState, message: Message, is_odd: bool) -> None:
    call = None if message.id is UNSET else state.answered(bytes(message.id))
    if call is None:
        _read_stray_answer(state, message)
        return
    if message.seq is not UNSET and call.credit is not None:
        _check_count(call, message.seq)
    is_awaited = call.stage is not ABANDONED
    state.end_outgoing(call)
    if not is_awaited:
        return
    if message.error is not UNSET and bytes(message.error) != b"null":
        _end_with_error(call, message.error, is_plain=not state.is_greeted)
    elif message.result is UNSET and state.is_greeted:
        call.on_unreadable("neither a result nor an error")
    else:  # a JavaScript server leaves `undefined` out
        result = b"null" if message.result is UNSET else bytes(message.result)
        if call is state.hello_call:
            _read_hello_answer(state, call, result)
        else:
            call.on_result(LooseText(result) if is_odd and not state.is_greeted else result)


def _check_count(call: OutgoingCall, seq: Raw) -> None:
    """Check that all items of a stream have come; a peer that does not count them is believed."""
    said = bytes(seq)
    if said != b"%d" % call.seq:
        problem = f"the answer to id {shown_id(call.id)} counts {shown_id(said)} items"
        raise Violation(f"{problem} where {call.seq} came")


def _end_with_error(call: OutgoingCall, raw: Raw, *, is_plain: bool) -> None:
    try:
        error = read_error(raw, is_plain=is_plain)
    except UnreadableText as problem:
        call.on_unreadable(str(problem))
    else:
        call.on_error(error)


def _read_hello_answer(state: ProtocolState, call: OutgoingCall, result: bytes) -> None:
    try:
        hello = read_hello(result)
    except UnreadableText as error:
        call.on_unreadable(str(error))
        return
    # "The answer carries the lower of the two versions, which then holds" (section Hello).
    if hello.v > state.own.v:
        call.on_unreadable(f"version {hello.v}, where {state.own.v} is spoken")
        return
    state.greet(hello)
    state.listener.on_hello(hello, None)
    call.on_result(b"null")


def _read_stray_answer(state: ProtocolState, message: Message) -> None:
    id = NULL_ID if message.id is UNSET else bytes(message.id)
    problem = f"an answer to id {shown_id(id)}, which is not in flight"
    if id == NULL_ID:
        # "id ... If there was an error in detecting the id in the Request object, it MUST be
        # Null" (JSON-RPC 2.0, section 5): some call of ours will never be answered.
        problem = "an answer without an id"
    if state.is_greeted:
        raise Violation(problem)
    if id != NULL_ID or message.error is UNSET or not _read_unclaimed(state, message.error):
        state.listener.on_stray(problem)


def _read_unclaimed(state: ProtocolState, raw: Raw) -> bool:
    """Find the call that an error without an id is for, and tell whether it was an error."""
    try:
        error = read_error(raw, is_plain=True)
    except UnreadableText:
        return False
    if bytes(raw) == b"null":
        return False
    sent = [call for call in state.outgoing.values() if call.was_sent]
    # A server may answer a notification so too, but it takes that for a method it does not know.
    if len(sent) == 1 and (sent[0] is state.hello_call or error.code in UNREAD_CODES):
        is_awaited = sent[0].stage is not ABANDONED
        state.end_outgoing(sent[0])
        if is_awaited:
            sent[0].on_error(error)
    else:
        state.listener.on_unclaimed(error)
    return True


# Faults


def refuse_text(
    state: ProtocolState, text: bytes, problem: str, batch: BatchAnswers | None = None
) -> None:
    """Take a text that cannot be read: the answer to a call ends that, anything else is refused.

    Raises:
        Violation: the peer is a farcall server; it might have meant an answer.
    """
    id = find_answered(text) if state.outgoing else None
    if id is not None:
        call = state.answered(id)
        if call is not None:
            end_unreadable(state, call, problem)
            return
    error = Error.of(ErrorCode.PARSE_ERROR, problem)
    _refuse(state, f"a text that cannot be read: {problem}", error, NULL_ID, batch)


def end_unreadable(state: ProtocolState, call: OutgoingCall, problem: str) -> None:
    """End a call whose answer has come and cannot be read."""
    is_awaited = call.stage is not ABANDONED
    state.end_outgoing(call)
    if is_awaited:
        call.on_unreadable(problem)
    else:
        state.listener.on_stray(f"an answer that cannot be read: {problem}")


def _refuse_message(
    state: ProtocolState, fault: _Invalid, batch: BatchAnswers | None = None
) -> None:
    error = Error.of(ErrorCode.INVALID_REQUEST, fault.problem)
    _refuse(state, f"an invalid message: {fault.problem}", error, fault.id, batch)


def _refuse(
    state: ProtocolState,
    problem: str,
    error: Error,
    id: RequestId = NULL_ID,
    batch: BatchAnswers | None = None,
) -> None:
    """Answer what means nothing, on the side that has somebody to tell.

    A greeted server might have meant an answer, and its caller must not wait for ever; others are
    known to say strange things and go on.
    """
    if not state.has_dialled:
        _answer_error(state, id, error, batch)
    elif state.is_greeted:
        raise Violation(problem)
    else:
        state.listener.on_stray(problem)


def _answer_error(
    state: ProtocolState, id: RequestId, error: Error, batch: BatchAnswers | None
) -> None:
    text = error_response(id, error)
    if batch is None:
        state.listener.on_reply(text)
    else:
        state.fill(batch, batch.reserve(), text)
