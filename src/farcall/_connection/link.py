"""One live link: a reader, a writer, a heartbeat, and the tasks that serve its calls.

Theory of operation. `run` is the reader, and owns a nursery with every other task of the link; when
the link ends, for whatever reason, every waiting call is settled and every task is cancelled. The
reader is the only task that gives frames to the protocol. It never awaits user code, so pongs,
cancels and credit are handled while handlers run. The writer alone sends. A task that has a message
changes the state of the protocol and puts the message into a lane in one synchronous step: state
and wire cannot disagree, and a cancelled task leaves nothing half done.

A link with nothing to do has one task. The others, with the shield around them, begin when they are
needed; the flusher and the wheel, which all links of a Trio run share, send and ping for it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar, TypeVarTuple, cast

import trio

from farcall._connection.calls import Calls
from farcall._connection.handler import Handler
from farcall._connection.heartbeat import Heartbeat, Ping, Pings, Watch
from farcall._connection.lanes import Lanes
from farcall._connection.responses import Responses
from farcall._connection.send_queue import SendQueue
from farcall._connection.state import (
    SHUTDOWN_REASON,
    ConnectionState,
    ConnectionStatistics,
    Drops,
    Lifecycle,
)
from farcall._connection.tasks import Tasks
from farcall._connection.uploads import Uploads
from farcall._connection.wheel import current_wheel
from farcall._connection.writer import Writer
from farcall._limits import DEFAULT_LIMITS, Limits, MessageLimit
from farcall._nursery import open_owned_nursery
from farcall._protocol.framing import shown
from farcall._protocol.messages import Error, Hello, goaway
from farcall._protocol.protocol import Protocol
from farcall._protocol.skipped import Skipped
from farcall._protocol.state import IncomingCall
from farcall._quota import MemoryAccount
from farcall._transport.transport import CloseReason, Endpoint, Transport, too_big
from farcall.errors import CloseCode, ConnectionLost

logger = logging.getLogger("farcall")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EVICT_SECONDS = 1.0
"""For the Close frame to a peer that held too much memory; until then it still holds some."""

CANCEL_GRACE = 0.5
"""Seconds for which a cancelled caller waits for the peer's response: a few round trips around the
world, and too short for a person who pressed Ctrl-C to notice."""


class Link:
    """One live link to a peer.

    Args:
        transport: Open already.
        protocol: The state of both sides.
        make_handler: Makes the handler of the peer's messages.
        heartbeat: When a silent peer is pinged and given up.
        cancel_grace: Seconds for which a cancelled caller waits for the peer's response.
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
        self.data: dict[str, Any] = {}
        self.protocol = protocol
        self.cancel_grace = cancel_grace
        self.lifecycle = Lifecycle(transport.endpoint)
        self.account = MemoryAccount(limits.process_bytes, self._evict)
        queue = SendQueue(limits, self.account)
        self.lanes = Lanes(self._wake, self._wake_call, queue, self._wake_late)
        self.uploads = Uploads(protocol, self.lanes, self.account)
        self.calls = Calls(self.lifecycle, protocol, self.lanes, cancel_grace=cancel_grace)
        self.responses = Responses(
            self.lifecycle,
            protocol,
            self.lanes,
            limits=limits,
            account=self.account,
            hang_up=self.hang_up,
        )
        self.drops = Drops(transport.endpoint.peer)
        self._transport = transport
        self._pings = Pings()
        self._writer = Writer(transport, self.lanes, self._pings, self.account, self.start_soon)
        self._watch = Watch(heartbeat, self)
        self._nursery: trio.Nursery | None = None
        self._tasks: Tasks | None = None
        """Every task but the reader, once one is started."""
        self._frames_in = self._strays = 0
        self._is_pausing = True
        self._has_warned = False
        """Whether an error without an id has been logged as a warning."""
        protocol.listener = self
        self.handler = make_handler(self)
        # The protocol makes its calls by `make_call`, so they are what a handler takes.
        self.on_request = cast("Callable[[IncomingCall], None]", self.handler.on_request)
        self.on_notification = self.handler.on_notification
        self.on_event = self.handler.on_event

    def __repr__(self) -> str:
        return f"<Link to {self.endpoint.peer}, {self.state.value}>"

    @property
    def endpoint(self) -> Endpoint:
        """The addresses of both ends, and what the handshake said."""
        return self.lifecycle.endpoint

    @property
    def state(self) -> ConnectionState:
        """The step of its life."""
        return self.lifecycle.state

    @property
    def is_closed(self) -> bool:
        """Whether it has ended."""
        return self.lifecycle.is_closed

    @property
    def is_greeted(self) -> bool:
        """Whether both sides have said hello, and so speak farcall's dialect."""
        return self.protocol.is_greeted

    @property
    def takes_calls(self) -> bool:
        """Whether a call of the peer may begin.

        While this side goes away, only if a handler here waits for the peer: it may wait for that
        very call.
        """
        return self.lifecycle.is_staying or (
            self.lifecycle.is_usable and self.calls.is_calling_back
        )

    @property
    def close_reason(self) -> CloseReason | None:
        """Why it has ended or is ending; None before."""
        return self.lifecycle.close_reason

    def lost(self, *, sent: bool) -> ConnectionLost:
        """Return the error for whatever fails because the link has ended."""
        return self.lifecycle.lost(sent=sent)

    def statistics(self) -> ConnectionStatistics:
        """Return a snapshot of what the link counts."""
        return ConnectionStatistics(
            state=self.state,
            dialect="farcall" if self.protocol.is_greeted else "plain",
            calls_out=len(self.protocol.outgoing),
            calls_in=len(self.protocol.incoming),
            queued=len(self.lanes),
            frames_in=self._frames_in,
            frames_out=self._writer.frames,
            strays=self._strays,
            dropped=self.drops.count,
            round_trip=self._pings.round_trip,
        )

    # From open to closed

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until the link ends.

        Cancelled, it hangs up, and every task of the link ends.
        """
        wheel = current_wheel()
        async with open_owned_nursery() as nursery:
            self._nursery = nursery
            self._writer.begin()
            wheel.join(self._watch)
            try:
                if self._tasks is not None:
                    nursery.start_soon(self._tasks.run)
                self.lifecycle.open()
                self.handler.on_open()
                task_status.started()
                reason = await self._transport.run(self)
                # A peer that reads nothing cannot get a Close frame; at least the log has it.
                is_stall = reason.code == CloseCode.SLOW_CONSUMER and not reason.remote
                if is_stall and self.close_reason is None:
                    logger.warning("%s: cut off: %s", self.endpoint.peer, reason.reason)
                self._end(reason)
            finally:
                self._hang_up_cancelled()
                wheel.leave(self._watch)
                if self._tasks is not None:
                    self._tasks.cancel()

    def _hang_up_cancelled(self) -> None:
        """Hang up, unless the link has ended; this also ends what is being sent under a shield."""
        self._transport.abort()
        if not self.is_closed:
            self.lifecycle.ends_here = True
            self._end(CloseReason(1006, "cancelled", remote=False))

    def start_soon(self, function: Callable[[*Ts], Awaitable[object]], *args: *Ts) -> None:
        """Start a task that ends with the link. The function must not raise.

        A task that is started before the link runs begins with it.
        """
        if self.lifecycle.is_closed:
            return
        if self._tasks is None:
            self._tasks = Tasks()
            if self._nursery is not None:
                self._nursery.start_soon(self._tasks.run)
        if self._tasks.nursery is None:
            self._tasks.waiting.append(partial(function, *args))
        else:
            self._tasks.nursery.start_soon(function, *args)

    async def aclose(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Send what waits, then close; each takes `Limits.close_seconds` at most.

        A second call waits for the first. Cancelled, it hangs up.
        """
        try:
            if self.lifecycle.begin_close():
                self.lifecycle.ends_here = True
                with trio.move_on_after(self.limits.close_seconds):
                    await self._writer.flush()
                self.lifecycle.note_reason(CloseReason(code, reason, remote=False))
                await self._transport.aclose(code, reason)
            await self.lifecycle.wait_closed()
        finally:
            self._transport.abort()

    async def drain(self, seconds: float) -> None:
        """Refuse new calls, give running ones `seconds` to end, and close with 1001."""
        # It may be draining already, because the peer goes away; its calls end sooner if asked to.
        if self.lifecycle.is_usable:
            self.lifecycle.leave()
            if self.protocol.is_greeted:
                self.lanes.put_control(goaway(int(seconds * 1000), 0))
            self.handler.on_draining()
        with trio.move_on_after(seconds):
            await self._wait_idle_peer()
        self.handler.on_grace_over()
        with trio.move_on_after(self.cancel_grace):
            await self._wait_idle_peer()
        await self.aclose(CloseCode.GOING_AWAY, SHUTDOWN_REASON)

    async def _wait_idle_peer(self) -> None:
        while self.handler.is_busy and not self.is_closed:
            await self.responses.wait_ended()

    async def wait_closed(self) -> None:
        """Wait until the link has ended."""
        await self.lifecycle.wait_closed()

    def hang_up(self, code: int, problem: str) -> None:
        """Close because of what the peer did, without sending what waits for it."""
        if self.lanes.is_closed:
            return
        logger.warning("%s: closing with %d: %s", self.endpoint.peer, code, problem)
        self.lifecycle.note_reason(CloseReason(code, problem, remote=False))
        self.lanes.close()
        self.protocol.is_broken = True
        self.lifecycle.begin_close()
        self.start_soon(self._transport.aclose, code, problem)

    def _evict(self) -> None:
        problem = f"all connections had more than {self.limits.process_bytes} bytes waiting"
        self.hang_up(CloseCode.SLOW_CONSUMER, f"{problem} (the limit process_bytes)")
        # The memory has to be free now, and not when the peer has answered the Close frame.
        self.handler.on_closed()
        if self._writer.is_sending:  # a Close frame would wait behind what the peer does not read
            self._transport.abort()
        else:
            self.start_soon(self._abort_after, EVICT_SECONDS)

    async def _abort_after(self, seconds: float) -> None:
        with trio.move_on_after(seconds):
            await self.lifecycle.wait_closed()
        self._transport.abort()

    def abort(self, code: int, reason: str) -> None:
        """Hang up at once; `code` and `reason` are for this side alone."""
        self.lifecycle.note_reason(CloseReason(code, reason, remote=False))
        self._transport.abort()

    def _end(self, reason: CloseReason) -> None:
        if self.is_closed:
            return
        self.lifecycle.note_reason(reason)
        self.lifecycle.close()
        self.uploads.end(lambda: self.lost(sent=True))
        self.calls.end(self.protocol.cut())
        self.responses.note_ended()
        self._writer.end()
        self._pings.end()
        self.lanes.close()
        self.account.close()
        self.handler.on_closed()

    def _wake(self) -> None:
        self._writer.wake()

    def _wake_late(self) -> None:
        self._writer.wake_late()

    def _wake_call(self) -> None:
        """Send a request or a response: at once if no other message is likely to join it."""
        writer = self._writer
        if not writer.is_held and self.calls.settled <= 1:
            protocol = self.protocol
            if (
                len(protocol.outgoing) - protocol.outgoing_subscriptions <= 1
                and len(protocol.incoming) == protocol.incoming_subscriptions
            ):
                writer.wake_through()
                return
        writer.wake()

    # Heartbeat

    @property
    def received_at(self) -> float:
        """The time of the last byte, on Trio's clock."""
        return self._transport.received_at

    @property
    def holder(self) -> trio.lowlevel.Task | None:
        """The task that holds the nursery of the others, while there is one."""
        return None if self._tasks is None else self._tasks.holder

    def drop_idle_tasks(self) -> None:
        """End the nursery of the other tasks if none runs; the next task gets another one.

        Not only a silent link does: the pings of its peer may always come before its own are due.
        """
        if self._tasks is not None and self._tasks.is_idle:
            self._tasks.cancel()
            self._tasks = None

    def on_silence(self) -> Ping:
        """Send a ping to a silent peer."""
        return self.send_ping()

    def send_ping(self) -> Ping:
        """Send a ping, without waiting for the pong."""
        ping = self._pings.new()
        self.lanes.put_ping(ping.payload)
        return ping

    async def ping(self) -> float:
        """Measure a round trip, in seconds.

        Raises:
            ConnectionLost: the link ended first.
        """
        self.lifecycle.check_open()
        ping = self.send_ping()
        await ping.wait()
        if ping.round_trip is None:
            raise self.lost(sent=True)
        return ping.round_trip

    def limit_messages(self, limit: MessageLimit) -> None:
        """Change the limit of incoming messages; see `Transport.limit_messages`."""
        self._transport.limit_messages(limit)

    # Called by the transport, in its reader; see `Receiver`

    def on_incomplete(self, size: int) -> None:
        self.account.charge_incomplete(size)

    def on_pong(self, payload: bytes) -> None:
        self._pings.on_pong(payload)

    def on_text(self, text: bytes) -> None:
        self._read(self.protocol.receive, text)

    def on_binary(self, data: bytes) -> None:
        self._read(self.protocol.receive_binary, data)

    def may_skip(self, start: bytes) -> bool:
        return self.protocol.may_skip(start)

    def on_skipped(self, message: Skipped) -> None:
        problem = too_big(message.limit)
        self._read(partial(self.protocol.receive_skipped, problem=problem), message)

    def _read(self, receive: Callable[[T], None], frame: T) -> None:
        if self._is_pausing:
            self._is_pausing, self._writer.is_held, self.calls.settled = False, True, 0
        self._frames_in += 1
        receive(frame)
        if self.protocol.batched or self.responses.has_batched:
            self.responses.check_batches()
        if self.calls.line:
            self.calls.advance()

    def on_rest(self) -> None:
        self._writer.note_rest()

    def on_pause(self) -> None:
        if not self._is_pausing:
            self._is_pausing, self._writer.is_held = True, False
            self._writer.flush_now()

    # Called by the protocol, in the same task; see `Listener`

    def on_reply(self, text: bytes) -> None:
        self.responses.put(text)

    def on_goaway(self, _grace_ms: int, _reconnect_after_ms: int) -> None:
        self.lifecycle.drain()

    def on_violation(self, code: int, problem: str) -> None:
        self.hang_up(code, problem)

    def on_hello(self, hello: Hello, answer: bytes | None) -> None:
        if answer is not None:
            self.lanes.put_greeting(answer)
        limits = hello.limits
        self.lanes.bundle = min(limits.bundle, self.protocol.own.limits.bundle)
        self.lanes.bundle_bytes = min(self.lanes.bundle_bytes, self.protocol.message_limit)
        self.account.charge(hello.size)  # until the link ends
        self.calls.on_hello(hello)
        self.handler.on_hello(hello)

    def on_unclaimed(self, error: Error) -> None:
        self._strays += 1
        level = logging.DEBUG if self._has_warned else logging.WARNING
        self._has_warned = True
        shown_error = f"{shown(error.message)} ({error.code})"
        problem = f"an error without an id, so no call ended with it: {shown_error}"
        logger.log(level, "%s: %s", self.endpoint.peer, problem)

    def on_stray(self, problem: str) -> None:
        self._strays += 1
        logger.debug("%s: %s", self.endpoint.peer, problem)
