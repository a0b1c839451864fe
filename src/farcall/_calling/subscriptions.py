"""Subscribing over a link: the peer's values into a `Subscription`.

At a farcall server each subscription is a stream call of its own, and its credit bounds what waits
here. A plain server sends each event once: all subscribers of a name share one ``rpc.on``, and each
has a buffer here with a policy of its own. A server without ``rpc.on`` may still send events, often
after some other call.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, TypeVar, cast

import msgspec
import trio
from msgspec import Raw, Struct, field

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
"""For a buffer that is bounded by the credit of its stream."""

_CONFIRMATIONS = ("ok", "socket has already been subscribed to event")
"""The responses of ``rpc.on`` for an event that will come."""

_REFUSALS = frozenset(
    {
        ErrorCode.BUSY,
        ErrorCode.EVENT_FORBIDDEN,
        ErrorCode.METHOD_FORBIDDEN,
        ErrorCode.TOO_MANY_SUBSCRIPTIONS,
    }
)
"""The errors that refuse the event; any other one means that there is no ``rpc.on``."""


class Subscriber:
    """The subscriptions of this side over one link.

    Args:
        link: The link.
        contracts: What the peer offers, for errors.
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
            raise NotSupported(f"{name}: the peer speaks the plain dialect, which has no keys")
        return self._subscribe_event(name, codec, on_lag)

    def on_event(self, name: str, params: bytes | None) -> bool:
        """Pass a notification to all listeners, and tell whether there are any."""
        channel = self._channels.get(name)
        if channel is None:
            return False
        for buffer in tuple(channel.buffers):
            buffer.push(Entry(params or b"[]"))
        return True

    def on_closed(self) -> None:
        """End all listeners to notifications; streams end with their calls."""
        for channel in self._channels.values():
            channel.is_subscribed = False
            for buffer in channel.buffers:
                buffer.end(self._link.lost(sent=True))

    @asynccontextmanager
    async def _subscribe_stream(
        self, name: str, codec: Codec[T], key: object, on_lag: OnLag, trace: str | None
    ) -> AsyncIterator[Subscription[T]]:
        def read(entry: Entry) -> T:
            credit.use(len(entry.encoded))
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
        if on_lag == "latest":  # one value here, for the next is newer the later it leaves
            credit = Window(items=1).for_receiver(most_items=1)
        else:
            credit = DEFAULT_WINDOW.for_receiver()
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
        async with self.listen(name, codec, on_lag=on_lag) as subscription:
            channel = self._channels[name]
            channel.subscribers += 1
            try:
                await self._request_event(name, channel)
                yield subscription
            finally:
                channel.subscribers -= 1
                if not channel.subscribers:
                    await self._end_event(name, channel)

    @asynccontextmanager
    async def listen(
        self, name: str, codec: Codec[T], *, on_lag: OnLag
    ) -> AsyncIterator[Subscription[T]]:
        """Listen to the notifications of a name, and send nothing."""
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

    async def _request_event(self, name: str, channel: _Channel) -> None:
        """Ask a plain server for an event, unless another subscriber has.

        Raises:
            Exception: with which the server refuses the event.
        """
        # A lock, not an event: if the first subscriber is cancelled, the next one asks again.
        async with channel.lock:
            if not channel.is_subscribed:
                # Until the response comes: the request may succeed after its task is cancelled.
                channel.must_unsubscribe = True
                outcome = await self._call_rpc_on(name)
                channel.must_unsubscribe = outcome is True
                if isinstance(outcome, Exception):
                    raise outcome
                channel.is_subscribed = True

    async def _call_rpc_on(self, name: str) -> bool | Exception:
        """Call ``rpc.on``.

        Returns:
            Whether ``rpc.off`` is due at the end, or the error with which the server refuses.
        """
        try:
            text = await self._link.calls.call("rpc.on", msgspec.json.encode([name]))
        except RemoteFailure as failure:
            error = self._contracts.error_of(failure, name=name)
            # An error with an id is from a farcall server, which has ``rpc.on``.
            has_failed = isinstance(error, InternalError) and error.id is not None
            if failure.code in _REFUSALS or has_failed:
                return error
            logger.info(
                "rpc.on for %s failed (%s, %d); listening to its notifications nevertheless",
                shown(name),
                shown(failure.message),
                failure.code,
            )
            return False
        except InvalidResult:  # such as neither a result nor an error, which refuses nothing
            return False
        try:
            word = msgspec.json.decode(text, type=dict[str, object]).get(name)
        except msgspec.MsgspecError:
            word = None
        if isinstance(word, str) and word not in _CONFIRMATIONS:
            code = int(ErrorCode.METHOD_NOT_FOUND)
            return MethodNotFound(code, f"the server has no event {name!r}")
        return True

    async def _end_event(self, name: str, channel: _Channel) -> None:
        if not channel.must_unsubscribe:
            channel.is_subscribed = False
            return
        # Before the request: a subscriber that comes during it asks again.
        channel.is_subscribed = channel.must_unsubscribe = False
        grace = trio.CancelScope(
            shield=True, deadline=trio.current_time() + self._link.cancel_grace
        )
        with grace, suppress(RemoteFailure, FarcallError):  # nobody waits for the outcome
            await self._link.calls.call("rpc.off", msgspec.json.encode([name]))


class _Channel(Struct, eq=False):
    """The listeners to the notifications of one name."""

    buffers: dict[Buffer, None] = field(default_factory=dict[Buffer, None])
    subscribers: int = 0
    """How many of them have subscribed, rather than just listen."""
    lock: trio.Lock = field(default_factory=trio.Lock)
    is_subscribed: bool = False
    """Whether the server was asked, and has not refused."""
    must_unsubscribe: bool = False
    """Whether ``rpc.on`` has succeeded, or may have."""


def _params(name: str, key: object, on_lag: OnLag) -> bytes:
    params: dict[str, object] = {"signal": name, "on_lag": on_lag}
    if key is not None:
        params["key"] = Raw(encode_untyped(key))
    return msgspec.json.encode(params)


def _pusher(buffer: Buffer) -> OnItems:
    def push(values: Sequence[Encoded], cursor: str | None, missed: int | None) -> None:
        left = len(values)
        for value in values:
            left -= 1
            buffer.push(Entry(bytes(value), cursor=cursor or "", missed=missed), more=left > 0)
            missed = 0

    return push


def _decode_event(codec: Codec[T], params: bytes, name: str) -> T:
    """Read the value of an event: its one parameter, null for none, else all of them."""
    try:
        parts = split(params)
    except UnreadableText:  # named parameters
        return decoded(codec, params if params != b"{}" else b"null", name=name, at="value")
    if len(parts) < 2:
        value = type(params)(parts[0]) if parts else b"null"
        return decoded(codec, value, name=name, at="value")
    several: Any = decoded(codec, params, name=name, at="value")
    if codec is codec_of(Any):  # a tuple differs from one parameter that is a list
        several = tuple(several)
    return cast("T", several)
