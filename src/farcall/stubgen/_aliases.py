"""The type aliases of a service, which its stub defines as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from farcall._contract.algebra import walk
from farcall._contract.identifiers import is_attribute_name
from farcall._contract.spec import NewTypeSpec, Parameter, RecordSpec, ServiceSpec, TypeSpec


@attrs.frozen
class AliasSpec:
    name: str
    target: TypeSpec


def aliases_of(spec: ServiceSpec) -> Mapping[str, TypeSpec]:
    """Return the aliases that a module can define, by name.

    An alias is left out if its name stands for two types, or for a definition of the service.
    """
    found: dict[str, TypeSpec] = {}
    unfit = {each.name for each in spec.definitions} | {None}
    for each in (part for whole in _types(spec) for part in walk(whole)):
        if each.alias in unfit or each.alias is None:
            continue
        is_generic = any(isinstance(part, Parameter) for part in walk(each))
        is_other = found.setdefault(each.alias, each) != each
        if is_generic or is_other or not is_attribute_name(each.alias):
            unfit.add(each.alias)
    return {name: each for name, each in found.items() if name not in unfit}


def _types(spec: ServiceSpec) -> Iterator[TypeSpec]:
    for method in spec.methods:
        yield from (each.type for each in method.arguments)
        yield method.result
        if method.started is not None:
            yield method.started
    for signal in spec.signals:
        yield signal.value
        if signal.key_type is not None:
            yield signal.key_type
    for definition in spec.definitions:
        if isinstance(definition, RecordSpec):
            yield from (field.type for field in definition.fields)
        elif isinstance(definition, NewTypeSpec):
            yield definition.target
