"""A stream of the peer while it is served: its generator runs as fast as the peer reads."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator
from typing import ClassVar, Protocol

import trio
from msgspec.structs import replace

from farcall._codec import TooDeep
from farcall._context import CallKind
from farcall._limits import MAX_DEPTH, exceeded
from farcall._nursery import leave_generator
from farcall._serving.calls import Runner, ServedCall


class Sink(Protocol):
    """Takes the items of a stream."""

    def put(self, value: bytes) -> bool:
        """Take an item, and return whether another may follow before `wait_writable`."""
        ...

    async def wait_writable(self) -> None: ...


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
        self._whole: Whole | None = None

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
        if self._whole is not None:
            self._whole.drop()
            self._whole = None

    async def handle(self) -> None:
        served = self._served
        self._once.check()
        args, kwargs = served.decode()
        generator = served.endpoint.generator(*args, **kwargs)
        sink = self._begin()
        self._once.is_done = True
        with served.guard(), trio.CancelScope() as scope:
            await served.timed(self._drive(generator, sink, scope), generator)

    async def _drive(
        self,
        generator: AsyncGenerator[object, None],
        sink: Sink,
        scope: trio.CancelScope,
    ) -> None:
        item, put, room, too_large = self._item, sink.put, self._room, self._served.too_large
        encode = item.encode if item.is_binary else item.codec.encode
        async for value in generator:
            try:
                try:
                    text = encode(value, at="item")
                except TooDeep:
                    raise too_large(exceeded("depth", MAX_DEPTH)) from None
                if len(text) > room:
                    raise too_large(self._call.excess(len(text) - int(room)))
                if not put(text):
                    await sink.wait_writable()
            except BaseException as exc:  # noqa: BLE001 - raised inside of the generator
                await leave_generator(generator, exc, scope)
                return

    def _begin(self) -> Sink:
        """Start the stream, and return what takes its items."""
        if not self._call.wants_items:
            self._whole = Whole(self._served)
            return self._whole
        outbox = self._call.open_items(is_binary=self._item.is_binary)
        self._served.outbox, self._room = outbox, outbox.room
        return outbox

    def encode(self, value: object) -> bytes:
        """Encode the result, which is not what interceptors returned."""
        del value
        self._once.check_done()
        return b"null" if self._whole is None else b"".join((b"[", self._whole.text, b"]"))


class Whole:
    """Collects all items of a stream, for a caller that gets one array."""

    def __init__(self, served: ServedCall) -> None:
        self._served = served
        self._account = served.shared.link.account
        # One text, because an object for each of many small items would be larger than the item.
        self.text = bytearray()

    def put(self, value: bytes) -> bool:
        size, call = len(self.text), self._served.call
        self.text += b"," + value if size else value
        self._account.charge(len(self.text) - size)
        excess = len(self.text) - call.message_limit
        if excess > 0:
            raise self._served.too_large(call.excess(excess))
        return False

    async def wait_writable(self) -> None:
        # A checkpoint after each item, so that a link that `charge` has ended gets no further.
        await trio.lowlevel.checkpoint()

    def drop(self) -> None:
        self._account.release(len(self.text))
