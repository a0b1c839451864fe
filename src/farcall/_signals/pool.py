"""What all subscriptions of one connection hold, and which of them loses when that is too much.

The laws:

- Over the bound the buffer that holds most drops its oldest value, under its own policy.
- The value that is being pushed stays, and may be larger than what was left.
"""

from __future__ import annotations

from typing import Final, Protocol

from farcall._quota import MemoryAccount

VALUE_COST: Final = 256
"""Bytes that a value in a buffer costs beside its text: a few small objects."""


class Member(Protocol):
    """One buffer of a pool."""

    @property
    def size(self) -> int:
        """The bytes of all values that wait."""
        ...

    def shed(self) -> None:
        """Drop the oldest value for the sake of the others."""
        ...


class BufferPool:
    """The buffers of one connection. A value that several of them hold counts for each.

    Args:
        most: What all of them may hold, in bytes.
        account: Of the connection.
    """

    def __init__(self, most: int, account: MemoryAccount) -> None:
        self._most = most
        self._account = account
        self._members: dict[Member, None] = {}
        self._keys = 0
        self.size = 0
        """In bytes, of values and keys."""

    def join(self, member: Member) -> None:
        """Count what a buffer holds."""
        self._members[member] = None

    def leave(self, member: Member) -> None:
        """Forget a buffer that is empty now."""
        self._members.pop(member, None)

    def has_room_for_key(self, size: int) -> bool:
        """Whether one more subscription may have a key of `size` bytes: keys are not dropped."""
        return self._keys + size <= self._most

    def hold_key(self, size: int) -> None:
        """Count the key of a subscription."""
        self._keys += size
        self._hold(size, 0)

    def release_key(self, size: int) -> None:
        """Count the key of a subscription no more."""
        self._keys -= size
        self.release(size, 0)

    def hold(self, member: Member, size: int) -> None:
        """Count a value that `member` has just added, and drop others if that is too much."""
        self.size += size
        self._account.hold(size + VALUE_COST)
        while self.size - size > self._most:
            fullest = max(self._members, key=lambda each: each.size - size * (each is member))
            if fullest.size == size * (fullest is member):
                return  # there is nothing but keys, and the value that stays
            fullest.shed()

    def _hold(self, size: int, count: int) -> None:
        self.size += size
        self._account.hold(size + count * VALUE_COST)

    def release(self, size: int, count: int = 1) -> None:
        """Count some values no more."""
        self.size -= size
        self._account.release(size + count * VALUE_COST)
