"""The events of a plain peer, which subscribes to them by name with ``rpc.on``.

One ``rpc.on`` may name several events and has one response. With interceptors it is sent when those
of all events have proceeded; if one refuses, the peer is subscribed to none of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TypeAlias

import msgspec
from msgspec import Struct, field

from farcall._connection.responses import Request
from farcall._context import ArgumentsByName
from farcall._protocol.messages import Error
from farcall._serving.endpoints import SignalEndpoint
from farcall._serving.feeds import EventFeed
from farcall._serving.intercepted import InterceptedSubscription, InterceptedSubscriptions
from farcall._serving.policy import fail_params, too_many
from farcall._serving.signals import ServedSignals
from farcall.errors import ErrorCode

Done: TypeAlias = Callable[[Error | None], object]
"""Called with the error of the first event that was refused, or None when all may begin."""


class AwaitedEvents(Struct, eq=False):
    """The events of one ``rpc.on`` whose interceptors have not all proceeded yet."""

    _done: Done
    members: dict[str, InterceptedSubscription] = field(
        default_factory=dict[str, InterceptedSubscription]
    )
    _waiting: set[str] = field(default_factory=set[str])
    _is_done: bool = False

    def add(self, name: str, served: InterceptedSubscription) -> None:
        """Wait for one more event."""
        self.members[name] = served
        self._waiting.add(name)

    def settle(self, name: str) -> None:
        """Wait no longer for an event: it may begin, or the peer has unsubscribed."""
        self._waiting.discard(name)
        if not self._waiting:
            self._finish(None)

    def refuse(self, error: Error) -> bool:
        """End it by an error; return whether it was still waiting."""
        was_waiting = not self._is_done
        self._finish(error)
        return was_waiting

    def _finish(self, error: Error | None) -> None:
        if not self._is_done:
            self._is_done = True
            self._done(error)


class InterceptedEvents:
    """The interceptors around the events of one plain peer.

    Args:
        subscriptions: Runs the interceptors.
        unsubscribe: Unsubscribes the peer from an event that its interceptors have ended.
    """

    def __init__(
        self, subscriptions: InterceptedSubscriptions, unsubscribe: Callable[[str], object]
    ) -> None:
        self._subscriptions = subscriptions
        self._unsubscribe = unsubscribe
        self._current: dict[str, InterceptedSubscription] = {}

    def __len__(self) -> int:
        """Count the events whose interceptors still run, subscribed to or not."""
        return len(self._subscriptions)

    def open(self, sources: Mapping[str, SignalEndpoint], done: Done) -> AwaitedEvents:
        """Run the interceptors of some events; call `done` when all have proceeded."""
        opening = AwaitedEvents(done)
        for name, source in sources.items():
            self._open(name, source, opening)
        return opening

    def _open(self, name: str, source: SignalEndpoint, opening: AwaitedEvents) -> None:
        served = self._subscriptions.open(
            source,
            _arguments,
            begin=lambda: opening.settle(name),
            answer=lambda error: self._on_end(name, opening, error),
        )
        self._current[name] = served
        opening.add(name, served)

    def _on_end(self, name: str, opening: AwaitedEvents, error: Error) -> None:
        if not self.is_current(name, opening):
            opening.settle(name)
            return
        self._unsubscribe(name)
        if opening.refuse(error):
            for other in opening.members:
                if self.is_current(other, opening):
                    self._unsubscribe(other)

    def is_current(self, name: str, opening: AwaitedEvents) -> bool:
        """Whether the peer is still subscribed to an event by this ``rpc.on``."""
        return self._current.get(name) is opening.members[name]

    def cancel(self, name: str, reason: str) -> None:
        """Cancel the interceptors of an event."""
        served = self._current.pop(name, None)
        if served is not None:
            served.cancel(reason)


def _arguments() -> ArgumentsByName:
    """Make the arguments of a farcall peer that subscribes to the same."""
    return {"key": None, "on_lag": "raise"}


logger = logging.getLogger("farcall")

SUBSCRIBED = "ok"
NO_SUCH_EVENT = "provided event invalid"
TWICE = "socket has already been subscribed to event"
NOT_SUBSCRIBED = "not subscribed"
"""The answers of rpc-websockets, which its clients compare with these texts."""

_names = msgspec.json.Decoder(list[str])


class Events:
    """The events of one plain peer.

    Args:
        signals: The signals of the link.
    """

    def __init__(self, signals: ServedSignals) -> None:
        self._signals = signals.endpoints
        self._link = signals.link
        self._policy = signals.policy
        self._pool = signals.pool
        # None without interceptors, when an event begins at once.
        self._intercepted = (
            InterceptedEvents(signals.intercepted, self._unsubscribe)
            if signals.intercepted.is_needed
            else None
        )
        self._feeds: dict[str, EventFeed | None] = {}
        """By name; None until the response that begins the event was sent."""

    def __len__(self) -> int:
        """Count the events that the peer has asked for."""
        return sum(not self._signals[name].spec.broadcast for name in self._feeds)

    def on_open(self) -> None:
        """Send broadcasts to a peer that has not said hello yet."""
        for name, source in self._signals.items():
            if source.spec.broadcast:
                self._attach(name)

    def on_hello(self) -> None:
        """End the broadcasts: a farcall peer subscribes for itself."""
        self.close()

    def on(self, call: Request) -> None:
        """Serve ``rpc.on``."""
        names = self._read_names(call)
        if names is None:
            return
        refusals = filter(None, map(self._refusal, dict.fromkeys(names)))
        refusal = next(refusals, None) or self._excess(names)
        if refusal is not None:
            call.fail(refusal)
            return
        fresh: list[str] = []
        answers = {name: self._try_on(name, fresh) for name in names}
        text = msgspec.json.encode(answers)

        def answer(error: Error | None, begin: Callable[[], None]) -> None:
            if error is None:
                call.respond_then(text, begin)
            else:
                call.fail(error)

        self._open(fresh, answer)

    def off(self, call: Request) -> None:
        """Serve ``rpc.off``."""
        names = self._read_names(call)
        if names is not None:
            answers = {name: self._off(name) for name in names}
            call.respond(msgspec.json.encode(answers))

    def on_notification(self, method: str, params: bytes | None) -> None:
        """Serve ``rpc.on`` or ``rpc.off`` without a response."""
        try:
            names = _names.decode(params or b"[]")
        except msgspec.MsgspecError:
            return
        if method == "rpc.off":
            for name in names:
                self._off(name)
            return
        names = [name for name in dict.fromkeys(names) if self._refusal(name) is None]
        if self._excess(names) is not None:
            self._link.drops.add("subscriptions")
            return
        fresh: list[str] = []
        for name in names:
            self._try_on(name, fresh)
        self._open(fresh, lambda error, begin: begin() if error is None else None)

    def _open(
        self, names: list[str], done: Callable[[Error | None, Callable[[], None]], object]
    ) -> None:
        """Run the interceptors, if there are any, of events that were subscribed to.

        Args:
            names: Of the events.
            done: Called with the error of the first event that was refused, or None, and the
                function that begins the events.
        """
        events = self._intercepted
        if events is None or not names:
            done(None, lambda: self._begin(names))
            return

        def begin() -> None:
            self._begin([name for name in names if events.is_current(name, opening)])

        def finish(error: Error | None) -> None:
            if not self._link.is_closed:
                done(error, begin)

        opening = events.open({name: self._signals[name] for name in names}, finish)

    def _read_names(self, call: Request) -> list[str] | None:
        if call.params is None:
            call.fail(Error.of(ErrorCode.EVENT_NOT_PROVIDED))
            return None
        try:
            return _names.decode(call.params)
        except msgspec.MsgspecError as error:
            fail_params(call, "params", str(error))
            return None

    def _refusal(self, name: str) -> Error | None:
        if name not in self._signals or name in self._feeds:
            return None
        return self._policy.refusal(self._signals[name])

    def _excess(self, names: list[str]) -> Error | None:
        """Return an error if these names would exceed the subscription limit.

        Broadcasts do not count: a plain peer gets them without a subscription.
        """
        wanted = self._feeds.keys() | (set(names) & self._signals.keys())
        taken = sum(not self._signals[name].spec.broadcast for name in wanted)
        if self._intercepted is not None:
            # Interceptors may go on for a while after the peer has unsubscribed.
            taken = max(taken, len(self._intercepted) + len(wanted - self._feeds.keys()))
        return too_many(self._link) if taken > self._link.limits.subscriptions else None

    def _try_on(self, name: str, fresh: list[str]) -> str:
        if name not in self._signals:
            return NO_SUCH_EVENT
        if name in self._feeds:
            return SUBSCRIBED if self._signals[name].spec.broadcast else TWICE
        self._feeds[name] = None
        fresh.append(name)
        return SUBSCRIBED

    def _off(self, name: str) -> str:
        if name not in self._signals:
            return NO_SUCH_EVENT
        if name not in self._feeds:
            return NOT_SUBSCRIBED
        self._unsubscribe(name)
        return SUBSCRIBED

    def _begin(self, names: list[str]) -> None:
        for name in names:
            # The peer may have unsubscribed since, or unsubscribed and subscribed again.
            is_awaited = name in self._feeds and self._feeds[name] is None
            if is_awaited and not self._link.is_closed:
                self._attach(name)

    def _attach(self, name: str) -> None:
        state, membership = self._signals[name].state, self._policy.membership
        self._feeds[name] = EventFeed(self._link, name, state, membership, self._pool)

    def _unsubscribe(self, name: str) -> None:
        feed = self._feeds.pop(name, None)
        if feed is not None:
            feed.detach()
            feed.buffer.close()
        if self._intercepted is not None:
            self._intercepted.cancel(name, "caller")

    def close(self) -> None:
        for name in list(self._feeds):
            self._unsubscribe(name)

    def withdraw(self) -> None:
        """Drop values that wait for addresses which the peer no longer has."""
        for feed in self._feeds.values():
            if feed is not None:
                feed.withdraw()

    def recheck(self) -> None:
        """End the events that the peer's present login does not allow."""
        for name in list(self._feeds):
            if self._policy.refusal(self._signals[name]) is not None:
                logger.info(
                    "%s: no longer subscribed to %s, by its login", self._link.endpoint.peer, name
                )
                self._unsubscribe(name)
