"""Computing with types: arguments for type variables, unions, and the named types in a type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs

from farcall._contract.spec import (
    ArrayOf,
    Definition,
    EnumMember,
    FieldSpec,
    LiteralOf,
    MapOf,
    NewTypeSpec,
    Parameter,
    RecordSpec,
    Ref,
    Scalar,
    TupleOf,
    TypeSpec,
    UnionOf,
)


def substitute(spec: TypeSpec, variables: Mapping[str, TypeSpec]) -> TypeSpec:
    """Put a type for each type variable in `spec`."""

    def inside(part: TypeSpec) -> TypeSpec:
        return substitute(part, variables)

    match spec:
        case Parameter(name):
            return variables[name]
        case ArrayOf(kind, item):
            return ArrayOf(kind, inside(item))
        case TupleOf(items):
            return TupleOf(tuple(map(inside, items)))
        case MapOf(kind, key, value):
            return MapOf(kind, inside(key), inside(value))
        case UnionOf(members):
            return union_of(map(inside, members))
        case Ref(name, arguments):
            return Ref(name, tuple(map(inside, arguments)))
        case _:
            return spec


def union_of(members: Iterable[TypeSpec]) -> TypeSpec:
    """Join types into one: nested unions are opened, doubles dropped, a single one is itself.

    JSON without or with null is the same.
    """
    found: dict[TypeSpec, None] = {}
    written: list[TypeSpec] = []
    for member in members:
        parts = member.members if isinstance(member, UnionOf) else (member,)
        found.update(dict.fromkeys(parts))
        if isinstance(member, UnionOf) and member.alias is None:
            written += member.written or parts
        else:
            written.append(member)
    if found.keys() == {Scalar("json"), Scalar("none")}:
        return Scalar("json")
    if len(found) == 1:
        return next(iter(found))
    has_alias = any(isinstance(member, UnionOf) for member in written)
    return UnionOf(tuple(found), written=tuple(written) if has_alias else ())


def fields_of(record: RecordSpec, arguments: tuple[TypeSpec, ...] = ()) -> tuple[FieldSpec, ...]:
    """Give the fields of a record with its arguments in place of its type variables."""
    variables = dict(zip(record.parameters, arguments, strict=True))
    return tuple(
        attrs.evolve(field, type=substitute(field.type, variables)) for field in record.fields
    )


def target(spec: TypeSpec, definitions: Mapping[str, Definition]) -> TypeSpec:
    """See through new types to what crosses the wire."""
    while isinstance(spec, Ref) and isinstance(named := definitions[spec.name], NewTypeSpec):
        spec = named.target
    return spec


def walk(spec: TypeSpec) -> Iterator[TypeSpec]:
    """Give a type and all that it is made of."""
    yield spec
    parts: Iterable[TypeSpec]
    match spec:
        case Ref(_, parts) | TupleOf(parts):
            pass
        case ArrayOf(item=item):
            parts = (item,)
        case UnionOf(members):
            parts = spec.written or members
        case MapOf(key=key, value=value):
            parts = (key, value)
        case _:
            return
    for part in parts:
        yield from walk(part)


def named_in(spec: TypeSpec) -> Iterator[str]:
    """Name the definitions that a type is made of."""
    for each in walk(spec):
        match each:
            case Ref(name):
                yield name
            case LiteralOf(values):
                yield from (value.enum for value in values if isinstance(value, EnumMember))
            case _:
                pass


def reachable(types: Iterable[TypeSpec], definitions: Mapping[str, Definition]) -> frozenset[str]:
    """Collect the names in `types`, and those in what these name."""
    found = set[str]()
    waiting = [name for each in types for name in named_in(each)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            inside = _parts(definitions[name]) if name in definitions else ()
            waiting.extend(other for each in inside for other in named_in(each))
    return frozenset(found)


def _parts(definition: Definition) -> Iterable[TypeSpec]:
    if isinstance(definition, RecordSpec):
        return [field.type for field in definition.fields]
    return [definition.target] if isinstance(definition, NewTypeSpec) else []
