"""What a link holds on behalf of calls and subscriptions, counted by its kind.

This is the one place that looks into all the parts of a link: what they hold is nobody's business
but theirs, and that of whoever wants to know that it is gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import cast

from farcall._calling.subscriptions import Subscriber
from farcall._connection.link import Link
from farcall._serving.dispatcher import Dispatcher
from farcall._serving.publisher import Publisher
from farcall._signals import SignalState


def census(links: Iterable[Link]) -> Counter[str]:
    """Count what links hold, and who listens to the signals that they offer.

    Returns:
        Counts by a description such as ``server: calls in``; signals are counted once, however
        many links offer them. What is zero is left out.
    """
    counts: Counter[str] = Counter()
    signals: dict[int, SignalState[object]] = {}
    for link in links:
        side = "client" if link.protocol.has_dialled else "server"
        for kind, count in _held_by(link):
            counts[f"{side}: {kind}"] += count
        for source in _dispatcher(link)._endpoints.signals.values():
            signals[id(source.state)] = source.state
    for state in signals.values():
        counts[f"subscribers of {state.name}"] += state.subscribers
    return +counts


def _held_by(link: Link) -> Iterator[tuple[str, int]]:
    yield "calls out", len(link.protocol.outgoing)
    yield "bytes of calls out", link.protocol.outgoing_size
    yield "calls in", len(link.protocol.incoming)
    if not link.is_closed:  # what waited for a writer that has ended goes with the link
        yield "messages in the queue", len(link.lanes)
    yield "callers that wait for their turn", len([c for c in link.calls.line if not c.is_left])
    yield "bytes held", link.account.held
    yield from _uploads_of(link)
    yield from _served_by(_dispatcher(link))
    yield from _subscribed_by(_dispatcher(link).caller.subscriber)


def _uploads_of(link: Link) -> Iterator[tuple[str, int]]:
    known = link.protocol.uploads
    yield "uploads sent", len(known.outgoing)
    yield "uploads received", len(known.incoming)


def _served_by(dispatcher: Dispatcher) -> Iterator[tuple[str, int]]:
    yield "handlers", len(dispatcher._in_flight)
    yield "calls that wait for their task", len(dispatcher._waiting)
    yield "calls in the budget", dispatcher._budget.calls
    yield "bytes of parameters in the budget", dispatcher._budget.size
    desk = dispatcher._desk
    yield "logins", len(desk._attempts) + len(desk._waiting) + desk._turn.locked()
    line = dispatcher._shared.threads._line.statistics()
    yield "calls in line for a thread", line.locked + line.tasks_waiting
    orders = [lock.statistics() for lock in dispatcher._shared.orders.values()]
    yield "turns of ordered methods", sum(each.locked + each.tasks_waiting for each in orders)
    yield from _published_by(dispatcher._publisher)


def _published_by(publisher: Publisher) -> Iterator[tuple[str, int]]:
    yield "subscriptions served", len(publisher.subscriptions)
    if publisher._served is not None:
        yield "interceptors of subscriptions", len(publisher._served)
    signals = publisher.events._signals
    asked_for = [name for name in publisher.events._feeds if not signals[name].spec.broadcast]
    yield "events served", len(asked_for)


def _subscribed_by(subscriber: Subscriber) -> Iterator[tuple[str, int]]:
    yield "events listened to", len(subscriber._channels)


def _dispatcher(link: Link) -> Dispatcher:
    return cast("Dispatcher", link.handler)
