"""Values without a declared type, for peers without a stub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from msgspec import Raw

from farcall._codec.anything import ANYTHING, Json, copied
from farcall._codec.codec import codec_of
from farcall._codec.containers import convert, convert_table, in_order
from farcall._codec.faults import mismatch, refused
from farcall._codec.shape import Shape, Write, class_of, is_table
from farcall._codec.text import FastThenDetailed, decoded, encoded
from farcall._contract.own_types import registered
from farcall._contract.spec import UnsupportedType

_PLAIN = (type(None), bool, int, float, str)


def encode_untyped(value: object, *, at: str = "value", is_plain: bool = False) -> bytes:
    """Write a value without a declared type: JSON, or a value whose class is a type that crosses.

    Args:
        value: The value.
        at: The name of the value in errors.
        is_plain: Whether a plain peer gets it; see `encoded`.

    Raises:
        EncodeError: the value, or a part of it, is neither.
    """
    return encoded(_WRITING, value, at, is_plain=is_plain)


def decode_json(text: bytes | Raw, *, at: str = "value") -> Json:
    """Read any JSON value.

    Raises:
        Faults: the text is not JSON.
    """
    value: Json = decoded(_READING, text, at)
    return value


def _writer(is_detailed: bool) -> Write:
    def write(value: Any) -> Any:
        data = None if registered(class_of(value)) else copied(value)
        return write_parts(value) if data is None else data

    def write_parts(value: Any) -> Any:
        if registered(class_of(value)):
            return _shape_of(value, is_detailed).write(value)
        if is_table(value):
            return _with_all_keys(value, convert_table(write_key, write_parts, value))
        if _is_array(value):
            return convert(write_parts, value)
        if _is_set(value):
            return in_order(convert(write_parts, value))
        if isinstance(value, _PLAIN):
            return ANYTHING.write(value)
        return _shape_of(value, is_detailed).write(value)

    def write_key(key: Any) -> str:
        return _as_key(write_parts(key), key)

    return write


def _as_key(written: object, key: object) -> str:
    if type(written) in (str, int):
        return str(written)
    raise refused("text or int as a key", key)


def _with_all_keys(table: Mapping[Any, Any], written: dict[str, Any]) -> dict[str, Any]:
    if len(written) == len(table):
        return written
    raise mismatch("expected keys whose texts differ")


def _is_array(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    # A NamedTuple is a tuple as well, and crosses as an object of its fields.
    return isinstance(value, list) or type(value) is tuple


def _is_set(value: object) -> TypeGuard[set[Any] | frozenset[Any]]:
    return isinstance(value, set | frozenset)


def _shape_of(value: object, is_detailed: bool) -> Shape:
    try:
        return codec_of(type(value)).shape(is_detailed=is_detailed)
    except UnsupportedType as error:
        raise mismatch(str(error)) from error


_WRITING = FastThenDetailed(_writer)
_READING = FastThenDetailed(lambda _: ANYTHING.read)
