"""Messages as text: decode one, split an array, join several, find the id in a broken one.

A message is decoded first and alone; parameters, results and values stay text until the codec,
which knows their types, reads them.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from farcall._json import DECODE_ERRORS, STRING, UnreadableText, decode, has_too_many_parts
from farcall._limits import MAX_PARTS

RequestId: TypeAlias = bytes
"""An id as JSON text, so that a peer's is echoed byte for byte."""

NULL_ID: Final[RequestId] = b"null"
LAST_COUNT: Final = 2**53
"""The end of JavaScript's integers."""
Count = Annotated[int, Meta(ge=0, le=LAST_COUNT)]
Positive = Annotated[int, Meta(ge=1, le=LAST_COUNT)]
MOST_SHOWN: Final = 40
"""Characters: a UUID fits, and a Close frame has room for 123 bytes (RFC 6455, section 5.5)."""

_SURROGATE = re.compile(rb"(?<!\\)((?:\\\\)*+)\\u([dD][89a-fA-F][0-9a-fA-F]{2})")
_HIDDEN = b"\xff\xff"
"""Stands for the beginning of an escape; nothing that is UTF-8 holds it."""
_MEMBER = re.compile(rb'"(id|method|result|error)"[ \t\r\n]*:[ \t\r\n]*')
_ID = re.compile(rb'-?[0-9][-+.0-9eE]*|"(?:[^"\\]|\\.){0,256}"', re.DOTALL)
_MAX_MEMBERS = 4
"""Read at either end of a broken text: its id is near the beginning, or near the end."""


class Message(msgspec.Struct, gc=False):
    """One message: the members of a JSON-RPC object that have a meaning.

    An `object` member may hold any value, so that a message with a wrong one is refused under its
    id.
    """

    jsonrpc: object = UNSET
    id: Raw | UnsetType = UNSET
    method: object = UNSET
    params: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET
    notification: object = UNSET
    meta: Raw | UnsetType = UNSET
    traceparent: Raw | UnsetType = UNSET
    seq: Raw | UnsetType = UNSET


class _RawMessage(msgspec.Struct):
    """The same members, with any value."""

    jsonrpc: Raw | UnsetType = UNSET
    id: Raw | UnsetType = UNSET
    method: Raw | UnsetType = UNSET
    params: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET
    notification: Raw | UnsetType = UNSET
    meta: Raw | UnsetType = UNSET
    traceparent: Raw | UnsetType = UNSET
    seq: Raw | UnsetType = UNSET


_raw_message = msgspec.json.Decoder(_RawMessage)
_array = msgspec.json.Decoder(list[Raw])
_anything = msgspec.json.Decoder(object)
_string = msgspec.json.Decoder(str)
decode_message = msgspec.json.Decoder(Message).decode
"""Decode one message; raises one of `DECODE_ERRORS`, after which `decode_odd` may know more."""


def read_text(raw: Raw) -> str:
    """Read a string; see `decode` for what is raised."""
    return decode(_string, raw)


def decode_odd(text: bytes) -> Message | None:
    """Decode a message that `decode_message` did not take; None for JSON that is not an object.

    Its peer writes lone surrogates, as JavaScript does for half of an emoji, or numbers that are
    out of range. Parameters, results and errors stay as they came; their readers refuse them.

    Raises:
        UnreadableText: it is not JSON.
    """
    if text.lstrip(b" \t\r\n")[:1] != b"{":
        decode(_anything, text)
        return None
    try:
        raw = decode(_raw_message, hide_surrogates(text))
    except UnreadableText:
        decode(_anything, text)  # raises with positions in the text as it came
        raise
    return Message(
        jsonrpc=_odd(raw.jsonrpc),
        id=_shown_again(raw.id),
        method=_odd(raw.method),
        params=_shown_again(raw.params),
        result=_shown_again(raw.result),
        error=_shown_again(raw.error),
        notification=_odd(raw.notification),
        meta=_shown_again(raw.meta),
        traceparent=_shown_again(raw.traceparent),
        seq=_shown_again(raw.seq),
    )


