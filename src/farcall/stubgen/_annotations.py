"""Write the types of a contract as annotations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from farcall._contract.scalars import SCALARS, ScalarName
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
    ViaOf,
)
from farcall.stubgen._layout import Layout, Parenthesized, Union, call, subscript
from farcall.stubgen._literals import constant
from farcall.stubgen._names import Names


def annotation(spec: TypeSpec, names: Names) -> Layout:
    """Write a type that stands alone: a long union gets parentheses."""
    written = inner_annotation(spec, names)
    return Parenthesized(written) if isinstance(written, Union) else written


def inner_annotation(spec: TypeSpec, names: Names) -> Layout:
    """Write a type that stands between brackets."""
    return names.type_alias(spec) or written_out(spec, names)


def written_out(spec: TypeSpec, names: Names) -> Layout:
    """Write a type with all its parts, and not by its alias."""
    match spec:
        case Scalar(name):
            return _scalar(name, names)
        case LiteralOf(values):
            written = [
                f"{names.defined(each.enum)}.{each.name}"
                if isinstance(each, EnumMember)
                else constant(each)
                for each in values
            ]
            return subscript(names.standard("Literal"), written)
        case ArrayOf(kind, item):
            array = names.standard("Sequence") if kind == "sequence" else names.builtin(kind)
            ellipsis = ["..."] if kind == "tuple" else []
            return subscript(array, [inner_annotation(item, names), *ellipsis])
        case TupleOf(items):
            parts = [inner_annotation(each, names) for each in items]
            return subscript(names.builtin("tuple"), parts or ["()"])
        case MapOf(kind, key, value):
            table = names.builtin("dict") if kind == "dict" else names.standard("Mapping")
            return subscript(table, [inner_annotation(each, names) for each in (key, value)])
        case UnionOf():
            return Union(tuple(inner_annotation(each, names) for each in _members(spec, names)))
        case Ref(name, arguments):
            parts = [inner_annotation(each, names) for each in arguments]
            return subscript(names.defined(name), parts)
        case ViaOf():
            return _own_type(spec, names)
        case Parameter(name):
            return names.variable(name)
        case _:
            assert_never(spec)


def _own_type(spec: ViaOf, names: Names) -> Layout:
    """Write a class that the stub imports, with its `Via` unless it is registered."""
    imports = spec.imports
    if imports is None:
        return inner_annotation(spec.wire, names)
    cls = names.imported(imports.cls)
    if imports.encode is None or imports.decode is None:
        names.import_only(imports.module or imports.cls.module)
        return cls
    functions = {"encode": imports.encode, "decode": imports.decode}
    written = [f"{name}={names.imported(place)}" for name, place in functions.items()]
    via = call(f"{names.module('farcall')}.Via", [inner_annotation(spec.wire, names), *written])
    return subscript(names.standard("Annotated"), [cls, via])


def _members(spec: UnionOf, names: Names) -> Iterable[TypeSpec]:
    """Return the members of a union, with those of inner unions whose alias the module lacks."""
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
