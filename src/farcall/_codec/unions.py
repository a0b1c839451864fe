"""Unions, literals and enums: the member to which a value or JSON data belongs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any, Protocol

from msgspec import Struct

from farcall._codec.faults import Mismatch, member, mismatch, refused
from farcall._codec.own_types import Converted
from farcall._codec.records import Record
from farcall._codec.scalars import SCALAR_SHAPES
from farcall._codec.shape import Plain, Shape, class_of, is_table
from farcall._contract.unions import TAG, Constant, RecordChoice
from farcall._json import is_object


class Readable(Protocol):
    """The half of a shape that reads."""

    def read(self, data: Any, _: Any = None, /) -> Any: ...


class Union(Struct, frozen=True):
    """Members that JSON data tells apart by its class."""

    label: str
    members: Sequence[Shape]
    """The most specific first."""
    by_class: Mapping[type, Readable]
    """By the class of the JSON data."""

    def read(self, data: Any, _: object = None) -> Any:
        shape = self.by_class.get(class_of(data))
        if shape is None:
            raise mismatch(f"expected {self.label}")
        return shape.read(data)

    def write(self, value: Any) -> Any:
        for shape in self.members:
            if shape.fits(value):
                return shape.write(value)
        raise refused(self.label, value, _classes(self.members))

    def fits(self, value: object) -> bool:
        return any(shape.fits(value) for shape in self.members)


class Values(Struct, frozen=True):
    """Members whose JSON data has one class, each with values of its own."""

    label: str
    members: Sequence[Shape]

    def read(self, data: Any, _: object = None) -> Any:
        for shape in self.members:
            with suppress(Mismatch):
                return shape.read(data)
        raise mismatch(f"expected {self.label}")


class Records(Struct, frozen=True):
    """Members that are records, told apart by `RecordChoice`."""

    label: str
    members: Sequence[Record]
    choice: RecordChoice

    def read(self, data: Any, _: object = None) -> Any:
        """Read as the record that the tag names, or that alone has one of the fields."""
        if not is_object(data):
            raise mismatch(f"expected {self.label}")
        shape = self.members[self._named(data)]
        if self.choice.adds_tag:
            data = {name: value for name, value in data.items() if name != TAG}
        return shape.read(data)

    def write(self, value: Any) -> dict[str, Any]:
        """Write a record, with its name in front where the union adds it."""
        shape = self._meant_by(value)
        written: dict[str, Any] = shape.write(value)
        return {TAG: shape.label, **written} if self.choice.adds_tag else written

    def fits(self, value: object) -> bool:
        return any(shape.fits(value) for shape in self.members)

    def _named(self, data: Mapping[str, Any]) -> int:
        """Tell the place of the record that the members of an object name."""
        choice = self.choice
        if choice.tags and TAG in data:
            # A TypedDict that is to be written holds the member of an enum.
            tag = data[TAG].value if isinstance(data[TAG], Enum) else data[TAG]
            if isinstance(tag, str) and tag in choice.tags:
                return choice.tags[tag]
            names = " | ".join(map(json.dumps, choice.tags))
            raise mismatch(f"expected {names}", member(TAG))
        for name, i in choice.unique.items():
            if name in data:
                return i
        if choice.fallback is not None:
            return choice.fallback
        if choice.tags:
            raise mismatch("missing", member(TAG))
        raise mismatch(f"expected {self.label}")

    def _meant_by(self, value: Any) -> Record:
        fitting = [shape for shape in self.members if shape.fits(value)]
        if len(fitting) > 1 and is_table(value):  # several TypedDicts, which have no class
            fitting = [shape for shape in fitting if shape is self.members[self._named(value)]]
        if not fitting:
            raise refused(self.label, value, _classes(self.members))
        return max(fitting, key=specificity)


def _classes(members: Iterable[Shape]) -> Iterator[type]:
    """Yield the classes of the records in a union."""
    for each in members:
        if isinstance(each, Record):
            yield each.cls
        elif isinstance(each, Records):
            yield from _classes(each.members)


def specificity(shape: Shape) -> int:
    """Rank members: a value belongs to the highest that it fits.

    A class ranks above its bases, a `NamedTuple` above tuple, int above float.
    """
    if isinstance(shape, Record | Converted):
        return len(shape.cls.__mro__)
    if isinstance(shape, Records):
        return 1
    return -1 if shape is SCALAR_SHAPES["float"] else 0


MAX_NAMED = 8
"""Values that a message lists; an enum can have hundreds."""


def constants(pairs: Iterable[tuple[Any, Constant]], name: str | None = None) -> Plain:
    """Make the shape of a literal or an enum.

    Args:
        pairs: Each value with its JSON data.
        name: The expected type in the message that refuses a Python value; by default the message
            lists the values.
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
            if type(value) in kinds:  # the type is right, and the value is not
                raise mismatch(f"expected {expected}, got another {type(value).__name__}") from None
            raise refused(expected, value, kinds) from None

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