def hide_surrogates(text: bytes) -> bytes:
    """Replace escapes of surrogates by bytes that msgspec skips; the length stays."""
    return _SURROGATE.sub(rb"\1%b\2" % _HIDDEN, text) if b"\\u" in text else text


def show_surrogates(text: bytes | Raw) -> bytes:
    """Undo `hide_surrogates` in a part of its text."""
    return bytes(text).replace(_HIDDEN, b"\\u")


def _shown_again(raw: Raw | UnsetType) -> Raw | UnsetType:
    return raw if raw is UNSET else Raw(show_surrogates(raw))


def _odd(raw: Raw | UnsetType) -> object:
    shown = _shown_again(raw)
    if shown is UNSET:
        return UNSET
    try:
        return decode(_anything, shown)
    except UnreadableText:
        return None


def split(text: bytes) -> list[bytes]:
    """Split an array into its messages.

    Raises:
        UnreadableText: it is not an array, or has too many elements.
    """
    if text.count(b",") >= MAX_PARTS and has_too_many_parts(text):
        raise UnreadableText(f"more than {MAX_PARTS} messages in one frame (the limit bundle)")
    try:
        return [bytes(part) for part in _array.decode(text)]
    except DECODE_ERRORS as error:
        try:  # the other messages can be read in spite of a lone surrogate in one
            parts = _array.decode(hide_surrogates(text))
        except DECODE_ERRORS:
            raise UnreadableText(str(error)) from error
        return [show_surrogates(part) for part in parts]


def join(texts: Sequence[bytes]) -> bytes:
    """Write texts as one JSON array."""
    return b"[%b]" % b",".join(texts)


def find_response_id(text: bytes) -> RequestId | None:
    """Find the id in a text that is not JSON, or nests too deep, but must be a response.

    A server may write NaN, cut a text in half, or escape wrongly, and its caller must not wait for
    ever. Only members near the ends of the text are read, in linear time.
    """
    if text.lstrip(b" \t\r\n")[:1] != b"{":
        return None
    members: dict[bytes, int] = {}
    at = depth = 0
    matches = _MEMBER.finditer(text)
    for match in (*islice(matches, _MAX_MEMBERS), *deque(matches, _MAX_MEMBERS)):
        before = STRING.sub(b'"', text[at : match.start()]).rstrip(b" \t\r\n")
        if before[-1:] not in (b"{", b","):  # it is in a string
            continue
        at = match.start()
        depth += sum(before.count(mark) for mark in b"{[") - sum(map(before.count, b"}]"))
        if depth == 1:
            members[match[1]] = match.end()
    is_answer = b"result" in members or b"error" in members or b"method" not in members
    id = _ID.match(text, members[b"id"]) if is_answer and b"id" in members else None
    return None if id is None else id[0]


def canonical_id(id: RequestId, *, is_plain: bool) -> RequestId:
    """Write an id as this side writes its own: a peer may turn 1 into 1.0, or escape text.

    Args:
        id: As it came.
        is_plain: Whether the peer may also turn 1 into "1".
    """
    try:
        value = decode(_anything, id)
    except UnreadableText:
        return id
    if isinstance(value, float) and value.is_integer() and abs(value) <= LAST_COUNT:
        return b"%d" % value
    if not isinstance(value, str):
        return id
    if is_plain and value.isascii() and value.isdecimal():
        return value.encode()
    return msgspec.json.encode(value)


def shown(text: str) -> str:
    """Shorten a text of a peer for a log line, or a Close frame."""
    start = text[:MOST_SHOWN]
    return start if start.isprintable() else ascii(start)


def shown_id(id: RequestId) -> str:
    """Shorten an id likewise; one in a binary frame need not be UTF-8."""
    return shown(id.decode(errors="replace"))
