"""The numbers and texts that JSON can say exactly."""

from __future__ import annotations

import enum
import sys

import pytest

from farcall._codec.anything import MAX_DIGITS, check_digits, check_text, finite
from farcall._codec.faults import Mismatch


class Side(enum.StrEnum):
    BUY = "buy"


def hex_length(value: int) -> str:
    return f"{value.bit_length()} bits"  # pytest would write the number itself


def test_digits() -> None:
    """The largest int is one that Python reads back, sign and all."""
    biggest = 10**MAX_DIGITS - 1

    assert check_digits(biggest) == biggest
    assert check_digits(-biggest) == -biggest
    assert len(str(-biggest)) == sys.int_info.default_max_str_digits


@pytest.mark.parametrize("value", [10**MAX_DIGITS, -(10**MAX_DIGITS), 1 << 100_000], ids=hex_length)
def test_too_many_digits(value: int) -> None:
    """A larger one is refused before it becomes a text, which would take long."""
    with pytest.raises(Mismatch):
        check_digits(value)


def test_finite() -> None:
    """Numbers pass; what msgspec would write as null does not."""
    assert finite(1.5) == 1.5
    for value in (float("nan"), float("inf"), float("-inf")):
        with pytest.raises(Mismatch):
            finite(value)


def test_text() -> None:
    """Text comes out as a plain str; half of a character is refused."""
    assert check_text("é") == "é"
    assert type(check_text(Side.BUY)) is str
    with pytest.raises(Mismatch):
        check_text("\ud800")
