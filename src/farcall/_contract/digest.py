"""The digest of a contract: sides with the same digest agree on all that crosses the wire.

It covers all that a caller can notice: names on the wire, kinds, types, codes, the roles of
arguments and whether they are required. It leaves out docstrings, the values of defaults, Python
names, and every order but that of positional arguments.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import assert_never

from farcall._contract.forms import Form, type_form
from farcall._contract.spec import (
    ArgumentSpec,
    Definition,
    EnumSpec,
    FieldSpec,
    MethodSpec,
    NewTypeSpec,
    RecordSpec,
    ServiceSpec,
    SignalSpec,
    TypeSpec,
)

_LENGTH = 32
"""Hexadecimal digits: 128 bits, so that two contracts do not have one digest by chance."""


def digest(spec: ServiceSpec) -> str:
    """Hash a contract.

    Args:
        spec: The contract.

    Returns:
        32 hexadecimal digits, the same in every process and release.
    """
    return hashlib.sha256(_text(_service_form(spec)).encode()).hexdigest()[:_LENGTH]


def method_form(spec: MethodSpec) -> Form:
    """Reduce a method to the parts that callers notice."""
    positional = [each for each in spec.arguments if each.role != "keyword"]
    keyword = [each for each in spec.arguments if each.role == "keyword"]
    # Only for remote tasks, which are newer: the digests of other contracts stay.
    started: list[Form] = [] if spec.started is None else [canonical_form(spec.started)]
    return [
        spec.wire_name,
        [argument_form(each) for each in positional],
        _sorted(map(argument_form, keyword)),
        canonical_form(spec.result),
        _sorted(spec.raises),
        spec.oneway,
        *started,
        *_only_if("stream", spec.stream),
    ]


def argument_form(spec: ArgumentSpec) -> Form:
    """Reduce an argument to the parts that callers notice."""
    form: list[Form] = [spec.name, canonical_form(spec.type), spec.role, spec.default is not None]
    return [*form, *_only_if("upload", spec.upload)]


def signal_form(spec: SignalSpec) -> Form:
    """Reduce a signal to the parts that subscribers notice."""
    key = None if spec.key_type is None else canonical_form(spec.key_type)
    return [spec.wire_name, canonical_form(spec.value), spec.key, key, spec.retain, spec.broadcast]


def definition_form(spec: Definition) -> Form:
    """Reduce a named type to the parts that cross."""
    match spec:
        case RecordSpec():
            fields = _sorted(field_form(each) for each in spec.fields)
            return ["record", spec.name, spec.kind, list(spec.parameters), spec.code, fields]
        case EnumSpec():
            return ["enum", spec.name, spec.base, _sorted(list(each) for each in spec.members)]
        case NewTypeSpec():
            return ["newtype", spec.name, canonical_form(spec.target)]
        case _:
            assert_never(spec)


def field_form(spec: FieldSpec) -> Form:
    """Reduce a field to its name and type, and whether it is required."""
    return [spec.name, canonical_form(spec.type), spec.default is not None]


def canonical_form(spec: TypeSpec) -> Form:
    """Write a type as plain JSON, the same for types with the same meaning."""
    return _sorted_inside(type_form(spec))


def _sorted_inside(form: Form) -> Form:
    match form:
        case ["literal", *values]:
            return ["literal", *_sorted(values)]
        case ["union", *members]:
            return ["union", *_sorted(map(_sorted_inside, members))]
        case [kind, *parts]:
            return [kind, *map(_sorted_inside, parts)]
        case _:
            return form


def _service_form(spec: ServiceSpec) -> Form:
    return [
        spec.name,
        _sorted(map(method_form, spec.methods)),
        _sorted(map(signal_form, spec.signals)),
        _sorted(map(definition_form, spec.definitions)),
    ]


def _only_if(kind: str, is_there: bool) -> list[Form]:
    """Name a newer kind: contracts without it keep their digests."""
    return [kind] if is_there else []


def _sorted(forms: Iterable[Form]) -> list[Form]:
    """Sort forms of any shape by their texts."""
    return sorted(forms, key=_text)


def _text(form: Form) -> str:
    return json.dumps(form, separators=(",", ":"), ensure_ascii=True)
