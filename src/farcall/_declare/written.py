"""The parts of a contract that only the source has: docstrings of signals, names of aliases."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, get_args

from msgspec import Struct, field
from msgspec.structs import replace

from farcall._contract.definitions import Definitions
from farcall._contract.describe import describe
from farcall._contract.spec import (
    ArgumentSpec,
    MethodSpec,
    RecordSpec,
    Ref,
    ServiceSpec,
    SignalSpec,
    TypeSpec,
    UnsupportedType,
)
from farcall._declare.aliases import annotation_of_attribute, annotations_of, hints_of
from farcall._declare.annotations import item_type, without_class_var
from farcall._declare.marks import marks_of
from farcall._declare.methods import Method
from farcall._declare.service import Service
from farcall._declare.signals import SignalEntry
from farcall._declare.sites import source_of


def documented(service: Service) -> ServiceSpec:
    """Return the contract of a service with the docstrings of signals and the names of aliases.

    Without a source they are missing; nothing depends on them.
    """
    reader = _Reader(service)
    methods = tuple(reader.method(each) for each in service.methods.values())
    signals = tuple(reader.signal(each) for each in service.signals.values())
    found = {each.name: each for each in reader.definitions.sorted()}
    definitions = tuple(
        found[each.name] if found.get(each.name) == each else each
        for each in service.spec.definitions
    )
    return replace(service.spec, methods=methods, signals=signals, definitions=definitions)


class _Reader(Struct, frozen=True):
    """Describes the types of a service again, with the names of aliases."""

    service: Service
    definitions: Definitions = field(default_factory=lambda: Definitions(hints_of))

    def method(self, method: Method) -> MethodSpec:
        spec = method.spec
        function = inspect.getattr_static(self.service.cls, method.attribute)
        function = inspect.unwrap(getattr(function, "__func__", function))
        hints = annotations_of(function)
        for error in getattr(marks_of(function), "raises", ()):
            describe(error, self.definitions)
        result = hints.get("return")
        started = get_args(hints.get("task_status"))
        return replace(
            spec,
            arguments=tuple(self._argument(each, hints) for each in spec.arguments),
            result=self._type(spec.result, item_type(result) if spec.stream else result),
            started=spec.started and self._type(spec.started, *(started or [None])),
        )

    def signal(self, entry: SignalEntry) -> SignalSpec:
        spec = entry.spec
        owner = next(base for base in self.service.cls.__mro__ if entry.attribute in vars(base))
        written = get_args(without_class_var(annotation_of_attribute(owner, entry.attribute)))
        value = self._type(spec.value, *(written or [None]))
        source = source_of(owner)
        doc = None if source is None else source.doc_of(entry.attribute)
        return replace(spec, value=value, key_type=self._key_type(spec), doc=doc)

    def _argument(self, spec: ArgumentSpec, hints: Mapping[str, Any]) -> ArgumentSpec:
        annotation = hints.get(spec.name)
        if spec.upload:
            annotation = item_type(annotation)
        return replace(spec, type=self._type(spec.type, annotation))

    def _key_type(self, spec: SignalSpec) -> TypeSpec | None:
        record = self.definitions.get(spec.value.name) if isinstance(spec.value, Ref) else None
        fields = record.fields if isinstance(record, RecordSpec) else ()
        types = (field.type for field in fields if field.name == spec.key)
        return next((each for each in types if each == spec.key_type), spec.key_type)

    def _type(self, spec: TypeSpec, annotation: Any) -> TypeSpec:
        """Describe an annotation; return `spec` if the source does not match it."""
        try:
            found = describe(annotation, self.definitions)
        except UnsupportedType:
            return spec
        return found if found == spec else spec
