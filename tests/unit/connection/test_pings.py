"""Pings and their pongs, on a clock that the test moves."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from farcall._connection.heartbeat import Pings
from tests.patience import PATIENCE


async def test_a_pong_measures_the_round_trip(mock_clock: MockClock) -> None:
    """A pong ends the wait, and gives the seconds since the ping."""
    pings = Pings()
    ping = pings.new()
    mock_clock.jump(0.25)

    assert (ping.is_over, pings.round_trip) == (False, None)

    pings.on_pong(ping.payload)

    assert (ping.is_over, pings.round_trip) == (True, 0.25)
    assert ping.round_trip == 0.25


async def test_each_ping_measures_for_itself(mock_clock: MockClock) -> None:
    """A task gets the round trip of its own ping, even if a later pong has come meanwhile."""
    pings = Pings()
    first = pings.new()
    mock_clock.jump(1)
    second = pings.new()
    pings.on_pong(first.payload)
    mock_clock.jump(2)
    pings.on_pong(second.payload)

    assert (first.round_trip, second.round_trip) == (1, 2)
    assert pings.round_trip == 2


async def test_a_pong_answers_all_pings_before_it(mock_clock: MockClock) -> None:
    """A peer may answer the latest of several pings alone (RFC 6455, section 5.5.3)."""
    pings = Pings()
    first, second, third = pings.new(), pings.new(), pings.new()
    mock_clock.jump(3)
    pings.on_pong(second.payload)

    assert (first.round_trip, second.round_trip) == (3, 3)
    assert not third.is_over


async def test_a_pong_that_nobody_asked_for_means_nothing() -> None:
    """An unknown or repeated pong ends no wait."""
    pings = Pings()
    answered = pings.new()
    pings.on_pong(answered.payload)
    waiting = pings.new()
    for payload in (b"", b"unasked", b"99", answered.payload):
        pings.on_pong(payload)

    assert not waiting.is_over


async def test_the_end_of_the_link_ends_every_wait() -> None:
    """When the link ends, pings end without a round trip."""
    pings = Pings()
    ping = pings.new()
    pings.end()
    with trio.fail_after(PATIENCE):
        await ping.wait()

    assert ping.round_trip is None


async def test_a_pong_that_came_before_the_end_of_the_link_counts() -> None:
    """A task whose pong came before the link ended gets the round trip."""
    pings = Pings()
    ping = pings.new()
    pings.on_pong(ping.payload)
    pings.end()

    assert ping.round_trip is not None


async def test_the_round_trip_begins_when_the_writer_takes_the_ping(mock_clock: MockClock) -> None:
    """The time for which a ping waits to be sent is not part of its round trip."""
    pings = Pings()
    ping = pings.new()
    mock_clock.jump(60)
    pings.take(ping.payload)
    pings.take(b"unknown")
    assert ping.is_taken
    mock_clock.jump(1)
    pings.on_pong(ping.payload)

    assert ping.round_trip == 1


async def test_nobody_waits_for_a_writer_that_has_ended() -> None:
    """Without a writer, no ping waits to be taken."""
    pings = Pings()
    waiting = pings.new()
    pings.lose_writer()

    assert waiting.is_taken
    assert pings.new().is_taken
