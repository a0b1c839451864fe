"""The responses to the peer's calls: the seam between a link and what it serves.

A handler gets a `Request`, which it starts, sends items for, and ends. How that becomes messages,
in which lane they wait, and which account is charged, is hidden behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import trio

from farcall._codec import Codec
from farcall._connection.items import ItemCodec, item_codec
from farcall._connection.lanes import Lanes
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
    """Return the error for a call that comes too late."""
    return Error.of(ErrorCode.SHUTTING_DOWN, {"reason": SHUTDOWN_REASON})


def cancelled(reason: str | None) -> Error:
    """Return the error for a call that was cancelled."""
    # The caller knows why, unless it is this side that goes away.
    is_news = reason == "shutdown"
    return Error.of(ErrorCode.CANCELLED, {"reason": SHUTDOWN_REASON} if is_news else None)


class StartEncodeError(EncodeError):
    """``rpc.started`` would be larger than the caller takes."""


class Request(IncomingCall, kw_only=True, eq=False):
    """A call of the peer, and the methods to respond to it, which it gets once."""

    responses: Responses

    @property
    def wants_items(self) -> bool:
        """Whether it takes a stream as items; otherwise it takes an array of all items.

        A plain peer knows no items; a farcall peer that opens no window asks for a result.
        """
        return self.credit is not None and self.responses.protocol.is_greeted

    # Responses, in the lane of calls

    def respond(self, result: bytes) -> None:
        """End the call with the JSON text of its result."""
        responses = self.responses
        responses.put(responses.protocol.respond(self, result))

    def respond_then(self, result: bytes, on_taken: Callable[[], object]) -> None:
        """End the call, and call `on_taken` when the writer takes the response.

        The response to a call in a batch waits for the others; then `on_taken` is called at once.
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
        """Tell a farcall peer that its remote task has started; a plain peer is told nothing.

        Args:
            value: JSON text.

        Raises:
            StartEncodeError: the message would be larger than the peer takes.
            EncodeError: it nests deeper than this side sends.
        """
        self.responses.start(self, value)

    def excess(self, size: int) -> dict[str, str | int]:
        """Return the error data for a message that is `size` bytes larger than the peer takes.

        Args:
            size: 0 to leave it out.
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

    # Streams; their messages wait in a queue of their own, so that nothing overtakes the items

    def item_codec(self, codec: Codec[T]) -> ItemCodec[T]:
        """Return what writes its items."""
        return item_codec(self.responses.protocol, codec)

    @property
    def send_credit(self) -> SendCredit:
        """How much of the stream the peer takes."""
        return self.responses.protocol.send_credit(self)

    def open_items(self, *, is_binary: bool) -> Outbox:
        """Start a stream, and return the outbox for its items and its end.

        Args:
            is_binary: Whether the items are sent in binary frames.
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
        """Start a stream, and return the message that says so."""
        return self.responses.protocol.start(self, value)

    def items_message(self, values: Sequence[bytes], cursor: str, missed: int | None) -> bytes:
        """Return the message with the next values of a subscription; see `Protocol.items`."""
        return self.responses.protocol.items(self, values, cursor=cursor, missed=missed)

    def end_message(self, outcome: bytes | Error) -> bytes | None:
        """End the call, and return its response, to be sent after the items."""
        responses, protocol = self.responses, self.responses.protocol
        responses.note_ended()
        if isinstance(outcome, Error):
            return protocol.fail(self, outcome)
        return protocol.respond(self, outcome)


class Responses:
    """The responses of one link, and how much of them waits.

    Args:
        lifecycle: Of the link.
        protocol: Makes their messages.
        lanes: Queue them for the writer.
        limits: How much may wait.
        account: Charged with what waits outside of the lanes.
        hang_up: Ends the link, with a close code and a reason.
    """

    def __init__(
        self,
        lifecycle: Lifecycle,
        protocol: Protocol,
        lanes: Lanes,
        *,
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
        """Make the call of a notification, which has no id and gets no response."""
        return Request(NULL_ID, method, params, traceparent=trace, responses=self)

    def start(self, call: Request, value: bytes) -> None:
        """Send ``rpc.started``; see `Request.start`."""
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
        """Whether responses wait for the others of their batch."""
        return self._batched > 0

    async def wait_writable(self, size: int) -> None:
        """Wait until the outcome of a call, of `size` bytes, may be put into the send queue."""
        if not self.queue.is_writable:
            with self.account.charged(size):
                await self.queue.wait_writable()

    def put(self, message: bytes | Promise | None) -> None:
        """Queue a response; None if it waits for the others of its batch."""
        if self._waiting_drain is not None:
            self._waiting_drain.set()
        if message is not None:
            self.lanes.put_response(message)
        if self.protocol.batched != self._batched or not self.queue.is_writable:
            self._check_room()

    def check_batches(self) -> None:
        """Account for the responses that wait for their batch, if that has changed."""
        if self.protocol.batched != self._batched:
            self._check_room()

    def _check_room(self) -> None:
        """Cut off a peer that provokes responses without end, and reads none."""
        batched = self.protocol.batched
        if batched != self._batched:
            self.account.charge(batched - self._batched)
            self._batched = batched
        # One message may be larger; but the peer may have announced any size.
        spare = min(self.protocol.message_limit, self._limits.message_out)
        limit = self.queue.excess(spare)
        if limit is None and batched > self._limits.queued_bytes + spare:
            limit = "queued_bytes"
        if limit is not None:
            problem = f"too many responses were not read (the limit {limit})"
            self._hang_up(CloseCode.SLOW_CONSUMER, problem)

    def note_ended(self) -> None:
        """Note that a call of the peer has ended, for a drain that waits for it."""
        if self._waiting_drain is not None:
            self._waiting_drain.set()

    async def wait_ended(self) -> None:
        """Wait until the next call of the peer ends, or the link does."""
        if self._waiting_drain is None or self._waiting_drain.is_set():
            self._waiting_drain = trio.Event()
        await self._waiting_drain.wait()
