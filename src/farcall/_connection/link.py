"""One live link: a reader, a writer, a heartbeat, and the tasks that serve its calls.

Theory of operation. `run` owns a nursery, and everything that lives because of the link lives in
it; when the link ends, for whatever reason, every waiting call is settled and every task is
cancelled. The reader is the only task that gives frames to the protocol; it never awaits user
code, so pongs, cancels and credit are handled while handlers run. The writer is the only task
that sends; whoever has something to say changes the protocol's state and puts the message into a
lane in one synchronous step, so state and wire cannot disagree, and a cancelled task leaves
nothing half done.
"""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeVarTuple

import trio

from farcall._budget import Account
from farcall._connection.drops import Drops
from farcall._connection.handler import Handler
from farcall._connection.heartbeat import Heartbeat, watch
from farcall._connection.item_queue import ItemQueue
from farcall._connection.lanes import Lanes, StreamQueue
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
from farcall._connection.pings import Ping, Pings
from farcall._connection.send_queue import SendQueue
from farcall._connection.statistics import ConnectionState, ConnectionStatistics
from farcall._connection.turns import Turns
from farcall._connection.uploads import OpenUploads
from farcall._limits import DEFAULT_LIMITS, Limits
from farcall._nursery import open_owned_nursery
from farcall._protocol import events
from farcall._protocol.core import Protocol
from farcall._protocol.credit import Window
from farcall._protocol.messages import MESSAGES, Error, Goaway, Hello, Message, Request, Started
from farcall._protocol.state import SUBSCRIBE, IncomingCall
from farcall._transport import CloseReason, Endpoint, Transport
from farcall.errors import CloseCode, ConnectionLost, ErrorCode, RpcError

logger = logging.getLogger("farcall")
Ts = TypeVarTuple("Ts")

CLOSE_SECONDS = 5.0
"""For sending what waits: longer than any round trip to a peer that still reads."""

CANCEL_GRACE = 0.5
"""Seconds for which a cancelled caller waits for the peer's word: a few round trips around the
world, and not yet noticed by a person who pressed Ctrl-C."""


handled_link: ContextVar[Link] = ContextVar("farcall link of the handled call")
"""Where the call came from that the current task handles, if it handles any."""


