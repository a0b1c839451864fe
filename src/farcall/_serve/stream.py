"""A stream of the peer while it is served: its generator, driven as fast as the peer reads."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

import attrs
import trio

from farcall._call import Connection
from farcall._codec import TooDeep
from farcall._connection.item_queue import ItemQueue
from farcall._connection.link import Link
from farcall._endpoints import Endpoint
from farcall._intercept import Interceptor, check_proceeded, proceeded_twice
from farcall._items import item_codec
from farcall._limits import MAX_DEPTH
from farcall._protocol.messages import Error, Message
from farcall._protocol.room import items_room
from farcall._protocol.state import IncomingCall
from farcall._serve.call import Deadline, ServedCall
from farcall.errors import ReplyTooLarge


def wants_array(link: Link, call: IncomingCall) -> bool:
    """Tell whether a stream is called like any method, and so is answered with all its items.

    A plain peer knows no other way; a farcall peer that opens no window has asked for a result.
    """
    return not link.protocol.is_greeted or call.credit is None


class ServedStream(ServedCall):
    """A call of a `stream` endpoint; see `ServedCall` for the arguments.

    Who `wants_array` gets the array of all items, others get them one by one.
    """

    def __init__(
        self,
        connection: Connection,
        endpoint: Endpoint,
        call: IncomingCall,
        params: bytes | None,
        deadline: Deadline,
        *,
        link: Link,
        debug: bool = False,
    ) -> None:
        super().__init__(connection, endpoint, call, params, deadline, debug=debug)
        self.context.kind = "stream"
        self._link = link
        self._call = call
        self._collected: bytearray | None = None
        self._item = item_codec(link.protocol, endpoint.method.result)
        if wants_array(link, call):
            self._item = attrs.evolve(self._item, is_binary=False)

    def cancel(self, reason: str) -> None:
        """Cancel the generator, and send nothing of what it has given and nobody will read."""
        super().cancel(reason)
        if self.queue is not None:
            self.queue.outbox.close()
            self.queue.wake()

    def on_credit(self) -> None:
        """Go on: the peer has room for more."""
        if self.queue is not None:
            self.queue.outbox.on_credit()

    async def run(
        self, interceptors: Sequence[Interceptor], order: trio.Lock | None
    ) -> bytes | Error:
        """Run the generator, and say how the call has ended; see `ServedCall.run`."""
        try:
            return await super().run(interceptors, order)
        finally:
            self._forget_collected()

    def _forget_collected(self) -> None:
        if self._collected is not None:
            self._link.account.release(len(self._collected))
            self._collected = None

    @property
    def _has_begun(self) -> bool:
        return self.queue is not None or self._collected is not None

    async def _handle(self) -> Any:
        if self._has_begun:
            raise proceeded_twice(self.context)
        args, kwargs = self._decode()
        generator: AsyncGenerator[Any, None] = self.endpoint.generator(*args, **kwargs)
        put = self._begin()
        with self._guard():
            async with aclosing(generator):
                async for value in generator:
                    await put(self._write(value))

    def _write(self, value: Any) -> bytes:
        try:
            return self._item.encode(value, "item")
        except TooDeep:
            raise self._too_large({"limit": "depth", "most": MAX_DEPTH}) from None

    def _begin(self) -> Callable[[bytes], Awaitable[None]]:
        if wants_array(self._link, self._call):
            self._collected = bytearray()
            return self._collect
        credit = self._link.protocol.send_credit(self._call)
        limit = self._link.protocol.message_limit
        room = items_room(limit, self._call.id, is_binary=self._item.is_binary)
        lanes, account = self._link.lanes, self._link.account
        queue = ItemQueue(credit, self._items, lanes.put_stream, room, account)
        queue.begin(self._link.protocol.start(self._call, b"null"))
        self.queue = queue
        return self._put

    async def _put(self, text: bytes) -> None:
        assert self.queue is not None
        if len(text) > self.queue.room:
            raise self._excess(len(text) - self.queue.room)
        await self.queue.outbox.put(text)

    async def _collect(self, text: bytes) -> None:
        assert self._collected is not None
        size = len(self._collected)
        # One text, for the objects that hold many small ones are larger than they are.
        self._collected += b"," + text if size else text
        self._link.account.hold(len(self._collected) - size)
        excess = len(self._collected) - self._link.protocol.message_limit
        if excess > 0:
            raise self._excess(excess)
        # Behind all that: whoever was cut off for what it holds gets no further.
        await trio.lowlevel.checkpoint()

    def _excess(self, excess: int) -> ReplyTooLarge:
        protocol = self._link.protocol
        name, most = protocol.message_limit_name, protocol.message_limit
        return self._too_large({"limit": name, "bytes": most, "excess": excess})

    def _items(self, values: Sequence[bytes]) -> Message:
        return self._link.protocol.items(self._call, values, is_binary=self._item.is_binary)

    def _encode(self, value: Any) -> bytes:  # noqa: ARG002 - there is none
        check_proceeded(self.context, self._has_begun)
        return b"null" if self._collected is None else b"".join((b"[", self._collected, b"]"))
