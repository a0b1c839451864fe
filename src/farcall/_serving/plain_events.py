"""The events of a plain peer, which names them with ``rpc.on`` and takes what comes.

One ``rpc.on`` may name several events and has one answer. With interceptors it is answered when
those of all its events have proceeded; if one refuses, none of the events is on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs
import msgspec

from farcall._connection.responses import Request
from farcall._context import ArgumentsByName
from farcall._protocol.messages import Error
from farcall._serving.endpoints import SignalEndpoint
from farcall._serving.feeds import EventFeed
from farcall._serving.intercepted import InterceptedSubscription, InterceptedSubscriptions
from farcall._serving.policy import refuse, too_many
from farcall._serving.signals import ServedSignals
from farcall.errors import ErrorCode

Done: TypeAlias = Callable[[Error | None], object]
"""Takes the error of the first event that was refused, or None when all may begin."""


@attrs.define(eq=False)
class AwaitedEvents:
    """What one ``rpc.on`` waits for."""

    _done: Done
    members: dict[str, InterceptedSubscription] = attrs.field(
        factory=dict[str, InterceptedSubscription], init=False
    )
    _waiting: set[str] = attrs.field(factory=set[str], init=False)
    _is_done: bool = attrs.field(default=False, init=False)

    def add(self, name: str, served: InterceptedSubscription) -> None:
        """Wait for one more event."""
        self.members[name] = served
        self._waiting.add(name)

    def settle(self, name: str) -> None:
        """Note that an event need not be waited for: it may begin, or was left meanwhile."""
        self._waiting.discard(name)
        if not self._waiting:
            self._finish(None)

    def refuse(self, error: Error) -> bool:
        """End it by an error; tell whether it had been waiting still."""
        was_waiting = not self._is_done
        self._finish(error)
        return was_waiting

    def _finish(self, error: Error | None) -> None:
        if not self._is_done:
            self._is_done = True
            self._done(error)


class InterceptedEvents:
    """The events of one plain peer that have interceptors around them.

    Args:
        subscriptions: Runs the interceptors.
        leave: Takes the name of an event that is over though its subscriber has not left it.
    """

    def __init__(
        self, subscriptions: InterceptedSubscriptions, leave: Callable[[str], object]
    ) -> None:
        self._subscriptions = subscriptions
        self._leave = leave
        self._current: dict[str, InterceptedSubscription] = {}

    def __len__(self) -> int:
        """Count the interceptors at work, also those of events that were left."""
        return len(self._subscriptions)

    def open(self, sources: Mapping[str, SignalEndpoint], done: Done) -> AwaitedEvents:
        """Run the interceptors of some events, and tell when all of them have proceeded."""
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
        self._leave(name)
        if opening.refuse(error):
            for other in opening.members:
                if self.is_current(other, opening):
                    self._leave(other)

    def is_current(self, name: str, opening: AwaitedEvents) -> bool:
        """Whether an event is still the one that this ``rpc.on`` asked for."""
        return self._current.get(name) is opening.members[name]

    def cancel(self, name: str, reason: str) -> None:
        """Cancel the interceptors of an event that is left."""
        served = self._current.pop(name, None)
        if served is not None:
            served.cancel(reason)


def _arguments() -> ArgumentsByName:
    """Give what a farcall peer would have said for the same."""
    return {"key": None, "on_lag": "raise"}


logger = logging.getLogger("farcall")

SUBSCRIBED = "ok"
NO_SUCH_EVENT = "provided event invalid"
TWICE = "socket has already been subscribed to event"
NOT_SUBSCRIBED = "not subscribed"
"""The answers of rpc-websockets, which its clients compare."""

_names = msgspec.json.Decoder(list[str])


class Events:
    """The events of one plain peer.

    Args:
        signals: What it may subscribe to.
    """

    def __init__(self, signals: ServedSignals) -> None:
        self._signals = signals.endpoints
        self._link = signals.link
        self._policy = signals.policy
        self._pool = signals.pool
        # None where there are no interceptors: then an event begins at once.
        self._intercepted = (
            InterceptedEvents(signals.intercepted, self._leave)
            if signals.intercepted.is_needed
            else None
        )
        self._feeds: dict[str, EventFeed | None] = {}
        """By name; None while the answer that begins it waits."""

    def __len__(self) -> int:
        """Count the events that the peer has asked for."""
        return sum(not self._signals[name].spec.broadcast for name in self._feeds)

    def on_open(self) -> None:
        """Send broadcasts to a peer that has not said yet what it is."""
        for name, source in self._signals.items():
            if source.spec.broadcast:
                self._listen(name)

    def on_hello(self) -> None:
        """Leave the broadcasts: the peer subscribes to what it wants."""
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
        """Do what ``rpc.on`` or ``rpc.off`` asks for, of a peer that wants no answer."""
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
        """Ask the interceptors, if there are any, whether events may begin.

        Args:
            names: Of the events; no answer has promised them yet.
            done: Takes the error of the first one that was refused, or None, and what begins them.
        """
        events = self._intercepted
        if events is None or not names:
            done(None, lambda: self._begin(names))
            return

        def begin() -> None:
            self._begin([name for name in names if events.is_current(name, opening)])

        def tell(error: Error | None) -> None:
            if not self._link.is_closed:
                done(error, begin)

        opening = events.open({name: self._signals[name] for name in names}, tell)

    def _read_names(self, call: Request) -> list[str] | None:
        if call.params is None:
            call.fail(Error.of(ErrorCode.EVENT_NOT_PROVIDED))
            return None
        try:
            return _names.decode(call.params)
        except msgspec.MsgspecError as error:
            refuse(call, "params", str(error))
            return None

    def _refusal(self, name: str) -> Error | None:
        if name not in self._signals or name in self._feeds:
            return None
        return self._policy.refusal(self._signals[name])

    def _excess(self, names: list[str]) -> Error | None:
        """Return an error if these names would exceed the subscription limit.

        Broadcasts take none: a plain peer gets them whether it asks or not.
        """
        wanted = self._feeds.keys() | (set(names) & self._signals.keys())
        taken = sum(not self._signals[name].spec.broadcast for name in wanted)
        if self._intercepted is not None:
            # The interceptors of an event that was left may take their time to end.
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
        self._leave(name)
        return SUBSCRIBED

    def _begin(self, names: list[str]) -> None:
        for name in names:
            # It may have been left meanwhile, or been left and asked for again, and be on already.
            is_awaited = name in self._feeds and self._feeds[name] is None
            if is_awaited and not self._link.is_closed:
                self._listen(name)

    def _listen(self, name: str) -> None:
        state, membership = self._signals[name].state, self._policy.membership
        self._feeds[name] = EventFeed(self._link, name, state, membership, self._pool)

    def _leave(self, name: str) -> None:
        feed = self._feeds.pop(name, None)
        if feed is not None:
            feed.detach()
            feed.buffer.close()
        if self._intercepted is not None:
            self._intercepted.cancel(name, "caller")

    def close(self) -> None:
        """Leave every signal."""
        for name in list(self._feeds):
            self._leave(name)

    def withdraw(self) -> None:
        """Drop values that were for who the peer is no more."""
        for feed in self._feeds.values():
            if feed is not None:
                feed.withdraw()

    def recheck(self) -> None:
        """End those that are not for who the peer is now."""
        for name in list(self._feeds):
            if self._policy.refusal(self._signals[name]) is not None:
                logger.info("%s: hears no more of %s", self._link.endpoint.peer, name)
                self._leave(name)
