"""What waits to be sent on one connection: three lanes, from which one writer takes.

- *control*: cancel, goaway, the answer to a hello, credit (merged for each stream). It goes
  first, and is short: what it holds is small and soon replaced.
- *calls*: requests and responses, in order.
- *streams*: a queue for each stream, asked in turn. All that belongs to one stream id goes through
  its own queue, so that nothing overtakes its items.

Calls and streams share: one of each in turn, so that neither starves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

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
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._control: deque[Message] = deque()
        self._credits: dict[tuple[bool, RequestId], Credit] = {}
        self._calls: deque[Message] = deque()
        # A dict is the set that keeps an order: streams are many, and put at each emit.
        self._streams: dict[StreamQueue, None] = {}
        self._is_streams_turn = False
        self._pings: deque[bytes] = deque()

    def __len__(self) -> int:
        waiting = len(self._control) + len(self._credits) + len(self._calls)
        return waiting + len(self._streams) + len(self._pings)

    def put_control(self, message: Message) -> None:
        """Queue a message ahead of calls and streams."""
        self._control.append(message)
        self._wake()

    def put_ping(self, payload: bytes) -> None:
        """Queue a ping, which is a frame of its own kind."""
        self._pings.append(payload)
        self._wake()

    def put_credit(self, credit: Credit) -> None:
        """Queue credit in place of older credit of the same stream: totals only grow."""
        self._credits[credit.is_upload, credit.id] = credit
        self._wake()

    def put_call(self, message: Message) -> None:
        """Queue a request or a response."""
        self._calls.append(message)
        self._wake()

    def put_stream(self, queue: StreamQueue) -> None:
        """Note that a stream has something to send; it is asked until it has nothing left."""
        if queue not in self._streams:
            self._streams[queue] = None
            self._wake()

    def withdraw(self, message: Message) -> None:
        """Take a message out of the calls again; it must still wait there."""
        self._calls.remove(message)

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
        if self._is_streams_turn or not self._calls:
            message = self._pop_stream()
            if message is not None:
                return message
        return self._calls.popleft() if self._calls else None

    def _pop_stream(self) -> Message | None:
        """Ask the streams in turn; one that has nothing to send leaves until it is put again."""
        while self._streams:
            queue = next(iter(self._streams))
            message = queue.pop()
            # It may have put itself again meanwhile; either way it goes to the end, or leaves.
            del self._streams[queue]
            if message is not None:
                self._streams[queue] = None
                return message
        return None
