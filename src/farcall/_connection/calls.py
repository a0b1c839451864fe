"""The calls of this side: calls, streams and subscriptions, from request to outcome.

Theory of operation. A `Call` is one object from its first moment to its last: the entry in the
protocol's table, the message in the send queue, and what its task waits on. The peer said in its
hello how many calls it takes at once, and how large their parameters may be together; it would
refuse more. So calls stand in line here before they are sent. The code that makes room, in the
reader or the writer, sends the oldest one at once: no task has to be switched to, and no later call
gets ahead.

A call that its caller has abandoned stays in flight until its response comes, for the peer may
still work on it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import partial
from threading import get_ident
from typing import Protocol as Interface

import trio
from trio.lowlevel import checkpoint, checkpoint_if_cancelled

from farcall._connection.call import Call, OnEnd, OnItems, OnStarted
from farcall._connection.lanes import Lanes
from farcall._connection.state import Lifecycle
from farcall._connection.streams import Outbox
from farcall._limits import exceeded
from farcall._protocol.credit import ReceiveCredit
from farcall._protocol.messages import MESSAGES, Hello
from farcall._protocol.protocol import Protocol
from farcall._protocol.state import ABANDONED, ENDED, QUEUED, SUBSCRIBE, OutgoingCall
from farcall._scopes import effective_deadline
from farcall._usage.home import elsewhere, not_in_trio
from farcall.errors import EncodeError, ErrorCode, RpcError


class Handled(Interface):
    """A call of the peer whose handler runs, or ran: tasks that it has started may outlive it."""

    @property
    def calls(self) -> Calls:
        """The calls of the same link, which are calls back to the peer."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether its handler has ended."""
        ...

    @property
    def cancel_reason(self) -> str | None:
        """Why it was cancelled; None if it was not."""
        ...

    @property
    def trace(self) -> str | None:
        """The span that its own calls belong to."""
        ...


handling: ContextVar[Handled] = ContextVar("farcall handling")
"""The call that the current task handles, or whose handler has started it."""


