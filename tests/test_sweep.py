"""Whatever is cancelled, at whichever step, by whomever: nothing of it is left.

This is one order of tasks; ``python -m tests.sweeps --seeds 1 2`` tries others.
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
    """Of calls, calls back, subscriptions, streams, uploads and tasks between farcall peers."""
    await sweep.run(by)


@by_each_cause("sweep", ENDINGS)
async def test_nothing_is_left_of_what_ends_otherwise(
    sweep: Sweep, by: CancelledBy, autojump_clock: MockClock
) -> None:
    """Of streams and uploads that fail, are left, or come all at once: all, or an error."""
    await sweep.run(by)


@by_each_cause("sweep", [*PLAIN, *ARRAYS])
async def test_nothing_is_left_in_the_plain_dialect(
    sweep: Sweep, by: CancelledBy, autojump_clock: MockClock
) -> None:
    """Where calls cannot be cancelled."""
    await sweep.run(by)


@by_each_cause("sweep", LIMITED)
async def test_nothing_is_left_at_the_limit_of_calls(
    sweep: Sweep, by: CancelledBy, autojump_clock: MockClock
) -> None:
    """Of callers that wait for their turn, and of the turn itself."""
    await sweep.run(by)


@by_each_cause("sweep", INTERCEPTED)
async def test_nothing_is_left_inside_of_interceptors(
    sweep: Sweep, by: CancelledBy, autojump_clock: MockClock
) -> None:
    """On either side, before and after what they stand around."""
    await sweep.run(by)


@by_each_cause("sweep", CONNECTIONS)
async def test_nothing_is_left_of_connecting(
    sweep: Sweep, by: CancelledBy, autojump_clock: MockClock
) -> None:
    """Of the hello, of logins, of the close and of a drain."""
    await sweep.run(by)


@by_each_cause("sweep", [*THREADS, *OVER_TCP])
async def test_nothing_is_left_in_real_time(sweep: Sweep, by: CancelledBy) -> None:
    """Of a call that runs in a thread, and of the handshake."""
    await sweep.run(by)
