"""Computations on types: their parts, arguments for type variables, unions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

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
    ViaOf,
)


def substitute(spec: TypeSpec, variables: Mapping[str, TypeSpec]) -> TypeSpec:
    """Replace each type variable in a type."""

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
    """Join types: flatten nested unions, and drop doubles. A union of one type is that type.

    JSON includes null, so a union of the two is JSON.
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
    """Return the fields of a record, its type variables replaced by the arguments."""
    variables = dict(zip(record.parameters, arguments, strict=True))
    return tuple(replace(field, type=substitute(field.type, variables)) for field in record.fields)


def target(spec: TypeSpec, definitions: Mapping[str, Definition]) -> TypeSpec:
    """Return the type that a new type stands for, through any number of them."""
    while isinstance(spec, Ref) and isinstance(named := definitions[spec.name], NewTypeSpec):
        spec = named.target
    return spec


def parts_of(spec: TypeSpec) -> tuple[TypeSpec, ...]:
    """Return the types that stand directly in a type; of a `Ref`, its arguments."""
    match spec:
        case Ref(_, parts) | TupleOf(parts) | UnionOf(parts):
            return parts
        case ArrayOf(_, item):
            return (item,)
        case MapOf(_, key, value):
            return (key, value)
        case ViaOf(_, wire):
            return (wire,)
        case _:
            return ()


def walk(spec: TypeSpec) -> Iterator[TypeSpec]:
    """Yield a type and all types in it, as it is written."""
    yield spec
    written = spec.written if isinstance(spec, UnionOf) else ()
    for part in written or parts_of(spec):
        yield from walk(part)


def named_in(spec: TypeSpec) -> Iterator[str]:
    """Yield the names of the definitions in a type."""
    for each in walk(spec):
        match each:
            case Ref(name):
                yield name
            case LiteralOf(values):
                yield from (value.enum for value in values if isinstance(value, EnumMember))
            case _:
                pass


def reachable(types: Iterable[TypeSpec], definitions: Mapping[str, Definition]) -> frozenset[str]:
    """Collect the names of the definitions in `types`, and in these definitions in turn."""
    found = set[str]()
    waiting = [name for each in types for name in named_in(each)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            inside: Iterable[TypeSpec] = ()
            match definitions.get(name):
                case RecordSpec(fields=fields):
                    inside = (field.type for field in fields)
                case NewTypeSpec(target=inner):
                    inside = (inner,)
                case _:
                    pass
            waiting.extend(other for each in inside for other in named_in(each))
    return frozenset(found)
