"""The memory of all subscriptions of one connection.

The laws:

- Over the bound, the fullest buffer drops its oldest value, under its own policy.
- The value being pushed stays, and may be larger than the room that is left.
"""

from __future__ import annotations

from typing import Final, Protocol

from farcall._quota import MemoryAccount

VALUE_COST: Final = 256
"""Bytes that a value in a buffer costs in addition to its text: a few small objects."""


class Member(Protocol):
    """One buffer of a pool."""

    @property
    def size(self) -> int: ...

    def shed(self) -> None: ...


class BufferPool:
    """The buffers of one connection. A value in several of them counts several times.

    Args:
        most: How many bytes all of them may hold.
        account: The memory account of the connection.
    """

    def __init__(self, most: int, account: MemoryAccount) -> None:
        self._most = most
        self._account = account
        self._members: dict[Member, None] = {}
        self._keys = 0
        self.size = 0
        """In bytes, of values and keys."""

    def join(self, member: Member) -> None:
        self._members[member] = None

    def leave(self, member: Member) -> None:
        self._members.pop(member, None)

    def has_room_for_key(self, size: int) -> bool:
        """Say whether there is room for the key of one more subscription: keys are not dropped."""
        return self._keys + size <= self._most

    def charge_key(self, size: int) -> None:
        """Count the key of a subscription."""
        self._keys += size
        self.size += size
        self._account.charge(size)

    def release_key(self, size: int) -> None:
        self._keys -= size
        self.release(size, 0)

    def charge(self, member: Member, size: int) -> None:
        """Count a value that `member` has just added, and drop others if there is no room."""
        self.size += size
        self._account.charge(size + VALUE_COST)
        while self.size - size > self._most:
            fullest = max(self._members, key=lambda each: each.size - size * (each is member))
            if fullest.size == size * (fullest is member):
                return  # only keys and the value being pushed are left
            fullest.shed()

    def release(self, size: int, count: int = 1) -> None:
        """Stop counting `count` values of `size` bytes in all."""
        self.size -= size
        self._account.release(size + count * VALUE_COST)
