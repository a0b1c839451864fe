"""The subscriptions of a farcall peer: each is a stream call, which gives credit."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Raw, UnsetType

from farcall._call import ArgumentsByName
from farcall._codec import Faults
from farcall._connection.link import Link
from farcall._endpoints import EventSource
from farcall._guard import SubscriptionGuard
from farcall._protocol.messages import Error
from farcall._protocol.state import IncomingCall
from farcall._publish.feeds import SignalFeed
from farcall._publish.refusals import refuse, too_many
from farcall._publish.served import ServedSubscriptions
from farcall._signals import OnLag
from farcall.errors import ErrorCode


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
        link: The link.
        signals: What can be subscribed to, by wire name.
        guard: Who may.
        served: Runs the interceptors around each subscription; None where there are none.
    """

    def __init__(
        self,
        link: Link,
        signals: Mapping[str, EventSource],
        guard: SubscriptionGuard,
        served: ServedSubscriptions | None,
    ) -> None:
        self._link = link
        self._signals = signals
        self._guard = guard
        self._served = served
        self._feeds: dict[IncomingCall, SignalFeed] = {}
        self._places = 0
        """Taken by feeds; one that has ended keeps its place until its end has left."""

    def __len__(self) -> int:
        return len(self._feeds)

    def subscribe(self, call: IncomingCall) -> None:
        """Serve ``rpc.subscribe``."""
        if not self._link.life.is_staying:
            self._link.answers.fail(call, Error.of(ErrorCode.SHUTTING_DOWN))
            return
        try:
            params = _params.decode(call.params or b"{}")
        except msgspec.MsgspecError as error:
            refuse(self._link, call, "params", str(error))
            return
        source = self._signals.get(params.signal)
        if source is None:
            self._link.answers.fail(call, Error.of(ErrorCode.METHOD_NOT_FOUND, params.signal))
        elif not self._guard.may(source):
            self._link.answers.fail(call, Error.of(ErrorCode.EVENT_FORBIDDEN))
        elif self._places >= self._link.limits.subscriptions:
            self._link.answers.fail(call, too_many(self._link))
        else:
            self._subscribe(call, source, params)

    def _subscribe(self, call: IncomingCall, source: EventSource, params: SubscribeParams) -> None:
        try:
            key = _key(source, params.key)
        except Faults as faults:
            refuse(self._link, call, faults.errors[0].path, faults.errors[0].message)
            return
        refusal = self._guard.refusal(source, key)
        if refusal is not None:
            self._link.answers.fail(call, refusal)
            return
        feed = SignalFeed(
            self._link,
            call,
            source,
            self._guard.membership,
            on_lag=params.on_lag,
            forget=self._feeds.pop,
            note_left=self._note_left,
        )
        self._places += 1
        self._feeds[call] = feed
        if self._served is None:
            feed.attach(key, params.since)
            return
        feed.key = key
        feed.served = self._served.open(
            source,
            lambda: _arguments(source, key, params),
            begin=lambda: feed.attach(key, params.since),
            answer=feed.answer,
            trace=call.traceparent,
        )

    def _note_left(self) -> None:
        self._places -= 1

    def cancel(self, call: IncomingCall, reason: str) -> None:
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
            refusal = self._guard.refusal(feed.source, feed.key)
            if refusal is not None:
                feed.end(refusal)

    def on_credit(self, call: IncomingCall) -> None:
        """Let the writer ask a subscription again."""
        feed = self._feeds.get(call)
        if feed is not None:
            self._link.lanes.put_stream(feed)

    def close(self) -> None:
        """Leave every signal, because the link has ended."""
        for feed in self._feeds.values():
            feed.detach()
        self._feeds.clear()


def _arguments(source: EventSource, key: bytes | None, params: SubscribeParams) -> ArgumentsByName:
    """Give what interceptors see of a subscription: what the other side named."""
    decoded = None if key is None else source.state.decode_key(key)
    return {"key": decoded, "on_lag": params.on_lag}


def _key(source: EventSource, key: Raw | UnsetType) -> bytes | None:
    if isinstance(key, UnsetType) or bytes(key) == b"null":
        return None
    try:
        return source.state.read_key(key)
    except TypeError as error:
        raise Faults.one("params.key", str(error)) from None
