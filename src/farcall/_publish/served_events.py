"""The events of a plain peer while interceptors stand around them.

One ``rpc.on`` may name several events and has one answer, so it is answered when the interceptors
of all of them have proceeded. Where one refuses, none of the events is on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import attrs

from farcall._call import ArgumentsByName
from farcall._endpoints import EventSource
from farcall._protocol.messages import Error
from farcall._publish.served import ServedSubscription, ServedSubscriptions

Done: TypeAlias = Callable[[Error | None], object]
"""Takes the error of the first event that was refused, or None when all may begin."""


@attrs.define(eq=False)
class Opening:
    """What one ``rpc.on`` waits for."""

    _done: Done
    members: dict[str, ServedSubscription] = attrs.field(
        factory=dict[str, ServedSubscription], init=False
    )
    _waiting: set[str] = attrs.field(factory=set[str], init=False)
    _is_done: bool = attrs.field(default=False, init=False)

    def add(self, name: str, served: ServedSubscription) -> None:
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


class ServedEvents:
    """The events of one plain peer that have interceptors around them.

    Args:
        subscriptions: Runs the interceptors.
        leave: Takes the name of an event that is over though its subscriber has not left it.
    """

    def __init__(self, subscriptions: ServedSubscriptions, leave: Callable[[str], object]) -> None:
        self._subscriptions = subscriptions
        self._leave = leave
        self._current: dict[str, ServedSubscription] = {}

    def __len__(self) -> int:
        """Count the interceptors at work, also those of events that were left."""
        return len(self._subscriptions)

    def open(self, sources: Mapping[str, EventSource], done: Done) -> Opening:
        """Run the interceptors of some events, and tell when all of them have proceeded."""
        opening = Opening(done)
        for name, source in sources.items():
            self._open(name, source, opening)
        return opening

    def _open(self, name: str, source: EventSource, opening: Opening) -> None:
        served = self._subscriptions.open(
            source,
            _arguments,
            begin=lambda: opening.settle(name),
            answer=lambda error: self._on_end(name, opening, error),
        )
        self._current[name] = served
        opening.add(name, served)

    def _on_end(self, name: str, opening: Opening, error: Error) -> None:
        if not self.is_current(name, opening):
            opening.settle(name)
            return
        self._leave(name)
        if opening.refuse(error):
            for other in opening.members:
                if self.is_current(other, opening):
                    self._leave(other)

    def is_current(self, name: str, opening: Opening) -> bool:
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
