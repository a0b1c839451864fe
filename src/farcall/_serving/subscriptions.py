"""The subscriptions of a farcall peer: each is a stream call, which gives credit."""

from __future__ import annotations

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
from farcall._serving.policy import refuse, too_many
from farcall._serving.signals import ServedSignals
from farcall._signals import OnLag
from farcall.errors import ErrorCode

MOST_CURSOR = 64
"""Characters: more than a cursor of ours ever has."""


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
        signals: What it may subscribe to.
    """

    def __init__(self, signals: ServedSignals) -> None:
        self._signals = signals
        self._link = signals.link
        self._policy = signals.policy
        self._pool = signals.pool
        self._feeds: dict[Request, SignalFeed] = {}
        self._places = 0
        """Taken by feeds; one that has ended keeps its place until its end has left."""

    def __len__(self) -> int:
        return len(self._feeds)

    def subscribe(self, call: Request) -> None:
        """Serve ``rpc.subscribe``."""
        if not self._link.lifecycle.is_staying:
            call.fail(shutting_down())
            return
        text, call.params = call.params, None  # a subscription lasts, and so would they
        try:
            params = _params.decode(text or b"{}")
        except msgspec.MsgspecError as error:
            refuse(call, "params", str(error))
            return
        source = self._signals.endpoints.get(params.signal)
        if source is None:
            call.fail(Error.of(ErrorCode.METHOD_NOT_FOUND, shown(params.signal)))
        elif not self._policy.may(source):
            call.fail(self._policy.forbidden(source))
        elif self._places >= self._link.limits.subscriptions:
            call.fail(too_many(self._link))
        else:
            self._subscribe(call, source, params)

    def _subscribe(self, call: Request, source: SignalEndpoint, params: SubscribeParams) -> None:
        try:
            key = _key(source, params.key)
        except Faults as faults:
            refuse(call, faults.errors[0].path, faults.errors[0].message)
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
            forget=self._feeds.pop,
            note_left=self._note_left,
        )
        self._places += 1
        self._feeds[call] = call.owner = feed
        feed.filter_by(key)
        # As much of a cursor as tells that it is none of ours: it may be kept.
        since = None if params.since is None else params.since[:MOST_CURSOR]
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

    def _note_left(self) -> None:
        self._places -= 1

    def cancel(self, call: Request, reason: str) -> None:
        """End a subscription because its subscriber leaves; other calls are not touched."""
        feed = self._feeds.get(call)
        if feed is not None:
            feed.cancel(reason)

    def cancel_all(self) -> None:
        """End every subscription of a farcall peer."""
        for call in list(self._feeds):
            self.cancel(call, "shutdown")

    def recheck(self) -> None:
        """End those that are not for who the peer is now."""
        for feed in list(self._feeds.values()):
            refusal = self._policy.refusal(feed.source, feed.key)
            if refusal is not None:
                feed.end(refusal)

    def withdraw(self) -> None:
        """Drop values that were for who the peer is no more."""
        for feed in self._feeds.values():
            feed.withdraw()

    def close(self) -> None:
        """Leave every signal, because the link has ended."""
        for feed in self._feeds.values():
            feed.detach()
        self._feeds.clear()


def _arguments(source: SignalEndpoint, key: bytes | None, on_lag: OnLag) -> ArgumentsByName:
    """Give what interceptors see of a subscription: what the other side named."""
    decoded = None if key is None else source.state.decode_key(key)
    return {"key": decoded, "on_lag": on_lag}


def _key(source: SignalEndpoint, key: Raw | UnsetType) -> bytes | None:
    if isinstance(key, UnsetType) or bytes(key) == b"null":
        return None
    try:
        return source.state.read_key(key)
    except TypeError as error:
        raise Faults.one("params.key", str(error)) from None
