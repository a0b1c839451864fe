"""Counts of what peers cost: for each connection, and for all connections together.

The shared counts are those of one Trio run, and most processes have one: counts that several
threads share would need a lock on the path of every call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import attrs
import trio
from msgspec import Struct, field
from trio.lowlevel import RunVar

from farcall._limits import KIB, Limits

SLOW_SECONDS: Final = 0.5
"""How long an incomplete message may lag before it counts as slow: a lost segment comes again."""
SLOW_BYTES: Final = 16 * KIB
"""Bytes a second at which a message makes progress: 1 MiB then takes `incomplete_seconds`."""


# Validating on assignment would send every change of a counter through Python code: none here.
class ProcessQuota(Struct, eq=False):
    """The counts of all connections."""

    calls: int = 0
    call_bytes: int = 0
    held: int = 0
    """Bytes charged to all accounts."""
    accounts: dict[MemoryAccount, None] = field(default_factory=dict["MemoryAccount", None])

    def pick_victim(self, now: float) -> MemoryAccount:
        """Choose the account whose connection ends when all together are over the limit."""
        most = max(self.accounts, key=lambda account: account.held)
        wasted = {account: account.wasted(now) for account in self.accounts}
        slow = [account for account, waste in wasted.items() if waste]
        if sum(account.incomplete for account in slow) < most.held:
            return most
        return max(slow, key=wasted.__getitem__)


_process: RunVar[ProcessQuota] = RunVar("farcall process")


def _current_process() -> ProcessQuota:
    try:
        return _process.get()
    except LookupError:
        _process.set(ProcessQuota())
        return _process.get()


class CallQuota(Struct, eq=False):
    """The calls of one peer in flight, and the size of their parameters."""

    _limits: Limits
    _all: ProcessQuota = field(default_factory=_current_process)
    calls: int = 0
    size: int = 0
    """Bytes of their parameters."""

    def excess(self, size: int) -> str | None:
        """Return the limit that another call with `size` bytes of parameters would exceed.

        A peer that holds as much of a shared limit as is left gets no more of it. So a few peers
        that fill it leave room for all those that hold less.
        """
        limits, shared = self._limits, self._all
        if self.calls >= limits.calls:
            return "calls"
        if self.size + size > limits.call_bytes:
            return "call_bytes"
        if self.calls >= limits.process_calls - shared.calls:
            return "process_calls"
        bytes_left = limits.process_call_bytes - shared.call_bytes
        if size and (size > bytes_left or self.size >= bytes_left):
            return "process_call_bytes"
        return None

    def take(self, size: int) -> None:
        """Count a call that begins, after `excess` has returned None for it."""
        self.calls += 1
        self.size += size
        self._all.calls += 1
        self._all.call_bytes += size

    def release(self, size: int) -> None:
        """Count a call that has ended."""
        self.calls -= 1
        self.size -= size
        self._all.calls -= 1
        self._all.call_bytes -= size


@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class MemoryAccount:
    """The memory that one connection holds: for its peer to read, or until the peer sends the rest.

    When all connections together hold too much, the one that holds most ends: a good peer reads
    what is sent to it, so it holds little for long. Incomplete messages that make no progress count
    as one holder, or many small ones would end every good peer with a larger message. Among them
    the one that has held most for longest ends.

    Args:
        most: How many bytes all connections may hold.
        evict: Called, at most once, when this connection has to end; the account is closed then.
        all: The counts of all connections; by default those of this Trio run.
    """

    _most: int
    _evict: Callable[[], object]
    _all: ProcessQuota = attrs.field(factory=_current_process)
    _is_closed: bool = attrs.field(default=False, init=False)
    held: int = attrs.field(default=0, init=False)
    """Bytes."""
    incomplete: int = attrs.field(default=0, init=False)
    """Bytes of a message whose end has not come."""
    _progress_until: float = attrs.field(default=0.0, init=False)
    """How far, on Trio's clock, its bytes reach at `SLOW_BYTES` a second; it lags by the rest."""

    def __attrs_post_init__(self) -> None:
        self._all.accounts[self] = None

    def charge(self, size: int) -> None:
        """Count bytes held from now on; this may evict a connection, this one too."""
        if self._is_closed:
            return
        self.held += size
        self._all.held += size
        while self._all.held > self._most:
            self._all.pick_victim(trio.current_time()).evict()

    def charge_incomplete(self, size: int) -> None:
        """Count the bytes so far of a message whose end has not come; 0 when it has."""
        now, received = trio.current_time(), size - self.incomplete
        is_new = not self.incomplete
        self._progress_until = (
            now if is_new else min(now, self._progress_until + max(0, received) / SLOW_BYTES)
        )
        before, self.incomplete = self.incomplete, size
        self.release(before)
        self.charge(size)

    def wasted(self, now: float) -> float:
        """Return what a slow message has cost so far, in byte seconds; 0 if it is not slow."""
        lag = now - self._progress_until
        return self.incomplete * lag if self.incomplete and lag >= SLOW_SECONDS else 0.0

    @contextmanager
    def charged(self, size: int) -> Iterator[None]:
        """Count bytes held during the block."""
        self.charge(size)
        try:
            yield
        finally:
            self.release(size)

    def release(self, size: int) -> None:
        """Count bytes held no more."""
        if not self._is_closed:
            self.held -= size
            self._all.held -= size

    def evict(self) -> None:
        """Close the account, and end its connection."""
        self.close()
        self._evict()

    def close(self) -> None:
        """Release everything, and count nothing from now on."""
        if not self._is_closed:
            self._is_closed = True
            self._all.held -= self.held
            self.held = self.incomplete = 0
            del self._all.accounts[self]
