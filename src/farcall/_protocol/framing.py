"""Text: decode one message, split an array, count its depth, save its id, join messages.

A message is decoded first and alone; parameters, results and values stay text until the codec,
which knows their types, reads them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Annotated, Any, Final, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from farcall._limits import MAX_DEPTH, MAX_PARTS

RequestId: TypeAlias = bytes
"""An id as JSON text, so that a peer's is echoed byte for byte."""

NULL_ID: Final[RequestId] = b"null"
LAST_COUNT: Final = 2**53
"""Where JavaScript's integers end."""
Count = Annotated[int, Meta(ge=0, le=LAST_COUNT)]
Positive = Annotated[int, Meta(ge=1, le=LAST_COUNT)]
MOST_SHOWN: Final = 40
"""Characters: a UUID fits, and a Close frame has room for 123 bytes (RFC 6455, section 5.5)."""

# It also takes a string that does not end. A pattern that fails there would be tried again from
# each quote on, in a time that grows with the square of the text.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.?[^"\\]*+)*+"?', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_NO_MARKS = bytes(set(_NO_BRACKETS) - set(b","))
_NOT_KEPT = bytes(set(range(256)) - set(b'[]{}"\\'))
_COMMA = ord(",")
_STEP_OF_MARK = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1, ord(","): 0}
_PASSES = 8
"""Each takes out one level, or two; most data nests no deeper, and what does is counted in full."""
_LONG = 4096
"""Bytes from which on a search for the few first brackets is faster than a count of all."""
T = TypeVar("T")


class UnreadableText(Exception):
    """The text is no JSON that may be read; says why."""


class Message(msgspec.Struct, gc=False):
    """One message: the members of a JSON-RPC object that mean something.

    Those that are `object` are read whatever they hold, so that a message with a strange one is
    refused for what it is, under its id.
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


_message = msgspec.json.Decoder(Message)
_array = msgspec.json.Decoder(list[Raw])
_anything = msgspec.json.Decoder(Any)
_string = msgspec.json.Decoder(str)
decode_message = _message.decode
"""Decode one message; raises one of `DECODE_ERRORS`, which `why_not_read` explains."""
DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)
"""All that msgspec raises for a text."""


def decode(decoder: msgspec.json.Decoder[T], text: bytes | Raw) -> T:
    """Decode with whatever msgspec may raise mapped to `UnreadableText`."""
    try:
        return decoder.decode(text)
    except DECODE_ERRORS as error:
        raise UnreadableText(str(error)) from error


def read_text(raw: Raw) -> str:
    """Read a string, under the rules of `decode`."""
    return decode(_string, raw)


def why_not_read(text: bytes, error: Exception) -> str | None:
    """Say why a text was not decoded; None where it is JSON, but no object."""
    if text.lstrip(b" \t\r\n")[:1] != b"{":
        try:
            decode(_anything, text)
        except UnreadableText as problem:
            return str(problem)
        return None
    return str(error)


def split(text: bytes) -> list[bytes]:
    """Split an array into its messages.

    Raises:
        UnreadableText: it is no array, or one of too many.
    """
    if text.count(b",") >= MAX_PARTS and _has_too_many_parts(text):
        raise UnreadableText(f"more than {MAX_PARTS} messages in one frame (the limit bundle)")
    return [bytes(part) for part in decode(_array, text)]


def join(texts: Sequence[bytes]) -> bytes:
    """Write texts as one JSON array."""
    return b"[%b]" % b",".join(texts)


def salvage(text: bytes) -> Message | None:
    """Read what can be told of a message that was not decoded, for the sake of its id.

    A JavaScript server writes half of an emoji as a lone surrogate, and nests as it likes.
    """
    try:
        return decode(_message, _SURROGATE.sub(rb"\\ufffd", text))
    except UnreadableText:
        return None


def canonical_id(id: RequestId) -> RequestId:
    """Write an id as this side writes its own: a peer may have made 1.0 of 1, or escaped text."""
    try:
        value = decode(_anything, id)
    except UnreadableText:
        return id
    if isinstance(value, float) and value.is_integer() and abs(value) <= LAST_COUNT:
        return b"%d" % value
    return msgspec.json.encode(value) if isinstance(value, str) else id


def shown(text: str) -> str:
    """Cut what a peer wrote down to what belongs into a log line, or a Close frame."""
    start = text[:MOST_SHOWN]
    return start if start.isprintable() else ascii(start)


def shown_id(id: RequestId) -> str:
    """Cut an id likewise; one in a binary frame need not even be UTF-8."""
    return shown(id.decode(errors="replace"))


def count_brackets(text: bytes) -> int:
    """Count what opens an array or an object, in strings as well: no text nests deeper.

    Of a long text no more are counted than are certainly too many.
    """
    if len(text) < _LONG:
        return text.count(b"[") + text.count(b"{")
    found = 0  # memchr is ten times as fast as a count
    for mark in (b"[", b"{"):
        at = text.find(mark)
        while at >= 0 and found <= MAX_DEPTH:
            found += 1
            at = text.find(mark, at + 1)
    return found


def is_too_deep(text: bytes, most: int = MAX_DEPTH) -> bool:
    """Tell whether a text nests deeper than `most`; it need not be JSON."""
    if count_brackets(text) <= most:
        return False
    kept = text.translate(None, _NOT_KEPT)
    if b"\\" not in kept and _is_shallow(b"".join(kept.split(b'"')[::2]), most):
        return False
    brackets = _STRING.sub(b"", text).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEP_OF_MARK.__getitem__, brackets)), default=0) > most


def _is_shallow(brackets: bytes, most: int) -> bool:
    """Tell whether nothing is left of brackets once their pairs are taken out, level by level."""
    for _ in range(min(most // 2, _PASSES)):
        left = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not left:
            return True
        if len(left) == len(brackets):
            return False
        brackets = left
    return False


def _has_too_many_parts(text: bytes) -> bool:
    marks = _STRING.sub(b"", text).translate(None, _NO_MARKS)
    depths = accumulate(map(_STEP_OF_MARK.__getitem__, marks))
    parts = sum(mark == _COMMA and depth == 1 for mark, depth in zip(marks, depths, strict=True))
    return parts >= MAX_PARTS
