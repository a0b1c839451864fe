"""The codec of one type, and of values without a declared one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cached_property, lru_cache
from typing import Any, Generic, Literal, TypeAlias, TypeVar, overload

import msgspec

from farcall._codec.anything import ANYTHING, Json
from farcall._codec.compiler import Compiler
from farcall._codec.containers import convert, convert_table, in_order
from farcall._codec.faults import mismatch, refused
from farcall._codec.shape import Shape
from farcall._codec.text import decoded, encoded
from farcall._contract.definitions import Definitions
from farcall._contract.types import describe
from farcall._contract.unsupported import UnsupportedType

T = TypeVar("T")

_PLAIN = (bool, int, float, str)

Unknown: TypeAlias = Literal["refuse", "ignore"]
"""What becomes of fields that a record does not know: parameters refuse them, so that nothing
that was asked for is overlooked; results ignore them, so that servers may add some."""


class Codec(Generic[T]):
    """Carries the values of one type over the wire; made by `codec_of`."""

    def __init__(self, annotation: object) -> None:
        self._definitions = Definitions()
        self._spec = describe(annotation, self._definitions)

    def encode(self, value: T, *, at: str = "value") -> bytes:
        """Write a value.

        Args:
            value: Is checked against the type.
            at: What it is called in errors.

        Raises:
            EncodeError: it is not of the type, or holds what JSON cannot say. The message tells
                what and where: ``expected int, got str @ value.items[3].qty``.
        """
        return encoded(self.strict.write, value, at)

    def decode(self, text: bytes | msgspec.Raw, *, unknown: Unknown, at: str) -> T:
        """Read a value.

        Args:
            text: JSON. How deep it nests was checked where the frame was read.
            unknown: What becomes of fields that a record does not know.
            at: What the value is called in errors.

        Raises:
            Faults: the text is no JSON, or not of the type.
        """
        shape = self.strict if unknown == "refuse" else self.tolerant
        value: T = decoded(shape.read, text, at)
        return value

    @cached_property
    def strict(self) -> Shape:
        """The shape that refuses unknown fields, for use inside of another codec."""
        return Compiler(self._definitions, refuses_unknown=True).shape(self._spec)

    @cached_property
    def tolerant(self) -> Shape:
        """The shape that ignores unknown fields, for use inside of another codec."""
        return Compiler(self._definitions, refuses_unknown=False).shape(self._spec)


@overload
def codec_of(annotation: type[T]) -> Codec[T]: ...
@overload
def codec_of(annotation: object) -> Codec[Any]: ...
def codec_of(annotation: object) -> Codec[Any]:
    """Give the codec of a resolved annotation, such as ``list[Quote] | None``.

    Raises:
        UnsupportedType: values of the type cannot cross the wire.
    """
    try:
        return _cached(annotation)
    except TypeError:  # notes of `Annotated` may have no hash
        return Codec(annotation)


_cached = lru_cache(maxsize=1024)(Codec[Any])


def encode_untyped(value: object, *, at: str = "value") -> bytes:
    """Write a value without a declared type: JSON, and whatever its own class can tell.

    Raises:
        EncodeError: it, or a part of it, is neither.
    """
    return encoded(_write, value, at)


def decode_json(text: bytes | msgspec.Raw, *, at: str = "value") -> Json:
    """Read any JSON value.

    Raises:
        Faults: the text is no JSON.
    """
    value: Json = decoded(ANYTHING.read, text, at)
    return value


def _write(value: Any) -> Any:
    if isinstance(value, Mapping):
        return convert_table(_write_key, _write, value)
    if isinstance(value, list) or type(value) is tuple:
        return convert(_write, value)
    if isinstance(value, set | frozenset):
        return in_order(convert(_write, value))
    if isinstance(value, Enum) or not isinstance(value, _PLAIN):
        return _shape_of(type(value)).write(value)
    return ANYTHING.write(value)


def _write_key(key: Any) -> str:
    if isinstance(written := _write(key), str):
        return written
    raise refused("text as a key", key)


def _shape_of(cls: type) -> Shape:
    try:
        return codec_of(cls).strict
    except UnsupportedType as error:
        raise mismatch(str(error)) from error
