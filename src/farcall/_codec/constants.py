"""Literals and enums: some values, told apart by type and value."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from farcall._codec.faults import mismatch, refused
from farcall._codec.shape import Plain
from farcall._contract.unions import Constant

MAX_NAMED = 8
"""Values that a message lists; an enum may have hundreds."""


def constants(name: str, pairs: Iterable[tuple[Any, Constant]]) -> Plain:
    """Make the shape of a set of values.

    Args:
        name: What they are called where a Python value is refused.
        pairs: Each value with what stands for it in JSON.
    """
    pairs = list(pairs)
    values: dict[tuple[type, object], Any] = {
        (type(constant), constant): value for value, constant in pairs
    }
    texts: dict[tuple[type, object], Constant] = {
        (type(value), value): constant for value, constant in pairs
    }
    label = _label([constant for _, constant in pairs])

    def read(data: Any, _: object = None) -> Any:
        try:
            return values[type(data), data]
        except (KeyError, TypeError):  # a list or dict has no hash
            raise mismatch(f"expected {label}") from None

    def write(value: Any) -> Any:
        try:
            return texts[type(value), value]
        except (KeyError, TypeError):
            raise refused(name, value) from None

    def fits(value: object) -> bool:
        try:
            return (type(value), value) in texts
        except TypeError:
            return False

    return Plain(label, read, write, fits)


def _label(values: list[Constant]) -> str:
    shown = [json.dumps(value) for value in values[:MAX_NAMED]]
    return " | ".join([*shown, "..."] if len(values) > MAX_NAMED else shown)
