"""The named types that a type is made of, however deep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from farcall._contract.spec import (
    ArrayOf,
    Definition,
    EnumMember,
    LiteralOf,
    MapOf,
    NewTypeSpec,
    RecordSpec,
    Ref,
    TupleOf,
    TypeSpec,
    UnionOf,
)


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
