"""Contracts as plain JSON: complete, and in the declared order.

A type is a text or a list that begins with its kind: ``"int"``, ``["list", T]``, ``["tuple", T]``,
``["items", T, ...]``, ``["dict", K, V]``, ``["union", T, ...]``, ``["ref", "Quote", T, ...]``,
``["parameter", "T"]``, ``["literal", ["int", 1], ["member", "Side", "BUY"]]``,
``["via", "Money", T]`` for a class that crosses as ``T``, and ``["alias", "Symbol", T]`` for a type
that source names by an alias. Any other part is an object with the names of `spec`, without members
that have their default.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, Final, TypeAlias, TypeGuard, assert_never

from msgspec import Struct, structs

from farcall._contract.spec import (
    ArrayOf,
    Definition,
    EnumMember,
    EnumSpec,
    LiteralOf,
    LiteralValue,
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

Form: TypeAlias = "str | int | bool | None | list[Form] | dict[str, Form]"

SORTS: Final[Mapping[str, type[Definition]]] = {
    "record": RecordSpec,
    "enum": EnumSpec,
    "newtype": NewTypeSpec,
}
"""The sorts of definitions, by their name in a form."""

SORT: Final = "sort"
"""The member with the sort, in the form of a definition."""

_TYPES = (Scalar, LiteralOf, ArrayOf, TupleOf, MapOf, UnionOf, Ref, ViaOf, Parameter)


def form_of(part: Any) -> Form:
    """Write a contract, or a part of one.

    Args:
        part: A `ServiceSpec`, or a part of one.
    """
    if isinstance(part, _TYPES):
        return written_form(part)
    if isinstance(part, Struct):
        return _object_form(part)
    if _is_several(part):
        forms = list(map(form_of, part))
        return sorted(forms, key=str) if isinstance(part, frozenset) else forms
    if isinstance(part, str):
        # Docstrings alone can have lone surrogates.
        return part.encode(errors="backslashreplace").decode()
    plain: None | bool | int = part
    return plain


def written_form(spec: TypeSpec) -> Form:
    """Write a type with its aliases, as the source of the service does."""
    if isinstance(spec, UnionOf) and spec.written:
        form: Form = ["union", *map(written_form, spec.written)]
    else:
        form = type_form(spec, written_form)
    return form if spec.alias is None else ["alias", spec.alias, form]


def type_form(spec: TypeSpec, part_form: Callable[[TypeSpec], Form] | None = None) -> Form:
    """Write a type, with its parts written by `part_form` if given."""
    of_part = part_form or type_form
    match spec:
        case Scalar(name):
            return name
        case LiteralOf(values):
            return ["literal", *map(literal_form, values)]
        case ArrayOf(kind, item):
            return [kind, of_part(item)]
        case TupleOf(items):
            return ["items", *map(of_part, items)]
        case MapOf(kind, key, value):
            return [kind, of_part(key), of_part(value)]
        case UnionOf(members):
            return ["union", *map(of_part, members)]
        case Ref(name, arguments):
            return ["ref", name, *map(of_part, arguments)]
        case ViaOf(name, wire):
            return ["via", name, of_part(wire)]
        case Parameter(name):
            return ["parameter", name]
        case _:
            assert_never(spec)


def literal_form(value: LiteralValue) -> Form:
    """Keep ``1``, ``True``, ``"1"`` and ``b"1"`` apart."""
    if isinstance(value, EnumMember):
        return ["member", value.enum, value.name]
    return [type(value).__name__, value.hex() if isinstance(value, bytes) else value]


def _object_form(part: Struct) -> Form:
    form: dict[str, Form] = {}
    for sort, cls in SORTS.items():
        if type(part) is cls:
            form[SORT] = sort
    # The fields of a class come before the options that it inherits, which are keyword-only.
    for name, default in defaults_of(type(part)).items():
        value = getattr(part, name)
        if value != default:
            form[name] = form_of(value)
    return form


@cache
def defaults_of(cls: type[Struct]) -> Mapping[str, object]:
    """Return the default of each field of a class of `spec`; `NODEFAULT` for a required one."""
    return {field.name: field.default for field in structs.fields(cls)}


def _is_several(part: object) -> TypeGuard[Collection[Any]]:
    return isinstance(part, tuple | frozenset)
