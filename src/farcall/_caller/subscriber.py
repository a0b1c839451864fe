"""Subscribing over a link: the peer's values into a `Subscription`.

To a farcall server each subscription is a stream call of its own, and its credit bounds what
waits here. A plain server sends every event once, whoever listens: its events are counted on one
``rpc.on`` for each name, and buffered here under the policy of each subscriber.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, TypeVar, cast

import attrs
import msgspec
import trio
from msgspec import Raw

from farcall._codec import Codec, codec_of, encode_untyped
from farcall._connection.call import OnItems, RemoteFailure
from farcall._connection.link import Link
from farcall._failures import decoded, error_of
from farcall._protocol.binary import Encoded
from farcall._protocol.credit import DEFAULT_WINDOW, Window
from farcall._protocol.framing import UnreadableText, split
from farcall._signals import Buffer, Entry, OnLag, Subscription, open_subscription
from farcall.errors import ErrorCode, FarcallError, MethodNotFound, NotSupported

T = TypeVar("T")

UNBOUNDED = 2**62
"""For a buffer whose bound is the credit that its stream was given."""

_IN_FORCE = ("ok", "socket has already been subscribed to event")
"""What ``rpc.on`` answers for an event that will come."""


class Subscriber:
    """The subscriptions that this side has over one link."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._channels: dict[str, _Channel] = {}

    def subscribe(
        self, name: str, codec: Codec[T], *, key: object, on_lag: OnLag, trace: str | None
    ) -> AbstractAsyncContextManager[Subscription[T]]:
        """Subscribe to a signal, or to an event of a plain server."""
        if self._link.is_greeted:
            return _subscribe_stream(self._link, name, codec, key, on_lag, trace)
        if key is not None:
            raise NotSupported(f"the peer speaks the plain dialect, which has no key for {name}")
        return self._subscribe_event(name, codec, on_lag)

    def on_event(self, name: str, params: bytes | None) -> None:
        """Hand an event of a plain server to all who listen."""
        channel = self._channels.get(name)
        if channel is not None:
            for buffer in tuple(channel.buffers):
                buffer.push(Entry(params or b"[]"))

    def on_closed(self) -> None:
        """End the subscriptions to a plain server; streams end with their calls."""
        for channel in self._channels.values():
            channel.is_on = False
            for buffer in channel.buffers:
                buffer.end(self._link.lost(sent=True))

    @asynccontextmanager
    async def _subscribe_event(
        self, name: str, codec: Codec[T], on_lag: OnLag
    ) -> AsyncIterator[Subscription[T]]:
        def read(entry: Entry) -> T:
            return _decode_event(codec, entry.encoded, name)

        buffer, subscription = open_subscription(read, on_lag=on_lag)
        channel = self._channels.setdefault(name, _Channel())
        channel.buffers[buffer] = None
        try:
            await self._switch_on(name, channel)
            yield subscription
        finally:
            buffer.close()
            del channel.buffers[buffer]
            if not channel.buffers:
                await self._switch_off(name, channel)

    async def _switch_on(self, name: str, channel: _Channel) -> None:
        # A lock, not an event: should the first subscriber be cancelled, the next one asks again.
        async with channel.lock:
            if not channel.is_on:
                channel.was_asked_for = True
                channel.is_on = await self._ask_for(name)
                channel.was_asked_for = channel.is_on
                if not channel.is_on:
                    raise MethodNotFound(
                        int(ErrorCode.METHOD_NOT_FOUND), f"the server has no event {name!r}"
                    )

    async def _ask_for(self, name: str) -> bool:
        """Ask a plain server for an event, and tell whether it has it.

        A server that knows no ``rpc.on`` may still send notifications of that name: many servers
        of plain JSON-RPC do so after a call of their own.
        """
        try:
            text = await self._link.calls.call("rpc.on", msgspec.json.encode([name]))
        except RemoteFailure as failure:
            if failure.code != ErrorCode.METHOD_NOT_FOUND:
                raise error_of(failure, name=name, is_plain=True) from None
            return True
        return _word_for(name, text) in _IN_FORCE

    async def _switch_off(self, name: str, channel: _Channel) -> None:
        if self._channels.get(name) is channel:
            del self._channels[name]
        if not channel.was_asked_for:
            return
        grace = trio.CancelScope(
            shield=True, deadline=trio.current_time() + self._link.cancel_grace
        )
        with grace, suppress(RemoteFailure, FarcallError):  # nobody is left who would care
            await self._link.calls.call("rpc.off", msgspec.json.encode([name]))


@attrs.define(eq=False)
class _Channel:
    """The local subscribers of one event of a plain server."""

    buffers: dict[Buffer, None] = attrs.field(factory=dict[Buffer, None])
    lock: trio.Lock = attrs.field(factory=trio.Lock)
    is_on: bool = False
    """Whether the server has said that the events will come."""
    was_asked_for: bool = False
    """Whether they may come all the same: who asked was cancelled before the answer came."""


@asynccontextmanager
async def _subscribe_stream(
    link: Link, name: str, codec: Codec[T], key: object, on_lag: OnLag, trace: str | None
) -> AsyncIterator[Subscription[T]]:
    def read(entry: Entry) -> T:
        call.use(entry.size)
        return decoded(codec, entry.encoded, name=name, at="value")

    def end(error: Exception | None) -> None:
        remote = error_of(error, name=name) if isinstance(error, RemoteFailure) else None
        buffer.end(remote or error)

    buffer, subscription = open_subscription(
        read, on_lag=on_lag, max_items=UNBOUNDED, max_bytes=UNBOUNDED
    )
    window = Window(items=1) if on_lag == "latest" else DEFAULT_WINDOW
    stream = link.calls.open_stream(
        "rpc.subscribe",
        _params(name, key, on_lag),
        window=window,
        on_values=_pusher(buffer),
        on_end=end,
        traceparent=trace,
    )
    try:
        async with stream as call:
            try:
                yield subscription
            finally:
                buffer.close()
    except RemoteFailure as failure:
        raise error_of(failure, name=name) from None


def _params(name: str, key: object, on_lag: OnLag) -> bytes:
    params: dict[str, Any] = {"signal": name, "on_lag": on_lag}
    if key is not None:
        params["key"] = Raw(encode_untyped(key))
    return msgspec.json.encode(params)


def _pusher(buffer: Buffer) -> OnItems:
    def push(values: Sequence[Encoded], cursor: str | None, missed: int | None) -> None:
        for value in values:
            buffer.push(Entry(bytes(value), cursor=cursor or "", missed=missed))
            missed = 0

    return push


def _decode_event(codec: Codec[T], params: bytes, name: str) -> T:
    """Read what an event carries: its one parameter, null for none, else all of them."""
    parts = _positional(params)
    if parts is None:
        return decoded(codec, params if params != b"{}" else b"null", name=name, at="value")
    if len(parts) < 2:
        return decoded(codec, parts[0] if parts else b"null", name=name, at="value")
    value: Any = decoded(codec, params, name=name, at="value")
    # Without a type several parameters are a tuple, which tells them from one that is a list.
    several: Any = tuple(value) if codec is codec_of(Any) else value
    return cast("T", several)


def _positional(params: bytes) -> list[bytes] | None:
    try:
        parts = split(params)
    except UnreadableText:
        return None
    return list(map(type(params), parts))


def _word_for(name: str, text: bytes) -> object:
    try:
        return msgspec.json.decode(text, type=dict[str, Any]).get(name)
    except msgspec.MsgspecError:
        return None
