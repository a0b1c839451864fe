"""JSON as text: decoding with one error for all faults, and how deep it nests.

The protocol reads envelopes with it, and the codec values.
"""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import Any, Final, NoReturn, TypeGuard, TypeVar

import msgspec
from msgspec import Raw

from farcall._limits import MAX_DEPTH, MAX_PARTS

# It also matches a string without an end. A pattern that fails there would be tried again at each
# quote, in a time that grows with the square of the text.
STRING = re.compile(rb'"[^"\\]*+(?:\\.?[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_NO_MARKS = bytes(set(_NO_BRACKETS) - set(b","))
_NO_QUOTES_OR_BRACKETS = bytes(set(range(256)) - set(b'[]{}"\\'))
_COMMA = ord(",")
_STEP_OF_MARK = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1, ord(","): 0}
_PASSES = 8
"""Each removes one level or two; most data nests no deeper, and deeper data is counted in full."""
_LONG = 4096
"""Bytes from which a search for the first few brackets is faster than a count of all."""
T = TypeVar("T")
DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)
"""All errors that msgspec raises for a text."""


class UnreadableText(Exception):
    """The text is not JSON, or not of the expected shape; says why."""


class LooseText(bytes):
    """JSON of a plain peer with lone surrogates, for `decode_surrogates`."""


def decode(decoder: msgspec.json.Decoder[T], text: bytes | Raw) -> T:
    """Decode a text.

    Raises:
        UnreadableText: msgspec cannot.
    """
    try:
        return decoder.decode(text)
    except DECODE_ERRORS as error:
        raise UnreadableText(str(error)) from error


def is_array(data: object) -> TypeGuard[list[Any]]:
    """Tell whether decoded JSON is an array."""
    return type(data) is list


def is_object(data: object) -> TypeGuard[dict[str, Any]]:
    """Tell whether decoded JSON is an object."""
    return type(data) is dict


def decode_surrogates(text: bytes | Raw) -> Any:
    """Decode JSON with lone surrogates, which Python's `json` reads and msgspec does not.

    Raises:
        UnreadableText: it is not JSON.
    """
    try:
        return json.loads(bytes(text), parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise UnreadableText(str(error)) from error


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number in JSON")


def count_brackets(text: bytes) -> int:
    """Count opening brackets, also those in strings: no text nests deeper.

    In a long text the count stops when it is certainly too high.
    """
    if len(text) < _LONG:
        return text.count(b"[") + text.count(b"{")
    found = 0  # `find` uses memchr, ten times as fast as `count`
    for mark in (b"[", b"{"):
        at = text.find(mark)
        while at >= 0 and found <= MAX_DEPTH:
            found += 1
            at = text.find(mark, at + 1)
    return found


def is_too_deep(text: bytes, most: int = MAX_DEPTH) -> bool:
    """Tell whether a text, which need not be JSON, nests deeper than `most` levels."""
    if count_brackets(text) <= most:
        return False
    marks = text.translate(None, _NO_QUOTES_OR_BRACKETS)
    if b"\\" not in marks:
        # A string without brackets is a pair of quotes here; most texts have no other strings.
        outside = marks.replace(b'""', b"")
        if b'"' in outside:
            outside = b"".join(marks.split(b'"')[::2])
        if _is_shallow(outside, most):
            return False
    brackets = STRING.sub(b"", text).translate(None, _NO_BRACKETS)
    return max(accumulate(map(_STEP_OF_MARK.__getitem__, brackets)), default=0) > most


def _is_shallow(brackets: bytes, most: int) -> bool:
    """Tell whether a few passes, each removing the innermost pairs, leave no bracket."""
    for _ in range(min(most // 2, _PASSES)):
        remaining = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if not remaining:
            return True
        if len(remaining) == len(brackets):
            return False
        brackets = remaining
    return False


def has_too_many_parts(text: bytes) -> bool:
    """Tell whether an array has `MAX_PARTS` commas or more at its first level."""
    marks = STRING.sub(b"", text).translate(None, _NO_MARKS)
    depths = accumulate(map(_STEP_OF_MARK.__getitem__, marks))
    parts = sum(mark == _COMMA and depth == 1 for mark, depth in zip(marks, depths, strict=True))
    return parts >= MAX_PARTS
