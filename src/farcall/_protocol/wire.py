"""Reading frames: text to envelopes, envelopes to typed members. Writing: texts to frames.

An envelope is decoded first and alone; parameters, results and values stay text until the codec,
which knows their types, reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, TypeVar

import attrs
import msgspec
from msgspec import UNSET, Raw, UnsetType

from farcall._limits import MAX_DEPTH, MAX_PARTS
from farcall._protocol.messages import join

BUNDLE_BYTES = 64 * 1024
"""A bundle grows no further: by then the cost of a frame is spread thin, and a larger one would
only delay its first message."""

# It also takes a string that does not end. A pattern that fails there would be tried again from
# each quote on, in a time that grows with the square of the text.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.?[^"\\]*+)*+"?', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_NO_MARKS = bytes(set(_NO_BRACKETS) - set(b","))
_COMMA = ord(",")
_STEP_OF_MARK = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1, ord(","): 0}
T = TypeVar("T")


class UnreadableText(Exception):
    """The text is no JSON that may be read; says why."""


class Envelope(msgspec.Struct):
    """The members of a JSON-RPC object that mean something, each still text."""

    jsonrpc: Raw | UnsetType = UNSET
    id: Raw | UnsetType = UNSET
    method: Raw | UnsetType = UNSET
    params: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET
    notification: Raw | UnsetType = UNSET
    meta: Raw | UnsetType = UNSET
    traceparent: Raw | UnsetType = UNSET


_envelope = msgspec.json.Decoder(Envelope)
_array = msgspec.json.Decoder(list[Raw])
_anything = msgspec.json.Decoder(Any)
_string = msgspec.json.Decoder(str)


@attrs.frozen
class Frame:
    """The texts of one frame's messages."""

    messages: Sequence[bytes]
    is_array: bool


def read_frame(frame: str | bytes, most: int = MAX_DEPTH) -> Frame:
    """Check a frame's text and split an array into its messages.

    Args:
        frame: The text.
        most: Levels that a message may nest.

    Raises:
        UnreadableText: it is no JSON, no UTF-8, or nested deeper.
    """
    text = _utf8(frame)
    is_array = text.lstrip(b" \t\r\n").startswith(b"[")
    # A message cannot know whether it will share its frame: the outer array does not count.
    if is_too_deep(text, most + is_array):
        raise UnreadableText(f"nested deeper than {most} levels (the limit depth)")
    if not is_array:
        return Frame([text], is_array=False)
    if text.count(b",") >= MAX_PARTS and _has_too_many_parts(text):
        raise UnreadableText(f"more than {MAX_PARTS} messages in one frame (the limit bundle)")
    return Frame([bytes(part) for part in decode(_array, text)], is_array=True)


def read_envelope(text: bytes) -> Envelope | None:
    """Read the members of one message; None where it is JSON but no object.

    Raises:
        UnreadableText: it is no JSON.
    """
    if text.lstrip(b" \t\r\n").startswith(b"{"):
        return decode(_envelope, text)
    decode(_anything, text)
    return None


def salvage(frame: str | bytes) -> Envelope | None:
    """Read what can be told of a message that `read_frame` refused, for the sake of its id.

    A JavaScript server writes half of an emoji as a lone surrogate, and nests as it likes.
    """
    text = frame.encode(errors="replace") if isinstance(frame, str) else frame
    try:
        return decode(_envelope, _SURROGATE.sub(rb"\\ufffd", text))
    except UnreadableText:
        return None


def canonical_id(id: bytes) -> bytes:
    """Write an id as this side writes its own: a peer may have made 1.0 of 1, or escaped text."""
    try:
        value = decode(_anything, id)
    except UnreadableText:
        return id
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        return b"%d" % value
    return msgspec.json.encode(value) if isinstance(value, str) else id


def read_text(raw: Raw) -> str:
    """Read a string, under the rules of `decode`."""
    return decode(_string, raw)


def decode(decoder: msgspec.json.Decoder[T], text: bytes | Raw) -> T:
    """Decode with whatever msgspec may raise mapped to `UnreadableText`."""
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise UnreadableText(str(error)) from error


def _utf8(frame: str | bytes) -> bytes:
    try:
        if isinstance(frame, str):
            return frame.encode()
        frame.decode()
    except UnicodeError as error:
        raise UnreadableText(f"not UTF-8: {error}") from error
    return bytes(frame)


def count_brackets(text: bytes) -> int:
    """Count what opens an array or an object, in strings as well: no text nests deeper."""
    return text.count(b"[") + text.count(b"{")


def is_too_deep(text: bytes, most: int = MAX_DEPTH) -> bool:
    """Tell whether a text nests deeper than `most`; it need not be JSON."""
    if count_brackets(text) <= most:
        return False
    brackets = _STRING.sub(b"", text).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEP_OF_MARK.__getitem__, brackets)), default=0) > most


def _has_too_many_parts(text: bytes) -> bool:
    marks = _STRING.sub(b"", text).translate(None, _NO_MARKS)
    depths = accumulate(map(_STEP_OF_MARK.__getitem__, marks))
    parts = sum(mark == _COMMA and depth == 1 for mark, depth in zip(marks, depths, strict=True))
    return parts >= MAX_PARTS


def pack(texts: Iterable[tuple[bytes, bool]], *, most: int, max_bytes: int) -> list[bytes]:
    """Join messages into bundles; each text comes with whether it must have a frame of its own.

    Args:
        most: How many messages one bundle may hold.
        max_bytes: How large it may get; a larger message goes alone.
    """
    frames: list[bytes] = []
    waiting: list[bytes] = []
    size = 0
    for text, is_alone in texts:
        if is_alone or len(waiting) == most or size + len(text) + 2 > max_bytes:
            _flush(waiting, frames)
            size = 0
        if is_alone:
            frames.append(text)
            continue
        waiting.append(text)
        size += len(text) + 1
    _flush(waiting, frames)
    return frames


def _flush(waiting: list[bytes], frames: list[bytes]) -> None:
    if waiting:
        frames.append(waiting[0] if len(waiting) == 1 else join(waiting))
        waiting.clear()
