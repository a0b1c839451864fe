"""Any JSON value, as it is: `Any`, `object` and `farcall.Json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from farcall._codec.atoms import MAX_DIGITS, check_digits, check_text, finite
from farcall._codec.containers import convert, convert_table
from farcall._codec.faults import refused
from farcall._codec.shape import Plain, is_sequence, is_table

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

    msgspec also writes what JSON cannot say: NaN as null, a set as an array, the keys 1 and "1"
    alike. What is read back differs from such a value, and also from a tuple.

    Args:
        value: Anything.
        kinds: What is copied; most else is quicker to look at.

    Returns:
        A list or dict that shares nothing with `value`; None where `value` is none of `kinds` or no
        plain JSON, or may hold a number that is too long to read.
    """
    if not isinstance(value, kinds):
        return None
    try:
        text = _encode(value)
        data = _decode(text)
        is_same = data == value
    except Exception:  # noqa: BLE001  # whatever it is, going through the parts tells it properly
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


def _read(data: Any, _: object = None) -> Any:
    return data


def _fits(_: object) -> bool:
    return True


ANYTHING = Plain("JSON", _read, _write, _fits)
