"""The waiting half of calls: where an outcome arrives in the caller's task."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import msgspec
import outcome
import trio

from farcall._protocol.binary import Encoded
from farcall._protocol.events import (
    AnswerEvent,
    ErrorReceived,
    ItemsReceived,
    ResultReceived,
    StartedReceived,
    UnreadableAnswer,
)
from farcall._protocol.messages import Request
from farcall._protocol.state import OutgoingCall
from farcall.errors import ConnectionLost, ErrorCode, InvalidResult


class RemoteFailure(Exception):
    """The peer answered with an error, as it stands on the wire; mapped where types are known."""

    def __init__(self, code: int, message: str, data: bytes | None) -> None:
        super().__init__(code, message, data)
        self.code = code
        self.message = message
        self.data = data

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


OWN_DEADLINE = msgspec.json.encode({"by": "caller"})


class PendingCall:
    """A call whose outcome one task waits for.

    Args:
        call: Its entry in the protocol's table.
        request: Its message, to be withdrawn while the writer has not taken it.
    """

    def __init__(self, call: OutgoingCall, request: Request) -> None:
        self.call = call
        self.request = request
        self.deadline = math.inf if request.deadline is None else request.deadline
        """When the caller stops to wait."""
        self.is_call_back = False
        """Whether it was made while a call of the same peer was handled."""
        self._settled = trio.Event()
        self._outcome: outcome.Outcome[bytes] | None = None

    @property
    def is_settled(self) -> bool:
        """Whether the outcome is there."""
        return self._outcome is not None

    @property
    def has_won(self) -> bool:
        """Whether the call came to an end of its own before the peer knew of its cancellation."""
        if isinstance(self.error, RemoteFailure):
            return self.error.code not in (ErrorCode.CANCELLED, ErrorCode.DEADLINE_EXCEEDED)
        return self.is_settled and not isinstance(self.error, ConnectionLost)

    @property
    def error(self) -> Exception | None:
        """The error it was settled with, if it was."""
        found = self._outcome
        return found.error if isinstance(found, outcome.Error) else None  # type: ignore[return-value]  # only `fail` makes one

    def succeed(self, result: bytes) -> None:
        """Settle with the text of the result."""
        self._settle(outcome.Value(result))

    def fail(self, error: Exception) -> None:
        """Settle with an error, raised in the waiting task."""
        self._settle(outcome.Error(error))

    def _settle(self, result: outcome.Outcome[bytes]) -> None:
        self._outcome = result
        self._settled.set()

    async def wait_settled(self) -> None:
        """Wait until there is an outcome, whatever it is."""
        await self._settled.wait()

    async def follow(self) -> None:
        """Wait until there is an outcome, and tell on the way what the peer tells."""
        await self._settled.wait()

    def tell_started(self) -> None:
        """Tell that it has started, if it has and nobody knows yet."""

    async def wait(self) -> bytes:
        """Wait for the outcome; a checkpoint. Cancelled, it changes nothing."""
        await self._settled.wait()
        return self.unwrap()

    def unwrap(self) -> bytes:
        """Give the result of a settled call, or raise its error."""
        assert self._outcome is not None
        return self._outcome.unwrap()


OnStarted: TypeAlias = Callable[[bytes], None]
"""Takes the value of ``rpc.started``, in the task that made the call; may raise."""


class PendingTask(PendingCall):
    """A call of a remote task: it may start, once, before it ends.

    Args:
        on_started: Told in the task that waits, which may be another scope's from then on.
    """

    def __init__(self, call: OutgoingCall, request: Request, on_started: OnStarted) -> None:
        super().__init__(call, request)
        self._on_started = on_started
        self._begun = trio.Event()
        self._started_value: bytes | None = None

    def start(self, value: bytes) -> None:
        """Note that the peer has started the task."""
        self._started_value = value
        self._begun.set()

    def _settle(self, result: outcome.Outcome[bytes]) -> None:
        super()._settle(result)
        self._begun.set()

    async def follow(self) -> None:
        """Wait for the start, tell of it, and wait for the outcome."""
        await self._begun.wait()
        self.tell_started()
        await self.wait_settled()

    def tell_started(self) -> None:
        """Hand the value on, once; from then on another deadline may hold for the task."""
        value, self._started_value = self._started_value, None
        if value is not None:
            self._on_started(value)
            self.deadline = trio.current_effective_deadline()


def pending_of(call: OutgoingCall, request: Request, on_started: OnStarted | None) -> PendingCall:
    """Make the entry for a call, or for a remote task where somebody wants to know of its start."""
    if on_started is None:
        return PendingCall(call, request)
    return PendingTask(call, request, on_started)


OnItems: TypeAlias = Callable[[Sequence[Encoded], str | None, int | None], None]
"""Takes the values of a batch, its cursor, and how many were missed before its first value."""

OnEnd: TypeAlias = Callable[[Exception | None], None]
"""Takes the error that a stream ended with, or None for a result."""


class PendingStream(PendingCall):
    """A stream call: it starts, brings items, and ends like any call.

    Args:
        on_items: Called in the reader's task; must not block or raise.
        on_end: Called once when the outcome is there, maybe before anybody knows of the start.
    """

    def __init__(
        self, call: OutgoingCall, request: Request, on_items: OnItems, on_end: OnEnd
    ) -> None:
        super().__init__(call, request)
        self.on_items = on_items
        self._on_end = on_end
        self.unstarted: bytes | None = None
        """The result of a call that turned out to be no stream."""
        self._begun = trio.Event()
        self._started_value: bytes | None = None

    def start(self, value: bytes) -> None:
        """Note that the peer has started the stream."""
        self._started_value = value
        self._begun.set()

    def _settle(self, result: outcome.Outcome[bytes]) -> None:
        super()._settle(result)
        self._begun.set()
        self._on_end(self.error)

    async def wait_started(self) -> bytes:
        """Wait for the value of ``rpc.started``; raises the error of a stream that never did.

        Returns:
            That value; where there was only an answer, its result.
        """
        await self._begun.wait()
        if self._started_value is None:
            self.unstarted = await self.wait()
            return self.unstarted
        return self._started_value


class PendingCalls:
    """The calls of one link that somebody waits for."""

    def __init__(self) -> None:
        self._calls: dict[OutgoingCall, PendingCall] = {}

    def insert(self, pending: PendingCall) -> None:
        """Add a call."""
        self._calls[pending.call] = pending

    def forget(self, pending: PendingCall) -> None:
        """Remove a call that nobody waits for any more."""
        del self._calls[pending.call]

    def succeed(self, call: OutgoingCall) -> None:
        """Settle a call whose result the core has used up: a hello."""
        pending = self._calls.pop(call, None)
        if pending is not None:
            pending.succeed(b"null")

    def settle(self, event: AnswerEvent) -> None:
        """Give what the peer said to whoever waits for it."""
        if isinstance(event, StartedReceived | ItemsReceived):
            self._feed(event)
            return
        pending = self._calls.pop(event.call, None)
        if pending is None:
            return
        match event:
            case ResultReceived(_, result):
                pending.succeed(result)
            case ErrorReceived(_, code, message, data):
                pending.fail(RemoteFailure(code, message, data))
            case UnreadableAnswer(call, problem):
                pending.fail(InvalidResult(f"the answer to {call.method}: {problem}"))

    def _feed(self, event: StartedReceived | ItemsReceived) -> None:
        pending = self._calls.get(event.call)
        if isinstance(event, StartedReceived):
            if isinstance(pending, PendingTask | PendingStream):
                pending.start(event.value)
        elif isinstance(pending, PendingStream):
            pending.on_items(event.values, event.cursor, event.missed)

    def end(self, lost: Callable[[bool], Exception]) -> None:
        """Fail every call, because the link has ended.

        Args:
            lost: Makes the error, from whether the call was sent.
        """
        calls, self._calls = self._calls, {}
        for pending in calls.values():
            pending.fail(lost(pending.call.was_sent))
