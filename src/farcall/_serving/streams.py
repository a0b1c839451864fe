"""A stream of the peer while it is served: its generator runs as fast as the peer reads."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import ClassVar

import trio
from msgspec.structs import replace

from farcall._codec import TooDeep
from farcall._context import CallKind
from farcall._limits import MAX_DEPTH, exceeded
from farcall._nursery import leave_generator
from farcall._serving.calls import Runner, ServedCall


class StreamRunner(Runner):
    """Runs the generator of a stream.

    A caller that asked for items gets them one by one, any other caller one array of all items.
    """

    kind: ClassVar[CallKind] = "stream"

    def __init__(self, served: ServedCall) -> None:
        super().__init__(served)
        self._call = served.call
        self._item = served.call.item_codec(served.endpoint.method.result)
        if not served.call.wants_items:
            self._item = replace(self._item, is_binary=False)
        self._room: float = math.inf
        """The largest size of an item."""
        self._collected: bytearray | None = None

    def on_cancel(self) -> None:
        """Drop the items that wait, for no caller reads them."""
        outbox = self._served.outbox
        if outbox is not None:
            outbox.close()
            outbox.wake()

    def on_credit(self) -> None:
        if self._served.outbox is not None:
            self._served.outbox.on_credit()

    def end(self) -> None:
        if self._collected is not None:
            self._served.shared.link.account.release(len(self._collected))
            self._collected = None

    async def handle(self) -> None:
        served = self._served
        self._once.check()
        args, kwargs = served.decode()
        generator = served.endpoint.generator(*args, **kwargs)
        put = self._begin()
        self._once.is_done = True
        with served.guard(), trio.CancelScope() as scope:
            await served.timed(self._drive(generator, put, scope), generator)

    async def _drive(
        self,
        generator: AsyncGenerator[object, None],
        put: Callable[[bytes], Awaitable[None]],
        scope: trio.CancelScope,
    ) -> None:
        async for value in generator:
            try:
                await put(self._write(value))
            except BaseException as exc:  # noqa: BLE001 - raised inside of the generator
                await leave_generator(generator, exc, scope)
                return

    def _write(self, value: object) -> bytes:
        try:
            text = self._item.encode(value, "item")
        except TooDeep:
            raise self._served.too_large(exceeded("depth", MAX_DEPTH)) from None
        if len(text) > self._room:
            raise self._served.too_large(self._call.excess(len(text) - int(self._room)))
        return text

    def _begin(self) -> Callable[[bytes], Awaitable[None]]:
        """Start the stream, and return the function that sends an item."""
        if not self._call.wants_items:
            self._collected = bytearray()
            return self._collect
        outbox = self._call.open_items(is_binary=self._item.is_binary)
        self._served.outbox, self._room = outbox, outbox.room
        return outbox.put

    async def _collect(self, text: bytes) -> None:
        collected = self._collected
        assert collected is not None
        size = len(collected)
        # One text, because an object for each of many small items would be larger than the item.
        collected += b"," + text if size else text
        self._served.shared.link.account.charge(len(collected) - size)
        excess = len(collected) - self._call.message_limit
        if excess > 0:
            raise self._served.too_large(self._call.excess(excess))
        # Last, so that a link that `hold` has ended gets no further.
        await trio.lowlevel.checkpoint()

    def encode(self, value: object) -> bytes:
        """Encode the result, which is not what interceptors returned."""
        del value
        self._once.check_done()
        return b"null" if self._collected is None else b"".join((b"[", self._collected, b"]"))
