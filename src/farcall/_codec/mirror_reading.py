"""Mirrors that read: msgspec decodes a text, and a function makes the value of the result."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from inspect import Parameter, signature
from types import GenericAlias
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Raw, Struct, field

from farcall._codec.mirror import (
    AS_THEY_ARE,
    Member,
    NoMirror,
    Walk,
    enum,
    literal,
    members_of,
    struct_of,
    union,
)
from farcall._codec.scalars import DATETIME, SCALAR_SHAPES
from farcall._contract.algebra import target
from farcall._contract.definitions import Definitions
from farcall._contract.scalars import SCALARS, ScalarName
from farcall._contract.spec import (
    ArrayOf,
    EnumSpec,
    LiteralOf,
    MapOf,
    RecordSpec,
    Ref,
    Scalar,
    TupleOf,
    TypeSpec,
    UnionOf,
)

Make: TypeAlias = Callable[[Any], Any]
"""Makes a value of the object that msgspec has decoded."""
MakeColumn: TypeAlias = Callable[[Sequence[Any]], Iterable[Any]]
"""Makes the values of one part of a type, such as one field of all records in a list."""

_astuple: Any = msgspec.structs.astuple  # typed for dataclasses


class Reading(Struct, frozen=True):
    """The mirror of one type."""

    type: Any
    """The type that msgspec decodes."""
    classes: frozenset[type] = frozenset()
    """The classes of the objects that msgspec decodes; empty for any class."""
    make: Make | None = None
    """None if msgspec decodes the value itself."""
    make_column: MakeColumn | None = None
    """Does what `make` does, for many values in less time; None if there is no such function."""

    def decoder(self) -> Callable[[bytes | Raw], Any]:
        """Make the function that reads a text. It can fail with any exception."""
        decode, make = msgspec.json.Decoder(self.type).decode, self.make
        if make is None:
            return decode
        return lambda text: make(decode(text))


class Readings(Struct, frozen=True):
    """Makes the mirrors that read the types of one set of definitions."""

    definitions: Definitions
    refuses_unknown: bool
    """Whether records refuse unknown fields."""
    _walk: Walk = field(default_factory=Walk)

    def of(self, spec: TypeSpec) -> Reading:
        """Make the mirror of a type.

        Raises:
            NoMirror: there is none.
        """
        match target(spec, self.definitions):
            case Scalar(name):
                return _scalar(name)
            case LiteralOf() as one_of:
                return Reading(*literal(one_of))
            case ArrayOf("list" | "sequence", item):
                inner = self.of(item)
                return Reading(
                    GenericAlias(list, inner.type), frozenset({list}), _items(list, inner)
                )
            case ArrayOf("tuple", item):
                inner = self.of(item)
                return Reading(
                    GenericAlias(tuple, (inner.type, ...)),
                    frozenset({tuple}),
                    _items(tuple, inner),
                )
            case TupleOf(items) if items:
                inners = [self.of(item) for item in items]
                types = tuple(inner.type for inner in inners)
                return Reading(GenericAlias(tuple, types), frozenset({tuple}), _parts(inners))
            case MapOf(_, key, value) if target(key, self.definitions) == Scalar("str"):
                inner = self.of(value)
                return Reading(
                    GenericAlias(dict, (str, inner.type)), frozenset({dict}), _values(inner.make)
                )
            case UnionOf(members):
                return _union([self.of(member) for member in members])
            case Ref() as ref:
                return self._named(ref)
            case other:
                raise NoMirror(other)

    def _named(self, ref: Ref) -> Reading:
        definition = self.definitions[ref.name]
        if isinstance(definition, EnumSpec):
            cls = enum(definition, self.definitions)
            return Reading(cls, frozenset({cls}))
        assert isinstance(definition, RecordSpec)
        members = members_of(definition, ref, self.definitions)
        with self._walk.into(ref):
            inners = [self.of(member.type) for member in members]
        types = [inner.type for inner in inners]
        struct = struct_of(members, types, refuses_unknown=self.refuses_unknown)
        cls = self.definitions.class_of(ref.name)
        make = _record(cls, members, inners)
        return Reading(struct, frozenset({struct}), make, _records(cls, members, inners, make))


def _scalar(name: ScalarName) -> Reading:
    if name in AS_THEY_ARE:
        wanted, cls = AS_THEY_ARE[name]
        return Reading(wanted, frozenset({cls}))
    read = SCALAR_SHAPES[name].read
    if name == "datetime":
        return Reading(str, frozenset({str}), read, _read_datetimes)
    match SCALARS[name].forms:
        case ("string",):
            return Reading(str, frozenset({str}), read)
        case ("integer", "fraction"):
            return Reading(int | float, frozenset({int, float}), read)
        case _:
            return Reading(Any)  # any JSON value, as it is


_DATETIMES: Final = re.compile(f"(?:{DATETIME}\\n)*+")


def _read_datetimes(texts: Sequence[Any]) -> Iterable[Any]:
    """Read many datetimes: one match for all of them, each followed by a line feed."""
    if _DATETIMES.fullmatch("\n".join([*texts, ""])) is None:
        raise NoMirror
    return map(datetime.fromisoformat, texts)


def _union(members: Sequence[Reading]) -> Reading:
    classes = [cls for member in members for cls in member.classes]
    if not all(member.classes for member in members) or len(classes) != len(set(classes)):
        raise NoMirror(members)
    makes = {cls: member.make for member in members for cls in member.classes if member.make}
    wanted = union([member.type for member in members])

    def make(value: object) -> Any:
        one = makes.get(type(value))
        return value if one is None else one(value)

    return Reading(wanted, frozenset(classes), make if makes else None)


def _items(kind: Callable[[Any], Any], inner: Reading) -> Make | None:
    make = _column(inner)
    if make is None:
        return None

    def make_items(items: Sequence[Any]) -> Any:
        made = kind(make(items))
        if len(made) < len(items):  # a constructor raised StopIteration, which ends a `map`
            raise NoMirror
        return made

    return make_items


def _column(reading: Reading) -> MakeColumn | None:
    if reading.make is None or reading.make_column is not None:
        return reading.make_column
    return partial(map, reading.make)


def _values(make: Make | None) -> Make | None:
    return None if make is None else lambda table: {key: make(table[key]) for key in table}


def _parts(inners: Sequence[Reading]) -> Make | None:
    makes = _makes(inners)
    return None if not makes else lambda items: tuple(_made(items, makes))


def _makes(inners: Sequence[Reading]) -> list[tuple[int, Make]]:
    """List which parts have to be made, each by its place."""
    return [(place, each.make) for place, each in enumerate(inners) if each.make is not None]


def _made(values: Iterable[Any], makes: Sequence[tuple[int, Make]]) -> list[Any]:
    made = list(values)
    for place, make in makes:
        if (value := made[place]) is not UNSET:
            made[place] = make(value)
    return made


def _record(cls: Any, members: Sequence[Member], inners: Sequence[Reading]) -> Make:
    """Make the function that calls a class with the fields of a struct."""
    names = [member.name for member in members]
    makes = _makes(inners)

    def by_name(struct: Any) -> Any:
        values = zip(names, _made(_astuple(struct), makes), strict=True)
        return cls(**{name: value for name, value in values if value is not UNSET})

    def by_position(struct: Any) -> Any:
        values = _astuple(struct)
        if UNSET in values:
            return by_name(struct)
        return cls(*(_made(values, makes) if makes else values))

    return by_position if _takes_by_position(cls, names) else by_name


def _records(
    cls: Any, members: Sequence[Member], inners: Sequence[Reading], make: Make
) -> MakeColumn | None:
    """Make the function that makes many records, a field of all of them at a time."""
    if not members or not _takes_by_position(cls, [member.name for member in members]):
        return None
    optional = [place for place, member in enumerate(members) if not member.is_required]
    makes = [
        (place, make_field)
        for place, inner in enumerate(inners)
        if (make_field := _column(inner)) is not None
    ]

    def make_column(structs: Sequence[Any]) -> Iterable[Any]:
        columns: list[Any] = list(zip(*map(_astuple, structs), strict=True))
        if not columns:
            return ()
        if any(UNSET in columns[place] for place in optional):
            return map(make, structs)
        for place, make_field in makes:
            columns[place] = make_field(columns[place])
        return map(cls, *columns)

    return make_column


def _takes_by_position(cls: type, names: Sequence[str]) -> bool:
    """Tell whether a constructor has these parameters first, in this order."""
    parameters = signature(cls).parameters.values()
    positions = [each.name for each in parameters if each.kind is Parameter.POSITIONAL_OR_KEYWORD]
    return positions[: len(names)] == list(names)


def arguments_reader(
    members: Sequence[Member], readings: Sequence[Reading], positional: int
) -> Callable[[bytes], list[Any]]:
    """Make the function that reads the arguments of a call.

    Args:
        members: All arguments, in their order.
        readings: The mirror of each.
        positional: The number of the first arguments that can be sent by position.

    Returns:
        A function of the params of a request. It returns the values in the order of the members,
        with `msgspec.UNSET` for those not sent, and can fail with any exception.
    """
    types = [reading.type for reading in readings]
    makes = _makes(readings)
    by_name = struct_of(members, types, refuses_unknown=True)
    by_place = struct_of(
        members[:positional], types[:positional], refuses_unknown=True, is_array=True
    )
    decode_object = msgspec.json.Decoder(by_name).decode
    decode_array = msgspec.json.Decoder(by_place).decode
    absent = (UNSET,) * (len(members) - positional)
    is_complete = all(not member.is_required for member in members[positional:])

    def read(params: bytes) -> list[Any]:
        if params.startswith(b"["):
            if not is_complete:
                raise NoMirror
            values = _astuple(decode_array(params)) + absent
        else:
            values = _astuple(decode_object(params))
        return _made(values, makes)

    return read
