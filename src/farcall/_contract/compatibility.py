"""Compatibility of two types, each in its own contract: can one side read what the other writes?

The question has a direction. Arguments go from an old caller to a new server; results and values
of signals go from the new server to the old caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from farcall._contract.algebra import target
from farcall._contract.scalars import SCALARS
from farcall._contract.spec import (
    ArrayOf,
    Definition,
    EnumMember,
    EnumSpec,
    FieldSpec,
    LiteralOf,
    MapOf,
    NewTypeSpec,
    RecordSpec,
    Ref,
    Scalar,
    ServiceSpec,
    TupleOf,
    TypeSpec,
    UnionOf,
    ViaOf,
)

_Constant: TypeAlias = "tuple[str, object]"
"""A value with the name of its scalar type, for ``1 == True``."""

_BOOLS = frozenset({("bool", True), ("bool", False)})


class Fit(Struct, frozen=True):
    """Compares the types of a writer with those of a reader.

    Records of the same name fit: `diff` compares their fields once, where they are defined. So
    recursive types end, too.
    """

    writer: Mapping[str, Definition]
    reader: Mapping[str, Definition]
    reader_is_strict: bool
    """Whether the reader refuses unknown fields, as a server does."""
    takes_wire: bool = False
    """Whether a class that crosses as another type reads all values of that; it can refuse some."""
    _assumed: frozenset[tuple[str, str]] = frozenset()
    """Pairs of a record and its renamed one that are being compared further out."""

    @staticmethod
    def of(
        writer: ServiceSpec,
        reader: ServiceSpec,
        *,
        reader_is_strict: bool,
        takes_wire: bool = False,
    ) -> Fit:
        return Fit(definitions_of(writer), definitions_of(reader), reader_is_strict, takes_wire)

    def fits(self, written: TypeSpec, read: TypeSpec) -> bool:
        """Tell whether every value of type `written` can be read as `read`."""
        sources = tuple(_members(written, self.writer))
        targets = tuple(_members(read, self.reader))
        return self._tags_fit(sources, targets) and all(
            any(self._member_fits(value, target) for target in targets)
            for source in sources
            for value in _singly(source)
        )

    def broken_fields(self, written: RecordSpec, read: RecordSpec) -> frozenset[str]:
        """Name the fields that keep the reader from reading a record."""
        before = {field.name: field for field in written.fields}
        after = {field.name: field for field in read.fields}
        missing = {name for name in after.keys() - before.keys() if not after[name].default}
        unknown = before.keys() - after.keys() if self.reader_is_strict else set[str]()
        unfit = {
            name
            for name in before.keys() & after.keys()
            if (self._may_be_absent(written, before[name]) and not after[name].default)
            or not self.fits(before[name].type, after[name].type)
        }
        return frozenset(missing | unknown | unfit)

    def _may_be_absent(self, record: RecordSpec, field: FieldSpec) -> bool:
        """Tell whether a writer leaves out a field; a server does so in a dict alone."""
        return field.default is not None and (self.reader_is_strict or record.kind == "typeddict")

    def _tags_fit(self, sources: Iterable[TypeSpec], targets: Iterable[TypeSpec]) -> bool:
        """Check the ``type`` member, which records of a union have and other records lack."""
        written = list(_records(sources, self.writer))
        read = list(_records(targets, self.reader))
        if len(read) < 2:
            return len(written) < 2 or not self.reader_is_strict
        names_fit = {each.name for each in written} <= {each.name for each in read}
        return names_fit and (len(written) != 1 or _is_told_apart(written[0], read))

    def _member_fits(self, source: TypeSpec, target: TypeSpec) -> bool:
        if target == Scalar("json"):
            return True
        if isinstance(source, ViaOf) or isinstance(target, ViaOf):
            return self._own_type_fits(source, target)
        constants = _constants(source, self.writer)
        if constants is not None and not (
            isinstance(source, Ref) and isinstance(target, Ref) and source.name == target.name
        ):
            return self._constants_fit(constants, target)
        match source, target:
            case Scalar(name), Scalar(other):
                return name == other or other in SCALARS[name].read_by
            case Ref(), Ref():
                return self._all_fit(source.arguments, target.arguments) and (
                    source.name == target.name or self._is_renamed(source, target)
                )
            case ArrayOf(item=item), ArrayOf(item=other):
                return self.fits(item, other)
            case TupleOf(items), ArrayOf(item=other):
                return all(self.fits(item, other) for item in items)
            case TupleOf(items), TupleOf(others):
                return self._all_fit(items, others)
            case MapOf(key=key, value=value), MapOf(key=other_key, value=other_value):
                return self._key_fits(key, other_key) and self.fits(value, other_value)
            case _:
                return source == target

    def _own_type_fits(self, source: TypeSpec, target: TypeSpec) -> bool:
        if isinstance(source, ViaOf):
            return self.fits(source.wire, _wire(target, source.name))
        return isinstance(target, ViaOf) and self.takes_wire and self.fits(source, target.wire)

    def _key_fits(self, written: TypeSpec, read: TypeSpec) -> bool:
        # In JSON every key is a text.
        return target(read, self.reader) == Scalar("str") or self.fits(written, read)

    def _all_fit(self, written: tuple[TypeSpec, ...], read: tuple[TypeSpec, ...]) -> bool:
        return len(written) == len(read) and all(map(self.fits, written, read))

    def _constants_fit(self, constants: frozenset[_Constant], target: TypeSpec) -> bool:
        accepted = _constants(target, self.reader)
        if accepted is not None:
            return constants <= accepted
        if not isinstance(target, Scalar):
            return False
        return all(
            kind == target.name or target.name in SCALARS[kind].read_by for kind, _ in constants
        )

    def _is_renamed(self, source: Ref, target: Ref) -> bool:
        """Compare records of two names by their fields; inside these the pair counts as fitting."""
        pair = (source.name, target.name)
        if pair in self._assumed:
            return True
        written, read = self.writer.get(source.name), self.reader.get(target.name)
        if not isinstance(written, RecordSpec) or not isinstance(read, RecordSpec):
            return False
        inside = replace(self, _assumed=self._assumed | {pair})
        return not inside.broken_fields(written, read)


def _wire(spec: TypeSpec, name: str) -> TypeSpec:
    """Return the type by which a class of that name crosses; any other type as it is."""
    return spec.wire if isinstance(spec, ViaOf) and spec.name == name else spec


def definitions_of(spec: ServiceSpec) -> Mapping[str, Definition]:
    """Return the named types of a contract by name."""
    return {each.name: each for each in spec.definitions}


def _members(spec: TypeSpec, definitions: Mapping[str, Definition]) -> Iterator[TypeSpec]:
    """Yield the members of a union, or the one type; targets in place of new types."""
    if isinstance(spec, UnionOf):
        for member in spec.members:
            yield from _members(member, definitions)
    elif isinstance(spec, Ref) and isinstance(found := definitions.get(spec.name), NewTypeSpec):
        yield from _members(found.target, definitions)
    else:
        yield spec


def _singly(spec: TypeSpec) -> Iterator[TypeSpec]:
    """Split a Literal: different members of a union can read its values."""
    if isinstance(spec, LiteralOf):
        yield from (LiteralOf((value,)) for value in spec.values)
    else:
        yield spec


def _records(
    members: Iterable[TypeSpec], definitions: Mapping[str, Definition]
) -> Iterator[RecordSpec]:
    for member in members:
        found = definitions.get(member.name) if isinstance(member, Ref) else None
        if isinstance(found, RecordSpec):
            yield found


def _is_told_apart(written: RecordSpec, read: Iterable[RecordSpec]) -> bool:
    """Tell whether a record without ``type`` has a required field that no other record has."""
    required = {field.name for field in written.fields if not field.default}
    others = (each for each in read if each.name != written.name)
    return bool(required.difference(*({field.name for field in each.fields} for each in others)))


def _constants(
    spec: TypeSpec, definitions: Mapping[str, Definition]
) -> frozenset[_Constant] | None:
    """Return the values of a type that has only a few, as they are in JSON."""
    match spec:
        case Scalar("none"):
            return frozenset({("none", None)})
        case Scalar("bool"):
            return _BOOLS
        case LiteralOf(values):
            return frozenset(_constant(value, definitions) for value in values)
        case Ref(name):
            found = definitions.get(name)
            if not isinstance(found, EnumSpec):
                return None
            return frozenset(_constant(value, {}) for _, value in found.members)
        case _:
            return None


def _constant(value: object, definitions: Mapping[str, Definition]) -> _Constant:
    if isinstance(value, EnumMember):
        enum = definitions.get(value.enum)
        members = dict(enum.members) if isinstance(enum, EnumSpec) else {}
        return _constant(members.get(value.name, value.name), {})
    return ("none" if value is None else type(value).__name__, value)
