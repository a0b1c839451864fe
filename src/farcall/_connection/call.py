"""One call of this side: its entry in the table, its message, and what its task waits on."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol as Interface
from typing import TypeAlias

import msgspec
import trio
from trio.lowlevel import Abort, checkpoint, checkpoint_if_cancelled, current_task, reschedule

from farcall._connection.streams import Outbox
from farcall._protocol.binary import Encoded
from farcall._protocol.messages import MESSAGES, Error
from farcall._protocol.state import OutgoingCall
from farcall.errors import ConnectionLost, ErrorCode, InvalidResult

OnStarted: TypeAlias = Callable[[bytes], None]
"""Takes the value of ``rpc.started``, in the task that made the call; may raise."""
OnItems: TypeAlias = Callable[[Sequence[Encoded], str | None, int | None], None]
"""Takes the values that came, their cursor and how many are missing before them."""
OnEnd: TypeAlias = Callable[[Exception | None], None]
"""Told once when no more values will come, with the error if there is one."""


class RemoteFailure(Exception):
    """The peer answered with an error, as it stands on the wire; mapped where types are known."""

    def __init__(self, code: int, message: str, data: bytes | None) -> None:
        super().__init__(code, message, data)
        self.code = code
        self.message = message
        self.data = data
        self.deadline = math.inf
        """When the caller stops waiting, on Trio's clock."""

    @property
    def is_own_deadline(self) -> bool:
        """Whether the peer's clock struck for the deadline that this side had sent."""
        if self.code != ErrorCode.DEADLINE_EXCEEDED or self.data is None:
            return False
        try:
            return msgspec.json.decode(self.data, type=_Limit).by == "caller"
        except msgspec.MsgspecError:
            return False


class _Limit(msgspec.Struct):
    by: str = ""


_OWN_DEADLINE = msgspec.json.encode({"by": "caller"})


class CallTable(Interface):
    """What a call tells of its end: `Calls`."""

    settled: int

    def withdraw(self, call: Call, /) -> None:
        """Take back a call that the writer has not sent."""


class Call(OutgoingCall, kw_only=True, eq=False):
    """A call of this side: its entry in the table, its message, and the task that waits for it."""

    calls: CallTable
    params: bytes | None = None
    """While it stands in line; the message holds them afterwards."""
    traceparent: str | None = None
    until: float = math.inf
    """When the caller stops waiting, whether or not the peer was told."""
    uploads: Sequence[Outbox] = ()
    """Their values are held back until the writer has taken the call."""
    on_values: OnItems | None = None
    on_end: OnEnd | None = None
    is_call_back: bool = False
    """Whether it was made while a call of the same peer was handled."""
    is_left: bool = False
    """Whether its caller left while it stood in line."""
    result: bytes | None = None
    error: Exception | None = None
    started_value: bytes | None = None
    has_begun: bool = False
    """Whether it has started or settled: its first news is there."""
    is_settled: bool = False
    waiter: trio.lowlevel.Task | None = None

    # Called by the protocol, in the reader

    def on_result(self, result: bytes) -> None:
        self.result = result
        self.settle(None)

    def on_error(self, error: Error) -> None:
        self.settle(RemoteFailure(error.code, error.message, error.data))

    def on_unreadable(self, problem: str) -> None:
        self.settle(InvalidResult(f"the answer to {self.method}: {problem}"))

    def on_started(self, value: bytes) -> None:
        self.started_value, self.has_begun = value, True
        self._wake()

    def on_items(self, values: Sequence[Encoded], cursor: str | None, missed: int | None) -> None:
        if self.on_values is not None and not self.is_settled:
            self.on_values(values, cursor, missed)

    def settle(self, error: Exception | None) -> None:
        """Note the outcome, and wake the caller."""
        self.error, self.is_settled, self.has_begun = error, True, True
        self.calls.settled += 1
        if self.on_end is not None:
            self.on_end(error)
        self._wake()

    def _wake(self) -> None:
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            reschedule(waiter)

    # Called by the writer

    def take(self, now: float) -> bytes:
        """Give the message, and let its uploads follow; see `OutgoingCall.take`."""
        text = OutgoingCall.take(self, now)
        if self.uploads and text:
            for queue in self.uploads:
                queue.is_held = False
                queue.wake()
        return text

    def expire(self) -> None:
        """End a call that ran out of time in the queue as the peer would answer it."""
        self.calls.withdraw(self)
        code = ErrorCode.DEADLINE_EXCEEDED
        self.settle(RemoteFailure(code, MESSAGES[code], _OWN_DEADLINE))

    # Called by the caller

    async def wait(self) -> None:
        """Wait for the next news: that it has started, or settled. Always a checkpoint."""
        if self.is_settled:
            await checkpoint()
            return
        self.waiter = current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> Abort:
        self.waiter = None
        return Abort.SUCCEEDED

    async def wait_settled(self) -> None:
        """Wait until there is an outcome, whatever it is."""
        while not self.is_settled:
            await self.wait()

    async def wait_started(self) -> None:
        """Wait until a stream has started.

        Raises:
            RemoteFailure, InvalidResult, ConnectionLost: it came to its end before.
        """
        if self.has_begun:
            await checkpoint_if_cancelled()
        else:
            await self.wait()
        if self.started_value is None:
            self.unwrap()

    async def follow(self, on_started: OnStarted) -> None:
        """Wait until a remote task has settled, and tell on the way that it has started."""
        while not self.has_begun:
            await self.wait()
        if self.started_value is not None:
            self.tell_started(on_started)
            # `nursery.start` has moved the task into its nursery: another deadline holds now.
            self.until = trio.current_effective_deadline()
        await self.wait_settled()

    def tell_started(self, on_started: OnStarted) -> None:
        """Tell that it has started, if it has and the caller has not heard of that."""
        if self.started_value is not None:
            value, self.started_value = self.started_value, None
            on_started(value)

    @property
    def has_won(self) -> bool:
        """Whether the call came to an end of its own before the peer knew of its cancellation."""
        if isinstance(self.error, RemoteFailure):
            return self.error.code not in (ErrorCode.CANCELLED, ErrorCode.DEADLINE_EXCEEDED)
        return self.is_settled and not isinstance(self.error, ConnectionLost)

    @property
    def unstarted(self) -> bytes | None:
        """The result of a stream call that turned out to be no stream."""
        return self.result if self.started_value is None else None

    def unwrap(self) -> bytes:
        """Give the result of a settled call, or raise its error, once."""
        error, self.error = self.error, None
        if error is not None:
            if isinstance(error, RemoteFailure):
                error.deadline = self.until
            try:
                raise error
            finally:
                del error  # it holds this frame
        assert self.result is not None
        return self.result
