"""Serving the subscriptions of one connection: signals into frames, as fast as the peer takes them.

A farcall peer makes a stream call for each subscription and gives credit; a plain peer names
events with ``rpc.on`` and takes what comes. Either way the values wait in the subscription's own
buffer, and the writer pulls from it: what a slow peer loses is decided there and nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, UnsetType

from farcall._audience import Membership
from farcall._call import ArgumentsByName
from farcall._codec import Faults
from farcall._connection.link import Link
from farcall._connection.statistics import ConnectionState
from farcall._endpoints import EventSource
from farcall._guard import SubscriptionGuard
from farcall._protocol.messages import Error, Event, Message
from farcall._protocol.state import IncomingCall
from farcall._serve_events import ServedEvents
from farcall._serve_subscription import ServedSubscription, ServedSubscriptions
from farcall._signals import Buffer, Entry, OnLag, SignalState
from farcall.errors import CloseCode, EncodeError, ErrorCode

logger = logging.getLogger("farcall")

SUBSCRIBED = "ok"
NO_SUCH_EVENT = "provided event invalid"
TWICE = "socket has already been subscribed to event"
NOT_SUBSCRIBED = "not subscribed"
"""The answers of rpc-websockets, which its clients compare."""


class SubscribeParams(msgspec.Struct, forbid_unknown_fields=True):
    """The parameters of ``rpc.subscribe``."""

    signal: str
    key: Raw | UnsetType = msgspec.UNSET
    on_lag: OnLag = "raise"
    since: str | None = None


_params = msgspec.json.Decoder(SubscribeParams)
_names = msgspec.json.Decoder(list[str])


class SignalFeed:
    """The queue of one subscription of a farcall peer: started, items within credit, end.

    Args:
        link: Where it goes.
        call: The stream call.
        source: The signal.
        membership: By which addresses the subscriber is reached.
        on_lag: What the subscriber wants when it is too slow.
        forget: Called when the subscription has ended, for whichever reason but that of the link.
        note_left: Called when the writer has taken its end as well, so that nothing of it waits.
    """

    def __init__(
        self,
        link: Link,
        call: IncomingCall,
        source: EventSource,
        membership: Membership,
        *,
        on_lag: OnLag,
        forget: Callable[[IncomingCall], object],
        note_left: Callable[[], object],
    ) -> None:
        self._link = link
        self._call = call
        self.source = source
        self.key: bytes | None = None
        self._membership = membership
        self._forget = forget
        self._note_left = note_left
        self._first: Message | None = None
        self._last: Message | None = None
        self._detach: Callable[[], None] = _nothing
        self.served: ServedSubscription | None = None
        """The interceptors around it, which have to end before it does."""
        self.buffer = Buffer(on_lag=on_lag, wake=self._wake)

    def attach(self, key: bytes | None, since: str | None) -> None:
        """Begin: the answer carries the place in the signal from which on values come."""
        self.key = key
        cursor = self.source.state.cursor
        resumed = since == cursor
        missed = 0 if since is None or resumed else None
        value = {"cursor": cursor, "resumed": resumed, "missed": missed}
        self._first = self._link.protocol.start(self._call, msgspec.json.encode(value))
        self._detach = self.source.state.attach(self.buffer, key, self._membership)
        self._wake()

    def cancel(self, reason: str) -> None:
        """Drop what waits, and end the call because its subscriber leaves."""
        self.detach()
        if self.served is None:
            self.answer(Error.of(ErrorCode.CANCELLED))
        else:
            self.served.cancel(reason)

    def end(self, error: Error) -> None:
        """Drop what waits, and end the call by an error after what has been taken."""
        self.detach()
        if self.served is None:
            self.answer(error)
        else:
            self.served.fail(error)

    def answer(self, error: Error) -> None:
        """Tell the end, to a peer that is still there."""
        if self._link.is_closed:
            return
        self.detach()
        self._forget(self._call)
        self._last = self._link.protocol.fail(self._call, error)
        self._link.answers.note_ended()
        self._wake()

    def detach(self) -> None:
        """Leave the signal."""
        self._detach()
        self.buffer.close()

    def pop(self) -> Message | None:
        """Give the next message of this stream."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._last is not None:
            last, self._last = self._last, None
            self._note_left()
            return last
        return self._pop_items()

    def _pop_items(self) -> Message | None:
        credit = self._link.protocol.send_credit(self._call)
        if not self.buffer.is_ready:
            return None
        if self.buffer.next_size > self._room:
            return self._refuse_value()
        if not credit.allows(self.buffer.next_size):
            return None
        # The first value is allowed, so it may pass even where it is larger than the credit left.
        size = max(self.buffer.next_size, min(credit.bytes_left, self._room))
        batch = self.buffer.take(credit.items_left, size)
        values = [entry.encoded for entry in batch.entries]
        cursor = batch.entries[-1].cursor
        return self._link.protocol.items(self._call, values, cursor=cursor, missed=batch.missed)

    @property
    def _room(self) -> int:
        """The bytes of values that one message to this peer can hold."""
        return self._link.protocol.message_limit - ITEMS_OVERHEAD

    def _refuse_value(self) -> Message | None:
        limit = self._link.protocol.message_limit
        self.end(Error.of(ErrorCode.REPLY_TOO_LARGE, {"limit": "message", "bytes": limit}))
        return self.pop()

    def _wake(self) -> None:
        self._link.lanes.put_stream(self)


