"""JSON as text: decoded with one error for all faults, and how deep it nests.

Both columns stand on it: the protocol, which reads envelopes, and the codec, which reads values.
"""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import Any, Final, NoReturn, TypeVar

import msgspec
from msgspec import Raw

from farcall._limits import MAX_DEPTH, MAX_PARTS

# It also takes a string that does not end. A pattern that fails there would be tried again from
# each quote on, in a time that grows with the square of the text.
STRING = re.compile(rb'"[^"\\]*+(?:\\.?[^"\\]*+)*+"?', re.DOTALL)
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
DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError)
"""All that msgspec raises for a text."""


class UnreadableText(Exception):
    """The text is no JSON that may be read; says why."""


class LooseText(bytes):
    """JSON of a plain peer whose texts hold lone surrogates, for `decode_surrogates`."""


def decode(decoder: msgspec.json.Decoder[T], text: bytes | Raw) -> T:
    """Decode with whatever msgspec may raise mapped to `UnreadableText`."""
    try:
        return decoder.decode(text)
    except DECODE_ERRORS as error:
        raise UnreadableText(str(error)) from error


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
    brackets = STRING.sub(b"", text).translate(None, _NO_BRACKETS)
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


def has_too_many_parts(text: bytes) -> bool:
    """Tell whether an array has `MAX_PARTS` commas or more at its first level."""
    marks = STRING.sub(b"", text).translate(None, _NO_MARKS)
    depths = accumulate(map(_STEP_OF_MARK.__getitem__, marks))
    parts = sum(mark == _COMMA and depth == 1 for mark, depth in zip(marks, depths, strict=True))
    return parts >= MAX_PARTS