class Link:
    """One live link to a peer.

    Args:
        transport: The link, open.
        protocol: Its state.
        make_handler: Makes what is told of the peer's messages.
        heartbeat: When a silent peer is pinged and given up.
        cancel_grace: Seconds for which a cancelled caller waits for the peer's answer.
        limits: What the peer may cost.
    """

    def __init__(
        self,
        transport: Transport,
        protocol: Protocol,
        make_handler: Callable[[Link], Handler],
        *,
        heartbeat: Heartbeat,
        cancel_grace: float = CANCEL_GRACE,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.limits = limits
        self.state = ConnectionState.CONNECTING
        self.data: dict[str, Any] = {}
        self.protocol = protocol
        self.cancel_grace = cancel_grace
        self.close_reason: CloseReason | None = None
        self.account = Account(limits.process_bytes, self._evict)
        self.lanes = Lanes(self._wake, SendQueue(limits, self.account))
        self.drops = Drops(transport.endpoint.peer)
        self._transport = transport
        self.handler = make_handler(self)
        self._heartbeat = heartbeat
        self._nursery: trio.Nursery | None = None
        self._pending = PendingCalls()
        self.uploads = OpenUploads()
        self._turns = Turns(self._count_calls)
        self._batched = 0
        self._pings = Pings()
        self._work = trio.Event()
        self._is_idle = trio.Event()
        self._incoming_ended = trio.Event()
        self._closed = trio.Event()
        self._frames_in = self._frames_out = self._strays = 0

    def __repr__(self) -> str:
        return f"<Link to {self.endpoint.peer}, {self.state.value}>"

    @property
    def endpoint(self) -> Endpoint:
        """Who is at both ends."""
        return self._transport.endpoint

    @property
    def is_closed(self) -> bool:
        """Whether the link has ended."""
        return self._closed.is_set()

    def statistics(self) -> ConnectionStatistics:
        """Take a snapshot."""
        return ConnectionStatistics(
            state=self.state,
            dialect="farcall" if self.protocol.is_greeted else "plain",
            calls_out=len(self.protocol.outgoing),
            calls_in=len(self.protocol.incoming),
            queued=len(self.lanes),
            frames_in=self._frames_in,
            frames_out=self._frames_out,
            strays=self._strays,
            dropped=self.drops.count,
            round_trip=self._pings.round_trip,
        )

    # Life

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Live until the link ends.

        Cancelled, it hangs up, and every task of the link ends.
        """
        try:
            async with open_owned_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._write)
                nursery.start_soon(self._beat)
                self.state = ConnectionState.OPEN
                self.handler.on_open()
                task_status.started()
                self._end(await self._transport.run(self))
                nursery.cancel_scope.cancel()
        finally:
            self._transport.abort()
            self._end(CloseReason(1006, "cancelled", remote=False))

    def start_soon(self, function: Callable[[*Ts], Awaitable[object]], *args: *Ts) -> None:
        """Start a task that ends with the link; the function lets no exception out."""
        if self._nursery is not None and not self.is_closed:
            self._nursery.start_soon(function, *args)

    async def aclose(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Send what waits, then close; 5 s each at most.

        Whoever comes second waits for the first. Cancelled, it hangs up.
        """
        try:
            if self._is_usable:
                self.state = ConnectionState.CLOSING
                await self._say_goodbye(code, reason)
            await self._closed.wait()
        finally:
            self._transport.abort()

    async def _say_goodbye(self, code: int, reason: str) -> None:
        with trio.move_on_after(CLOSE_SECONDS):
            await self.flush()
        self._note_end(CloseReason(code, reason, remote=False))
        await self._transport.aclose(code, reason)

    async def flush(self) -> None:
        """Wait until the writer has nothing left that may be sent now."""
        # Asked anew: that it was idle once does not mean that nothing is being sent now.
        while not self.is_closed:
            if self._is_idle.is_set():
                self._is_idle = trio.Event()
            self._wake()
            await self._is_idle.wait()
            if not len(self.lanes):
                return

    async def drain(self, seconds: float) -> None:
        """Refuse new calls, let running ones end for at most `seconds`, and close with 1001."""
        # It may be draining already, because the peer goes away; its calls end sooner if asked to.
        if self._is_usable:
            self.state = ConnectionState.DRAINING
            if self.protocol.is_greeted:
                self.lanes.put_control(Goaway(int(seconds * 1000), 0))
            self.handler.on_draining()
        with trio.move_on_after(seconds):
            await self._wait_idle_peer()
        self.handler.on_grace_over()
        with trio.move_on_after(self.cancel_grace):
            await self._wait_idle_peer()
        await self.aclose(CloseCode.GOING_AWAY, "the server is shutting down")

    async def _wait_idle_peer(self) -> None:
        while self.handler.is_busy and not self.is_closed:
            self._incoming_ended = trio.Event()
            await self._incoming_ended.wait()

    async def wait_closed(self) -> None:
        """Wait until the link has ended."""
        await self._closed.wait()

    def hang_up(self, code: int, problem: str) -> None:
        """Close because of what the peer did; what waits for it is not sent any more."""
        if self.lanes.is_closed:
            return
        logger.warning("%s: closing with %d: %s", self.endpoint.peer, code, problem)
        self._note_end(CloseReason(code, problem, remote=False))
        self.lanes.close()
        if self._is_usable:
            self.state = ConnectionState.CLOSING
        self.start_soon(self._transport.aclose, code, problem)

    def _evict(self) -> None:
        problem = f"all connections had more than {self.limits.process_bytes} bytes waiting"
        self.hang_up(CloseCode.SLOW_CONSUMER, f"{problem} (the limit process_bytes)")

    def abort(self, code: int, reason: str) -> None:
        """Hang up at once; `code` and `reason` tell this side why."""
        self._note_end(CloseReason(code, reason, remote=False))
        self._transport.abort()

    def _note_end(self, reason: CloseReason) -> None:
        if self.close_reason is None:
            self.close_reason = reason

    def _end(self, reason: CloseReason) -> None:
        if self.is_closed:
            return
        self._note_end(reason)
        self.state = ConnectionState.CLOSED
        self._closed.set()
        self._is_idle.set()
        self._incoming_ended.set()
        self.protocol.cut()
        self._pending.end(lambda sent: self.lost(sent=sent))
        self.uploads.end(lambda sent: self.lost(sent=sent))
        self._turns.end()
        self._pings.end()
        self.lanes.close()
        self.account.close()
        self.handler.on_closed()

    def lost(self, *, sent: bool) -> ConnectionLost:
        """Make the error for what cannot be done because the link has ended."""
        reason = self.close_reason or CloseReason(1006, "")
        who = "the peer" if reason.remote else "this side"
        words = f": {reason.reason}" if reason.reason else ""
        return ConnectionLost(
            f"{who} ended the connection to {self.endpoint.peer} ({reason.code}{words})", sent=sent
        )

    # Asking

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
            EncodeError: the message is larger, or nests deeper, than the peer takes.

        The deadline of the calling task travels along. Cancelled before the writer took the
        request, it withdraws it; later, it asks the peer to cancel and waits for the answer, for
        `cancel_grace` at most: an outcome that came first is given all the same.
        """
        # Whoever is cancelled already, or out of time, sends nothing.
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check_open()
        await self._wait_turn()
        deadline = trio.current_effective_deadline()
        try:
            call, request = self.protocol.request(
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

    async def notify(self, method: str, params: bytes | None) -> None:
        """Send a notification once there is room for it; see `call` for what it raises.

        Cancelled, it has sent nothing.
        """
        await trio.lowlevel.checkpoint()
        await self.lanes.calls.wait_room()
        self._check_open()
        self.lanes.put_call(self.protocol.notify(method, params))

    async def greet(self) -> None:
        """Say hello and wait for the answer, which `Handler.on_hello` hears as well.

        Raises:
            RemoteFailure: the peer knows no hello; it speaks the plain dialect.
            ConnectionLost: the link ended first.
            InvalidResult: the answer is no hello.
        """
        self._check_open()
        request = self.protocol.hello()
        call = self.protocol.hello_call
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
    ) -> AsyncIterator[PendingStream]:
        """Make a stream call and wait until it has started; leaving the block ends it.

        Cancelled or left, it cancels the call and waits for the answer, for `cancel_grace` at
        most; after that the call counts as abandoned.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        self._check_open()
        await self._wait_stream_turn(method)
        try:
            call, request = self.protocol.request(
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
            await self._leave_stream(pending)

    def consume(self, pending: PendingStream, size: int) -> None:
        """Count an item of a stream as used, which may be worth telling the peer."""
        credit = self.protocol.consume(pending.call, size)
        if credit is not None:
            self.lanes.put_credit(credit)

    async def ping(self) -> float:
        """Measure a round trip, in seconds.

        Raises:
            ConnectionLost: the link ended first.
        """
        self._check_open()
        ping = self._send_ping()
        await ping.wait()
        if ping.round_trip is None:
            raise self.lost(sent=True)
        return ping.round_trip

    @property
    def _is_usable(self) -> bool:
        return self.state in (ConnectionState.OPEN, ConnectionState.DRAINING)

    def _check_open(self) -> None:
        if not self._is_usable:
            raise self.lost(sent=False)

    def _count_calls(self) -> int:
        """Count what the peer has to answer, or has not been asked yet."""
        outgoing = self.protocol.outgoing
        return len(outgoing) - outgoing.subscriptions

    async def _wait_turn(self) -> None:
        """Wait until the peer takes another call, and the queue has room for it."""
        # While the peer waits for this side it may not be waited for: each might wait for the
        # other for ever.
        if not self._turns.is_free and handled_link.get(None) is self:
            raise RpcError.of(ErrorCode.BUSY, MESSAGES[ErrorCode.BUSY], {"limit": "calls"})
        if self._turns.is_free and self.lanes.calls.has_room:
            return
        async with self._turns.turn():
            await self.lanes.calls.wait_room()
        self._check_open()

    async def _wait_stream_turn(self, method: str) -> None:
        """Wait as for a call; a subscription has no turn, for it never ends."""
        if method != SUBSCRIBE:
            await self._wait_turn()
            return
        await self.lanes.calls.wait_room()
        self._check_open()
        self._check_subscriptions()

    def _check_subscriptions(self) -> None:
        """Refuse, as the peer would, more subscriptions than it has said that it serves."""
        peer = self.protocol.peer
        if peer is None or self.protocol.outgoing.subscriptions < peer.limits.subscriptions:
            return
        code = ErrorCode.TOO_MANY_SUBSCRIPTIONS
        data = {"limit": "subscriptions", "most": peer.limits.subscriptions}
        raise RpcError.of(code, MESSAGES[code], data)

    def _queue(self, pending: PendingCall, uploads: Sequence[ItemQueue] = ()) -> None:
        self._pending.insert(pending)
        if uploads:
            self.uploads.hold(pending, uploads)
        self.lanes.put_call(pending.request)

    def _leave(self, pending: PendingCall) -> None:
        """Forget a call that is not waited for any more; nothing to do for a settled one."""
        self.uploads.forget_held(pending)
        if pending.is_settled:
            return
        self._pending.forget(pending)
        if pending.call.was_sent:
            self.protocol.abandon(pending.call)
        else:
            self.lanes.withdraw(pending.request)
            self.protocol.withdraw(pending.call)
            self._turns.advance()

    async def _leave_stream(self, pending: PendingStream) -> None:
        await self._cancel(pending, "caller")
        self._leave(pending)

    async def _cancel(self, pending: PendingCall, reason: str) -> None:
        """Ask the peer to end a call, and wait for its answer, but not for long."""
        cancel = None if pending.is_settled else self.protocol.cancel(pending.call, reason)
        if cancel is not None:
            self.lanes.put_control(cancel)
            with trio.CancelScope(shield=True, deadline=trio.current_time() + self.cancel_grace):
                await pending.wait_settled()

    # Answering

    def start(self, call: IncomingCall, value: bytes) -> None:
        """Tell a farcall peer that its remote task has begun; a plain one knows no such thing.

        Args:
            call: Of the peer.
            value: JSON text.

        Raises:
            EncodeError: the message would be larger, or deeper, than the peer takes.
        """
        if self.protocol.is_greeted and not self.is_closed:
            self.protocol.check_size(Started(call.id, value))
            self.lanes.put_call(self.protocol.start(call, value))

    def respond(self, call: IncomingCall, result: bytes) -> None:
        """End a call of the peer with the JSON text of its result."""
        self._answer(self.protocol.respond(call, result))

    def respond_then(self, call: IncomingCall, result: bytes, on_taken: Callable[[], None]) -> None:
        """End a call, and begin what the answer promises when the writer takes it.

        The answer to a call in a batch leaves with the others; what it promises begins at once.
        """
        message = self.protocol.respond(call, result)
        if message is None:
            on_taken()
        self._answer(message, on_taken)

    def fail(self, call: IncomingCall, error: Error) -> None:
        """End a call of the peer with an error."""
        self._answer(self.protocol.fail(call, error))

    @property
    def has_room(self) -> bool:
        """Whether an answer may be put into the send queue without waiting."""
        return self.lanes.calls.has_room

    async def wait_room(self, size: int) -> None:
        """Wait until the outcome of a call may be put into the send queue.

        Args:
            size: Of the outcome, in bytes; it is held meanwhile.
        """
        if not self.lanes.calls.has_room:
            with self.account.holding(size):
                await self.lanes.calls.wait_room()

    def _answer(self, message: Message | None, on_taken: Callable[[], None] | None = None) -> None:
        self.note_ended()
        if message is not None:
            self.lanes.put_call(message, on_taken)
        self._check_room()

    def _check_room(self) -> None:
        """Cut off a peer that has the reader answer it without end, and does not read."""
        batched = self.protocol.batched
        if batched != self._batched:
            self.account.hold(batched - self._batched)
            self._batched = batched
        spare = self.protocol.message_limit
        limit = self.lanes.calls.excess(spare)
        if limit is None and batched > self.limits.queued_bytes + spare:
            limit = "queued_bytes"
        if limit is not None:
            problem = f"too many answers were not read (the limit {limit})"
            self.hang_up(CloseCode.SLOW_CONSUMER, problem)

    def note_ended(self) -> None:
        """Note that a call of the peer has ended; a drain waits for that."""
        self._incoming_ended.set()

    # Writing

    def _wake(self) -> None:
        self._work.set()

    async def _write(self) -> None:
        """Take what waits and send it, again and again, until the link breaks."""
        try:
            while True:
                await self._write_once()
        except trio.BrokenResourceError:
            self._pings.lose_writer()  # the reader ends as well, and knows why

    async def _write_once(self) -> None:
        payload = self.lanes.take_ping()
        if payload is not None:
            self._pings.take(payload)
            await self._transport.ping(payload)
            return
        now = trio.current_time()
        frames = self.protocol.frames(self._unexpired(self.lanes.drain(), now), now)
        if not frames:
            await self._wait_work()
            return
        self.uploads.release_sent()
        self._frames_out += len(frames)
        await self._transport.send(frames)

    def _unexpired(self, messages: Iterator[Message], now: float) -> Iterator[Message]:
        for message in messages:
            if isinstance(message, Request) and message.has_expired(now):
                self._expire(message)
            else:
                yield message

    def _expire(self, request: Request) -> None:
        """Withdraw a call that ran out of time in the queue, and answer it as the peer would."""
        assert request.id is not None
        call = self.protocol.outgoing.get(request.id)
        assert call is not None
        self.protocol.withdraw(call)
        self._turns.advance()
        code = ErrorCode.DEADLINE_EXCEEDED
        self._pending.settle(events.ErrorReceived(call, code, MESSAGES[code], OWN_DEADLINE))

    async def _wait_work(self) -> None:
        self._is_idle.set()
        await self._work.wait()
        self._work = trio.Event()

    def put_stream(self, queue: StreamQueue) -> None:
        """Note that a stream has something to send."""
        self.lanes.put_stream(queue)

    # Heartbeat

    async def _beat(self) -> None:
        await watch(self._heartbeat, self._transport, self._ping_out)
        seconds = self._heartbeat.idle_seconds + self._heartbeat.grace_seconds
        self.abort(CloseCode.INTERNAL, f"the peer was silent for {seconds:.0f} s")

    async def _ping_out(self) -> None:
        await self._send_ping().wait_taken()

    def _send_ping(self) -> Ping:
        ping = self._pings.new()
        self.lanes.put_ping(ping.payload)
        return ping

    # Reading: called by the transport, in its reader

    def on_pong(self, payload: bytes) -> None:
        """Take the answer to a ping."""
        self._pings.on_pong(payload)

    def on_frame(self, frame: str | bytes) -> None:
        """Take one frame and do what it asks for."""
        self._frames_in += 1
        for event in self.protocol.receive(frame):
            if self.lanes.is_closed:
                return
            self._react(event)
        if self.protocol.batched != self._batched:
            self._check_room()
        self._turns.advance()

    def _react(self, event: events.ProtocolEvent) -> None:
        match event:
            case events.Reply(message):
                self._answer(message)
            case events.HelloReceived(hello, answer):
                self._on_hello(hello, answer)
            case events.GoawayReceived():
                self._on_goaway()
            case events.Stray(problem):
                self._on_stray(problem)
            case events.Violation(code, problem):
                self.hang_up(code, problem)
            case events.UploadItems() | events.UploadEnded() | events.UploadCredit():
                self.uploads.react(event)
            case _:
                self._pass_on(event)

    def _pass_on(self, event: events.PeerEvent | events.AnswerEvent) -> None:
        match event:
            case events.RequestReceived(call):
                self.handler.on_request(call)
            case events.NotificationReceived(method, params):
                self.handler.on_notification(method, params)
            case events.EventReceived(name, params):
                self.handler.on_event(name, params)
            case events.CancelReceived(call, reason):
                self.handler.on_cancel(call, reason)
            case events.CreditReceived(call):
                self.handler.on_credit(call)
            case _:
                self._pending.settle(event)

    def _on_hello(self, hello: Hello, answer: Message | None) -> None:
        if answer is not None:
            self.lanes.put_control(answer)
        elif self.protocol.hello_call is not None:
            self._pending.succeed(self.protocol.hello_call)
        self._turns.most = hello.limits.calls
        self.handler.on_hello(hello)

    def _on_goaway(self) -> None:
        # It may have crossed a goodbye of this side.
        if self.state is ConnectionState.OPEN:
            self.state = ConnectionState.DRAINING

    def _on_stray(self, problem: str) -> None:
        self._strays += 1
        logger.debug("%s: %s", self.endpoint.peer, problem)
