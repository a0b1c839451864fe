"""What peers cost, counted: for each connection, and for all connections together.

"All" are those of one Trio run, which in most processes is one: counts that several threads share
would need a lock on the path of every call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import attrs
import trio
from trio.lowlevel import RunVar

from farcall._limits import KIB, Limits

SLOW_SECONDS: Final = 0.5
"""For which a message may lag behind before it may go: a segment that was lost comes again."""
SLOW_BYTES: Final = 16 * KIB
"""A second, of a message that makes progress: 1 MiB so comes just within `incomplete_seconds`."""


# Validating on assignment would send every change of a counter through Python code: none here.
@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class ProcessQuota:
    """The counts of all connections."""

    calls: int = 0
    call_bytes: int = 0
    held: int = 0
    accounts: dict[MemoryAccount, None] = attrs.field(factory=dict["MemoryAccount", None])

    def pick_victim(self, now: float) -> MemoryAccount:
        """Choose the connection that has to end when all hold more than they may."""
        most = max(self.accounts, key=_held)
        wasted = {account: account.wasted(now) for account in self.accounts}
        slow = [account for account, waste in wasted.items() if waste]
        if sum(account.incomplete for account in slow) < most.held:
            return most
        return max(slow, key=wasted.__getitem__)


_process: RunVar[ProcessQuota] = RunVar("farcall process")


def _of_process() -> ProcessQuota:
    try:
        return _process.get()
    except LookupError:
        _process.set(ProcessQuota())
        return _process.get()


@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class CallQuota:
    """The calls of one peer that are in flight here, and what their parameters hold."""

    _limits: Limits
    _all: ProcessQuota = attrs.field(factory=_of_process, init=False)
    calls: int = attrs.field(default=0, init=False)
    size: int = attrs.field(default=0, init=False)
    """In bytes, of the parameters of all of them."""

    def excess(self, size: int) -> str | None:
        """Name the limit that one more call would be over; None where there is room for it.

        Args:
            size: Of its parameters, in bytes.
        """
        limits, shared = self._limits, self._all
        if self.calls >= limits.calls:
            return "calls"
        if self.size + size > limits.call_bytes:
            return "call_bytes"
        if shared.calls >= limits.process_calls:
            return "process_calls"
        if shared.call_bytes + size > limits.process_call_bytes:
            return "process_call_bytes"
        return None

    def take(self, size: int) -> None:
        """Count a call that begins; `excess` has found room for it."""
        self.calls += 1
        self.size += size
        self._all.calls += 1
        self._all.call_bytes += size

    def give_back(self, size: int) -> None:
        """Count a call that has ended."""
        self.calls -= 1
        self.size -= size
        self._all.calls -= 1
        self._all.call_bytes -= size


@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class MemoryAccount:
    """The memory that one connection has waiting: for its peer to read it, or to send the rest.

    When all connections hold more than they may, the one that holds most has to end: a good peer
    takes what is sent to it, and holds little for long. Incomplete messages whose rest does not
    come count as one holder: many small ones would else have each good peer closed whose message is
    larger. Of them goes the one that has held most for longest.

    Args:
        most: What all connections may hold, in bytes.
        evict: Called, at most once, when this one has to end. The account is closed by then.
        all: The counts of all connections; by default those of this Trio run.
    """

    _most: int
    _evict: Callable[[], object]
    _all: ProcessQuota = attrs.field(factory=_of_process)
    _is_closed: bool = attrs.field(default=False, init=False)
    held: int = attrs.field(default=0, init=False)
    """In bytes."""
    incomplete: int = attrs.field(default=0, init=False)
    """In bytes, of a message whose end has not come."""
    _on_time: float = attrs.field(default=0.0, init=False)
    """Until when that message has made progress, on Trio's clock."""

    def __attrs_post_init__(self) -> None:
        self._all.accounts[self] = None

    def charge(self, size: int) -> None:
        """Count bytes that wait from now on."""
        if self._is_closed:
            return
        self.held += size
        self._all.held += size
        while self._all.held > self._most:
            self._all.pick_victim(trio.current_time()).evict()

    def charge_incomplete(self, size: int) -> None:
        """Count what is here of a message whose end has not come; 0 when it has."""
        now, came = trio.current_time(), size - self.incomplete
        is_new = not self.incomplete
        self._on_time = now if is_new else min(now, self._on_time + max(0, came) / SLOW_BYTES)
        before, self.incomplete = self.incomplete, size
        self.release(before)
        self.charge(size)

    def wasted(self, now: float) -> float:
        """Tell what a message without progress has held, in bytes times seconds."""
        lag = now - self._on_time
        return self.incomplete * lag if self.incomplete and lag >= SLOW_SECONDS else 0.0

    @contextmanager
    def charged(self, size: int) -> Iterator[None]:
        """Count bytes that wait for the length of the block."""
        self.charge(size)
        try:
            yield
        finally:
            self.release(size)

    def release(self, size: int) -> None:
        """Count bytes that wait no more."""
        if not self._is_closed:
            self.held -= size
            self._all.held -= size

    def evict(self) -> None:
        """End the connection whose account this is."""
        self.close()
        self._evict()

    def close(self) -> None:
        """Give back everything; nothing is counted any more."""
        if not self._is_closed:
            self._is_closed = True
            self._all.held -= self.held
            self.held = self.incomplete = 0
            del self._all.accounts[self]


def _held(account: MemoryAccount) -> int:
    return account.held
