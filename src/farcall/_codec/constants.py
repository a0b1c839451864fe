"""Literals and enums: some values, told apart by type and value."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import Enum
from typing import Any

from farcall._codec.faults import mismatch, refused
from farcall._codec.shape import Plain
from farcall._contract.unions import Constant

MAX_NAMED = 8
"""Values that a message lists; an enum may have hundreds."""


def constants(pairs: Iterable[tuple[Any, Constant]], name: str | None = None) -> Plain:
    """Make the shape of a set of values.

    Args:
        pairs: Each value with what stands for it in JSON.
        name: What they are called where a Python value is refused; they are listed by default.
    """
    pairs = list(pairs)
    values: dict[tuple[type, object], Any] = {
        (type(constant), constant): value for value, constant in pairs
    }
    texts: dict[tuple[type, object], Constant] = {
        (type(value), value): constant for value, constant in pairs
    }
    label = _listed(json.dumps(constant) for _, constant in pairs)
    expected = _listed(_in_python(value) for value, _ in pairs) if name is None else name
    kinds = {kind for kind, _ in texts}

    def read(data: Any, _: object = None) -> Any:
        try:
            return values[type(data), data]
        except (KeyError, TypeError):  # a list or dict has no hash
            raise mismatch(f"expected {label}") from None

    def write(value: Any) -> Any:
        try:
            return texts[type(value), value]
        except (KeyError, TypeError):
            if type(value) in kinds:  # its type alone would not tell what is wrong
                raise mismatch(f"expected {expected}, got another {type(value).__name__}") from None
            raise refused(expected, value) from None

    def fits(value: object) -> bool:
        try:
            return (type(value), value) in texts
        except TypeError:
            return False

    return Plain(label, read, write, fits)


def _listed(values: Iterable[str]) -> str:
    shown = list(values)
    return " | ".join([*shown[:MAX_NAMED], "..."] if len(shown) > MAX_NAMED else shown)


def _in_python(value: object) -> str:
    """Write a value of a Literal as its author would."""
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    return json.dumps(value) if isinstance(value, str) else repr(value)
