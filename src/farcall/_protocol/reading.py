"""Reading frames: requests, responses, batches, bundles and faults.

The order of the checks is that of JSON-RPC 2.0: can the text be read (-32700), is it a message
(-32600), is there such a method (-32601). Only the side that accepted the connection responds to an
invalid message; to the side that dialled it may have been a response.
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
    find_response_id,
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
    Batch,
    IncomingCall,
    OutgoingCall,
    ProtocolState,
    Violation,
)
from farcall.errors import CloseCode, ErrorCode

MAX_TRACEPARENT_BYTES = 256
"""A span of version 00 has 55; later versions may have more (W3C Trace Context, section 3.2.4)."""
PLAIN_METHODS = frozenset({"rpc.on", "rpc.off", "rpc.login", "rpc.discover"})
GREETED_METHODS = frozenset({"rpc.subscribe", "rpc.login", "rpc.discover"})
"""The names under ``rpc.`` that may be called, by dialect; the others are not found."""
UNREAD_CODES = frozenset({ErrorCode.PARSE_ERROR, ErrorCode.INVALID_REQUEST})
"""The errors of a server that could not read a request, and so does not know its id."""


class _Invalid(Exception):
    """A message is not a JSON-RPC request; the response is -32600."""

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
        raise Violation("a bundle with an element that is not an object")
    for text in texts:
        read_message(state, text)
        if state.is_broken:  # the receiver of the message has closed the link
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
    batch = Batch()
    for text in texts:
        read_message(state, text, batch)
        if state.is_broken:
            return
    batch.is_read = True
    reply = state.reply(batch)
    if reply is not None:
        state.listener.on_reply(reply)


def read_message(state: ProtocolState, text: bytes, batch: Batch | None = None) -> None:
    """Read one message, and pass it to its receiver.

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
        # A response may repeat the method of its request, as those of Ogmios do.
        has_outcome = message.result is not UNSET or message.error is not UNSET
        if has_outcome or (message.method is UNSET and _is_due(state, message.id)):
            _read_response(state, message, is_odd)
        elif message.id is not UNSET:
            _read_request(state, message, message.id, batch)
        elif state.has_dialled and message.notification is not UNSET:
            _read_event(state, message, is_odd)
        else:
            _read_notification(state, message, is_odd)
    except _Invalid as fault:
        _refuse_message(state, fault, batch)


def _read_odd(state: ProtocolState, text: bytes, batch: Batch | None) -> Message | None:
    try:
        message = decode_odd(text)
    except UnreadableText as problem:
        refuse_text(state, text, str(problem), batch)
        return None
    if message is None:
        _refuse_message(state, _Invalid("not an object"), batch)
    return message


# Requests and notifications


def _read_request(state: ProtocolState, message: Message, raw_id: Raw, batch: Batch | None) -> None:
    # A copy: a view of 3 bytes would keep the whole frame in memory.
    id = bytes(raw_id)
    if len(id) > state.limits.request_id:
        most = state.limits.request_id
        raise _Invalid(f"an id of more than {most} bytes (the limit request_id)")
    if id[:1] in b"{[tf":
        raise _Invalid("an id must be a string, a number or null")
    method = _method(message, id)
    call = state.make_call(id, method, _params(message, id))
    if state.is_greeted and (message.meta is not UNSET or message.traceparent is not UNSET):
        _add_meta(call, message)  # from a plain peer `meta` may mean anything
    if method[:4] == "rpc." and _read_reserved(state, call, batch):
        return
    if id in state.incoming:
        raise _Invalid(f"id {id.decode()} is in flight already")
    if batch is not None:
        call.batch, call.index = batch, batch.reserve()
    if id != NULL_ID:  # a call with a null id cannot be cancelled, nor get credit
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


def _read_reserved(state: ProtocolState, call: IncomingCall, batch: Batch | None) -> bool:
    """Respond to a call of a reserved name, unless the listener serves it."""
    if call.method == "rpc.hello":
        _read_hello(state, call, batch)
        return True
    if call.method in (GREETED_METHODS if state.is_greeted else PLAIN_METHODS):
        return False
    _respond_error(state, call.id, Error.of(ErrorCode.METHOD_NOT_FOUND), batch)
    return True


def _read_hello(state: ProtocolState, call: IncomingCall, batch: Batch | None) -> None:
    if state.has_received or state.has_dialled:
        raise _Invalid("a hello that is not the first message", call.id)
    try:
        hello = read_hello(call.params)
    except UnreadableText as error:
        data = {"errors": [{"path": "params", "message": str(error)}]}
        _respond_error(state, call.id, Error.of(ErrorCode.INVALID_PARAMS, data), batch)
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
    if method == "$/cancelRequest":  # known from the Language Server Protocol
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
    """Copy the params. rpc-websockets clients send null for none."""
    if message.params is UNSET:
        return None
    params = bytes(message.params)
    if params[0] in b"[{":
        return params
    if params == b"null":
        return None
    raise _Invalid("params must be an array or an object", id)


def _loose(state: ProtocolState, params: bytes | None, is_odd: bool) -> bytes | None:
    """Allow lone surrogates in a notification of a plain server; a client may not send them."""
    if params is None or not is_odd or state.is_greeted or not state.has_dialled:
        return params
    return LooseText(params)


