"""What this side says about the calls of its peer: the seam between a link and what is served.

A handler is given a `Request`, which it starts, sends items for, and ends. How that is written,
in which lane it waits and who counts it, is hidden behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import trio

from farcall._codec import Codec
from farcall._connection.items import ItemCodec, item_codec
from farcall._connection.lanes import Lanes, StreamQueue
from farcall._connection.send_queue import Promise
from farcall._connection.state import SHUTDOWN_REASON, Lifecycle
from farcall._connection.streams import Outbox
from farcall._limits import Limits
from farcall._protocol.credit import SendCredit
from farcall._protocol.framing import NULL_ID
from farcall._protocol.messages import Error, max_items_size, started
from farcall._protocol.protocol import Protocol
from farcall._protocol.state import IncomingCall
from farcall._quota import MemoryAccount
from farcall.errors import CloseCode, EncodeError, ErrorCode

T = TypeVar("T")


def shutting_down() -> Error:
    """Make the answer to a call that comes too late."""
    return Error.of(ErrorCode.SHUTTING_DOWN, {"reason": SHUTDOWN_REASON})


def cancelled(reason: str | None) -> Error:
    """Make the answer to a call that was cancelled.

    Args:
        reason: Why. That the server goes away is told, for its caller has not asked for it.
    """
    is_told = reason == "shutdown"
    return Error.of(ErrorCode.CANCELLED, {"reason": SHUTDOWN_REASON} if is_told else None)


class StartEncodeError(EncodeError):
    """The message that tells of a start is larger than the caller takes."""


class Request(IncomingCall, kw_only=True, eq=False):
    """A call of the peer, and the way to answer it; it is answered once."""

    responses: Responses

    @property
    def wants_items(self) -> bool:
        """Whether it takes a stream as items; else it takes an array of all of them.

        A plain peer knows no items; a farcall peer that opens no window has asked for a result.
        """
        return self.credit is not None and self.responses.protocol.is_greeted

    # Whole answers, in the lane of calls

    def respond(self, result: bytes) -> None:
        """End the call with the JSON text of its result."""
        responses = self.responses
        responses.put(responses.protocol.respond(self, result))

    def respond_then(self, result: bytes, on_taken: Callable[[], object]) -> None:
        """End the call, and begin what the answer promises when the writer takes it.

        The answer to a call in a batch leaves with the others; what it promises begins at once.
        """
        responses = self.responses
        text = responses.protocol.respond(self, result)
        if text is None:
            on_taken()
        responses.put(None if text is None else Promise(text, on_taken))

    def fail(self, error: Error) -> None:
        """End the call with an error."""
        responses = self.responses
        responses.put(responses.protocol.fail(self, error))

    def start(self, value: bytes) -> None:
        """Tell a farcall peer that its remote task has begun; a plain one knows no such thing.

        Args:
            value: JSON text.

        Raises:
            StartEncodeError: the message would be larger than the peer takes.
            EncodeError: it nests deeper than this side sends.
        """
        self.responses.start(self, value)

    def excess(self, size: int) -> dict[str, str | int]:
        """Name the limit of the messages to the peer that something is over, for an error.

        Args:
            size: By how many bytes it is too large; 0 where that is not told.
        """
        protocol = self.responses.protocol
        limit: dict[str, str | int] = {"limit": protocol.message_limit_name}
        limit["bytes"] = protocol.message_limit
        if size:
            limit["excess"] = size
        return limit

    @property
    def message_limit(self) -> int:
        """The largest message that the peer takes, in bytes."""
        return self.responses.protocol.message_limit

    # A stream, whose messages wait in a queue of its own, so that nothing overtakes its items

    def item_codec(self, codec: Codec[T]) -> ItemCodec[T]:
        """Choose how items cross."""
        return item_codec(self.responses.protocol, codec)

    @property
    def send_credit(self) -> SendCredit:
        """How much the peer takes of the stream."""
        return self.responses.protocol.send_credit(self)

    def open_items(self, *, is_binary: bool) -> Outbox:
        """Start a stream, and give what takes its items and its end.

        Args:
            is_binary: Whether the items are bytes, to a peer that takes them as they are.
        """
        responses, protocol = self.responses, self.responses.protocol
        outbox = Outbox(
            self.send_credit,
            partial(protocol.items, self, is_binary=is_binary),
            max_items_size(protocol.message_limit, self.id, is_binary=is_binary),
            responses.lanes,
            responses.account,
        )
        outbox.begin(self.start_message(b"null"))
        return outbox

    def start_message(self, value: bytes) -> bytes:
        """Start a stream, and give the message that tells it."""
        return self.responses.protocol.start(self, value)

    def items_message(self, values: Sequence[bytes], cursor: str, missed: int | None) -> bytes:
        """Give the message that carries the next values of a subscription; see `Protocol.items`."""
        return self.responses.protocol.items(self, values, cursor=cursor, missed=missed)

    def end_message(self, outcome: bytes | Error) -> bytes | None:
        """End the call, and give the message that tells it, to be sent after its items."""
        responses, protocol = self.responses, self.responses.protocol
        responses.note_ended()
        if isinstance(outcome, Error):
            return protocol.fail(self, outcome)
        return protocol.respond(self, outcome)

    def put_stream(self, queue: StreamQueue) -> None:
        """Have the writer ask the queue of the stream for its next message."""
        self.responses.lanes.put_stream(queue)


class Responses:
    """The responses of one link, and how much of them waits.

    Args:
        lifecycle: The link's.
        protocol: Makes them.
        lanes: Where they wait for the writer.
        limits: How much of them may wait.
        account: Where what waits outside of the lanes is counted.
        hang_up: Ends the link, for a close code and a reason.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        protocol: Protocol,
        lanes: Lanes,
        limits: Limits,
        account: MemoryAccount,
        hang_up: Callable[[int, str], object],
    ) -> None:
        self.protocol = protocol
        self.lanes = lanes
        self.account = account
        self.queue = lanes.calls
        """The lane of calls."""
        self._lifecycle = lifecycle
        self._limits = limits
        self._hang_up = hang_up
        self._batched = 0
        self._waiting_drain: trio.Event | None = None
        protocol.make_call = partial(Request, responses=self)

    def notification(self, method: str, params: bytes | None, trace: str | None) -> Request:
        """Make a call that has no id, and gets no answer."""
        return Request(NULL_ID, method, params, traceparent=trace, responses=self)

    def start(self, call: Request, value: bytes) -> None:
        """Tell that a remote task has begun; see `Request.start`."""
        protocol = self.protocol
        if not protocol.is_greeted or self._lifecycle.is_closed:
            return
        text = started(call.id, value)
        try:
            protocol.check_size(text)
        except EncodeError as error:
            if len(text) > protocol.message_limit:
                raise StartEncodeError(str(error)) from None
            raise
        self.lanes.put_call(protocol.start(call, value))

    @property
    def has_batched(self) -> bool:
        """Whether answers wait for the other answers to their batch."""
        return self._batched > 0

    async def wait_writable(self, size: int) -> None:
        """Wait until the outcome of a call may be put into the send queue.

        Args:
            size: Of the outcome, in bytes; it is held meanwhile.
        """
        if not self.queue.is_writable:
            with self.account.charged(size):
                await self.queue.wait_writable()

    def put(self, message: bytes | Promise | None) -> None:
        """Queue an answer that the protocol has made; None where it goes into one for a batch."""
        if self._waiting_drain is not None:
            self._waiting_drain.set()
        if message is not None:
            self.lanes.put_response(message)
        if self.protocol.batched != self._batched or not self.queue.is_writable:
            self._check_room()

    def check_batches(self) -> None:
        """Count what waits for the rest of a batch, if there is more of it, or less."""
        if self.protocol.batched != self._batched:
            self._check_room()

    def _check_room(self) -> None:
        """Cut off a peer that has the reader answer it without end, and does not read."""
        batched = self.protocol.batched
        if batched != self._batched:
            self.account.charge(batched - self._batched)
            self._batched = batched
        # What the peer takes of one message; it may say any number.
        spare = min(self.protocol.message_limit, self._limits.message_out)
        limit = self.queue.excess(spare)
        if limit is None and batched > self._limits.queued_bytes + spare:
            limit = "queued_bytes"
        if limit is not None:
            problem = f"too many answers were not read (the limit {limit})"
            self._hang_up(CloseCode.SLOW_CONSUMER, problem)

    def note_ended(self) -> None:
        """Note that a call of the peer has ended; a drain waits for that."""
        if self._waiting_drain is not None:
            self._waiting_drain.set()

    async def wait_ended(self) -> None:
        """Wait until another call of the peer has ended, or the link has."""
        if self._waiting_drain is None or self._waiting_drain.is_set():
            self._waiting_drain = trio.Event()
        await self._waiting_drain.wait()
