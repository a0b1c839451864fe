"""Types as a reader would write them, for messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from farcall._contract.spec import (
    ArrayOf,
    EnumMember,
    LiteralOf,
    MapOf,
    Parameter,
    Ref,
    Scalar,
    TupleOf,
    TypeSpec,
    UnionOf,
)


def spelled(spec: TypeSpec) -> str:
    """Write a type in Python's own notation: ``list[Quote] | None``."""
    match spec:
        case Scalar(name):
            return "None" if name == "none" else name
        case LiteralOf(values):
            return f"Literal[{', '.join(map(_literal, values))}]"
        case ArrayOf("tuple", item):
            return f"tuple[{spelled(item)}, ...]"
        case ArrayOf(kind, item):
            return f"{kind}[{spelled(item)}]"
        case TupleOf(items):
            return f"tuple[{_listed(items) or '()'}]"
        case MapOf(kind, key, value):
            return f"{kind}[{_listed((key, value))}]"
        case UnionOf(members):
            return " | ".join(map(spelled, members))
        case Ref(name, arguments):
            return f"{name}[{_listed(arguments)}]" if arguments else name
        case Parameter(name):
            return name
        case _:
            assert_never(spec)


def _listed(specs: Iterable[TypeSpec]) -> str:
    return ", ".join(map(spelled, specs))


def _literal(value: None | bool | int | str | bytes | EnumMember) -> str:
    return f"{value.enum}.{value.name}" if isinstance(value, EnumMember) else repr(value)