ITEMS_OVERHEAD = 2048
"""More than ``rpc.items`` adds to its values: an id, a cursor, a comma for each of the window."""


class EventFeed:
    """The queue of one event for a plain peer, which cannot be told that it missed something."""

    def __init__(
        self, link: Link, name: str, state: SignalState[Any], membership: Membership
    ) -> None:
        self._link = link
        self._name = name
        self.buffer = Buffer(on_lag="raise", wake=self._wake)
        self.detach = state.attach(self.buffer, None, membership)

    def pop(self) -> Message | None:
        """Give the next event."""
        entries = self.buffer.take(1, self.buffer.next_size).entries
        return self._event(entries[0]) if entries else None

    def _event(self, entry: Entry) -> Message | None:
        event = Event(self._name, entry.encoded)
        try:
            self._link.protocol.check_size(event)
        except EncodeError as error:
            self._hang_up(CloseCode.INTERNAL, f"an event of {self._name} cannot be sent: {error}")
            return None
        return event

    def _hang_up(self, code: CloseCode, problem: str) -> None:
        self.detach()
        self._link.hang_up(code, problem)

    def _wake(self) -> None:
        if self.buffer.missed:
            problem = f"events of {self._name} were not read (the limit subscription buffer)"
            self._hang_up(CloseCode.SLOW_CONSUMER, problem)
        else:
            self._link.lanes.put_stream(self)


