"""Any JSON value (`Any`, `object`, `farcall.Json`), and checks of the numbers and texts in it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from farcall._codec.containers import convert, convert_table
from farcall._codec.faults import mismatch, refused
from farcall._codec.shape import Plain, is_sequence, is_table

MAX_DIGITS = 4299
"""Digits of an int. CPython converts texts of up to 4,300 characters, of which the sign is one;
converting takes quadratic time."""

_TOO_LARGE = 10**MAX_DIGITS


def check_digits(value: int) -> int:
    """Return an int whose text can be read back."""
    if -_TOO_LARGE < value < _TOO_LARGE:
        return value
    raise mismatch(f"expected int of at most {MAX_DIGITS} digits")


def finite(value: float) -> float:
    """Return a float that JSON has; msgspec would write NaN and infinities as ``null``."""
    if math.isfinite(value):
        return value
    raise mismatch("expected finite float")


def check_text(value: str) -> str:
    """Return a `str`, and no subclass, that UTF-8 can hold."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        if not _may_be_surrogates.get():
            raise mismatch(NO_SURROGATES) from error
    return str.__str__(value)


NO_SURROGATES = "expected str without lone surrogates"
_may_be_surrogates = ContextVar("farcall surrogates", default=False)


@contextmanager
def allowed_surrogates() -> Iterator[None]:
    """Let `check_text` take lone surrogates: a plain peer sends them, and gets them back."""
    token = _may_be_surrogates.set(True)
    try:
        yield
    finally:
        _may_be_surrogates.reset(token)


if TYPE_CHECKING:
    Json: TypeAlias = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
else:
    # A recursive alias cannot be resolved in another module's annotations.
    Json = Any


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode

_ALL_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONGEST = b"0" * (MAX_DIGITS + 1)


def copied(value: object, kinds: tuple[type, ...] = (list, dict)) -> Any:
    """Copy a container of plain JSON by writing and reading it, which msgspec does in C.

    msgspec also writes values that are not JSON: NaN as null, a set as an array, the keys 1 and
    "1" alike. The copy of such a value differs from it, and so does that of a tuple.

    Args:
        value: Any value.
        kinds: Containers to copy; other values are quicker to look at.

    Returns:
        A list or dict that shares nothing with `value`. None if `value` is none of `kinds` or not
        plain JSON, or may hold a number that is too long to read.
    """
    if not isinstance(value, kinds):
        return None
    try:
        text = _encode(value)
        data = _decode(text)
        is_same = data == value
    except Exception:  # noqa: BLE001  # `_write_parts` finds what is wrong, and where
        return None
    return data if is_same and _LONGEST not in text.translate(_ALL_ZEROS) else None


def _write(value: Any) -> Any:
    data = copied(value)
    return _write_parts(value) if data is None else data


def _write_parts(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return check_text(value)
    if isinstance(value, int):
        return check_digits(int(value))
    if isinstance(value, float):
        return finite(float(value))
    if is_table(value):
        return convert_table(_write_key, _write_parts, value)
    if is_sequence(value):
        return convert(_write_parts, value)
    raise refused("JSON", value)


def _write_key(key: Any) -> str:
    if isinstance(key, str):
        return check_text(key)
    raise refused("str as a key", key)


ANYTHING = Plain("JSON", lambda data, _=None: data, _write, lambda _: True)
