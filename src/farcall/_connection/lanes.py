"""What waits to be sent on one connection: three lanes, from which one writer takes.

- *control*: cancel, goaway, the answer to a hello, credit (merged for each stream). It goes
  first, and is short: what it holds is small and soon replaced.
- *calls*: requests and responses, in order, in a `SendQueue`.
- *streams*: a queue for each stream, asked in turn. All that belongs to one stream id goes through
  its own queue, so that nothing overtakes its items.

Calls and streams share: one of each in turn, so that neither starves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from farcall._connection.send_queue import SendQueue
from farcall._protocol.messages import Credit, Message, RequestId


class StreamQueue(Protocol):
    """The queue of one stream."""

    def pop(self) -> Message | None:
        """Give the next message; None when nothing can leave now. Never blocks."""
        ...


class Lanes:
    """The three lanes of one connection.

    Args:
        wake: Called, synchronously, whenever something was put into an idle set of lanes.
        calls: The lane of calls.
    """

    def __init__(self, wake: Callable[[], None], calls: SendQueue) -> None:
        self._wake = wake
        self.calls = calls
        self.is_closed = False
        self._control: deque[Message] = deque()
        self._credits: dict[tuple[bool, RequestId], Credit] = {}
        # A dict is the set that keeps an order: streams are many, and put at each emit.
        self._streams: dict[StreamQueue, None] = {}
        self._is_streams_turn = False
        self._pings: deque[bytes] = deque()

    def __len__(self) -> int:
        waiting = len(self._control) + len(self._credits) + len(self.calls)
        return waiting + len(self._streams) + len(self._pings)

    def close(self) -> None:
        """Drop all messages, those that come later too; a ping may still leave."""
        self.is_closed = True
        self._control.clear()
        self._credits.clear()
        self.calls.close()
        self._streams.clear()

    def put_control(self, message: Message) -> None:
        """Queue a message ahead of calls and streams."""
        if not self.is_closed:
            self._control.append(message)
            self._wake()

    def put_ping(self, payload: bytes) -> None:
        """Queue a ping, which is a frame of its own kind."""
        self._pings.append(payload)
        self._wake()

    def put_credit(self, credit: Credit) -> None:
        """Queue credit in place of older credit of the same stream: totals only grow."""
        if not self.is_closed:
            self._credits[credit.is_upload, credit.id] = credit
            self._wake()

    def put_call(self, message: Message, on_taken: Callable[[], None] | None = None) -> None:
        """Queue a request or a response; `on_taken` is called when the writer takes it."""
        self.calls.put(message, on_taken)
        self._wake()

    def put_stream(self, queue: StreamQueue) -> None:
        """Note that a stream has something to send; it is asked until it has nothing left."""
        if queue not in self._streams and not self.is_closed:
            self._streams[queue] = None
            self._wake()

    def withdraw(self, message: Message) -> None:
        """Take a message out of the calls again."""
        self.calls.withdraw(message)

    def take_ping(self) -> bytes | None:
        """Give the next ping, if one waits."""
        return self._pings.popleft() if self._pings else None

    def drain(self) -> Iterator[Message]:
        """Take messages one after another, until none can leave or the caller has enough."""
        while (message := self._pop()) is not None:
            yield message

    def _pop(self) -> Message | None:
        if self._control:
            return self._control.popleft()
        if self._credits:
            return self._credits.pop(next(iter(self._credits)))
        return self._pop_shared()

    def _pop_shared(self) -> Message | None:
        self._is_streams_turn = not self._is_streams_turn
        if self._is_streams_turn or not self.calls:
            message = self._pop_stream()
            if message is not None:
                return message
        return self.calls.pop()

    def _pop_stream(self) -> Message | None:
        """Ask the streams in turn; one that has nothing to send leaves until it is put again."""
        while self._streams:
            queue = next(iter(self._streams))
            message = queue.pop()
            # It may have put itself again meanwhile; either way it goes to the end, or leaves.
            # Or it had the link hung up, which has emptied the lanes.
            self._streams.pop(queue, None)
            if message is not None and not self.is_closed:
                self._streams[queue] = None
                return message
        return None
