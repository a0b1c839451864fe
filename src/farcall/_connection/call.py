"""One call of this side: the entry in the table, the message, and what its task waits on."""

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
from farcall._protocol.messages import MESSAGES, Error, credit
from farcall._protocol.state import OutgoingCall
from farcall._scopes import effective_deadline
from farcall.errors import ConnectionLost, ErrorCode, InvalidResult

OnStarted: TypeAlias = Callable[[bytes], None]
"""Takes the value of ``rpc.started``, in the task that made the call. May raise."""
OnItems: TypeAlias = Callable[[Sequence[Encoded], str | None, int | None], None]
"""Takes values, their cursor, and how many are missing before them."""
OnEnd: TypeAlias = Callable[[Exception | None], None]
"""Called once when no more values will come, with the error if there is one."""


class RemoteFailure(Exception):
    """The peer responded with an error, here as on the wire; mapped where the types are known."""

    def __init__(self, code: int, message: str, data: bytes | None) -> None:
        super().__init__(code, message, data)
        self.code = code
        self.message = message
        self.data = data
        self.deadline = math.inf
        """When the caller stops waiting, on Trio's clock."""

    @property
    def is_own_deadline(self) -> bool:
        """Whether the peer gave up at the deadline that this side had sent."""
        if self.code != ErrorCode.DEADLINE_EXCEEDED or self.data is None:
            return False
        try:
            return msgspec.json.decode(self.data, type=_DeadlineData).by == "caller"
        except msgspec.MsgspecError:
            return False


class _DeadlineData(msgspec.Struct):
    by: str = ""


_OWN_DEADLINE = msgspec.json.encode({"by": "caller"})


class CallTable(Interface):
    """`Calls`, as far as a call knows it."""

    settled: int

    def withdraw(self, call: Call, /) -> None:
        """Remove a call that the writer has not taken."""


class Call(OutgoingCall, kw_only=True, eq=False):
    """A call of this side, from its first moment to its last."""

    calls: CallTable
    params: bytes | None = None
    """Set while it stands in line; afterwards the message holds them."""
    traceparent: str | None = None
    until: float = math.inf
    """When the caller stops waiting, whether or not the peer knows."""
    uploads: Sequence[Outbox] = ()
    """Their values wait until the writer has taken the call."""
    on_values: OnItems | None = None
    on_end: OnEnd | None = None
    is_call_back: bool = False
    """Whether the task that made it handles a call of the same peer."""
    is_left: bool = False
    """Whether its caller left while it stood in line."""
    result: bytes | None = None
    error: Exception | None = None
    started_value: bytes | None = None
    has_begun: bool = False
    """Whether it has started or settled."""
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
        """Set the outcome, and wake the caller."""
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
        """Return the message, and release its uploads; see `OutgoingCall.take`."""
        text = OutgoingCall.take(self, now)
        if self.uploads and text:
            for queue in self.uploads:
                queue.is_held = False
                queue.wake()
        return text

    def credit_message(self) -> bytes:
        """Return what grants the sender of a stream more; empty if the call has ended."""
        if self.credit is None or self.stage.abandon is None:
            return b""
        return credit(self.id, *self.credit.grant())

    def expire(self) -> None:
        """Settle a call that ran out of time in the queue, as if the peer had responded."""
        self.calls.withdraw(self)
        code = ErrorCode.DEADLINE_EXCEEDED
        self.settle(RemoteFailure(code, MESSAGES[code], _OWN_DEADLINE))

    # Called by the caller

    async def wait(self) -> None:
        """Wait until it has started, or settled; always a checkpoint."""
        if self.is_settled:
            await checkpoint()
            return
        self.waiter = current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> Abort:
        self.waiter = None
        return Abort.SUCCEEDED

    async def wait_settled(self) -> None:
        while not self.is_settled:
            await self.wait()

    async def wait_started(self) -> None:
        """Wait until a stream has started.

        Raises:
            RemoteFailure, InvalidResult, ConnectionLost: it ended before.
        """
        if self.has_begun:
            await checkpoint_if_cancelled()
        else:
            await self.wait()
        if self.started_value is None:
            self.unwrap()

    async def follow(self, on_started: OnStarted) -> None:
        """Wait until a remote task has settled; call `on_started` once it has started."""
        while not self.has_begun:
            await self.wait()
        if self.started_value is not None:
            self.tell_started(on_started)
            # `nursery.start` has moved the task into its nursery, which may have another deadline.
            self.until = effective_deadline()
        await self.wait_settled()

    def tell_started(self, on_started: OnStarted) -> None:
        """Call `on_started` if it has started, once."""
        if self.started_value is not None:
            value, self.started_value = self.started_value, None
            on_started(value)

    @property
    def has_won(self) -> bool:
        """Whether it ended by itself before the peer heard of its cancellation."""
        if isinstance(self.error, RemoteFailure):
            return self.error.code not in (ErrorCode.CANCELLED, ErrorCode.DEADLINE_EXCEEDED)
        return self.is_settled and not isinstance(self.error, ConnectionLost)

    @property
    def unstarted(self) -> bytes | None:
        """The result of a stream call whose method is no stream."""
        return self.result if self.started_value is None else None

    def unwrap(self) -> bytes:
        """Return the result of a settled call, or raise its error; call it once."""
        error, self.error = self.error, None
        if error is not None:
            if isinstance(error, RemoteFailure):
                error.deadline = self.until
            try:
                raise error
            finally:
                del error  # its traceback holds this frame
        assert self.result is not None
        return self.result
