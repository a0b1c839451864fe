"""The named types that were met while describing, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs

from farcall._contract.records import resolve_hints
from farcall._contract.spec import Definition, RecordSpec


@attrs.define
class Definitions(Mapping[str, Definition]):
    """What each name stands for, as data and as the Python class it was read from."""

    hints: Callable[[type], Mapping[str, Any]] = resolve_hints
    """Reads the annotations of a record class."""
    _specs: dict[str, Definition] = attrs.field(factory=dict[str, Definition], init=False)
    _classes: dict[str, Any] = attrs.field(factory=dict[str, Any], init=False)

    def __getitem__(self, name: str) -> Definition:
        return self._specs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def claim(self, name: str, cls: object) -> object | None:
        """Give what `name` stands for already; where that is nothing, let it stand for `cls`."""
        known: object | None = self._classes.get(name)
        self._classes.setdefault(name, cls)
        return known

    @contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """Forget the names that a block claims, unless it succeeds."""
        before = set(self._classes)
        try:
            yield
        except BaseException:
            for name in self._classes.keys() - before:
                del self._classes[name]
                self._specs.pop(name, None)
            raise

    def claimed(self, name: str) -> object | None:
        """Give what `name` stands for, if anything."""
        return self._classes.get(name)

    def define(self, definition: Definition) -> None:
        """Add the data of a name that was claimed."""
        self._specs[definition.name] = definition

    def class_of(self, name: str) -> Any:
        """Give the class, enum or `NewType` that a name stands for."""
        return self._classes[name]

    def sorted(self) -> tuple[Definition, ...]:
        """Give everything by name, as `ServiceSpec.definitions` wants it."""
        return tuple(self._with_base(self._specs[name]) for name in sorted(self._specs))

    def _with_base(self, spec: Definition) -> Definition:
        """Name the base of an error, now that all of those that are declared are known."""
        if not isinstance(spec, RecordSpec) or spec.kind != "error":
            return spec
        bases: tuple[type, ...] = self._classes[spec.name].__mro__[1:]
        known = (base.__name__ for base in bases if self.claimed(base.__name__) is base)
        return attrs.evolve(spec, base=next(known, None))
