"""A short name for a contract: two sides with the same digest agree on all that crosses.

What it covers is what a caller can tell: names on the wire, kinds, types, codes, the roles of
arguments and whether they may be left out. Docstrings and the values of defaults are left out,
for a server may change both without any caller noticing; so are Python names, and the order of
everything but arguments that have a position.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TypeAlias, assert_never

from farcall._contract.spec import (
    ArgumentSpec,
    ArrayOf,
    Definition,
    EnumMember,
    EnumSpec,
    FieldSpec,
    LiteralOf,
    MapOf,
    MethodSpec,
    NewTypeSpec,
    Parameter,
    RecordSpec,
    Ref,
    Scalar,
    ServiceSpec,
    SignalSpec,
    TupleOf,
    TypeSpec,
    UnionOf,
)

Form: TypeAlias = "str | int | bool | None | list[Form]"

_LENGTH = 32
"""Hexadecimal digits: 128 bits, as no two contracts of one service may meet by chance."""


def digest(spec: ServiceSpec) -> str:
    """Hash a contract.

    Args:
        spec: The contract.

    Returns:
        32 hexadecimal digits, the same in every process and release.
    """
    return hashlib.sha256(_text(_service_form(spec)).encode()).hexdigest()[:_LENGTH]


def method_form(spec: MethodSpec) -> Form:
    """Reduce an endpoint to what callers can tell."""
    positional = [each for each in spec.arguments if each.role != "keyword"]
    keyword = [each for each in spec.arguments if each.role == "keyword"]
    # Said only of remote tasks, so that the digests of other contracts do not change.
    started: list[Form] = [] if spec.started is None else [type_form(spec.started)]
    return [
        spec.wire_name,
        [argument_form(each) for each in positional],
        _sorted(map(argument_form, keyword)),
        type_form(spec.result),
        _sorted(spec.raises),
        spec.oneway,
        *started,
        *_only_if("stream", spec.stream),
    ]


def argument_form(spec: ArgumentSpec) -> Form:
    """Reduce an argument to its name, type, role and kind."""
    form: list[Form] = [spec.name, type_form(spec.type), spec.role, spec.default is not None]
    return [*form, *_only_if("upload", spec.upload)]


def signal_form(spec: SignalSpec) -> Form:
    """Reduce a signal to what subscribers can tell."""
    key = None if spec.key_type is None else type_form(spec.key_type)
    return [spec.wire_name, type_form(spec.value), spec.key, key, spec.retain, spec.broadcast]


def definition_form(spec: Definition) -> Form:
    """Reduce a named type to what crosses."""
    match spec:
        case RecordSpec():
            fields = _sorted(field_form(each) for each in spec.fields)
            return ["record", spec.name, spec.kind, list(spec.parameters), spec.code, fields]
        case EnumSpec():
            return ["enum", spec.name, spec.base, _sorted(list(each) for each in spec.members)]
        case NewTypeSpec():
            return ["newtype", spec.name, type_form(spec.target)]
        case _:
            assert_never(spec)


def field_form(spec: FieldSpec) -> Form:
    """Reduce a field to its name and type, and whether it must be there."""
    return [spec.name, type_form(spec.type), spec.default is not None]


def type_form(spec: TypeSpec) -> Form:
    """Write a type as plain JSON, the same for types that mean the same."""
    match spec:
        case Scalar(name):
            return name
        case LiteralOf(values):
            return ["literal", *_sorted(_literal_form(each) for each in values)]
        case ArrayOf(kind, item):
            return [kind, type_form(item)]
        case TupleOf(items):
            return ["items", *map(type_form, items)]
        case MapOf(kind, key, value):
            return [kind, type_form(key), type_form(value)]
        case UnionOf(members):
            return ["union", *_sorted(map(type_form, members))]
        case Ref(name, arguments):
            return ["ref", name, *map(type_form, arguments)]
        case Parameter(name):
            return ["parameter", name]
        case _:
            assert_never(spec)


def _literal_form(value: None | bool | int | str | bytes | EnumMember) -> Form:
    """Keep ``1``, ``True``, ``"1"`` and ``b"1"`` apart."""
    if isinstance(value, EnumMember):
        return ["member", value.enum, value.name]
    return [type(value).__name__, value.hex() if isinstance(value, bytes) else value]


def _service_form(spec: ServiceSpec) -> Form:
    return [
        spec.name,
        _sorted(map(method_form, spec.methods)),
        _sorted(map(signal_form, spec.signals)),
        _sorted(map(definition_form, spec.definitions)),
    ]


def _only_if(kind: str, is_there: bool) -> list[Form]:
    """Name a kind that came later: contracts without it keep the digests they have."""
    return [kind] if is_there else []


def _sorted(forms: Iterable[Form]) -> list[Form]:
    """Order forms of any shape, by their texts."""
    return sorted(forms, key=_text)


def _text(form: Form) -> str:
    return json.dumps(form, separators=(",", ":"), ensure_ascii=True)
