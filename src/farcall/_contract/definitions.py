"""The named types that were met while describing, each once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from farcall._contract.spec import Definition


@attrs.define
class Definitions(Mapping[str, Definition]):
    """What each name stands for, as data and as the Python class it was read from."""

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
        return tuple(self._specs[name] for name in sorted(self._specs))
