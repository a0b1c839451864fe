"""What a link holds on behalf of calls and subscriptions, counted by its kind.

This is the one place that looks into all the parts of a link: what they hold is nobody's business
but theirs, and that of whoever wants to know that it is gone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from farcall._connection.link import Link
from farcall._serving.dispatcher import Dispatcher
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
    if not link.is_closed:  # what waited for a writer that has ended goes with the link
        yield "messages in the queue", len(link.lanes)
    yield "callers that wait for their turn", len([c for c in link.calls.line if not c.is_left])
    yield "bytes held", link.account.held
    yield "uploads sent", len(link.protocol.uploads.outgoing)
    yield "uploads received", len(link.protocol.uploads.incoming)
