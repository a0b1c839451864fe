"""Between JSON text and values, with every fault told by one of two errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from farcall._codec.faults import Faults, Mismatch, mismatch
from farcall._codec.shape import is_array, is_object
from farcall._protocol.wire import MAX_DEPTH, UnreadableText, decode
from farcall.errors import EncodeError

ENVELOPE_DEPTH = 4
"""What may stand around a value: a bundle, a message, its params, the values of one stream."""

MAX_VALUE_DEPTH = MAX_DEPTH - ENVELOPE_DEPTH
"""Nesting of what is written, so that no message is deeper than peers read."""

_TOO_DEEP = f"nested deeper than {MAX_VALUE_DEPTH} levels"

T = TypeVar("T")

_anything = msgspec.json.Decoder(Any)
_encoder = msgspec.json.Encoder()


def decoded(read: Callable[[Any], T], text: bytes | Raw, at: str) -> T:
    """Read JSON and make a value of it.

    How deep the text nests was checked once, where its frame was read.

    Raises:
        Faults: it is no JSON, or `read` finds a `Mismatch`.
    """
    try:
        return read(decode(_anything, text))
    except UnreadableText as error:
        raise Faults.one(at, f"not JSON: {error}") from error
    except Mismatch as error:
        raise Faults(fault.within(at) for fault in error.faults) from error
    except RecursionError as error:
        raise Faults.one(at, "nested too deep") from error


def encoded(write: Callable[[T], Any], value: T, at: str) -> bytes:
    """Make of a value what stands for it, and write that as JSON.

    Raises:
        EncodeError: `write` finds a `Mismatch`, or the text would nest too deep.
    """
    try:
        data = write(value)
        text = _encoder.encode(data)
        if text.count(b"[") + text.count(b"{") > MAX_VALUE_DEPTH:
            _check_depth(data)
    except Mismatch as error:
        raise EncodeError(str(error.faults[0].within(at))) from None
    except RecursionError:
        raise EncodeError(f"{_TOO_DEEP} @ {at}") from None
    return text


def _check_depth(data: Any) -> None:
    level: list[Any] = [[data]]
    for _ in range(MAX_VALUE_DEPTH + 1):
        inside = (each.values() if is_object(each) else each for each in level)
        level = [part for parts in inside for part in parts if is_object(part) or is_array(part)]
        if not level:
            return
    raise mismatch(_TOO_DEEP)
