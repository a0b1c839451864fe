"""The subscriptions of a farcall peer: each is a stream call, with credit."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, UnsetType

from farcall._codec import Faults
from farcall._connection.responses import Request, shutting_down
from farcall._context import ArgumentsByName
from farcall._limits import exceeded
from farcall._protocol.framing import shown
from farcall._protocol.messages import Error
from farcall._serving.endpoints import SignalEndpoint
from farcall._serving.feeds import SignalFeed
from farcall._serving.policy import fail_params, too_many
from farcall._serving.signals import ServedSignals
from farcall._signals import OnLag
from farcall.errors import ErrorCode

MAX_CURSOR: Final = 64
"""Characters that are retained of a peer's cursor; those that farcall makes are shorter."""


class SubscribeParams(msgspec.Struct, forbid_unknown_fields=True):
    """The parameters of ``rpc.subscribe``."""

    signal: str
    key: Raw | UnsetType = msgspec.UNSET
    on_lag: OnLag = "raise"
    since: str | None = None


_params = msgspec.json.Decoder(SubscribeParams)


class Subscriptions:
    """The subscriptions of one farcall peer.

    Args:
        signals: The signals of the link.
    """

    def __init__(self, signals: ServedSignals) -> None:
        self._signals = signals
        self._link = signals.link
        self._policy = signals.policy
        self._pool = signals.pool
        self._feeds: dict[Request, SignalFeed] = {}
        self._open = 0
        """Counts a feed until its end has been sent: longer than `_feeds` has it."""

    def __len__(self) -> int:
        return len(self._feeds)

    def subscribe(self, call: Request) -> None:
        """Serve ``rpc.subscribe``."""
        if not self._link.lifecycle.is_staying:
            call.fail(shutting_down())
            return
        # A subscription lasts, and its parameters would be held as long.
        text, call.params = call.params, None
        try:
            params = _params.decode(text or b"{}")
        except msgspec.MsgspecError as error:
            fail_params(call, "params", str(error))
            return
        source = self._signals.endpoints.get(params.signal)
        if source is None:
            call.fail(Error.of(ErrorCode.METHOD_NOT_FOUND, shown(params.signal)))
        elif not self._policy.may(source):
            call.fail(self._policy.forbidden(source))
        elif self._open >= self._link.limits.subscriptions:
            call.fail(too_many(self._link))
        else:
            self._subscribe(call, source, params)

    def _subscribe(self, call: Request, source: SignalEndpoint, params: SubscribeParams) -> None:
        try:
            key = _key(source, params.key)
        except Faults as faults:
            fail_params(call, faults.errors[0].path, faults.errors[0].message)
            return
        refusal = self._policy.refusal(source, key) or self._excess(key)
        if refusal is not None:
            call.fail(refusal)
            return
        feed = SignalFeed(
            self._link,
            call,
            source,
            self._policy.membership,
            self._pool,
            on_lag=params.on_lag,
            on_end=self._feeds.pop,
            on_sent=self._on_sent,
        )
        self._open += 1
        self._feeds[call] = call.owner = feed
        feed.filter_by(key)
        # A longer one is not of ours, nor is what is left of it.
        since = None if params.since is None else params.since[:MAX_CURSOR]
        intercepted, on_lag = self._signals.intercepted, params.on_lag
        if not intercepted.is_needed:
            feed.attach(since)
            return
        feed.intercepted = intercepted.open(
            source,
            lambda: _arguments(source, key, on_lag),
            begin=lambda: feed.attach(since),
            answer=feed.answer,
            trace=call.traceparent,
        )

    def _excess(self, key: bytes | None) -> Error | None:
        if self._pool.has_room_for_key(len(key or b"")):
            return None
        data = exceeded("subscription_bytes", self._link.limits.subscription_bytes)
        return Error.of(ErrorCode.TOO_MANY_SUBSCRIPTIONS, data)

    def _on_sent(self) -> None:
        self._open -= 1

    def cancel(self, call: Request, reason: str) -> None:
        """End the subscription of a call, if it is one."""
        feed = self._feeds.get(call)
        if feed is not None:
            feed.cancel(reason)

    def cancel_all(self) -> None:
        for call in list(self._feeds):
            self.cancel(call, "shutdown")

    def recheck(self) -> None:
        """End the subscriptions that the peer's present login does not allow."""
        for feed in list(self._feeds.values()):
            refusal = self._policy.refusal(feed.source, feed.key)
            if refusal is not None:
                feed.end(refusal)

    def withdraw(self) -> None:
        """Drop values that wait for addresses which the peer no longer has."""
        for feed in self._feeds.values():
            feed.withdraw()

    def close(self) -> None:
        """Detach every feed, after the link has ended."""
        for feed in self._feeds.values():
            feed.detach()
        self._feeds.clear()


def _arguments(source: SignalEndpoint, key: bytes | None, on_lag: OnLag) -> ArgumentsByName:
    """Make the arguments that interceptors see."""
    decoded = None if key is None else source.state.key.decode(key)
    return {"key": decoded, "on_lag": on_lag}


def _key(source: SignalEndpoint, key: Raw | UnsetType) -> bytes | None:
    if isinstance(key, UnsetType) or bytes(key) == b"null":
        return None
    try:
        return source.state.key.read(key)
    except TypeError as error:
        raise Faults.one("params.key", str(error)) from None