def _traceparent(raw: Raw | UnsetType) -> str | None:
    """Read the caller's span; an invalid one is ignored (W3C Trace Context, section 3.2.2)."""
    if raw is UNSET or len(bytes(raw)) > MAX_TRACEPARENT_BYTES:
        return None
    try:
        return read_text(raw)
    except UnreadableText:
        return None


# Responses


def _is_due(state: ProtocolState, id: Raw | UnsetType) -> bool:
    return id is not UNSET and state.call_awaiting(bytes(id)) is not None


def _read_response(state: ProtocolState, message: Message, is_odd: bool) -> None:
    call = None if message.id is UNSET else state.call_awaiting(bytes(message.id))
    if call is None:
        _read_stray_response(state, message)
        return
    if message.seq is not UNSET and call.credit is not None:
        _check_count(call, message.seq)
    is_awaited = call.stage is not ABANDONED
    state.end_outgoing(call)
    if not is_awaited:
        return
    if message.error is not UNSET and bytes(message.error) != b"null":
        try:
            error = read_error(message.error, is_plain=not state.is_greeted)
        except UnreadableText as problem:
            call.on_unreadable(str(problem))
        else:
            call.on_error(error)
    elif message.result is UNSET and state.is_greeted:
        call.on_unreadable("neither a result nor an error")
    else:  # a JavaScript server leaves `undefined` out
        result = b"null" if message.result is UNSET else bytes(message.result)
        if call is state.hello_call:
            _read_hello_response(state, call, result)
        else:
            call.on_result(LooseText(result) if is_odd and not state.is_greeted else result)


def _check_count(call: OutgoingCall, seq: Raw) -> None:
    """Check that all items of a stream have come, if the peer counts them."""
    counted = bytes(seq)
    if counted != b"%d" % call.seq:
        problem = f"the response to id {shown_id(call.id)} counts {shown_id(counted)} items"
        raise Violation(f"{problem} where {call.seq} came")


def _read_hello_response(state: ProtocolState, call: OutgoingCall, result: bytes) -> None:
    try:
        hello = read_hello(result)
    except UnreadableText as error:
        call.on_unreadable(str(error))
        return
    # "The answer carries the lower of the two versions, which then holds" (section Hello).
    if hello.v > state.own.v:
        call.on_unreadable(f"version {hello.v}, where this side speaks {state.own.v}")
        return
    state.greet(hello)
    state.listener.on_hello(hello, None)
    call.on_result(b"null")


def _read_stray_response(state: ProtocolState, message: Message) -> None:
    id = NULL_ID if message.id is UNSET else bytes(message.id)
    problem = f"a response to id {shown_id(id)}, which is not in flight"
    if id == NULL_ID:
        # "id ... If there was an error in detecting the id in the Request object, it MUST be
        # Null" (JSON-RPC 2.0, section 5): some call of this side will get no response.
        problem = "a response without an id"
    if state.is_greeted:
        raise Violation(problem)
    if id != NULL_ID or message.error is UNSET or not _read_unclaimed(state, message.error):
        state.listener.on_stray(problem)


def _read_unclaimed(state: ProtocolState, raw: Raw) -> bool:
    """End the call that an error without an id is for; tell whether it can be read."""
    try:
        error = read_error(raw, is_plain=True)
    except UnreadableText:
        return False
    if bytes(raw) == b"null":
        return False
    sent = [call for call in state.outgoing.values() if call.was_sent]
    # Some servers send one for a notification, too, whose method they do not know.
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
    state: ProtocolState, text: bytes, problem: str, batch: Batch | None = None
) -> None:
    """Refuse a text that cannot be read; if it is the response to a call, end that call.

    Raises:
        Violation: the peer is a farcall server; the text may have been a response.
    """
    id = find_response_id(text) if state.outgoing else None
    if id is not None:
        call = state.call_awaiting(id)
        if call is not None:
            end_unreadable(state, call, problem)
            return
    error = Error.of(ErrorCode.PARSE_ERROR, problem)
    _refuse(state, f"a text that cannot be read: {problem}", error, NULL_ID, batch)


def end_unreadable(state: ProtocolState, call: OutgoingCall, problem: str) -> None:
    """End a call whose response cannot be read."""
    is_awaited = call.stage is not ABANDONED
    state.end_outgoing(call)
    if is_awaited:
        call.on_unreadable(problem)
    else:
        state.listener.on_stray(f"a response that cannot be read: {problem}")


def _refuse_message(state: ProtocolState, fault: _Invalid, batch: Batch | None = None) -> None:
    error = Error.of(ErrorCode.INVALID_REQUEST, fault.problem)
    _refuse(state, f"an invalid message: {fault.problem}", error, fault.id, batch)


def _refuse(
    state: ProtocolState,
    problem: str,
    error: Error,
    id: RequestId = NULL_ID,
    batch: Batch | None = None,
) -> None:
    """Respond with an error, on the side that accepted the connection.

    From a greeted server the message may have been a response, whose caller must not wait for ever.
    A plain server may send anything and go on.
    """
    if not state.has_dialled:
        _respond_error(state, id, error, batch)
    elif state.is_greeted:
        raise Violation(problem)
    else:
        state.listener.on_stray(problem)


def _respond_error(state: ProtocolState, id: RequestId, error: Error, batch: Batch | None) -> None:
    text = error_response(id, error)
    if batch is None:
        state.listener.on_reply(text)
    else:
        state.fill(batch, batch.reserve(), text)
