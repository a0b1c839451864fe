"""The numbers and texts that JSON can say exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from farcall._codec.faults import mismatch

MAX_DIGITS = 4299
"""Of an int. CPython converts no text of more than 4,300 characters, the sign being one, because
that takes quadratic time."""

_TOO_LARGE = 10**MAX_DIGITS


def check_digits(value: int) -> int:
    """Give `value` if its text can be read back."""
    if -_TOO_LARGE < value < _TOO_LARGE:
        return value
    raise mismatch(f"expected int of at most {MAX_DIGITS} digits")


def finite(value: float) -> float:
    """Give `value` if it is a number; msgspec would write ``null`` for the others."""
    if math.isfinite(value):
        return value
    raise mismatch("expected finite float")


def check_text(value: str) -> str:
    """Give the plain `str` in `value` if it is made of characters."""
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
    """Let `check_text` take lone surrogates: a plain peer has sent them, and gets them back."""
    token = _may_be_surrogates.set(True)
    try:
        yield
    finally:
        _may_be_surrogates.reset(token)
