"""What a type is called in messages, on both sides of the wire."""

from __future__ import annotations

import json
from base64 import b64encode

from farcall._contract.spec import (
    ArrayOf,
    EnumMember,
    LiteralOf,
    LiteralValue,
    MapOf,
    Scalar,
    TupleOf,
    TypeSpec,
    UnionOf,
)

_NAMES = {"none": "null", "uuid": "UUID", "decimal": "Decimal", "json": "JSON"}


def label(spec: TypeSpec) -> str:
    """Name a type in a few words."""
    match spec:
        case Scalar(name):
            return _NAMES.get(name, name)
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
