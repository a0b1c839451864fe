"""Mirrors that write: `msgspec.convert` copies a value into objects that msgspec encodes.

msgspec does not check the class of a value that it copies into a struct, a list or a tuple. So a
mirror first checks the classes of all values of one part of the type, such as one field of all
records in a list: one check for a column, and none where msgspec is as strict as the codec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from operator import attrgetter, itemgetter
from types import GenericAlias, MappingProxyType
from typing import Any, Final, TypeAlias, get_origin

import msgspec
from msgspec import UNSET, Struct, convert, field

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
from farcall._codec.scalars import SCALAR_SHAPES
from farcall._codec.text import MAX_VALUE_DEPTH
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

Check: TypeAlias = Callable[[Sequence[Any]], bool]
"""Tells whether msgspec can write these values. If not, the codec tries, and can accept them."""


Fill: TypeAlias = Callable[[Sequence[Any]], None]
"""Puts the texts into copies of values."""


class Writing(Struct, frozen=True):
    """The mirror of one type."""

    type: Any
    """The type into which msgspec copies a value."""
    classes: frozenset[type]
    """The classes of values that can pass `check`."""
    check: Check | None = None
    """None if msgspec checks as much."""
    depth: int = 0
    """Levels of arrays and objects."""
    fill: Fill | None = None
    """None if no record in it has a field that is text in JSON."""

    def encoder(self) -> Callable[[Any], bytes]:
        """Make the function that writes a value. It can fail with any exception."""
        check, fill = self.check, self.fill
        # msgspec looks at a type again in each call of `convert`, and at a struct once.
        box = struct_of([_VALUE], [self.type], refuses_unknown=True, is_array=True)
        copy = _copier(box, [self])

        def write(value: Any) -> bytes:
            if check is not None and not check((value,)):
                raise NoMirror
            made = copy((value,)).value
            if fill is not None:
                fill((made,))
            return _encode(made)

        return write


_VALUE: Final = Member("value", "value", is_required=True, type=None)

_JSON_CLASSES: Final = frozenset(cls for _, cls in AS_THEY_ARE.values())


def _copier(struct: Any, writings: Iterable[Writing]) -> Callable[[Any], Any]:
    """Make the function that copies values into a struct.

    Raises:
        TypeError: msgspec does not support a type in it.
    """
    msgspec.json.Decoder(struct)
    if all(each.classes <= _JSON_CLASSES for each in writings):
        return partial(convert, type=struct)
    return partial(convert, type=struct, from_attributes=True, dec_hook=_make_text)


class _Text:
    """The text of a scalar in a struct. Each scalar that is text in JSON has its own subclass."""

    __slots__ = ("text",)
    write: Callable[[Any], str]
    text: str


def _text_class(name: ScalarName) -> type[_Text]:
    write = staticmethod(SCALAR_SHAPES[name].write)
    return type(name, (_Text,), {"write": write, "__slots__": ()})


_TEXTS: Final = {
    each.name: _text_class(each.name)
    for each in SCALARS.values()
    if each.forms == ("string",) and each.name not in AS_THEY_ARE
}


def _make_text(cls: type[_Text], value: object) -> _Text:
    made = cls()
    made.text = cls.write(value)
    return made


def _text_of(value: _Text) -> str:
    return value.text


_encode = msgspec.json.Encoder(enc_hook=_text_of).encode


class Writings(Struct, frozen=True):
    """Makes the mirrors that write the types of one set of definitions."""

    definitions: Definitions
    _walk: Walk = field(default_factory=Walk)

    def of(self, spec: TypeSpec) -> Writing:
        """Make the mirror of a type.

        Raises:
            NoMirror: there is none.
        """
        match target(spec, self.definitions):
            case Scalar(name):
                return _scalar(name)
            case LiteralOf() as one_of:
                wanted, classes = literal(one_of)
                return Writing(wanted, classes, _has_classes(classes))
            case ArrayOf("list" | "sequence", item):
                inner = self.of(item)
                return _nested(GenericAlias(list, inner.type), list, [(_chained, inner)])
            case ArrayOf("tuple", item):
                inner = self.of(item)
                return _nested(GenericAlias(tuple, (inner.type, ...)), tuple, [(_chained, inner)])
            case TupleOf(items) if items:
                inners = [self.of(item) for item in items]
                types = tuple(inner.type for inner in inners)
                columns = [(_column(itemgetter(i)), inner) for i, inner in enumerate(inners)]
                return _nested(GenericAlias(tuple, types), tuple, columns)
            case MapOf(_, key, value) if target(key, self.definitions) == Scalar("str"):
                inner = self.of(value)
                return _nested(
                    GenericAlias(dict, (str, inner.type)), dict, [(_table_values, inner)]
                )
            case UnionOf(members):
                return _union([self.of(member) for member in members])
            case Ref() as ref:
                return self._named(ref)
            case other:
                raise NoMirror(other)

    def _named(self, ref: Ref) -> Writing:
        definition, cls = self.definitions[ref.name], self.definitions.class_of(ref.name)
        if isinstance(definition, EnumSpec):
            classes = frozenset({enum(definition, self.definitions)})
            return Writing(cls, classes, _has_classes(classes))
        assert isinstance(definition, RecordSpec)
        members = members_of(definition, ref, self.definitions)
        with self._walk.into(ref):
            inners = [self.of(member.type) for member in members]
        if issubclass(cls, Mapping):  # msgspec would read its items
            raise NoMirror(ref)
        texts = {
            member.attribute: write
            for member in members
            if (write := self._text_column(member.type)) is not None
        }
        types = [
            Any if member.attribute in texts else inner.type
            for member, inner in zip(members, inners, strict=True)
        ]
        columns = [
            (_column(attrgetter(member.attribute)), inner)
            for member, inner in zip(members, inners, strict=True)
        ]
        return _nested(struct_of(members, types, refuses_unknown=True), cls, columns, texts)

    def _text_column(self, spec: TypeSpec) -> TextColumn | None:
        """Return the function for a field whose values are text in JSON, or null; else None."""
        match target(spec, self.definitions):
            case Scalar(name) if name in _TEXTS:
                return _datetimes if name == "datetime" else partial(map, SCALAR_SHAPES[name].write)
            case UnionOf((some, Scalar("none")) | (Scalar("none"), some)):
                write = self._text_column(some)
                return None if write is None else _or_null(write)
            case _:
                return None


def _scalar(name: ScalarName) -> Writing:
    if name in AS_THEY_ARE:
        wanted, cls = AS_THEY_ARE[name]
        # msgspec makes floats of decimals as well.
        classes = frozenset({float, int} if cls is float else {cls})
        return Writing(wanted, frozenset({cls}), _has_classes(classes) if cls is float else None)
    if name in _TEXTS:
        return Writing(_TEXTS[name], frozenset({SCALARS[name].cls}))
    raise NoMirror(name)


Columns: TypeAlias = Callable[[Sequence[Any]], Sequence[Any]]


TextColumn: TypeAlias = Callable[[Sequence[Any]], Iterable[str | None]]
"""Writes the values of one field of many records, which are text in JSON."""


def _or_null(write: TextColumn) -> TextColumn:
    def write_some(values: Sequence[Any]) -> Iterable[str | None]:
        texts = iter(write([each for each in values if each is not None]))
        return (None if each is None else next(texts) for each in values)

    return write_some


_write_datetime: Final = SCALAR_SHAPES["datetime"].write


def _datetimes(values: Sequence[Any]) -> Iterable[str]:
    """Write datetimes: those of UTC, and without an offset, all at once.

    msgspec writes them as `datetime.isoformat` does, but for the offset of UTC.
    """
    if not values or set(map(type, values)) != {datetime}:
        return map(_write_datetime, values)
    if not set(map(_tzinfo, values)) <= {None, UTC}:
        return map(_write_datetime, values)
    return _encode(values).decode()[2:-2].replace("Z", "+00:00").split('","')


_tzinfo = attrgetter("tzinfo")


def _nested(
    wanted: Any,
    cls: type,
    columns: Sequence[tuple[Columns, Writing]],
    texts: Mapping[str, TextColumn] = MappingProxyType({}),
) -> Writing:
    """Make the mirror of a type with parts; a column is one part of all values.

    Args:
        wanted: The type into which msgspec copies a value.
        cls: The class of the values.
        columns: The parts.
        texts: Of a record, the fields that are text in JSON; they are copied as they are, and
            `Writing.fill` replaces them.
    """
    depth = 1 + max((inner.depth for _, inner in columns), default=0)
    if depth > MAX_VALUE_DEPTH:
        raise NoMirror(wanted)
    classes = frozenset({cls})
    checks = [(column, inner.check) for column, inner in columns if inner.check is not None]

    def check(values: Sequence[Any]) -> bool:
        return classes.issuperset(map(type, values)) and all(
            check_column(column(values)) for column, check_column in checks
        )

    fills = [(column, inner.fill) for column, inner in columns if inner.fill is not None]

    def fill(copies: Sequence[Any]) -> None:
        for attribute, write in texts.items():
            written = write(list(map(attrgetter(attribute), copies)))
            for copy, text in zip(copies, written, strict=True):
                setattr(copy, attribute, text)
        for column, fill_column in fills:
            fill_column(column(copies))

    return Writing(wanted, classes, check, depth, fill if texts or fills else None)


def _union(members: Sequence[Writing]) -> Writing:
    classes = [cls for member in members for cls in member.classes]
    if len(classes) != len(set(classes)):
        raise NoMirror(members)
    wanted = union([member.type for member in members])
    depth = max(member.depth for member in members)
    allowed = frozenset(classes)
    checked = [(member.classes, member.check) for member in members if member.check is not None]

    def check(values: Sequence[Any]) -> bool:
        return allowed.issuperset(map(type, values)) and all(
            check_some([each for each in values if type(each) in some])
            for some, check_some in checked
        )

    fills = [
        (get_origin(member.type) or member.type, member.fill)
        for member in members
        if member.fill is not None
    ]

    def fill(copies: Sequence[Any]) -> None:
        for made, fill_some in fills:
            fill_some([each for each in copies if type(each) is made])

    return Writing(wanted, allowed, check if checked else None, depth, fill if fills else None)


def _has_classes(classes: frozenset[type]) -> Check:
    return lambda values: classes.issuperset(map(type, values))


def _chained(values: Sequence[Any]) -> Sequence[Any]:
    return list(chain.from_iterable(values))


def _table_values(tables: Sequence[Any]) -> Sequence[Any]:
    return [each for table in tables for each in table.values()]


def _column(get: Callable[[Any], Any]) -> Columns:
    return lambda values: list(map(get, values))


def arguments_writer(
    members: Sequence[Member], writings: Sequence[Writing], *, is_array: bool
) -> Callable[[Mapping[str, Any]], bytes]:
    """Make the function that writes arguments by name. It can fail with any exception.

    Args:
        members: All arguments, in their order.
        writings: The mirror of each.
        is_array: Whether they are written as an array, which has to have them all.
    """
    if max((each.depth for each in writings), default=0) >= MAX_VALUE_DEPTH:
        raise NoMirror
    types = [each.type for each in writings]
    copy = _copier(struct_of(members, types, refuses_unknown=True, is_array=is_array), writings)
    checks = [
        (member.name, writing.check)
        for member, writing in zip(members, writings, strict=True)
        if writing.check is not None
    ]

    fills = [
        (member.attribute, writing.fill)
        for member, writing in zip(members, writings, strict=True)
        if writing.fill is not None
    ]

    def write(bound: Mapping[str, Any]) -> bytes:
        for name, check in checks:
            if name in bound and not check((bound[name],)):
                raise NoMirror
        made = copy(list(bound.values()) if is_array else bound)
        for attribute, fill in fills:
            if (value := getattr(made, attribute)) is not UNSET:
                fill((value,))
        return _encode(made)

    return write
