"""The codec of one type."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any, Generic, Literal, TypeAlias, TypeVar, overload

import msgspec

from farcall._codec.compiler import Compiler
from farcall._codec.shape import Shape
from farcall._codec.text import decoded, encoded
from farcall._contract.definitions import Definitions
from farcall._contract.types import describe

T = TypeVar("T")


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
        return _cached(annotation, repr(annotation))
    except TypeError:  # notes of `Annotated` may have no hash
        return Codec(annotation)


@lru_cache(maxsize=1024)
def _cached(annotation: object, _text: str) -> Codec[Any]:
    # Its text tells apart unions that differ in their order alone, which Python calls equal.
    return Codec(annotation)
