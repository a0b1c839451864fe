"""The shapes of types, made from the contract.

cattrs dispatches on annotations. These hooks dispatch on the contract's description of a type, so
the codec accepts exactly what the contract says, and they are strict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cached_property, partial
from typing import TYPE_CHECKING

from msgspec import Struct, field

from farcall._codec.anything import ANYTHING, copied
from farcall._codec.containers import Array, Table, Tuple
from farcall._codec.generated import Field, converter_of
from farcall._codec.keys import integer_key, uuid_key
from farcall._codec.own_types import Converted
from farcall._codec.records import Fields, Record, class_record, table_record
from farcall._codec.scalars import SCALAR_SHAPES
from farcall._codec.shape import Shape
from farcall._codec.unions import Readable, Records, Union, Values, constants, specificity
from farcall._contract.algebra import fields_of, target
from farcall._contract.definitions import Definitions
from farcall._contract.records import attribute_names
from farcall._contract.scalars import JsonForm
from farcall._contract.spec import (
    ArrayOf,
    EnumMember,
    EnumSpec,
    LiteralOf,
    LiteralValue,
    MapOf,
    RecordSpec,
    Ref,
    Scalar,
    TupleOf,
    TypeSpec,
    UnionOf,
    ViaOf,
)
from farcall._contract.unions import Choice, choose, constant, key_form

if TYPE_CHECKING:
    from cattrs import BaseConverter

_CLASS_OF_FORM: Mapping[JsonForm, type] = {
    "null": type(None),
    "boolean": bool,
    "integer": int,
    "fraction": float,
    "string": str,
    "array": list,
    "object": dict,
}


class Hooks(Struct, frozen=True, dict=True):
    """Makes the shapes of the types of one set of definitions."""

    definitions: Definitions
    refuses_unknown: bool
    """Whether records refuse unknown fields."""
    is_detailed: bool
    """Whether records add their part to the path of a fault."""
    _records: dict[Ref, Record] = field(default_factory=dict[Ref, Record])

    @cached_property
    def converter(self) -> BaseConverter:
        """A converter that knows each type by its `TypeSpec`."""
        return converter_of(
            lambda spec: self.shape(spec).read,
            lambda spec: self.shape(spec).write,
            is_detailed=self.is_detailed,
        )

    def shape(self, spec: TypeSpec) -> Shape:
        """Make the shape of a type without type variables."""
        match target(spec, self.definitions):
            case Scalar(name):
                return SCALAR_SHAPES[name]
            case LiteralOf() as literal:
                return self._literal(literal)
            case ArrayOf(kind, item):
                return self._array(kind, item)
            case TupleOf(items):
                return Tuple(tuple(map(self.shape, items)))
            case MapOf(kind, key, value):
                return self._table(kind, key, value)
            case UnionOf() as union:
                return self._union(union)
            case Ref() as ref:
                return self._named(ref)
            case ViaOf(name, wire) as spec:
                own = self.definitions.own_type(spec)
                return Converted(name, own.cls, self.shape(wire), own.via.encode, own.via.decode)
            case parameter:
                raise AssertionError(f"{parameter} has no argument")

    def _array(self, kind: str, item: TypeSpec) -> Shape:
        shape = self.shape(item)
        is_json = shape is ANYTHING and kind in ("list", "sequence")
        copy = partial(copied, kinds=(list,)) if is_json else None
        return Array(kind, shape, self._has_guessable_hash(item), copy)

    def _table(self, kind: str, key: TypeSpec, value: TypeSpec) -> Shape:
        key_shape, shape = self._key(key), self.shape(value)
        is_json = shape is ANYTHING and key_shape is SCALAR_SHAPES["str"]
        copy = partial(copied, kinds=(dict,)) if is_json else None
        return Table(kind, key_shape, shape, self._has_guessable_hash(key), copy)

    def _key(self, spec: TypeSpec) -> Shape:
        shape = self.shape(spec)
        if key_form(spec, self.definitions) == "integer":
            return integer_key(shape)
        return uuid_key(shape) if target(spec, self.definitions) == Scalar("uuid") else shape

    def _has_guessable_hash(self, spec: TypeSpec) -> bool:
        """Tell whether a peer can choose different values of a type that have the same hash.

        Python mixes a secret into the hashes of texts and bytes alone.
        """
        match target(spec, self.definitions):
            case Scalar("str" | "bytes" | "bool" | "none") | LiteralOf():
                return False
            case Ref(name):
                return not isinstance(self.definitions[name], EnumSpec)
            case ArrayOf(_, item):
                return self._has_guessable_hash(item)
            case TupleOf(parts) | UnionOf(parts):
                return any(map(self._has_guessable_hash, parts))
            case _:
                return True

    def _literal(self, literal: LiteralOf) -> Shape:
        return constants(
            (self._value(each), constant(each, self.definitions)) for each in literal.values
        )

    def _value(self, value: LiteralValue) -> object:
        if isinstance(value, EnumMember):
            return self.definitions.class_of(value.enum)[value.name]
        return value

    def _named(self, ref: Ref) -> Shape:
        spec = self.definitions[ref.name]
        if not isinstance(spec, EnumSpec):
            return self._record(ref)
        enum: type[Enum] = self.definitions.class_of(spec.name)
        return constants(((enum[name], value) for name, value in spec.members), spec.name)

    def _record(self, ref: Ref) -> Record:
        if ref not in self._records:
            record = self.definitions[ref.name]
            assert isinstance(record, RecordSpec)
            cls = self.definitions.class_of(ref.name)
            self._records[ref] = self._later(ref, dict if record.kind == "typeddict" else cls)
            self._records[ref] = self._define(record, cls, ref.arguments)
        return self._records[ref]

    def _later(self, ref: Ref, cls: type) -> Record:
        """Stand for a record in its own fields while it is made."""
        records = self._records
        return Record(
            ref.name,
            cls,
            lambda data, _=None: records[ref].read(data),
            lambda value: records[ref].write(value),  # noqa: PLW0108  # looked up when called
        )

    def _define(self, record: RecordSpec, cls: type, arguments: tuple[TypeSpec, ...]) -> Record:
        attributes = attribute_names(cls)
        members = [
            Field(
                field.name,
                attributes.get(field.name, field.name),
                field.type,
                field.default is None,
            )
            for field in fields_of(record, arguments)
        ]
        fields = Fields(members, self.converter, self.refuses_unknown)
        if record.kind == "typeddict":
            return table_record(record.name, fields)
        return class_record(record.name, cls, fields)

    def _union(self, union: UnionOf) -> Shape:
        choice = choose(union, self.definitions)
        shapes = {spec: self.shape(spec) for spec in choice.others}
        readers: dict[type, Readable] = {
            _CLASS_OF_FORM[form]: _reader([shapes[spec] for spec in specs])
            for form, specs in choice.claims.items()
        }
        members = list(shapes.values())
        if choice.records:
            records = self._among(choice)
            if not members:
                return records
            members.append(records)
            readers[dict] = records
        most_specific_first = sorted(members, key=specificity, reverse=True)
        return Union(_joined(members), most_specific_first, readers)

    def _among(self, choice: Choice) -> Shape:
        members = [self._record(ref) for ref in choice.records]
        if choice.among_records is None:
            return members[0]
        return Records(_joined(members), members, choice.among_records)


def _reader(shapes: Sequence[Shape]) -> Readable:
    return shapes[0] if len(shapes) == 1 else Values(_joined(shapes), shapes)


def _joined(shapes: Sequence[Shape]) -> str:
    return " | ".join(shape.label for shape in shapes)
