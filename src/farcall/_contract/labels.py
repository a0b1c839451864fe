"""Names of types: in messages on both sides of the wire, and in Python's notation."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable
from typing import assert_never

from farcall._contract.scalars import SCALARS
from farcall._contract.spec import (
    ArrayOf,
    EnumMember,
    LiteralOf,
    LiteralValue,
    MapOf,
    Parameter,
    Ref,
    Scalar,
    TupleOf,
    TypeSpec,
    UnionOf,
    ViaOf,
)


def label(spec: TypeSpec) -> str:
    """Name a type in a message: ``list``, ``int | null``."""
    match spec:
        case Scalar(name):
            return SCALARS[name].label
        case LiteralOf(values):
            return " | ".join(map(_literal, values))
        case ArrayOf(kind) | MapOf(kind):
            return kind
        case TupleOf():
            return "tuple"
        case UnionOf(members):
            return " | ".join(map(label, members))
        case _:
            return spec.name


def _literal(value: LiteralValue) -> str:
    match value:
        case EnumMember(enum, name):
            return f"{enum}.{name}"
        case bytes():
            return json.dumps(b64encode(value).decode())
        case _:
            return json.dumps(value)


def spelled(spec: TypeSpec) -> str:
    """Write a type in Python's notation: ``list[Quote] | None``."""
    match spec:
        case Scalar(name):
            return SCALARS[name].python_name
        case LiteralOf(values):
            return f"Literal[{', '.join(map(_spelled_literal, values))}]"
        case ArrayOf(kind, item):
            return f"{kind}[{spelled(item)}{', ...' if kind == 'tuple' else ''}]"
        case TupleOf(items):
            return f"tuple[{_listed(items) or '()'}]"
        case MapOf(kind, key, value):
            return f"{kind}[{_listed((key, value))}]"
        case UnionOf(members):
            return " | ".join(map(spelled, members))
        case Ref(name, arguments):
            return f"{name}[{_listed(arguments)}]" if arguments else name
        case ViaOf(name, wire):
            return f"{name} as {spelled(wire)}"
        case Parameter(name):
            return name
        case _:
            assert_never(spec)


def _listed(specs: Iterable[TypeSpec]) -> str:
    return ", ".join(map(spelled, specs))


def _spelled_literal(value: None | bool | int | str | bytes | EnumMember) -> str:
    return f"{value.enum}.{value.name}" if isinstance(value, EnumMember) else repr(value)
