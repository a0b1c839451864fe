"""Any JSON value, as it is: `Any`, `object` and `farcall.Json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from farcall._codec.atoms import check_digits, check_text, finite
from farcall._codec.containers import convert, convert_table
from farcall._codec.faults import refused
from farcall._codec.shape import Plain, is_sequence, is_table

if TYPE_CHECKING:
    Json: TypeAlias = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
else:
    # A recursive alias cannot be resolved in another module's annotations.
    Json = Any


def _write(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return check_text(value)
    if isinstance(value, int):
        return check_digits(int(value))
    if isinstance(value, float):
        return finite(float(value))
    if is_table(value):
        return convert_table(_write_key, _write, value)
    if is_sequence(value):
        return convert(_write, value)
    raise refused("JSON", value)


def _write_key(key: Any) -> str:
    if isinstance(key, str):
        return check_text(key)
    raise refused("str as a key", key)


def _read(data: Any, _: object = None) -> Any:
    return data


def _fits(_: object) -> bool:
    return True


ANYTHING = Plain("JSON", _read, _write, _fits)
