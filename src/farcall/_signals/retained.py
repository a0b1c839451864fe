"""The values that a new subscriber gets at once."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from farcall._signals.buffer import MAX_BYTES, MAX_ITEMS, Entry


@attrs.define(eq=False)
class Retained:
    """Keep the last value of each key, those of the keys emitted last.

    A signal without keys is one with a single key. The bounds are those of a subscription's
    buffer, so that all that is kept fits into the buffer of a new subscriber.
    """

    max_items: int = MAX_ITEMS
    max_bytes: int = MAX_BYTES
    size: int = attrs.field(default=0, init=False)
    """The bytes of all values that are kept."""
    _entries: dict[bytes | None, Entry] = attrs.field(factory=dict[bytes | None, Entry], init=False)

    def keep(self, entry: Entry) -> None:
        """Put `entry` in the place of the last value of its key; the newest is always kept."""
        self._discard(entry.key)
        self._entries[entry.key] = entry
        self.size += entry.size
        while self._is_over():
            self._discard(next(iter(self._entries)))

    def of(self, key: bytes | None) -> Sequence[Entry]:
        """Give the last value of `key`, or for None those of all keys, oldest first."""
        if key is None:
            return tuple(self._entries.values())
        entry = self._entries.get(key)
        return () if entry is None else (entry,)

    def _discard(self, key: bytes | None) -> None:
        if (entry := self._entries.pop(key, None)) is not None:
            self.size -= entry.size

    def _is_over(self) -> bool:
        kept = len(self._entries)
        return kept > self.max_items or (self.size > self.max_bytes and kept > 1)
