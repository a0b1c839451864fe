"""Keys of tables, which are text in JSON: those that other shapes cannot read as they are."""

from __future__ import annotations

import re
from typing import Any, Final

from farcall._codec.anything import MAX_DIGITS
from farcall._codec.faults import mismatch
from farcall._codec.shape import Plain, Shape

_INTEGER: Final = re.compile(rf"0|-?[1-9][0-9]{{0,{MAX_DIGITS - 1}}}").fullmatch
"""The text that Python writes. `int` also takes ``01``, ``+1``, ``1_0`` and other digits: many
texts would mean one key."""


def integer_key(shape: Shape) -> Plain:
    """Make the shape of keys that are integers, such as those of an `IntEnum`.

    Args:
        shape: Reads and writes the integers.
    """

    def read(data: Any, _: object = None) -> Any:
        if type(data) is not str or _INTEGER(data) is None:
            raise mismatch("expected the digits of an int as a key")
        return shape.read(int(data))

    def write(value: Any) -> str:
        return str(shape.write(value))

    return Plain(shape.label, read, write, shape.fits)


def uuid_key(shape: Shape) -> Plain:
    """Make the shape of keys that are UUIDs, which other programs also write in upper case."""

    def read(data: Any, _: object = None) -> Any:
        value = shape.read(data)
        if shape.write(value) != data:
            raise mismatch("expected UUID in lower case as a key")
        return value

    return Plain(shape.label, read, shape.write, shape.fits)
