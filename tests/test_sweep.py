"""A scenario that is cancelled at any step, by either side or a cut, leaves nothing behind.

These tests use one order of tasks; ``python -m tests.sweeps --seeds 1 2`` tries others.
"""

from __future__ import annotations

from trio.testing import MockClock

from farcall.testing import CancelledBy
from tests.sweeps import (
    ARRAYS,
    CALLS,
    CONNECTIONS,
    ENDINGS,
    FLOWS,
    INTERCEPTED,
    LIMITED,
    OVER_TCP,
    PLAIN,
    THREADS,
    Sweep,
    by_each_cause,
)


@by_each_cause("sweep", [*CALLS, *FLOWS])
async def test_nothing_is_left(sweep: Sweep, by: CancelledBy, autojump_clock: MockClock) -> None:
    """Calls, calls back, subscriptions, streams, uploads and tasks leave nothing behind."""
    await sweep.run(by)


@by_each_cause("sweep", ENDINGS)
async def test_nothing_is_left_of_streams_that_end_early(
    sweep: Sweep, by: CancelledBy, autojump_clock: MockClock
) -> None:
    """Streams and uploads that fail or are left early leave nothing behind."""
    await sweep.run(by)


@by_each_cause("sweep", [*PLAIN, *ARRAYS])
async def test_nothing_is_left_in_the_plain_dialect(
    sweep: Sweep, by: CancelledBy, autojump_clock: MockClock
) -> None:
    """Traffic with a plain peer, which cannot cancel calls, leaves nothing behind."""
    await sweep.run(by)


@by_each_cause("sweep", LIMITED)
async def test_nothing_is_left_at_the_limit_of_calls(
    sweep: Sweep, by: CancelledBy, autojump_clock: MockClock
) -> None:
    """Calls that wait for their turn leave nothing behind."""
    await sweep.run(by)


@by_each_cause("sweep", INTERCEPTED)
async def test_nothing_is_left_inside_of_interceptors(
    sweep: Sweep, by: CancelledBy, autojump_clock: MockClock
) -> None:
    """Traffic inside of interceptors on both sides leaves nothing behind."""
    await sweep.run(by)


@by_each_cause("sweep", CONNECTIONS)
async def test_nothing_is_left_of_connecting(
    sweep: Sweep, by: CancelledBy, autojump_clock: MockClock
) -> None:
    """Connecting, logging in, closing and draining leave nothing behind."""
    await sweep.run(by)


@by_each_cause("sweep", [*THREADS, *OVER_TCP])
async def test_nothing_is_left_in_real_time(sweep: Sweep, by: CancelledBy) -> None:
    """A call in a thread and a handshake over TCP leave nothing behind."""
    await sweep.run(by)
