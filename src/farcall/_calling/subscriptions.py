"""Subscribing over a link: the peer's values into a `Subscription`.

To a farcall server each subscription is a stream call of its own, and its credit bounds what
waits here. A plain server sends every event once, whoever listens: its events are counted on one
``rpc.on`` for each name, and buffered here under the policy of each subscriber. A server that
knows no ``rpc.on`` may send them all the same, often after a call of its own.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, TypeVar, cast

import attrs
import msgspec
import trio
from msgspec import Raw

from farcall._calling.contracts import Contracts
from farcall._codec import Codec, codec_of, encode_untyped
from farcall._connection.call import OnItems, RemoteFailure
from farcall._connection.link import Link
from farcall._failures import decoded
from farcall._json import UnreadableText
from farcall._protocol.binary import Encoded
from farcall._protocol.credit import DEFAULT_WINDOW, Window
from farcall._protocol.framing import shown, split
from farcall._signals import Buffer, Entry, OnLag, Subscription, open_subscription
from farcall.errors import (
    ErrorCode,
    FarcallError,
    InternalError,
    InvalidResult,
    MethodNotFound,
    NotSupported,
)

logger = logging.getLogger("farcall")

T = TypeVar("T")

UNBOUNDED = 2**62
"""For a buffer whose bound is the credit that its stream was given."""

_IN_FORCE = ("ok", "socket has already been subscribed to event")
"""What ``rpc.on`` answers for an event that will come."""

_REFUSALS = frozenset(
    {
        ErrorCode.BUSY,
        ErrorCode.EVENT_FORBIDDEN,
        ErrorCode.METHOD_FORBIDDEN,
        ErrorCode.TOO_MANY_SUBSCRIPTIONS,
    }
)
"""The errors that refuse the event itself; any other one only says that there is no ``rpc.on``."""


class Subscriber:
    """The subscriptions that this side has over one link.

    Args:
        link: The link.
        contracts: What its peer offers, for errors.
    """

    def __init__(self, link: Link, contracts: Contracts) -> None:
        self._link = link
        self._contracts = contracts
        self._channels: dict[str, _Channel] = {}

    def __len__(self) -> int:
        """Count the events that are listened to."""
        return len(self._channels)

    def subscribe(
        self, name: str, codec: Codec[T], *, key: object, on_lag: OnLag, trace: str | None
    ) -> AbstractAsyncContextManager[Subscription[T]]:
        """Subscribe to a signal, or to an event of a plain server."""
        if self._link.is_greeted:
            return self._subscribe_stream(name, codec, key, on_lag, trace)
        if key is not None:
            raise NotSupported(f"the peer speaks the plain dialect, which has no key for {name}")
        return self._subscribe_event(name, codec, on_lag)

    def listen(
        self, name: str, codec: Codec[T], *, on_lag: OnLag
    ) -> AbstractAsyncContextManager[Subscription[T]]:
        """Take the notifications of a name, and ask the peer for nothing."""
        return self._listen(name, codec, on_lag)

    def on_event(self, name: str, params: bytes | None) -> bool:
        """Hand a notification to all who listen, and tell whether there are any."""
        channel = self._channels.get(name)
        if channel is None:
            return False
        for buffer in tuple(channel.buffers):
            buffer.push(Entry(params or b"[]"))
        return True

    def on_closed(self) -> None:
        """End what listens to notifications; streams end with their calls."""
        for channel in self._channels.values():
            channel.is_on = False
            for buffer in channel.buffers:
                buffer.end(self._link.lost(sent=True))

    @asynccontextmanager
    async def _subscribe_stream(
        self, name: str, codec: Codec[T], key: object, on_lag: OnLag, trace: str | None
    ) -> AsyncIterator[Subscription[T]]:
        def read(entry: Entry) -> T:
            credit.use(entry.size)
            return decoded(codec, entry.encoded, name=name, at="value")

        def end(error: Exception | None) -> None:
            remote = (
                self._contracts.error_of(error, name=name)
                if isinstance(error, RemoteFailure)
                else None
            )
            buffer.end(remote or error)

        buffer, subscription = open_subscription(
            read, on_lag=on_lag, max_items=UNBOUNDED, max_bytes=UNBOUNDED
        )
        window = Window(items=1) if on_lag == "latest" else DEFAULT_WINDOW
        credit = window.for_receiver()
        stream = self._link.calls.open_stream(
            "rpc.subscribe",
            _params(name, key, on_lag),
            credit=credit,
            on_values=_pusher(buffer),
            on_end=end,
            traceparent=trace,
        )
        try:
            async with stream:
                try:
                    yield subscription
                finally:
                    buffer.close()
        except RemoteFailure as failure:
            raise self._contracts.error_of(failure, name=name) from None

    @asynccontextmanager
    async def _subscribe_event(
        self, name: str, codec: Codec[T], on_lag: OnLag
    ) -> AsyncIterator[Subscription[T]]:
        async with self._listen(name, codec, on_lag) as subscription:
            channel = self._channels[name]
            channel.subscribers += 1
            try:
                await self._switch_on(name, channel)
                yield subscription
            finally:
                channel.subscribers -= 1
                if not channel.subscribers:
                    await self._switch_off(name, channel)

    @asynccontextmanager
    async def _listen(
        self, name: str, codec: Codec[T], on_lag: OnLag
    ) -> AsyncIterator[Subscription[T]]:
        await trio.lowlevel.checkpoint()
        if self._link.is_closed:
            raise self._link.lost(sent=False)

        def read(entry: Entry) -> T:
            return _decode_event(codec, entry.encoded, name)

        buffer, subscription = open_subscription(read, on_lag=on_lag)
        channel = self._channels.setdefault(name, _Channel())
        channel.buffers[buffer] = None
        try:
            yield subscription
        finally:
            buffer.close()
            del channel.buffers[buffer]
            if not channel.buffers:
                del self._channels[name]

    async def _switch_on(self, name: str, channel: _Channel) -> None:
        # A lock, not an event: should the first subscriber be cancelled, the next one asks again.
        async with channel.lock:
            if not channel.is_on:
                # Until the answer is there: it may be in force for a subscriber that is cancelled.
                channel.has_to_be_put_off = True
                answer = await self._ask_for(name)
                channel.has_to_be_put_off = answer is True
                if isinstance(answer, Exception):
                    raise answer
                channel.is_on = True

    async def _ask_for(self, name: str) -> bool | Exception:
        """Ask a plain server for an event.

        Returns:
            Whether the server is to be told to stop, or the error with which it refuses the event.
        """
        try:
            text = await self._link.calls.call("rpc.on", msgspec.json.encode([name]))
        except RemoteFailure as failure:
            error = self._contracts.error_of(failure, name=name)
            # With an id it is the failure of a farcall server, which knows ``rpc.on``.
            has_failed = isinstance(error, InternalError) and error.id is not None
            if failure.code in _REFUSALS or has_failed:
                return error
            logger.info(
                "rpc.on for %s failed (%s, %d): listening to its notifications all the same",
                shown(name),
                shown(failure.message),
                failure.code,
            )
            return False
        except InvalidResult:  # such as neither a result nor an error: no refusal
            return False
        word = _word_for(name, text)
        if isinstance(word, str) and word not in _IN_FORCE:
            code = int(ErrorCode.METHOD_NOT_FOUND)
            return MethodNotFound(code, f"the server has no event {name!r}")
        return True

    async def _switch_off(self, name: str, channel: _Channel) -> None:
        has_to_be_put_off = channel.has_to_be_put_off
        # Before the server is told: a subscriber that comes meanwhile asks anew.
        channel.is_on = channel.has_to_be_put_off = False
        if not has_to_be_put_off:
            return
        grace = trio.CancelScope(
            shield=True, deadline=trio.current_time() + self._link.cancel_grace
        )
        with grace, suppress(RemoteFailure, FarcallError):  # nobody is left who would care
            await self._link.calls.call("rpc.off", msgspec.json.encode([name]))


@attrs.define(eq=False)
class _Channel:
    """Who listens here to the notifications of one name."""

    buffers: dict[Buffer, None] = attrs.field(factory=dict[Buffer, None])
    subscribers: int = 0
    """Those of them for whom the server is asked."""
    lock: trio.Lock = attrs.field(factory=trio.Lock)
    is_on: bool = False
    """Whether the server was asked, and has not refused."""
    has_to_be_put_off: bool = False
    """Whether ``rpc.on`` is in force, or may be because its answer was not awaited."""


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