class Calls:
    """The calls of one link.

    Args:
        lifecycle: Of the link.
        protocol: Makes their messages, and has the table of them.
        lanes: Queue them for the writer.
        cancel_grace: Seconds for which a cancelled caller waits for the peer's response.
    """

    def __init__(
        self, lifecycle: Lifecycle, protocol: Protocol, lanes: Lanes, *, cancel_grace: float
    ) -> None:
        self._lifecycle = lifecycle
        self._thread = lifecycle.home.thread
        self._protocol = protocol
        self._lanes = lanes
        self._queue = lanes.calls
        self._queue.on_writable = self.advance
        self.cancel_grace = cancel_grace
        self.max_calls: float = math.inf
        """How many calls the peer takes at once; infinite until it says so."""
        self.max_call_bytes: float = math.inf
        """How large their parameters may be together, in bytes; likewise."""
        # Bounded by the tasks that call.
        self.line: deque[Call] | tuple[()] = ()
        """Calls for which the peer or the queue has no room yet, oldest first."""
        self.settled = 0
        """How many have settled since the last pause of the reader."""
        self._calls_back = 0

    async def call(
        self,
        method: str,
        params: bytes | None,
        *,
        uploads: Sequence[Outbox] = (),
        traceparent: str | None = None,
        on_started: OnStarted | None = None,
    ) -> bytes:
        """Call a method of the peer and wait for its result.

        Args:
            method: The wire name.
            params: JSON text, or None.
            uploads: The streams among its arguments, held back until the writer takes the call.
            traceparent: The caller's span, if it has one.
            on_started: For a remote task alone; if it raises, the call ends.

        Returns:
            The JSON text of the result.

        Raises:
            RemoteFailure: the peer responded with an error.
            Busy: the peer is at its limit of calls, and this task handles a call of the peer.
            ConnectionLost: the link ended first.
            EncodeError: the message is larger, or nests deeper, than the peer takes, or the
                parameters are larger than it takes of all calls together.

        The deadline of the calling task travels along. Cancelled before the writer took the
        request, it withdraws it; later, it asks the peer to cancel and waits for the response, for
        `cancel_grace` at most. If the call had already ended by itself, it has that outcome.
        """
        if get_ident() != self._thread:
            raise _elsewhere(method)
        # A caller that is already cancelled, or out of time, sends nothing.
        try:
            await checkpoint_if_cancelled()
        except RuntimeError:
            raise not_in_trio(method) from None
        if not self._lifecycle.is_usable:
            raise self._lifecycle.lost(sent=False)
        deadline = effective_deadline()
        call = Call(
            method,
            calls=self,
            deadline=deadline,
            until=deadline,
            params=params,
            traceparent=traceparent,
            may_start=on_started is not None,
        )
        del params  # the message has a copy; large ones would be in memory twice
        self._make(call, uploads)
        try:
            if on_started is None:
                await call.wait()
            else:
                await call.follow(on_started)
        except trio.Cancelled:
            await self._cancel(call, _reason(call.until))
            if not call.has_won:
                raise
            if on_started is not None:
                call.tell_started(on_started)
        except BaseException:  # `on_started` has refused the value
            await self._cancel(call, "caller")
            raise
        finally:
            if call.is_call_back or not call.is_settled:
                self._leave(call)
        return call.unwrap()

    async def notify(
        self, method: str, params: bytes | None, *, traceparent: str | None = None
    ) -> None:
        """Send a notification once there is room for it. Cancelled, it has sent nothing.

        It raises what `call` raises.
        """
        if get_ident() != self._thread:
            raise _elsewhere(method)
        await checkpoint()
        await self._queue.wait_writable()
        self._lifecycle.check_open()
        self._lanes.put_call(self._protocol.notify(method, params, traceparent=traceparent))

    async def greet(self) -> None:
        """Say hello and wait for the response, which `Handler.on_hello` gets as well.

        Raises:
            RemoteFailure: the peer knows no hello; it speaks the plain dialect.
            ConnectionLost: the link ended first.
            InvalidResult: the response is not a hello.
        """
        self._lifecycle.check_open()
        call = Call("rpc.hello", calls=self)
        self._protocol.hello(call)
        self._lanes.put_call(call)
        await call.wait()
        call.unwrap()

    @asynccontextmanager
    async def open_stream(
        self,
        method: str,
        params: bytes | None,
        *,
        credit: ReceiveCredit,
        on_values: OnItems,
        on_end: OnEnd,
        uploads: Sequence[Outbox] = (),
        traceparent: str | None = None,
    ) -> AsyncIterator[Call]:
        """Make a stream call and wait until it has started; leaving the block ends it.

        The other arguments are those of `call`, and it raises the same.

        Args:
            credit: How much the peer may send; `use` grants more from now on.
            on_values: Takes the values that come.
            on_end: Called once when no more will come, with the error if there is one.

        Cancelled or left, it cancels the call and waits for the response, for `cancel_grace` at
        most; after that the call counts as abandoned.
        """
        if get_ident() != self._thread:
            raise _elsewhere(method)
        await checkpoint_if_cancelled()
        if method == SUBSCRIBE:
            # It does not stand in line, for it is not one of the calls that the peer counts.
            await self._queue.wait_writable()
            # A task that was woken and then cancelled learns of that at its next checkpoint only.
            await checkpoint_if_cancelled()
            self._check_subscriptions()
        self._lifecycle.check_open()
        call = Call(
            method,
            calls=self,
            # The deadline does not travel, for a shielded block may outlast it.
            until=effective_deadline(),
            params=params,
            credit=credit,
            traceparent=traceparent,
            on_values=on_values,
            on_end=on_end,
        )
        credit.on_due = partial(self._lanes.put_credit, call)
        self._make(call, uploads)
        try:
            await call.wait_started()
            yield call
        finally:
            await self._cancel(call, _reason(call.until))
            self._leave(call)

    def _check_subscriptions(self) -> None:
        """Refuse, as the peer would, more subscriptions than its hello allows."""
        peer = self._protocol.peer
        if peer is None or self._protocol.outgoing_subscriptions < peer.limits.subscriptions:
            return
        data = exceeded("subscriptions", peer.limits.subscriptions)
        raise _refusal(ErrorCode.TOO_MANY_SUBSCRIPTIONS, data)

    # Sending, now or in turn

    def _make(self, call: Call, uploads: Sequence[Outbox]) -> None:
        """Send a call now, or once the calls before it are sent and there is room for it."""
        served = handling.get(None)
        if served is not None and served.calls is self and not served.is_over:
            call.is_call_back = True
        if uploads:
            call.uploads = uploads
            for queue in uploads:
                queue.is_held = True
        if call.method == SUBSCRIBE or (not self.line and self._may_send(call)):
            self._send(call)
        else:
            self._stand_in_line(call)
        self._calls_back += call.is_call_back

    def _may_send(self, call: Call) -> bool:
        return self._queue.is_writable and self._excess(call) is None

    def _excess(self, call: Call) -> str | None:
        """Return the limit of the peer that a call would exceed, if any."""
        protocol = self._protocol
        if len(protocol.outgoing) - protocol.outgoing_subscriptions >= self.max_calls:
            return "calls"
        size = 0 if call.params is None else len(call.params)
        return "call_bytes" if protocol.outgoing_size + size > self.max_call_bytes else None

    def _stand_in_line(self, call: Call) -> None:
        size = 0 if call.params is None else len(call.params)
        if size > self.max_call_bytes:  # its turn would never come
            problem = f"the parameters have {size} bytes; the peer takes {self.max_call_bytes}"
            raise EncodeError(f"{problem} (its limit call_bytes)")
        if call.is_call_back:
            # The peer waits for this side, so this side must not wait for calls of the peer to end:
            # both might wait for ever. It may wait for room in the queue, which the peer's reader
            # makes.
            limit = self._excess(self.line[0]) or "calls" if self.line else self._excess(call)
            if limit is not None:
                raise _refusal(ErrorCode.BUSY, {"limit": limit})
        if not self.line:
            self.line = deque()
        self.line.append(call)

    def _send(self, call: Call) -> None:
        params, call.params = call.params, None
        self._protocol.request(call, params, traceparent=call.traceparent)
        self._lanes.put_call(call)

    def advance(self) -> None:
        """Send the calls in line for which there is room now."""
        while self.line:
            call = self.line[0]
            if call.is_left:
                self.line.popleft()
            elif self._may_send(call):
                self.line.popleft()
                try:
                    self._send(call)
                except EncodeError as error:
                    call.settle(error)
            else:
                return
        self.line = ()

    # Leaving

    @property
    def is_calling_back(self) -> bool:
        """Whether a handler of a call of the peer waits for a call back to it."""
        return self._calls_back > 0

    def _leave(self, call: Call) -> None:
        """Give up a call whose caller waits no more, whatever its state."""
        self._calls_back -= call.is_call_back
        if call.is_settled:
            return
        if not call.id:
            call.is_left = True
            self.advance()
        elif call.stage is QUEUED:
            self._queue.withdraw(call)
            self.withdraw(call)
        elif call.stage.abandon is not None:
            self._protocol.abandon(call)

    def withdraw(self, call: Call) -> None:
        """Remove a call that the writer has not taken."""
        self._protocol.withdraw(call)
        self.advance()

    async def _cancel(self, call: Call, reason: str) -> None:
        """Ask the peer to cancel a call, and wait for the response, for `cancel_grace` at most."""
        cancel = None if call.is_settled else self._protocol.cancel(call, reason)
        if cancel is not None:
            self._lanes.put_control(cancel)
            with trio.CancelScope(shield=True, deadline=trio.current_time() + self.cancel_grace):
                await call.wait_settled()

    # Called by the link

    def on_hello(self, hello: Hello) -> None:
        self.max_calls = hello.limits.calls
        if hello.limits.call_bytes is not None:
            self.max_call_bytes = hello.limits.call_bytes

    def end(self, in_flight: Sequence[OutgoingCall]) -> None:
        """Fail all calls, because the link has ended."""
        waiting, self.line = self.line, ()
        for call in (*in_flight, *waiting):
            assert isinstance(call, Call)
            if not call.is_settled and call.stage is not ABANDONED:
                call.settle(self._lifecycle.lost(sent=call.stage is not QUEUED))
            call.stage = ENDED


def _reason(until: float) -> str:
    """Return why the current task cancels a call: for the reason of its handler, or its own."""
    served = handling.get(None)
    if served is not None and not served.is_over and served.cancel_reason is not None:
        return served.cancel_reason
    return "deadline" if trio.current_time() >= until else "caller"


def _refusal(code: ErrorCode, data: Mapping[str, object]) -> RpcError:
    """Return the error that the peer would respond with."""
    return RpcError.of(code, MESSAGES[code], data)


def _elsewhere(method: str) -> RuntimeError:
    """Return the error for a call in another thread, even if that has a Trio run of its own."""
    return elsewhere(
        method,
        f'trio.from_thread.run(session.call, "{method}", ...), or so with a method of a proxy',
    )
