"""The heartbeat, in virtual time."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import farcall
from farcall import Heartbeat, service
from farcall._connection.heartbeat import spread, watch
from farcall.testing import open_pair


class Pulse:
    """A peer whose bytes the test makes up."""

    def __init__(self) -> None:
        self.received_at = trio.current_time()
        self.pinged_at: list[float] = []

    async def ping(self) -> None:
        self.pinged_at.append(trio.current_time())

    async def answer(self) -> None:
        await self.ping()
        self.received_at = trio.current_time() + 1


EXACT = Heartbeat(jitter=0.0)


async def test_a_silent_peer_is_pinged_and_then_given_up(autojump_clock: MockClock) -> None:
    """A silent peer is pinged after 20 s, and given up 20 s later."""
    pulse = Pulse()
    began = trio.current_time()

    await watch(EXACT, pulse, pulse.ping)

    assert [at - began for at in pulse.pinged_at] == [20]
    assert trio.current_time() - began == 40


async def test_a_peer_that_answers_is_asked_again(autojump_clock: MockClock) -> None:
    """A peer that answers is pinged again after each silence."""
    pulse = Pulse()

    with trio.move_on_after(100) as scope:
        await watch(EXACT, pulse, pulse.answer)

    assert scope.cancelled_caught
    assert len(pulse.pinged_at) >= 2


async def test_a_ping_that_waits_for_its_turn_costs_the_peer_nothing(
    autojump_clock: MockClock,
) -> None:
    """The grace begins when the ping is sent, which may wait behind a large message."""
    pulse = Pulse()

    async def ping_late() -> None:
        await trio.sleep(60)
        await pulse.ping()

    await watch(EXACT, pulse, ping_late)

    assert trio.current_time() == pytest.approx(20 + 60 + 20)


async def test_a_busy_peer_is_not_pinged(autojump_clock: MockClock) -> None:
    """Any byte counts as a sign of life."""
    pulse = Pulse()

    async def talk() -> None:
        while True:
            await trio.sleep(19)
            pulse.received_at = trio.current_time()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(talk)
        with trio.move_on_after(200):
            await watch(EXACT, pulse, pulse.ping)
        nursery.cancel_scope.cancel()

    assert pulse.pinged_at == []


def test_pings_of_many_links_are_spread() -> None:
    """The times of many links differ by up to a tenth in either direction."""
    heartbeat = Heartbeat()
    seconds = [spread(heartbeat, 20) for _ in range(200)]

    assert 18 <= min(seconds) < 19.5
    assert 20.5 < max(seconds) <= 22


@service
class Sleeper:
    def __init__(self) -> None:
        self.was_cancelled_at = 0.0

    async def sleep(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.was_cancelled_at = trio.current_time()


async def test_a_dead_server_ends_a_waiting_call(autojump_clock: MockClock) -> None:
    """On a half-open link both ends notice that the other is gone."""
    sleeper = Sleeper()
    async with open_pair(sleeper, heartbeat=EXACT) as (session, connection):
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_freeze_later, connection)
            with pytest.raises(farcall.ConnectionLost, match="silent for 40 s") as caught:
                await session.call("Sleeper.sleep")

        assert caught.value.sent
        assert trio.current_time() - began <= 41
        await connection.wait_closed()
        await trio.testing.wait_all_tasks_blocked()
        assert sleeper.was_cancelled_at - began <= 41


async def _freeze_later(connection: farcall.Connection) -> None:
    await trio.sleep(0.5)
    connection._link._transport.freeze()  # type: ignore[attr-defined]  # the memory pair's