class Publisher:
    """The subscriptions of one link.

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
        served: ServedSubscriptions | None = None,
    ) -> None:
        self._link = link
        self._signals = signals
        self._guard = guard
        self._served = served
        self._served_events = None if served is None else ServedEvents(served, self._leave_event)
        self._feeds: dict[IncomingCall, SignalFeed] = {}
        self._places = 0
        """Taken by feeds; one that has ended keeps its place until its end has left."""
        self._events: dict[str, EventFeed | None] = {}
        """By name; None while the answer that begins it waits."""

    # farcall peers

    def subscribe(self, call: IncomingCall) -> None:
        """Serve ``rpc.subscribe``."""
        if self._link.state is not ConnectionState.OPEN:
            self._link.answers.fail(call, Error.of(ErrorCode.SHUTTING_DOWN))
            return
        try:
            params = _params.decode(call.params or b"{}")
        except msgspec.MsgspecError as error:
            self._refuse(call, "params", str(error))
            return
        source = self._signals.get(params.signal)
        if source is None:
            self._link.answers.fail(call, Error.of(ErrorCode.METHOD_NOT_FOUND, params.signal))
        elif not self._guard.may(source):
            self._link.answers.fail(call, Error.of(ErrorCode.EVENT_FORBIDDEN))
        elif self._places >= self._link.limits.subscriptions:
            self._link.answers.fail(call, self._too_many())
        else:
            self._subscribe(call, source, params)

    def _subscribe(self, call: IncomingCall, source: EventSource, params: SubscribeParams) -> None:
        try:
            key = _key(source, params.key)
        except Faults as faults:
            self._refuse(call, faults.errors[0].path, faults.errors[0].message)
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

    def _refuse(self, call: IncomingCall, path: str, message: str) -> None:
        data = {"errors": [{"path": path, "message": message}]}
        self._link.answers.fail(call, Error.of(ErrorCode.INVALID_PARAMS, data))

    def _note_left(self) -> None:
        self._places -= 1

    def _too_many(self) -> Error:
        data = {"limit": "subscriptions", "most": self._link.limits.subscriptions}
        return Error.of(ErrorCode.TOO_MANY_SUBSCRIPTIONS, data)

    @property
    def is_busy(self) -> bool:
        """Whether subscriptions that are to end have not ended yet, because of interceptors."""
        return self._served is not None and self._served.has_ending

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
        """End the subscriptions that are not for who the peer is now."""
        for feed in list(self._feeds.values()):
            refusal = self._guard.refusal(feed.source, feed.key)
            if refusal is not None:
                feed.end(refusal)
        for name in list(self._events):
            if self._guard.refusal(self._signals[name]) is not None:
                logger.info("%s: hears no more of %s", self._link.endpoint.peer, name)
                self._leave_event(name)

    def on_credit(self, call: IncomingCall) -> None:
        """Let the writer ask a subscription again."""
        feed = self._feeds.get(call)
        if feed is not None:
            self._link.lanes.put_stream(feed)

    # Plain peers

    def on_open(self) -> None:
        """Send broadcasts to a peer that has not said yet what it is."""
        for name, source in self._signals.items():
            if source.spec.broadcast:
                self._listen(name)

    def on_hello(self) -> None:
        """Leave the broadcasts: the peer subscribes to what it wants."""
        self._leave_events()

    def on(self, call: IncomingCall) -> None:
        """Serve ``rpc.on``."""
        names = self._read_names(call)
        if names is None:
            return
        refusals = filter(None, map(self._refusal, dict.fromkeys(names)))
        refusal = next(refusals, None) or self._excess(names)
        if refusal is not None:
            self._link.answers.fail(call, refusal)
            return
        fresh: list[str] = []
        answers = {name: self._try_on(name, fresh) for name in names}
        text = msgspec.json.encode(answers)

        def answer(error: Error | None, begin: Callable[[], None]) -> None:
            if error is None:
                self._link.answers.respond_then(call, text, begin)
            else:
                self._link.answers.fail(call, error)

        self._open(fresh, answer)

    def off(self, call: IncomingCall) -> None:
        """Serve ``rpc.off``."""
        names = self._read_names(call)
        if names is not None:
            answers = {name: self._off(name) for name in names}
            self._link.answers.respond(call, msgspec.json.encode(answers))

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
        events = self._served_events
        if events is None or not names:
            done(None, lambda: self._begin(names))
            return

        def begin() -> None:
            self._begin([name for name in names if events.is_current(name, opening)])

        def tell(error: Error | None) -> None:
            if not self._link.is_closed:
                done(error, begin)

        opening = events.open({name: self._signals[name] for name in names}, tell)

    def _read_names(self, call: IncomingCall) -> list[str] | None:
        if call.params is None:
            self._link.answers.fail(call, Error.of(ErrorCode.EVENT_NOT_PROVIDED))
            return None
        try:
            return _names.decode(call.params)
        except msgspec.MsgspecError as error:
            self._refuse(call, "params", str(error))
            return None

    def _refusal(self, name: str) -> Error | None:
        if name not in self._signals or name in self._events:
            return None
        return self._guard.refusal(self._signals[name])

    def _excess(self, names: list[str]) -> Error | None:
        """Refuse what there is no place for beside the events that are on already.

        Broadcasts take none: a plain peer gets them whether it asks or not.
        """
        wanted = self._events.keys() | (set(names) & self._signals.keys())
        taken = sum(not self._signals[name].spec.broadcast for name in wanted)
        if self._served is not None:
            # The interceptors of an event that was left may take their time to end.
            taken = max(taken, len(self._served) + len(wanted - self._events.keys()))
        return self._too_many() if taken > self._link.limits.subscriptions else None

    def _try_on(self, name: str, fresh: list[str]) -> str:
        if name not in self._signals:
            return NO_SUCH_EVENT
        if name in self._events:
            return SUBSCRIBED if self._signals[name].spec.broadcast else TWICE
        self._events[name] = None
        fresh.append(name)
        return SUBSCRIBED

    def _off(self, name: str) -> str:
        if name not in self._signals:
            return NO_SUCH_EVENT
        if name not in self._events:
            return NOT_SUBSCRIBED
        self._leave_event(name)
        return SUBSCRIBED

    def _begin(self, names: list[str]) -> None:
        for name in names:
            # It may have been left meanwhile, or been left and asked for again, and be on already.
            is_awaited = name in self._events and self._events[name] is None
            if is_awaited and not self._link.is_closed:
                self._listen(name)

    def _listen(self, name: str) -> None:
        state, membership = self._signals[name].state, self._guard.membership
        self._events[name] = EventFeed(self._link, name, state, membership)

    def _leave_event(self, name: str) -> None:
        feed = self._events.pop(name, None)
        if feed is not None:
            feed.detach()
            feed.buffer.close()
        if self._served_events is not None:
            self._served_events.cancel(name, "caller")

    def _leave_events(self) -> None:
        for name in list(self._events):
            self._leave_event(name)

    def close(self) -> None:
        """Leave every signal, because the link has ended."""
        if self._served is not None:
            self._served.cancel_all("disconnect")
        self._leave_events()
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


def _nothing() -> None:
    """Detach nothing: the subscription has not begun."""
