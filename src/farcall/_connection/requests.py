"""What this side asks of its peer: calls, streams, subscriptions, and how they are left."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar

import attrs
import trio

from farcall._connection.item_queue import ItemQueue
from farcall._connection.lanes import Lanes
from farcall._connection.life import Life
from farcall._connection.pending import (
    OWN_DEADLINE,
    OnEnd,
    OnItems,
    OnStarted,
    PendingCall,
    PendingCalls,
    PendingStream,
    pending_of,
)
from farcall._connection.turns import Turns
from farcall._connection.uploads import OpenUploads
from farcall._protocol.core import Protocol
from farcall._protocol.credit import Window
from farcall._protocol.events import AnswerEvent, ErrorReceived
from farcall._protocol.messages import MESSAGES, Hello, Request
from farcall._protocol.state import SUBSCRIBE
from farcall.errors import EncodeError, ErrorCode, RpcError


@attrs.define(eq=False)
class Handling:
    """A call of the peer while it is handled; tasks that it has started may live on."""

    requests: Requests
    """To the peer."""
    is_over: bool = False
    """Whether its handler has ended: whoever made the call waits for nothing more."""


handling: ContextVar[Handling] = ContextVar("farcall handling")
"""The call that the current task handles, or that has started it."""


class Requests:
    """The requests of one link.

    Args:
        life: Of the link.
        protocol: Makes them.
        lanes: Where they wait for the writer.
        uploads: Whose values follow them.
        cancel_grace: Seconds for which a cancelled caller waits for the peer's answer.
    """

    def __init__(
        self,
        life: Life,
        protocol: Protocol,
        lanes: Lanes,
        uploads: OpenUploads,
        *,
        cancel_grace: float,
    ) -> None:
        self._life = life
        self._protocol = protocol
        self._lanes = lanes
        self._uploads = uploads
        self.cancel_grace = cancel_grace
        self._pending = PendingCalls()
        self._turns = Turns(self._count_calls, lambda: protocol.outgoing.size)
        self._calls_back = 0

    async def call(
        self,
        method: str,
        params: bytes | None,
        *,
        uploads: Sequence[ItemQueue] = (),
        traceparent: str | None = None,
        reason: Callable[[], str | None] = lambda: None,
        on_started: OnStarted | None = None,
    ) -> bytes:
        """Call a method of the peer and wait for its result.

        Args:
            method: The wire name.
            params: JSON text, or None.
            uploads: What its arguments name as streams; held back until the request has left.
            traceparent: The caller's span, if it has one.
            reason: Asked when the call is cancelled for another reason than its own scope.
            on_started: Given for a remote task; what it raises ends the call.

        Returns:
            The JSON text of the result.

        Raises:
            RemoteFailure: the peer answered with an error.
            Busy: the peer has as many calls as it takes, and this task handles a call of it.
            ConnectionLost: the link ended first.
            EncodeError: the message is larger, or nests deeper, than the peer takes, or the
                parameters are larger than it takes of all calls together.

        The deadline of the calling task travels along. Cancelled before the writer took the
        request, it withdraws it; later, it asks the peer to cancel and waits for the answer, for
        `cancel_grace` at most: an outcome that came first is given all the same.
        """
        # Whoever is cancelled already, or out of time, sends nothing.
        await trio.lowlevel.checkpoint_if_cancelled()
        self._life.check_open()
        await self._wait_turn(params)
        deadline = trio.current_effective_deadline()
        try:
            call, request = self._protocol.request(
                method,
                params,
                deadline=deadline if deadline < math.inf else None,
                traceparent=traceparent,
                may_start=on_started is not None,
            )
        finally:
            self._turns.advance()  # one that could not be made leaves its place to the next
        pending = pending_of(call, request, on_started)
        self._queue(pending, uploads)
        try:
            await pending.follow()
        except trio.Cancelled:
            own = "deadline" if trio.current_time() >= pending.deadline else "caller"
            await self._cancel(pending, reason() or own)
            if not pending.has_won:
                raise
            pending.tell_started()
        except BaseException:  # what was told of the start is not what was agreed
            await self._cancel(pending, "caller")
            raise
        finally:
            self._leave(pending)
        return pending.unwrap()

    async def notify(
        self, method: str, params: bytes | None, *, traceparent: str | None = None
    ) -> None:
        """Send a notification once there is room for it; see `call` for what it raises.

        Cancelled, it has sent nothing.
        """
        await trio.lowlevel.checkpoint()
        await self._lanes.calls.wait_room()
        self._life.check_open()
        self._lanes.put_call(self._protocol.notify(method, params, traceparent=traceparent))

    async def greet(self) -> None:
        """Say hello and wait for the answer, which `Handler.on_hello` hears as well.

        Raises:
            RemoteFailure: the peer knows no hello; it speaks the plain dialect.
            ConnectionLost: the link ended first.
            InvalidResult: the answer is no hello.
        """
        self._life.check_open()
        request = self._protocol.hello()
        call = self._protocol.hello_call
        assert call is not None
        pending = PendingCall(call, request)
        self._queue(pending)
        await pending.wait()

    @asynccontextmanager
    async def open_stream(
        self,
        method: str,
        params: bytes | None,
        *,
        window: Window,
        on_items: OnItems,
        on_end: OnEnd,
        uploads: Sequence[ItemQueue] = (),
        traceparent: str | None = None,
        reason: Callable[[], str | None] = lambda: None,
    ) -> AsyncIterator[PendingStream]:
        """Make a stream call and wait until it has started; leaving the block ends it.

        The arguments that are not named here are those of `call`, and so is what it raises.

        Args:
            window: The first credit for the peer.
            on_items: Takes the values that come.
            on_end: Told once when no more will come, with the error if there is one.

        Cancelled or left, it cancels the call and waits for the answer, for `cancel_grace` at
        most; after that the call counts as abandoned.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        self._life.check_open()
        await self._wait_stream_turn(method, params)
        deadline = trio.current_effective_deadline()
        try:
            call, request = self._protocol.request(
                method, params, window=window, traceparent=traceparent
            )
        finally:
            self._turns.advance()
        pending = PendingStream(call, request, on_items, on_end)
        self._queue(pending, uploads)
        try:
            await pending.wait_started()
            yield pending
        finally:
            # The deadline does not travel, for the block may outlast it in a shield.
            own = "deadline" if trio.current_time() >= deadline else "caller"
            await self._cancel(pending, reason() or own)
            self._leave(pending)

    def consume(self, pending: PendingStream, size: int) -> None:
        """Count an item of a stream as used, which may be worth telling the peer."""
        credit = self._protocol.consume(pending.call, size)
        if credit is not None:
            self._lanes.put_credit(credit)

    def _count_calls(self) -> int:
        """Count what the peer has to answer, or has not been asked yet."""
        outgoing = self._protocol.outgoing
        return len(outgoing) - outgoing.subscriptions

    @property
    def _is_waited_for(self) -> bool:
        """Whether the current task handles a call of this very peer."""
        call = handling.get(None)
        return call is not None and call.requests is self and not call.is_over

    async def _wait_turn(self, params: bytes | None) -> None:
        """Wait until the peer takes another call, and the queue has room for it."""
        size = 0 if params is None else len(params)
        obstacle = self._turns.obstacle(size)
        if obstacle is None and self._lanes.calls.has_room:
            return
        if size > self._turns.most_bytes:  # its turn would never come
            problem = f"the parameters have {size} bytes; the peer takes {self._turns.most_bytes}"
            raise EncodeError(f"{problem} (its limit call_bytes)")
        # While the peer waits for this side it may not be waited for: each might wait for the
        # other for ever.
        if obstacle is not None and self._is_waited_for:
            raise _refusal(ErrorCode.BUSY, {"limit": obstacle})
        async with self._turns.turn(size):
            await self._wait_room()
        self._life.check_open()

    async def _wait_room(self) -> None:
        """Wait for room in the queue; whoever was cancelled meanwhile has no use for it."""
        await self._lanes.calls.wait_room()
        # A task that is woken first and cancelled then does not hear of the latter by itself.
        await trio.lowlevel.checkpoint_if_cancelled()

    async def _wait_stream_turn(self, method: str, params: bytes | None) -> None:
        """Wait as for a call; a subscription has no turn, for it never ends."""
        if method != SUBSCRIBE:
            await self._wait_turn(params)
            return
        await self._wait_room()
        self._life.check_open()
        self._check_subscriptions()

    def _check_subscriptions(self) -> None:
        """Refuse, as the peer would, more subscriptions than it has said that it serves."""
        peer = self._protocol.peer
        if peer is None or self._protocol.outgoing.subscriptions < peer.limits.subscriptions:
            return
        data = {"limit": "subscriptions", "most": peer.limits.subscriptions}
        raise _refusal(ErrorCode.TOO_MANY_SUBSCRIPTIONS, data)

    @property
    def is_calling_back(self) -> bool:
        """Whether a handler of a call of the peer waits for the peer."""
        return self._calls_back > 0

    def _queue(self, pending: PendingCall, uploads: Sequence[ItemQueue] = ()) -> None:
        self._pending.insert(pending)
        pending.is_call_back = self._is_waited_for
        self._calls_back += pending.is_call_back
        if uploads:
            self._uploads.hold(pending, uploads)
        self._lanes.put_call(pending.request)

    def _leave(self, pending: PendingCall) -> None:
        """Forget a call that is not waited for any more; little to do for a settled one."""
        self._calls_back -= pending.is_call_back
        self._uploads.forget_held(pending)
        if pending.is_settled:
            return
        self._pending.forget(pending)
        if pending.call.was_sent:
            self._protocol.abandon(pending.call)
        else:
            self._lanes.withdraw(pending.request)
            self._protocol.withdraw(pending.call)
            self._turns.advance()

    async def _cancel(self, pending: PendingCall, reason: str) -> None:
        """Ask the peer to end a call, and wait for its answer, but not for long."""
        cancel = None if pending.is_settled else self._protocol.cancel(pending.call, reason)
        if cancel is not None:
            self._lanes.put_control(cancel)
            with trio.CancelScope(shield=True, deadline=trio.current_time() + self.cancel_grace):
                await pending.wait_settled()

    # What comes of them

    def settle(self, event: AnswerEvent) -> None:
        """Give what the peer said to whoever waits for it."""
        self._pending.settle(event)

    def on_hello(self, hello: Hello) -> None:
        """Take note of what the peer serves; where this side greeted, that is the answer."""
        if self._protocol.hello_call is not None:
            self._pending.succeed(self._protocol.hello_call)
        self._turns.most = hello.limits.calls
        if hello.limits.call_bytes is not None:
            self._turns.most_bytes = hello.limits.call_bytes

    def advance(self) -> None:
        """Let the next caller go on, if the peer takes another call."""
        self._turns.advance()

    def expire(self, request: Request) -> None:
        """Withdraw a call that ran out of time in the queue, and answer it as the peer would."""
        assert request.id is not None
        call = self._protocol.outgoing.get(request.id)
        assert call is not None
        self._protocol.withdraw(call)
        self._turns.advance()
        code = ErrorCode.DEADLINE_EXCEEDED
        self._pending.settle(ErrorReceived(call, code, MESSAGES[code], OWN_DEADLINE))

    def end(self) -> None:
        """Fail them all, because the link has ended."""
        self._pending.end(lambda sent: self._life.lost(sent=sent))
        self._turns.end()


def _refusal(code: ErrorCode, data: Mapping[str, object]) -> RpcError:
    """Make the error that the peer would answer with, were it asked."""
    return RpcError.of(code, MESSAGES[code], data)
