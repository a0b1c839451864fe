"""Helpers that write and read one value."""

from __future__ import annotations

from typing import Any

import pytest

from farcall._codec import Faults, Unknown, codec_of
from farcall.errors import EncodeError


def write(annotation: Any, value: object) -> str:
    """Write a value as JSON."""
    return codec_of(annotation).encode(value).decode()


def read(annotation: Any, text: str, unknown: Unknown = "refuse") -> Any:
    """Read a value."""
    return codec_of(annotation).decode(text.encode(), unknown=unknown, at="value")


def faults(annotation: Any, text: str, unknown: Unknown = "refuse") -> list[str]:
    """Return the faults of a JSON text."""
    with pytest.raises(Faults) as caught:
        read(annotation, text, unknown)
    return [str(fault) for fault in caught.value.errors]


def refusal(annotation: Any, value: object) -> str:
    """Give the error about a value that is not of its type."""
    with pytest.raises(EncodeError) as caught:
        write(annotation, value)
    return str(caught.value)


def same(one: object, other: object) -> bool:
    """Compare with the classes of everything inside, for ``1 == True == 1.0``."""
    if type(one) is not type(other) or one != other:
        return False
    match one, other:
        case (list() | tuple(), list() | tuple()):
            return all(map(same, one, other))
        case dict(), dict():
            return all(map(same, one, other)) and all(map(same, one.values(), other.values()))
        case _:
            return True
