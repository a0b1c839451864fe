"""JSON text to values and back: a fast pass, and a detailed one that reports faults by path."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Raw

from farcall._codec.anything import NO_SURROGATES, allowed_surrogates
from farcall._codec.faults import Faults, Mismatch, item, member
from farcall._contract.identifiers import has_lone_surrogate
from farcall._json import (
    LooseText,
    UnreadableText,
    decode,
    decode_surrogates,
    is_array,
    is_object,
    is_too_deep,
)
from farcall._limits import MAX_DEPTH
from farcall._nursery import ends_program
from farcall.errors import EncodeError

T = TypeVar("T")

Convert: TypeAlias = Callable[[Any], T]


class FastThenDetailed(Generic[T]):
    """A conversion that is quick for right data.

    Args:
        make: Makes the function, given whether it reports paths. One that does not may fail with
            any exception.
    """

    def __init__(self, make: Callable[[bool], Convert[T]]) -> None:
        self._make = make
        self.quick: Convert[T] = make(False)

    def way(self, is_detailed: bool) -> Convert[T]:
        """Return one of the two, for use inside another conversion."""
        return self.detailed if is_detailed else self.quick

    @cached_property
    def detailed(self) -> Convert[T]:
        """The function that reports paths, made at the first failure. It fails with `Mismatch`."""
        return self._make(True)


ENVELOPE_DEPTH = 4
"""Levels around a value: a bundle, a message, its params, the values of one stream."""

MAX_VALUE_DEPTH = MAX_DEPTH - ENVELOPE_DEPTH
"""Levels of a value that is written, so that peers can read the message."""

MAX_DETAILED = 16 * 1024
"""Bytes of a text that is read again to find its faults. That takes several times as long as the
first reading, and a peer decides how many faults there are."""

_NO_PATH = f"the path is reported for texts of at most {MAX_DETAILED} bytes"
_TOO_DEEP = f"nested deeper than {MAX_VALUE_DEPTH} levels"


_anything = msgspec.json.Decoder(Any)
_encoder = msgspec.json.Encoder()


class TooDeep(EncodeError):
    """The value is of its type, and too deep for a message: a limit, rather than a mistake."""


def decoded(reading: FastThenDetailed[T], text: bytes | Raw, at: str) -> T:
    """Read JSON and make a value of it.

    How deep the text nests was checked once, where its frame was read.

    Raises:
        Faults: the text is not JSON, or `reading` refuses its data.
    """
    try:
        data = decode(_anything, text)
    except UnreadableText as error:
        data = _with_surrogates(text, error, at)
    try:
        return reading.quick(data)
    except BaseException as error:  # the detailed pass reports it
        if ends_program(error):
            raise
        if memoryview(text).nbytes > MAX_DETAILED:
            raise Faults.one(at, f"{_reason(error)}; {_NO_PATH}") from error
    return _read_in_detail(reading, data, at)


def _with_surrogates(text: bytes | Raw, error: UnreadableText, at: str) -> Any:
    """Decode lone surrogates of a plain peer; report them as a fault of any other."""
    is_loose = isinstance(text, LooseText)
    not_json = Faults.one(at, f"not JSON: {error}")
    if not is_loose and memoryview(text).nbytes > MAX_DETAILED:
        raise not_json from error
    try:
        data = decode_surrogates(text)
    except UnreadableText:
        raise not_json from error
    if is_loose:
        return data
    path = _find_surrogate(data)
    raise (not_json if path is None else Faults.one(at + path, NO_SURROGATES)) from error


def _find_surrogate(data: Any) -> str | None:
    """Return the path of the first text with a lone surrogate."""
    if isinstance(data, str):
        return "" if has_lone_surrogate(data) else None
    parts: Iterable[tuple[str, Any]] = ()
    if is_array(data):
        parts = ((item(index), each) for index, each in enumerate(data))
    elif is_object(data):
        if (key := next(filter(has_lone_surrogate, data), None)) is not None:
            return member(key)
        parts = ((member(key), each) for key, each in data.items())
    for path, each in parts:
        if (inside := _find_surrogate(each)) is not None:
            return path + inside
    return None


def _reason(error: BaseException) -> str:
    """Return the reason of the quick pass, which knows some faults without their paths."""
    if isinstance(error, Mismatch):
        return f"{error.faults[0].message} somewhere inside"
    return "not of its type"


def _read_in_detail(reading: FastThenDetailed[T], data: Any, at: str) -> T:
    try:
        return reading.detailed(data)
    except Mismatch as error:
        raise Faults(fault.within(at) for fault in error.faults) from error
    except RecursionError as error:
        raise Faults.one(at, "nested too deep") from error
    except BaseException as error:
        # cattrs collects each Exception that a constructor raises, and no other BaseException.
        if isinstance(error, Exception) or ends_program(error):
            raise
        raise Faults.one(at, "refused") from error


def encoded(
    writing: FastThenDetailed[Any], value: Any, at: str, *, is_plain: bool = False
) -> bytes:
    """Make JSON data of a value, and write it as text.

    Args:
        writing: Makes the data.
        value: The value.
        at: The name of the value in errors.
        is_plain: Whether a plain peer gets the text, which may then hold lone surrogates.

    Raises:
        EncodeError: `writing` refuses the value, or the text would nest too deep.
    """
    try:
        data = _written(writing, value)
        text = _encoder.encode(data)
    except Mismatch as error:
        if is_plain and error.faults[0].message == NO_SURROGATES:
            return _encoded_loosely(writing, value, at)
        raise EncodeError(str(error.faults[0].within(at))) from None
    except RecursionError:  # most likely it contains itself
        raise EncodeError(f"{_TOO_DEEP} @ {at}") from None
    if is_too_deep(text, MAX_VALUE_DEPTH):
        raise TooDeep(f"{_TOO_DEEP} @ {at}")
    return text


def _encoded_loosely(writing: FastThenDetailed[Any], value: Any, at: str) -> bytes:
    """Write a value with lone surrogates, each as an escape."""
    try:
        with allowed_surrogates():
            data = writing.detailed(value)
    except Mismatch as error:
        raise EncodeError(str(error.faults[0].within(at))) from None
    text = json.dumps(data, allow_nan=False, separators=(",", ":")).encode()
    if is_too_deep(text, MAX_VALUE_DEPTH):
        raise TooDeep(f"{_TOO_DEEP} @ {at}")
    return text


def _written(writing: FastThenDetailed[Any], value: Any) -> Any:
    try:
        return writing.quick(value)
    except Exception:  # noqa: BLE001  # the detailed pass reports it
        return writing.detailed(value)
