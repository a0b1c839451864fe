"""Objects with fields: records, errors, and the arguments of a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

import attrs

from farcall._codec.faults import MAX_FAULTS, Fault, Mismatch, member, mismatch, refused
from farcall._codec.omit import OMIT
from farcall._codec.shape import Shape, is_object

MAX_MESSAGE = 200
"""Characters of a validator's message that reach the peer; it may repeat the value."""


@attrs.frozen
class Field:
    """One member of an object."""

    name: str
    attribute: str
    """Where a Python record keeps it."""
    shape: Shape
    is_required: bool


@attrs.define(eq=False)
class Fields:
    """The members of one kind of object."""

    refuses_unknown: bool
    noun: str = "field"
    names: frozenset[str] = frozenset()
    _readers: Sequence[tuple[str, Callable[[Any], Any], bool]] = ()
    _writers: Sequence[tuple[str, str, Callable[[Any], Any], bool]] = ()

    def fill(self, fields: Sequence[Field]) -> None:
        """Set the members; later than the rest, for a recursive record is one of its own."""
        self.names = frozenset(field.name for field in fields)
        # Every call of every method passes here: tuples are unpacked faster than attributes read.
        self._readers = [(each.name, each.shape.read, each.is_required) for each in fields]
        self._writers = [
            (each.name, each.attribute, each.shape.write, each.is_required) for each in fields
        ]

    def read(self, data: Mapping[str, Any], path: Callable[[str], str] = member) -> dict[str, Any]:
        """Read the members that are there; `path` tells where each stands."""
        values: dict[str, Any] = {}
        faults: list[Fault] = []
        for name, read, is_required in self._readers:
            if name in data:
                try:
                    values[name] = read(data[name])
                except Mismatch as fault:
                    faults += fault.within(path(name)).faults
            elif is_required:
                faults.append(Fault(member(name), "missing"))
        if self.refuses_unknown and len(data) > len(values):
            faults += self.unknown(data)
        if faults:
            raise Mismatch(faults)
        return values

    def write(self, value: Any, get: Callable[[Any, str, Any], Any]) -> dict[str, Any]:
        """Write the members that `get` finds, but those that are `OMIT`."""
        written: dict[str, Any] = {}
        for name, attribute, write, is_required in self._writers:
            part = get(value, attribute, OMIT)
            if part is not OMIT:
                try:
                    written[name] = write(part)
                except Mismatch as fault:
                    raise fault.within(member(name)) from None
            elif is_required:
                raise mismatch("missing", member(name))
        return written

    def unknown(self, data: Mapping[Any, Any]) -> list[Fault]:
        """Name members that are none of these, as many as are reported."""
        names = islice((name for name in data if name not in self.names), MAX_FAULTS)
        return [Fault(member(str(name)), f"unknown {self.noun}") for name in names]


@attrs.frozen(eq=False)
class Record:
    """A class whose instances are objects in JSON."""

    label: str
    cls: type
    fields: Fields

    def read(self, data: Any) -> Any:
        """Make an instance; its own validators have their say."""
        if not is_object(data):
            raise mismatch(f"expected {self.label}")
        values = self.fields.read(data)
        try:
            return self.cls(**values)
        except Exception as error:  # validators and converters are the user's: anything at all
            raise mismatch(_refusal(error, self.label)) from error

    def write(self, value: Any) -> dict[str, Any]:
        """Write the fields; an instance of a subclass crosses as the class that was declared."""
        if not self.fits(value):
            raise refused(self.label, value)
        return self.fields.write(value, getattr)

    def fits(self, value: object) -> bool:
        """Tell whether it is an instance."""
        return isinstance(value, self.cls)


@attrs.frozen(eq=False)
class TypedTable:
    """A `TypedDict`: to Python a dict like any other."""

    label: str
    fields: Fields

    def read(self, data: Any) -> dict[str, Any]:
        """Read the items that are there."""
        if not is_object(data):
            raise mismatch(f"expected {self.label}")
        return self.fields.read(data)

    def write(self, value: Any) -> dict[str, Any]:
        """Write the items; one that the type does not name is refused."""
        if not self.fits(value):
            raise refused(self.label, value)
        written = self.fields.write(value, item_of)
        if len(written) < len(value) and (unknown := self.fields.unknown(value)):
            raise Mismatch(unknown)
        return written

    def fits(self, value: object) -> bool:
        """Tell whether it is a dict."""
        return isinstance(value, dict)


def item_of(table: Mapping[str, Any], name: str, default: Any) -> Any:
    """Take a member of a table as `getattr` takes one of an object."""
    return table.get(name, default)


def _refusal(error: Exception, label: str) -> str:
    """Say why a constructor refused; only ValueError is meant for who gave the values."""
    if isinstance(error, ValueError) and error.args and isinstance(error.args[0], str):
        return error.args[0][:MAX_MESSAGE]
    return f"refused by {label}"
