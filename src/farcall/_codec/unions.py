"""Unions, literals and enums: which member a value, or its JSON form, belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any, Protocol

import attrs

from farcall._codec.faults import Mismatch, member, mismatch, refused
from farcall._codec.records import Record
from farcall._codec.scalars import SCALAR_SHAPES
from farcall._codec.shape import Plain, Shape, class_of, is_object, is_table
from farcall._contract.unions import TAG, Constant, RecordChoice


class Readable(Protocol):
    """What can read; a shape can, too."""

    def read(self, data: Any, _: Any = None, /) -> Any:
        """Make the Python value, or raise `Mismatch`."""
        ...


@attrs.frozen
class Union:
    """Members that JSON tells apart by its form."""

    label: str
    members: Sequence[Shape]
    """The most specific first."""
    by_class: Mapping[type, Readable]
    """By the class of what msgspec reads, and so by form."""

    def read(self, data: Any, _: object = None) -> Any:
        """Read as the one member that has this form."""
        shape = self.by_class.get(class_of(data))
        if shape is None:
            raise mismatch(f"expected {self.label}")
        return shape.read(data)

    def write(self, value: Any) -> Any:
        """Write as the first member that it fits."""
        for shape in self.members:
            if shape.fits(value):
                return shape.write(value)
        raise refused(self.label, value)

    def fits(self, value: object) -> bool:
        """Tell whether it fits any member."""
        return any(shape.fits(value) for shape in self.members)


@attrs.frozen
class Values:
    """Members that have the same form in JSON, but only some values of it, and not the same."""

    label: str
    members: Sequence[Shape]

    def read(self, data: Any, _: object = None) -> Any:
        """Read as the one member that has this value."""
        for shape in self.members:
            with suppress(Mismatch):
                return shape.read(data)
        raise mismatch(f"expected {self.label}")


@attrs.frozen
class Records:
    """Members that are records, told apart by `RecordChoice`."""

    label: str
    members: Sequence[Record]
    choice: RecordChoice

    def read(self, data: Any, _: object = None) -> Any:
        """Read as the record that is named, or that has a field no other has."""
        if not is_object(data):
            raise mismatch(f"expected {self.label}")
        shape = self.members[self._named(data)]
        return shape.read(_without_tag(data) if self.choice.adds_tag else data)

    def write(self, value: Any) -> dict[str, Any]:
        """Write the record with its name in front."""
        shape = self._meant_by(value)
        written = shape.write(value)
        return {TAG: shape.label, **written} if self.choice.adds_tag else written

    def fits(self, value: object) -> bool:
        """Tell whether it is one of the records."""
        return any(shape.fits(value) for shape in self.members)

    def _named(self, data: Mapping[str, Any]) -> int:
        choice = self.choice
        if choice.tags and TAG in data:
            return self._tagged(data[TAG])
        for name, i in choice.unique.items():
            if name in data:
                return i
        if choice.fallback is not None:
            return choice.fallback
        if choice.tags:
            raise mismatch("missing", member(TAG))
        raise mismatch(f"expected {self.label}")

    def _tagged(self, tag: object) -> int:
        # A TypedDict that is being written holds the member of an enum, not its value.
        text = tag.value if isinstance(tag, Enum) else tag
        if isinstance(text, str) and text in self.choice.tags:
            return self.choice.tags[text]
        names = " | ".join(json.dumps(name) for name in self.choice.tags)
        raise mismatch(f"expected {names}", member(TAG))

    def _meant_by(self, value: Any) -> Record:
        fitting = [shape for shape in self.members if shape.fits(value)]
        if len(fitting) > 1 and is_table(value):  # several TypedDicts, which have no class
            fitting = [shape for shape in fitting if shape is self.members[self._named(value)]]
        if not fitting:
            raise refused(self.label, value)
        return max(fitting, key=specificity)


def specificity(shape: Shape) -> int:
    """Order members so that the first which a value fits is the one it belongs to.

    A class goes before its bases, a `NamedTuple` before tuple, int before float.
    """
    if isinstance(shape, Record | Records):
        return len(shape.cls.__mro__) if isinstance(shape, Record) else 1
    return -1 if shape is SCALAR_SHAPES["float"] else 0


def _without_tag(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != TAG}


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
