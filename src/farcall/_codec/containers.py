"""Arrays, tuples and tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from farcall._codec.faults import Mismatch, item, member, mismatch, refused
from farcall._codec.shape import Shape
from farcall._json import is_array, is_object

MAX_ALIKE = 16
"""Different values of one set, or keys of one table, that have the same hash. Python compares each
with all others, and a peer can choose numbers that all have the same. In honest data two or three
have: of all 64-bit integers no more than nine."""

C = TypeVar("C")

Copy: TypeAlias = Callable[[object], C | None]
"""Copies a container of JSON values at once; returns None if anything in it is no JSON."""


def _as_it_is(part: Any) -> Any:
    return part


_ARRAYS: Mapping[str, tuple[type, Callable[[list[Any]], Any]]] = {
    "list": (list, _as_it_is),
    "tuple": (tuple, tuple),
    "set": (set, set),
    "frozenset": (frozenset, frozenset),
    "sequence": (Sequence, _as_it_is),
}
"""The class that a value must have, and what makes one of the list that was read."""


def convert(convert_item: Callable[[Any], Any], items: Collection[Any]) -> list[Any]:
    """Apply a function to each item; a fault gets the index of its item."""
    converted: list[Any] = []
    try:
        # When the iterator fails, `extend` keeps the items before: the index costs nothing.
        converted.extend(map(convert_item, items))
    except Mismatch as fault:
        raise fault.within(item(len(converted))) from None
    if len(converted) < len(items):  # a constructor raised StopIteration, which ends a `map`
        raise mismatch("refused").within(item(len(converted)))
    return converted


def _convert_each(each: Sequence[Callable[[Any], Any]], items: Sequence[Any]) -> list[Any]:
    def convert_one(index: int) -> Any:
        return each[index](items[index])

    return convert(convert_one, range(len(items)))


def in_order(items: list[Any]) -> list[Any]:
    """Sort the JSON data of the items of a set, so that equal sets have equal texts."""
    return sorted(items, key=msgspec.json.encode)


def check_hashes(items: Sequence[Any]) -> None:
    """Refuse items whose hashes make a set or a table take quadratic time.

    Raises:
        Mismatch: too many different ones have the same hash.
        TypeError: one has no hash.
    """
    if len(items) - len(set(map(hash, items))) < MAX_ALIKE:
        return
    by_hash: defaultdict[int, list[Any]] = defaultdict(list)
    for each in items:
        alike = by_hash[hash(each)]
        if each not in alike:
            if len(alike) == MAX_ALIKE:
                raise mismatch(f"expected at most {MAX_ALIKE} values that have the same hash")
            alike.append(each)


def convert_table(
    key: Callable[[Any], Any], value: Callable[[Any], Any], table: Mapping[Any, Any]
) -> dict[Any, Any]:
    """Apply a function to each key and one to each value; a fault gets its key."""
    converted: dict[Any, Any] = {}
    for name, each in table.items():
        try:
            converted[key(name)] = value(each)
        except Mismatch as fault:
            raise fault.within(member(_text_of(name))) from None
    return converted


def _text_of(key: object) -> str:
    try:
        return str(key)
    except ValueError:  # an int with more digits than Python writes
        return f"{type(key).__name__} of too many digits"


def _convert_names(convert_name: Callable[[Any], Any], names: Iterable[str]) -> list[Any]:
    converted: list[Any] = []
    for name in names:
        try:
            converted.append(convert_name(name))
        except Mismatch as fault:
            raise fault.within(member(name)) from None
    return converted


class Array(Struct, frozen=True):
    """Any number of items of one type."""

    label: str
    item: Shape
    has_guessable_hash: bool = False
    """Whether a peer can choose different items that have the same hash."""
    copy: Copy[list[Any]] | None = None
    """Set where the items are any JSON values."""

    def read(self, data: Any, _: object = None) -> Any:
        """Read every item; a set may come with doubles."""
        if not is_array(data):
            raise mismatch(f"expected {self.label}")
        items = convert(self.item.read, data)
        try:
            if self.has_guessable_hash and self.label in ("set", "frozenset"):
                check_hashes(items)
            return _ARRAYS[self.label][1](items)
        except TypeError as error:
            raise mismatch(f"expected {self.label} of items that have a hash") from error

    def write(self, value: Any) -> list[Any]:
        """Write every item; those of a set are sorted by their texts."""
        if not self.fits(value):
            raise refused(self.label, value)
        if self.copy is not None and (copied := self.copy(value)) is not None:
            return copied
        written = convert(self.item.write, value)
        return in_order(written) if isinstance(value, set | frozenset) else written

    def fits(self, value: object) -> bool:
        """Tell whether it is such a container; a str is not taken for a sequence of texts."""
        return isinstance(value, _ARRAYS[self.label][0]) and not isinstance(value, str | bytes)


class Tuple(Struct, frozen=True):
    """A fixed number of items, each of its own type."""

    items: Sequence[Shape]
    label: str = "tuple"

    def read(self, data: Any, _: object = None) -> Any:
        if not is_array(data) or len(data) != len(self.items):
            raise mismatch(f"expected list of {len(self.items)} items")
        return tuple(_convert_each([shape.read for shape in self.items], data))

    def write(self, value: Any) -> list[Any]:
        if not self.fits(value):
            raise refused("tuple", value)
        if len(value) != len(self.items):
            raise mismatch(f"expected tuple of {len(self.items)} items, got {len(value)}")
        return _convert_each([shape.write for shape in self.items], value)

    def fits(self, value: object) -> bool:
        return isinstance(value, tuple)


class Table(Struct, frozen=True):
    """A JSON object with keys that are data."""

    label: str
    key: Shape
    value: Shape
    has_guessable_hash: bool = False
    """Whether a peer can choose different keys that have the same hash."""
    copy: Copy[dict[Any, Any]] | None = None
    """Set where keys are texts, and values any JSON."""

    def read(self, data: Any, _: object = None) -> dict[Any, Any]:
        """Read keys and values; of two texts for one datetime, time or Decimal the last counts."""
        if not is_object(data):
            raise mismatch(f"expected {self.label}")
        if self.has_guessable_hash:
            keys = _convert_names(self.key.read, data)
            check_hashes(keys)
            values = convert_table(_as_it_is, self.value.read, data).values()
            return dict(zip(keys, values, strict=True))
        return convert_table(self.key.read, self.value.read, data)

    def write(self, value: Any) -> dict[Any, Any]:
        if not self.fits(value):
            raise refused(self.label, value)
        if self.copy is not None and (copied := self.copy(value)) is not None:
            return copied
        return convert_table(self.key.write, self.value.write, value)

    def fits(self, value: object) -> bool:
        return isinstance(value, dict if self.label == "dict" else Mapping)
