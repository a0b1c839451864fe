"""A table for what belongs to an object and cannot be put on it."""

from __future__ import annotations

import weakref
from typing import Generic, TypeVar

import attrs

V = TypeVar("V")


@attrs.frozen(eq=False)
class _Kept(Generic[V]):
    owner: weakref.ref[object]
    value: V


class IdentityTable(Generic[V]):
    """Keep a value for each object, found by identity, for as long as the object lives.

    Unlike `weakref.WeakKeyDictionary` it asks objects neither for a hash nor for equality: two
    services that are equal are still two, and attrs classes with ``eq`` have no hash at all.
    """

    def __init__(self) -> None:
        self._kept: dict[int, _Kept[V]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, owner: object) -> V | None:
        """Give what is kept for `owner`, or None."""
        kept = self._kept.get(id(owner))
        return None if kept is None else kept.value

    def setdefault(self, owner: object, value: V) -> V:
        """Keep `value` unless there is one already, and give the one that counts.

        Raises:
            TypeError: the class of `owner` has slots and none for weak references.
        """
        number, table = id(owner), self._kept
        # The callback runs before the memory of `owner`, and with it the id, can be used again.
        reference = weakref.ref(owner, lambda _: table.pop(number, None))
        # One atomic step: worker threads look up signals as well, to hand `emit` to Trio.
        return table.setdefault(number, _Kept(reference, value)).value
