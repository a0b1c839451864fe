"""The codec of one type."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any, Generic, Literal, TypeAlias, TypeVar, overload

import msgspec

from farcall._codec.hooks import Hooks
from farcall._codec.mirror import find_mirror
from farcall._codec.mirror_reading import Reading, Readings
from farcall._codec.mirror_writing import Writing, Writings
from farcall._codec.shape import Shape
from farcall._codec.text import FastThenDetailed, decoded, encoded
from farcall._contract.definitions import Definitions
from farcall._contract.describe import describe
from farcall._contract.spec import Scalar
from farcall._nursery import ends_program

T = TypeVar("T")


Unknown: TypeAlias = Literal["refuse", "ignore"]
"""Unknown fields of records: parameters refuse them, so that no request is served in part; results
ignore them, so that servers can add some."""


class Codec(Generic[T]):
    """Carries the values of one type over the wire; made by `codec_of`."""

    def __init__(self, annotation: object) -> None:
        self._definitions = Definitions()
        self._spec = describe(annotation, self._definitions)
        self._shapes: dict[tuple[Unknown, bool], Shape] = {}

    @property
    def is_bytes(self) -> bool:
        """Whether its values are bytes, which can cross without JSON."""
        return self._spec == Scalar("bytes")

    def encode(self, value: T, *, at: str = "value", is_plain: bool = False) -> bytes:
        """Write a value.

        Args:
            value: A value, which is checked against the type.
            at: The name of the value in errors.
            is_plain: Whether a plain peer gets it, which can get lone surrogates.

        Raises:
            EncodeError: the value is not of the type, or has a part that JSON cannot hold. The
                message has the path: ``expected int, got str @ value.items[3].qty``.
        """
        if (write := self._quick_write) is not None:
            try:
                return write(value)
            except Exception:  # noqa: BLE001  # the codec writes it, or reports the fault
                pass
        return encoded(self.writing, value, at, is_plain=is_plain)

    def decode(self, text: bytes | msgspec.Raw, *, unknown: Unknown, at: str) -> T:
        """Read a value.

        Args:
            text: JSON, whose depth was checked when its frame was read.
            unknown: Whether to refuse unknown fields of records.
            at: The name of the value in errors.

        Raises:
            Faults: the text is not JSON, or not of the type.
        """
        is_strict = unknown == "refuse"
        if (read := self._quick_strict if is_strict else self._quick_tolerant) is not None:
            try:
                return read(text)
            except BaseException as error:  # the codec reads it, or reports the fault
                if ends_program(error):
                    raise
        value: T = decoded(self.strict if is_strict else self.tolerant, text, at)
        return value

    @cached_property
    def _quick_write(self) -> Callable[[T], bytes] | None:
        return find_mirror(lambda: self.mirror_writing().encoder())

    @cached_property
    def _quick_strict(self) -> Callable[[bytes | msgspec.Raw], T] | None:
        return find_mirror(lambda: self.mirror_reading("refuse").decoder())

    @cached_property
    def _quick_tolerant(self) -> Callable[[bytes | msgspec.Raw], T] | None:
        return find_mirror(lambda: self.mirror_reading("ignore").decoder())

    def mirror_writing(self) -> Writing:
        """Return the mirror that writes values.

        Raises:
            NoMirror: there is none.
        """
        return Writings(self._definitions).of(self._spec)

    def mirror_reading(self, unknown: Unknown) -> Reading:
        """Return the mirror that reads values; see `mirror_writing`."""
        return Readings(self._definitions, unknown == "refuse").of(self._spec)

    @cached_property
    def writing(self) -> FastThenDetailed[Any]:
        """The passes that write."""
        return FastThenDetailed(lambda is_detailed: self.shape(is_detailed=is_detailed).write)

    @cached_property
    def strict(self) -> FastThenDetailed[Any]:
        """The passes that read, and refuse unknown fields."""
        return FastThenDetailed(lambda is_detailed: self.shape(is_detailed=is_detailed).read)

    @cached_property
    def tolerant(self) -> FastThenDetailed[Any]:
        """The passes that read, and ignore unknown fields."""
        return FastThenDetailed(lambda is_detailed: self._shape("ignore", is_detailed).read)

    def shape(self, *, is_detailed: bool) -> Shape:
        """Return the shape that refuses unknown fields, for use inside another codec.

        Args:
            is_detailed: Whether it reports the path of each fault, which takes longer.
        """
        return self._shape("refuse", is_detailed)

    def _shape(self, unknown: Unknown, is_detailed: bool) -> Shape:
        key = unknown, is_detailed
        if key not in self._shapes:
            hooks = Hooks(self._definitions, unknown == "refuse", is_detailed)
            self._shapes[key] = hooks.shape(self._spec)
        return self._shapes[key]


@overload
def codec_of(annotation: type[T]) -> Codec[T]: ...
@overload
def codec_of(annotation: object) -> Codec[Any]: ...
def codec_of(annotation: object) -> Codec[Any]:
    """Return the codec of a resolved annotation, such as ``list[Quote] | None``.

    Raises:
        UnsupportedType: values of the type cannot cross the wire.
    """
    try:
        return _cached(annotation, repr(annotation))
    except TypeError:  # a note of `Annotated` without a hash
        return Codec(annotation)


@lru_cache(maxsize=1024)
def _cached(annotation: object, _text: str) -> Codec[Any]:
    # Unions that differ in their order alone are equal to Python; their texts differ.
    return Codec(annotation)
