"""The counts of everything that links hold for calls and subscriptions.

After a call or a subscription has ended, each count must be what it was before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from farcall._connection.link import Link
from farcall._serving.dispatcher import Dispatcher
from farcall._signals import SignalState


def census(links: Iterable[Link]) -> Counter[str]:
    """Count what links hold, and the subscribers of their signals.

    Returns:
        Counts other than zero, by a description such as ``server: calls in``. A signal that
        several links offer counts once.
    """
    counts: Counter[str] = Counter()
    signals: dict[int, SignalState[object]] = {}
    for link in links:
        dispatcher = link.handler
        assert isinstance(dispatcher, Dispatcher)
        side = "client" if link.protocol.has_dialled else "server"
        for kind, count in (*_held_by(link), *dispatcher.census()):
            counts[f"{side}: {kind}"] += count
        for source in dispatcher.endpoints.signals.values():
            signals[id(source.state)] = source.state
    for state in signals.values():
        counts[f"subscribers of {state.name}"] += state.subscribers
    return +counts


def _held_by(link: Link) -> Iterator[tuple[str, int]]:
    yield "calls out", len(link.protocol.outgoing)
    yield "bytes of calls out", link.protocol.outgoing_size
    yield "calls in", len(link.protocol.incoming)
    if not link.is_closed:  # messages of a link that has ended go with its writer
        yield "messages in the queue", len(link.lanes)
    yield "callers that wait for their turn", len([c for c in link.calls.line if not c.is_left])
    yield "bytes held", link.account.held
    yield "uploads sent", len(link.protocol.uploads.outgoing)
    yield "uploads received", len(link.protocol.uploads.incoming)
