"""Text: decode one message, split an array, count its depth, find who is answered, join messages.

A message is decoded first and alone; parameters, results and values stay text until the codec,
which knows their types, reads them.
"""

from __future__ import annotations

import json
import math
import re
from collections import deque
from collections.abc import Sequence
from itertools import accumulate, islice
from typing import Annotated, Any, Final, NoReturn, TypeAlias, TypeVar

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
_SURROGATE = re.compile(rb"(?<!\\)((?:\\\\)*+)\\u([dD][89a-fA-F][0-9a-fA-F]{2})")
_HIDDEN = b"\xff\xff"
"""Stands for the beginning of an escape; nothing that is UTF-8 holds it."""
_MEMBER = re.compile(rb'"(id|method|result|error)"[ \t\r\n]*:[ \t\r\n]*')
_ID = re.compile(rb'-?[0-9][-+.0-9eE]*|"(?:[^"\\]|\\.){0,256}"', re.DOTALL)
_MOST_LOOKED_AT = 4
"""Members at either end of a broken text: its id stands first, or last."""
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


class LooseText(bytes):
    """JSON of a plain peer whose texts hold lone surrogates, for `decode_surrogates`."""


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
    seq: Raw | UnsetType = UNSET


class _RawMessage(msgspec.Struct):
    """The same members, whatever they hold."""

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
_anything = msgspec.json.Decoder(Any)
_string = msgspec.json.Decoder(str)
decode_message = msgspec.json.Decoder(Message).decode
"""Decode one message; raises one of `DECODE_ERRORS`, whereupon `decode_odd` may know more."""
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


def decode_odd(text: bytes) -> Message | None:
    """Decode a message that `decode_message` did not take; None for JSON that is no object.

    It is the message of a peer that writes lone surrogates, as JavaScript does for half of an
    emoji, or one whose method is a number beyond all bounds. Parameters, results and errors are
    kept as they came, for whoever reads them to refuse.

    Raises:
        UnreadableText: it is no JSON.
    """
    if text.lstrip(b" \t\r\n")[:1] != b"{":
        decode(_anything, text)
        return None
    try:
        raw = decode(_raw_message, hide_surrogates(text))
    except UnreadableText:
        decode(_anything, text)  # what is wrong, in words for the text as it came
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


def decode_surrogates(text: bytes | Raw) -> Any:
    """Decode JSON of a plain peer whose texts may hold lone surrogates, as Python's `json` does.

    Raises:
        UnreadableText: it is no JSON.
    """
    try:
        return json.loads(bytes(text), parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise UnreadableText(str(error)) from error


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def hide_surrogates(text: bytes) -> bytes:
    """Write escapes of surrogates as what msgspec skips; the text keeps its length."""
    return _SURROGATE.sub(rb"\1%b\2" % _HIDDEN, text) if b"\\u" in text else text


def show_surrogates(text: bytes | Raw) -> bytes:
    """Undo `hide_surrogates`, for a part of its text."""
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
        UnreadableText: it is no array, or one of too many.
    """
    if text.count(b",") >= MAX_PARTS and _has_too_many_parts(text):
        raise UnreadableText(f"more than {MAX_PARTS} messages in one frame (the limit bundle)")
    try:
        return [bytes(part) for part in _array.decode(text)]
    except DECODE_ERRORS as error:
        try:  # one message with a lone surrogate does not condemn the others
            parts = _array.decode(hide_surrogates(text))
        except DECODE_ERRORS:
            raise UnreadableText(str(error)) from error
        return [show_surrogates(part) for part in parts]


def join(texts: Sequence[bytes]) -> bytes:
    """Write texts as one JSON array."""
    return b"[%b]" % b",".join(texts)


def find_answered(text: bytes) -> RequestId | None:
    """Find the id in a text that is no JSON, or nests too deep, but must have been an answer.

    A server may write NaN, cut a text in half, or escape as no JSON does; its caller is not to
    wait for ever. What stands at either end of the text is looked at, in linear time.
    """
    if text.lstrip(b" \t\r\n")[:1] != b"{":
        return None
    members: dict[bytes, int] = {}
    at = depth = 0
    matches = _MEMBER.finditer(text)
    for match in (*islice(matches, _MOST_LOOKED_AT), *deque(matches, _MOST_LOOKED_AT)):
        before = _STRING.sub(b'"', text[at : match.start()]).rstrip(b" \t\r\n")
        if before[-1:] not in (b"{", b","):  # it stands in a string
            continue
        at = match.start()
        depth += sum(before.count(mark) for mark in b"{[") - sum(map(before.count, b"}]"))
        if depth == 1:
            members[match[1]] = match.end()
    is_answer = b"result" in members or b"error" in members or b"method" not in members
    id = _ID.match(text, members[b"id"]) if is_answer and b"id" in members else None
    return None if id is None else id[0]


def canonical_id(id: RequestId, *, is_plain: bool) -> RequestId:
    """Write an id as this side writes its own: a peer may have made 1.0 of 1, or escaped text.

    Args:
        id: As it came.
        is_plain: Whether the peer may also have made "1" of 1.
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
