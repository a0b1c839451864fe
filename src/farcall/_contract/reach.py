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


def named_in(spec: TypeSpec) -> Iterator[str]:
    """Name the definitions that a type is made of."""
    match spec:
        case Ref(name, parts):
            yield name
        case LiteralOf(values):
            yield from (value.enum for value in values if isinstance(value, EnumMember))
            return
        case ArrayOf(item=item):
            parts = (item,)
        case TupleOf(parts) | UnionOf(parts):
            pass
        case MapOf(key=key, value=value):
            parts = (key, value)
        case _:
            return
    for part in parts:
        yield from named_in(part)


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
