"""What farcall peers tell each other about calls in flight: cancel, credit, started, items.

All of it comes as notifications, which cannot be answered. What is late is ignored, for it may
have crossed the end of its call on the way; what can never have been right ends the link.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Raw, UnsetType

from farcall._protocol.answers import read_error
from farcall._protocol.binary import Encoded, read_binary
from farcall._protocol.conversation import Conversation, shown, violation
from farcall._protocol.credit import ReceiveCredit
from farcall._protocol.events import (
    CancelReceived,
    CreditReceived,
    GoawayReceived,
    ItemsReceived,
    ProtocolEvent,
    StartedReceived,
    Stray,
    UploadCredit,
    UploadEnded,
    UploadItems,
)
from farcall._protocol.messages import RequestId
from farcall._protocol.shapes import (
    CancelShape,
    CreditShape,
    GoawayShape,
    ItemsShape,
    StartedShape,
    UploadEndShape,
    read_shape,
)
from farcall._protocol.state import OutgoingCall, Stage, Step
from farcall._protocol.uploads import IncomingUpload
from farcall._protocol.wire import UnreadableText


def read_control(talk: Conversation, method: str, params: bytes | None) -> ProtocolEvent | None:
    """Read a notification whose name is one of `CONTROLS`; None where nothing follows from it."""
    try:
        return CONTROLS[method](talk, params)
    except UnreadableText as error:
        return violation(f"{method}: {error}")


def read_foreign_cancel(talk: Conversation, params: bytes | None) -> ProtocolEvent | None:
    """Read ``$/cancelRequest``, which peers know from the Language Server Protocol."""
    try:
        return _cancel(talk, params)
    except UnreadableText as error:
        return Stray(f"$/cancelRequest: {error}")


def _cancel(talk: Conversation, params: bytes | None) -> ProtocolEvent | None:
    read = read_shape(CancelShape, params)
    call = talk.incoming.get(bytes(read.id))
    # The answer may have crossed the cancel on its way; then there is nothing left to do.
    return None if call is None else CancelReceived(call, read.reason)


def _credit(talk: Conversation, params: bytes | None) -> ProtocolEvent | None:
    read = read_shape(CreditShape, params)
    if not isinstance(read.upload, UnsetType):
        return _upload_credit(talk, read.upload, read)
    call = talk.incoming.get(_id(read.id))
    # As with a cancel: the stream may have ended while the credit was on its way.
    if call is None or call.credit is None:
        return None
    return CreditReceived(call) if call.credit.grant(read.items, read.bytes) else None


def _started(talk: Conversation, params: bytes | None) -> ProtocolEvent | None:
    read = read_shape(StartedShape, params)
    call = talk.outgoing.get(bytes(read.id))
    if call is None or not (call.may_start and call.can(Step.START)):
        return violation(f"rpc.started for id {shown(bytes(read.id).decode())}")
    call.move(Step.START)
    return StartedReceived(call, bytes(read.value)) if call.stage is Stage.STARTED else None


def _items(talk: Conversation, params: bytes | None) -> ProtocolEvent | None:
    read = read_shape(ItemsShape, params)
    if not isinstance(read.upload, UnsetType):
        values = [bytes(value) for value in read.values]
        return _upload_items(talk, bytes(read.upload), read.seq, values)
    values = [bytes(value) for value in read.values]
    return _call_items(talk, _id(read.id), read.seq, values, read.cursor, read.missed)


def read_binary_items(talk: Conversation, frame: bytes) -> ProtocolEvent | None:
    """Read a frame of items that are bytes; what is said of it holds as for ``rpc.items``."""
    try:
        read = read_binary(frame)
        if not isinstance(read.upload, UnsetType):
            return _upload_items(talk, bytes(read.upload), read.seq, read.values)
        return _call_items(talk, _id(read.id), read.seq, read.values, None, 0)
    except UnreadableText as error:
        return violation(str(error))


def _call_items(
    talk: Conversation,
    id: RequestId,
    seq: int,
    values: Sequence[Encoded],
    cursor: str | None,
    missed: int | None,
) -> ProtocolEvent | None:
    call = _stream_call(talk, id)
    if call is None or not call.can(Step.ITEMS):
        return violation(f"rpc.items for id {shown(id.decode())}")
    assert call.credit is not None
    problem = _fault_of_items(call, call.credit, seq, values)
    if problem is not None:
        return violation(problem)
    if call.stage is Stage.ABANDONED:
        return None
    return ItemsReceived(call, values, cursor, missed)


def _upload_items(
    talk: Conversation, id: RequestId, seq: int, values: Sequence[Encoded]
) -> ProtocolEvent | None:
    upload = talk.uploads.incoming.get(id)
    if upload is None:  # its call has been answered while they were on their way
        return None
    problem = _fault_of_items(upload, upload.credit, seq, values)
    return UploadItems(upload, values) if problem is None else violation(problem)


def _upload_credit(talk: Conversation, id: Raw, read: CreditShape) -> ProtocolEvent | None:
    upload = talk.uploads.outgoing.get(bytes(id))
    if upload is None or not upload.credit.grant(read.items, read.bytes):
        return None
    return UploadCredit(upload)


def _upload_end(talk: Conversation, params: bytes | None) -> ProtocolEvent | None:
    read = read_shape(UploadEndShape, params)
    upload = talk.uploads.incoming.get(bytes(read.upload))
    if upload is None:
        return None
    talk.uploads.end_incoming(upload)
    return UploadEnded(
        upload, None if isinstance(read.error, UnsetType) else read_error(read.error)
    )


def _fault_of_items(
    stream: OutgoingCall | IncomingUpload,
    credit: ReceiveCredit,
    seq: int,
    values: Sequence[Encoded],
) -> str | None:
    if seq != stream.seq:
        return f"rpc.items with seq {seq} where {stream.seq} was due"
    stream.seq += len(values)
    if not credit.receive([len(value) for value in values]):
        return "rpc.items beyond the credit of its stream"
    return None


def _id(raw: Raw | UnsetType) -> RequestId:
    if isinstance(raw, UnsetType):
        raise UnreadableText("neither id nor upload")
    return bytes(raw)


def _stream_call(talk: Conversation, id: RequestId) -> OutgoingCall | None:
    call = talk.outgoing.get(id)
    return call if call is not None and call.credit is not None else None


def _goaway(_talk: Conversation, params: bytes | None) -> ProtocolEvent:
    read = read_shape(GoawayShape, params)
    return GoawayReceived(read.grace_ms, read.reconnect_after_ms)


CONTROLS: Mapping[str, Callable[[Conversation, bytes | None], ProtocolEvent | None]] = {
    "rpc.cancel": _cancel,
    "rpc.credit": _credit,
    "rpc.started": _started,
    "rpc.items": _items,
    "rpc.end": _upload_end,
    "rpc.goaway": _goaway,
}
