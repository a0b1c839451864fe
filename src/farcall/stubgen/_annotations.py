"""Write the types of a contract as annotations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from farcall._contract.scalars import SCALARS, ScalarName
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
)
from farcall.stubgen._layout import Layout, Parenthesized, Union, subscript
from farcall.stubgen._literals import constant
from farcall.stubgen._names import Names


def annotation(spec: TypeSpec, names: Names) -> Layout:
    """Write a type as it stands alone, where a long union gets parentheses."""
    written = inner_annotation(spec, names)
    return Parenthesized(written) if isinstance(written, Union) else written


def inner_annotation(spec: TypeSpec, names: Names) -> Layout:
    """Write a type that stands between brackets."""
    return names.type_alias(spec) or written_out(spec, names)


def written_out(spec: TypeSpec, names: Names) -> Layout:
    """Write a type with all its parts, as its alias stands for it."""
    match spec:
        case Scalar(name):
            return _scalar(name, names)
        case LiteralOf(values):
            return subscript(names.standard("Literal"), [_literal(each, names) for each in values])
        case ArrayOf(kind, item):
            return _array(kind, item, names)
        case TupleOf(items):
            parts = [inner_annotation(each, names) for each in items]
            return subscript(names.builtin("tuple"), parts or ["()"])
        case MapOf(kind, key, value):
            table = names.builtin("dict") if kind == "dict" else names.standard("Mapping")
            return subscript(table, [inner_annotation(each, names) for each in (key, value)])
        case UnionOf():
            return Union(tuple(inner_annotation(each, names) for each in _members(spec, names)))
        case Ref(name, arguments):
            written = [inner_annotation(each, names) for each in arguments]
            return subscript(names.defined(name), written)
        case Parameter(name):
            return names.variable(name)
        case _:
            assert_never(spec)


def _members(spec: UnionOf, names: Names) -> Iterable[TypeSpec]:
    """Give the members of a union, opening those unions in it whose alias the module lacks."""
    parts = [
        each.members if isinstance(each, UnionOf) and names.type_alias(each) is None else (each,)
        for each in spec.written
    ]
    if not parts:
        return spec.members
    return dict.fromkeys(member for part in parts for member in part)


def _scalar(name: ScalarName, names: Names) -> str:
    scalar = SCALARS[name]
    if name == "none":
        return scalar.source
    if name == "json":
        return f"{names.module(scalar.module)}.{scalar.python_name}"
    refer = names.standard if scalar.module else names.builtin
    return refer(scalar.python_name)


def _array(kind: str, item: TypeSpec, names: Names) -> Layout:
    generic = names.standard("Sequence") if kind == "sequence" else names.builtin(kind)
    ellipsis = ["..."] if kind == "tuple" else []
    return subscript(generic, [inner_annotation(item, names), *ellipsis])


def _literal(value: LiteralValue, names: Names) -> str:
    if isinstance(value, EnumMember):
        return f"{names.defined(value.enum)}.{value.name}"
    return constant(value)
