"""The named types of a contract, collected while types are described."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs
from msgspec.structs import replace

from farcall._contract.own_types import OwnType, note_used
from farcall._contract.records import resolve_hints
from farcall._contract.spec import Definition, RecordSpec, ViaOf


@attrs.define
class Definitions(Mapping[str, Definition]):
    """The named types, each as data and as the Python class from which it was read."""

    hints: Callable[[type], Mapping[str, Any]] = resolve_hints
    """Reads the annotations of a record class."""
    calls_factories: bool = False
    """Whether to call the factory of a default to know its value; those of a stub are pure."""
    _specs: dict[str, Definition] = attrs.field(factory=dict[str, Definition], init=False)
    _classes: dict[str, Any] = attrs.field(factory=dict[str, Any], init=False)
    _own_types: dict[ViaOf, OwnType] = attrs.field(factory=dict[ViaOf, OwnType], init=False)

    def __getitem__(self, name: str) -> Definition:
        return self._specs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def claim(self, name: str, cls: object) -> object | None:
        """Let a new name stand for a class; return the class that a known name stands for."""
        known: object | None = self._classes.get(name)
        self._classes.setdefault(name, cls)
        return known

    @contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """Forget the names that a block claims if it raises; else note that they are used."""
        before, own_before = set(self._classes), set(self._own_types)
        try:
            yield
        except BaseException:
            for name in self._classes.keys() - before:
                del self._classes[name]
                self._specs.pop(name, None)
            for spec in self._own_types.keys() - own_before:
                del self._own_types[spec]
            raise
        for name in self._classes.keys() - before:
            note_used(self._classes[name])

    def claimed(self, name: str) -> object | None:
        """Return the class that a name stands for, if any."""
        return self._classes.get(name)

    def define(self, definition: Definition) -> None:
        """Add the data of a claimed name."""
        self._specs[definition.name] = definition

    def class_of(self, name: str) -> Any:
        """Return the class, enum or `NewType` that a name stands for."""
        return self._classes[name]

    def classes(self) -> Mapping[str, Any]:
        """Return the class, enum or `NewType` of each definition, by name."""
        return {name: self._classes[name] for name in self._specs}

    def convert(self, spec: ViaOf, own: OwnType) -> OwnType:
        """Let functions convert the values of a type; return those of a known one."""
        return self._own_types.setdefault(spec, own)

    def own_type(self, spec: ViaOf) -> OwnType:
        """Return the class of a type, with the functions that convert its values."""
        return self._own_types[spec]

    def sorted(self) -> tuple[Definition, ...]:
        """Return all definitions by name, as in `ServiceSpec.definitions`."""
        return tuple(self._with_base(self._specs[name]) for name in sorted(self._specs))

    def _with_base(self, spec: Definition) -> Definition:
        """Name the base of an error, once all declared errors are known."""
        if not isinstance(spec, RecordSpec) or spec.kind != "error":
            return spec
        bases: tuple[type, ...] = self._classes[spec.name].__mro__[1:]
        known = (base.__name__ for base in bases if self.claimed(base.__name__) is base)
        return replace(spec, base=next(known, None))
