"""The lanes of one link: three queues of what waits to be sent, from which one writer takes.

- *control*: cancel, goaway, and credit, of which each stream has one message. It goes first; it
  holds little. The response to a hello goes before everything, alone.
- *calls*: requests and responses, in order, in a `SendQueue`.
- *streams*: a queue for each stream, asked in turn. Everything about one stream id goes through its
  own queue, so that nothing overtakes its items.

Calls and streams take turns, so that neither starves. But values that were emitted before a
response was put leave before it, as far as their credit allows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from farcall._connection.send_queue import Message, SendQueue
from farcall._protocol.framing import join

BUNDLE_BYTES = 64 * 1024
"""The size up to which a bundle grows: by then the cost of a frame is spread thin, and a larger one
would only delay its first message."""
MAX_TAKEN = 256
"""Messages that the writer takes at once; the others may still change, or be withdrawn."""


class StreamQueue(Protocol):
    """The queue of one stream."""

    def pop(self) -> bytes | None:
        """Take the next message; None if nothing can leave now. Never blocks."""
        ...

    @property
    def has_more(self) -> bool:
        """Whether another message waits; it may have to wait for credit."""
        ...

    @property
    def ahead(self) -> int:
        """How many of its messages, at most, leave before a response that is put now."""
        ...


class Granting(Protocol):
    """A stream of the peer, which is granted credit."""

    def credit_message(self) -> bytes:
        """Return its credit as it is now; empty if the stream has ended."""
        ...


class _Followed(Struct, eq=False):
    """A response, and the streams whose values leave before it."""

    message: Message
    ahead: dict[StreamQueue, int]
    """How often each may still be asked."""

    @property
    def text(self) -> bytes:
        return self.message if isinstance(self.message, bytes) else self.message.text

    def take(self, now: float) -> bytes:
        return self.message if isinstance(self.message, bytes) else self.message.take(now)


class Lanes:
    """The three lanes of one link.

    Args:
        wake: Called after something was put.
        wake_call: Called instead after a request or a response was put.
        calls: The lane of calls.
        wake_late: Called instead after late credit was put; by default as for other messages.
    """

    def __init__(
        self,
        wake: Callable[[], None],
        wake_call: Callable[[], None],
        calls: SendQueue,
        wake_late: Callable[[], None] | None = None,
    ) -> None:
        self._wake = wake
        self._wake_call = wake_call
        self._wake_late = wake_late or wake
        self.calls = calls
        self.bundle = 0
        """How many messages a frame may hold; 0 while each has a frame of its own."""
        self.bundle_bytes = BUNDLE_BYTES
        self._greeting: bytes | None = None
        self.is_closed = False
        # A deque without entries takes 760 bytes, so an idle link has none.
        self._control: deque[bytes] | tuple[()] = ()
        self._credits: dict[Granting, None] = {}
        # A dict is the set that keeps an order: streams are many, and put at each emit.
        self._streams: dict[StreamQueue, None] = {}
        self._fresh: dict[StreamQueue, None] = {}
        """Those that were put since the last response, in order."""
        self._is_streams_turn = False
        self._pings: list[bytes] = []  # one or two

    def __len__(self) -> int:
        waiting = len(self._control) + len(self._credits) + len(self.calls)
        return waiting + len(self._streams) + len(self._pings)

    def close(self) -> None:
        """Drop all messages, also those that are put later; a ping may still leave."""
        self.is_closed = True
        self._control = ()
        self._greeting = None
        self._credits.clear()
        self.calls.close()
        self._streams.clear()
        self._fresh.clear()

    def put_control(self, message: bytes) -> None:
        if not self.is_closed:
            if not self._control:
                self._control = deque()
            self._control.append(message)
            self._wake()

    def put_ping(self, payload: bytes) -> None:
        self._pings.append(payload)
        self._wake()

    def put_greeting(self, text: bytes) -> None:
        """Queue the response to a hello, which must not share its frame."""
        if not self.is_closed:
            self._greeting = text
            self._wake()

    def put_credit(self, stream: Granting, is_late: bool) -> None:
        """Queue a stream that has credit to send; it is asked for the totals when they leave.

        Args:
            stream: The stream.
            is_late: Whether its credit may wait for another message, or a moment.
        """
        if not self.is_closed:
            self._credits[stream] = None
            if is_late:
                self._wake_late()
            else:
                self._wake()

    def put_call(self, message: Message) -> None:
        self.calls.put(message)
        self._wake_call()

    def put_response(self, message: Message) -> None:
        """Queue a response, behind the values that were emitted before it."""
        if self._fresh:
            fresh, self._fresh = self._fresh, {}
            ahead = {queue: queue.ahead for queue in fresh if queue in self._streams}
            if any(ahead.values()):
                message = _Followed(message, ahead)
        self.put_call(message)

    def put_stream(self, queue: StreamQueue) -> None:
        """Queue a stream that has something to send; it is asked until it has nothing left."""
        if self.is_closed:
            return
        self._fresh[queue] = None
        if queue not in self._streams:
            self._streams[queue] = None
            self._wake()

    def take_ping(self) -> bytes | None:
        return self._pings.pop(0) if self._pings else None

    def take(self, now: float) -> list[bytes]:
        """Take about a bundle of messages, and return the frames to send; empty if none can leave.

        Args:
            now: The time on Trio's clock; a call whose deadline has passed is not sent.
        """
        if self._greeting is not None:
            greeting, self._greeting = self._greeting, None
            return [greeting]
        frames: list[bytes] = []
        texts: list[bytes] = []
        size = total = 0
        for _ in range(MAX_TAKEN):
            # Checked each time: a call that is taken may put the streams of its uploads.
            has_others = self._streams or self._control or self._credits
            text = self._pop(now) if has_others else self.calls.pop(now)
            if text is None:
                break
            if not text:
                continue
            length = len(text)
            is_binary = text[0] == 0
            is_full = len(texts) >= self.bundle or size + length + 2 > self.bundle_bytes
            if texts and (is_full or is_binary):
                frames.append(_join(texts))
                texts, size = [], 0
            if is_binary:
                frames.append(text)
            else:
                texts.append(text)
                size += length + 1
            total += length
            if total >= BUNDLE_BYTES:
                break
        self.calls.note_taken()
        if texts:
            frames.append(_join(texts))
        return frames

    def _pop(self, now: float) -> bytes | None:
        if self._control:
            control = self._control.popleft()
            self._control = self._control or ()
            return control
        if self._credits:
            stream = next(iter(self._credits))
            del self._credits[stream]
            return stream.credit_message()
        first = self.calls.first
        if isinstance(first, _Followed):
            message = self._pop_ahead(first.ahead)
            if message is not None:
                return message
        self._is_streams_turn = not self._is_streams_turn
        if self._is_streams_turn or not self.calls:
            message = self._pop_stream()
            if message is not None:
                return message
        return self.calls.pop(now)

    def _pop_ahead(self, ahead: dict[StreamQueue, int]) -> bytes | None:
        while ahead and not self.is_closed:
            queue, left = next(iter(ahead.items()))
            message = queue.pop() if left else None
            if message is not None:
                ahead[queue] = left - 1
                return message
            # A response waits neither for credit nor for values emitted after it.
            del ahead[queue]
        return None

    def _pop_stream(self) -> bytes | None:
        """Ask the streams in turn; drop one that has nothing to send until it is put again."""
        while self._streams:
            queue = next(iter(self._streams))
            message = queue.pop()
            # Either way it goes to the end or is dropped, even if it has put itself again. It may
            # also have had the link hung up, which empties the lanes.
            self._streams.pop(queue, None)
            if message is None or self.is_closed or not queue.has_more:
                self._fresh.pop(queue, None)
            else:
                self._streams[queue] = None
            if message is not None and not self.is_closed:
                return message
        return None


def _join(texts: list[bytes]) -> bytes:
    return texts[0] if len(texts) == 1 else join(texts)
