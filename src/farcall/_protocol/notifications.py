"""Control messages of farcall peers, each with its reader in a table.

They are notifications, which get no response. A late one is ignored, for it may have crossed the
end of its call on the way; one that can never have been right ends the link.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

from farcall._json import UnreadableText
from farcall._protocol.binary import Encoded, read_binary
from farcall._protocol.credit import ReceiveCredit
from farcall._protocol.framing import RequestId, shown_id
from farcall._protocol.messages import (
    Cancel,
    Credit,
    Goaway,
    Items,
    Started,
    UploadEnd,
    read_error,
    read_params,
)
from farcall._protocol.state import STARTED, IncomingUpload, OutgoingCall, ProtocolState, Violation

_cancel = msgspec.json.Decoder(Cancel)
_credit = msgspec.json.Decoder(Credit)
_started = msgspec.json.Decoder(Started)
_items = msgspec.json.Decoder(Items)
_upload_end = msgspec.json.Decoder(UploadEnd)
_goaway = msgspec.json.Decoder(Goaway)


def read_notification(state: ProtocolState, method: str, params: bytes | None) -> bool:
    """Obey a control message of a greeted peer, and tell whether it is a known one.

    Raises:
        Violation: it can never have been right.
    """
    read = NOTIFICATIONS.get(method)
    if read is None:
        return False
    try:
        read(state, params)
    except UnreadableText as error:
        raise Violation(f"{method}: {error}") from None
    return True


def read_cancel(state: ProtocolState, params: bytes | None) -> None:
    """Cancel a call that is served here."""
    read = read_params(_cancel, params)
    call = state.incoming.get(bytes(read.id))
    # The response may have crossed the cancel on its way; then nothing is left to do.
    if call is not None and call.owner is not None:
        call.owner.cancel(read.reason)


def _read_credit(state: ProtocolState, params: bytes | None) -> None:
    read = read_params(_credit, params)
    if read.upload is not UNSET:
        upload = state.uploads.outgoing.get(bytes(read.upload))
        if upload is None or not upload.credit.grant(read.items, read.bytes):
            return
        if upload.owner is not None:
            upload.owner.on_credit()
        return
    call = state.incoming.get(_id(read.id))
    # As with a cancel: the stream may have ended while the credit was on its way.
    if call is None or call.credit is None:
        return
    if call.credit.grant(read.items, read.bytes) and call.owner is not None:
        call.owner.on_credit()


def _read_started(state: ProtocolState, params: bytes | None) -> None:
    read = read_params(_started, params)
    id = bytes(read.id)
    call = state.outgoing.get(id)
    stage = None if call is None else call.stage.start
    if call is None or stage is None or not call.may_start:
        raise Violation(f"rpc.started for id {shown_id(id)}, which cannot start")
    call.stage = stage
    if stage is STARTED:
        call.on_started(bytes(read.value))


def _read_items(state: ProtocolState, params: bytes | None) -> None:
    read = read_params(_items, params)
    values = [bytes(value) for value in read.values]
    if read.upload is not UNSET:
        _take_upload(state, bytes(read.upload), read.seq, values)
    else:
        _take_items(state, _id(read.id), read.seq, values, read.cursor, read.missed)


def read_binary_items(state: ProtocolState, frame: bytes) -> None:
    """Read a binary frame of items; the rules are those of ``rpc.items``."""
    try:
        read = read_binary(frame)
        if read.upload is not UNSET:
            _take_upload(state, bytes(read.upload), read.seq, read.values)
        else:
            _take_items(state, _id(read.id), read.seq, read.values, None, 0)
    except UnreadableText as error:
        raise Violation(str(error)) from None


def _take_items(
    state: ProtocolState,
    id: RequestId,
    seq: int,
    values: Sequence[Encoded],
    cursor: str | None,
    missed: int | None,
) -> None:
    call = state.outgoing.get(id)
    if call is None or call.credit is None or call.stage.items is None:
        raise Violation(f"rpc.items for id {shown_id(id)}, which is not a started stream")
    _count(call, call.credit, seq, values)
    if call.stage is STARTED:
        call.on_items(values, cursor, missed)


def _take_upload(state: ProtocolState, id: RequestId, seq: int, values: Sequence[Encoded]) -> None:
    upload = state.uploads.incoming.get(id)
    if upload is None:  # its call has ended while they were on their way
        return
    _count(upload, upload.credit, seq, values)
    if upload.owner is not None:
        upload.owner.push(values)


def _count(
    stream: OutgoingCall | IncomingUpload,
    credit: ReceiveCredit,
    seq: int,
    values: Sequence[Encoded],
) -> None:
    """Check that items come in order and within the credit, and count them."""
    if seq != stream.seq:
        raise Violation(f"rpc.items with seq {seq}, expected {stream.seq}")
    stream.seq += len(values)
    if not credit.receive([len(value) for value in values]):
        raise Violation("rpc.items beyond the credit of its stream")


def _read_upload_end(state: ProtocolState, params: bytes | None) -> None:
    read = read_params(_upload_end, params)
    upload = state.uploads.incoming.get(bytes(read.upload))
    if upload is None:
        return
    if read.seq is not UNSET and read.seq != upload.seq:
        raise Violation(f"rpc.end counts {read.seq} items where {upload.seq} came")
    state.uploads.end_incoming(upload)
    error = None if read.error is UNSET else read_error(read.error, is_plain=False)
    if upload.owner is not None:
        upload.owner.on_end(error)


def _read_goaway(state: ProtocolState, params: bytes | None) -> None:
    read = read_params(_goaway, params)
    state.listener.on_goaway(read.grace_ms, read.reconnect_after_ms)


def _id(raw: Raw | UnsetType) -> RequestId:
    if raw is UNSET:
        raise UnreadableText("neither id nor upload")
    return bytes(raw)


Reader: TypeAlias = Callable[[ProtocolState, bytes | None], None]
NOTIFICATIONS: Mapping[str, Reader] = {
    "rpc.cancel": read_cancel,
    "rpc.credit": _read_credit,
    "rpc.started": _read_started,
    "rpc.items": _read_items,
    "rpc.end": _read_upload_end,
    "rpc.goaway": _read_goaway,
}
