"""What this side answers to the calls of its peer."""

from __future__ import annotations

from collections.abc import Callable

import trio

from farcall._budget import Account
from farcall._connection.lanes import Lanes
from farcall._connection.life import Life
from farcall._limits import Limits
from farcall._protocol.core import Protocol
from farcall._protocol.messages import Error, Message, Started
from farcall._protocol.state import IncomingCall
from farcall.errors import CloseCode


class Answers:
    """The answers of one link.

    Args:
        life: Of the link.
        protocol: Makes them.
        lanes: Where they wait for the writer.
        limits: How much of them may wait.
        account: Where what waits outside of the lanes is counted.
        hang_up: Ends the link, for a close code and a reason.
    """

    def __init__(
        self,
        life: Life,
        protocol: Protocol,
        lanes: Lanes,
        limits: Limits,
        account: Account,
        hang_up: Callable[[int, str], object],
    ) -> None:
        self._life = life
        self._protocol = protocol
        self._lanes = lanes
        self._limits = limits
        self._account = account
        self._hang_up = hang_up
        self._batched = 0
        self._ended = trio.Event()

    def start(self, call: IncomingCall, value: bytes) -> None:
        """Tell a farcall peer that its remote task has begun; a plain one knows no such thing.

        Args:
            call: Of the peer.
            value: JSON text.

        Raises:
            EncodeError: the message would be larger, or deeper, than the peer takes.
        """
        if self._protocol.is_greeted and not self._life.is_closed:
            self._protocol.check_size(Started(call.id, value))
            self._lanes.put_call(self._protocol.start(call, value))

    def respond(self, call: IncomingCall, result: bytes) -> None:
        """End a call of the peer with the JSON text of its result."""
        self.put(self._protocol.respond(call, result))

    def respond_then(self, call: IncomingCall, result: bytes, on_taken: Callable[[], None]) -> None:
        """End a call, and begin what the answer promises when the writer takes it.

        The answer to a call in a batch leaves with the others; what it promises begins at once.
        """
        message = self._protocol.respond(call, result)
        if message is None:
            on_taken()
        self.put(message, on_taken)

    def fail(self, call: IncomingCall, error: Error) -> None:
        """End a call of the peer with an error."""
        self.put(self._protocol.fail(call, error))

    @property
    def has_room(self) -> bool:
        """Whether an answer may be put into the send queue without waiting."""
        return self._lanes.calls.has_room

    async def wait_room(self, size: int) -> None:
        """Wait until the outcome of a call may be put into the send queue.

        Args:
            size: Of the outcome, in bytes; it is held meanwhile.
        """
        if not self.has_room:
            with self._account.holding(size):
                await self._lanes.calls.wait_room()

    def put(self, message: Message | None, on_taken: Callable[[], None] | None = None) -> None:
        """Queue an answer that the protocol has made; None where it goes into one for a batch."""
        self.note_ended()
        if message is not None:
            self._lanes.put_call(message, on_taken)
        self._check_room()

    def check_batches(self) -> None:
        """Count what waits for the rest of a batch, if there is more of it, or less."""
        if self._protocol.batched != self._batched:
            self._check_room()

    def _check_room(self) -> None:
        """Cut off a peer that has the reader answer it without end, and does not read."""
        batched = self._protocol.batched
        if batched != self._batched:
            self._account.hold(batched - self._batched)
            self._batched = batched
        # What the peer takes of one message; it may say any number.
        spare = min(self._protocol.message_limit, self._limits.message_out)
        limit = self._lanes.calls.excess(spare)
        if limit is None and batched > self._limits.queued_bytes + spare:
            limit = "queued_bytes"
        if limit is not None:
            problem = f"too many answers were not read (the limit {limit})"
            self._hang_up(CloseCode.SLOW_CONSUMER, problem)

    def note_ended(self) -> None:
        """Note that a call of the peer has ended; a drain waits for that."""
        self._ended.set()

    async def wait_ended(self) -> None:
        """Wait until another call of the peer has ended, or the link has."""
        if self._ended.is_set():
            self._ended = trio.Event()
        await self._ended.wait()
