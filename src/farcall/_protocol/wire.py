"""Reading frames: text to envelopes, envelopes to typed members. Writing: texts to frames.

An envelope is decoded first and alone; parameters, results and values stay text until the codec,
which knows their types, reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import attrs
import msgspec
from msgspec import UNSET, Raw, UnsetType

from farcall._protocol.messages import join

MAX_DEPTH = 64
"""Nesting of arrays and objects. Data of services seldom passes 10; parsers of other peers give
up between 100 and 1,000, and a recursive one must never be driven into its stack's end."""

BUNDLE_BYTES = 64 * 1024
"""A bundle grows no further: by then the cost of a frame is spread thin, and a larger one would
only delay its first message."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
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


_envelope = msgspec.json.Decoder(Envelope)
_array = msgspec.json.Decoder(list[Raw])
_anything = msgspec.json.Decoder(Any)
_string = msgspec.json.Decoder(str)


@attrs.frozen
class Frame:
    """The texts of one frame's messages."""

    messages: Sequence[bytes]
    is_array: bool


def read_frame(frame: str | bytes) -> Frame:
    """Check a frame's text and split an array into its messages.

    Raises:
        UnreadableText: it is no JSON, no UTF-8, or nested deeper than `MAX_DEPTH`.
    """
    text = _utf8(frame)
    _check_depth(text)
    if not text.lstrip(b" \t\r\n").startswith(b"["):
        return Frame([text], is_array=False)
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
    if isinstance(frame, str):
        return frame.encode()
    try:
        frame.decode()
    except UnicodeDecodeError as error:
        raise UnreadableText(f"not UTF-8: {error.reason} at byte {error.start}") from error
    return bytes(frame)


def _check_depth(text: bytes) -> None:
    if text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", text)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MAX_DEPTH:
            raise UnreadableText(f"nested deeper than {MAX_DEPTH} levels")


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
