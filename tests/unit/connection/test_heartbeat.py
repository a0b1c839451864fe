"""The heartbeat, in virtual time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio
from trio.testing import MockClock

import farcall
from farcall import Heartbeat, service
from farcall._connection.heartbeat import Ping, Watch, vary
from farcall._connection.wheel import MOST_STOPPED, Wheel, current_wheel
from farcall.errors import CloseCode
from farcall.testing import open_pair
from tests.unit.connection.system import system_tasks


class Pulse:
    """A link whose peer the test makes up."""

    def __init__(self) -> None:
        self.received_at = trio.current_time()
        self.pinged_at: list[float] = []
        self.pings: list[Ping] = []
        self.ended = trio.Event()
        self.reason = ""
        self.answers = False
        self.is_slow = False

    def drop_idle_tasks(self) -> None:
        pass

    def on_silence(self) -> Ping:
        self.pinged_at.append(trio.current_time())
        ping = Ping(b"")
        self.pings.append(ping)
        if not self.is_slow:
            ping.take()
        if self.answers:
            self.received_at = trio.current_time() + 1
        return ping

    def abort(self, code: int, reason: str) -> None:
        assert code == CloseCode.INTERNAL
        self.reason = reason
        self.ended.set()


@contextmanager
def watched(pulse: Pulse, heartbeat: Heartbeat) -> Iterator[None]:
    """Run the heartbeat of a link during the block."""
    watch = Watch(heartbeat, pulse)
    current_wheel().join(watch)
    try:
        yield
    finally:
        current_wheel().leave(watch)


EXACT = Heartbeat(jitter=0.0)


async def test_a_silent_peer_is_pinged_and_then_given_up(autojump_clock: MockClock) -> None:
    """A silent peer is pinged after 20 s, and given up 20 s later."""
    pulse = Pulse()
    began = trio.current_time()
    with watched(pulse, EXACT):
        await pulse.ended.wait()

    assert pulse.reason == "the peer was silent for 40 s"
    assert [at - began for at in pulse.pinged_at] == [20]
    assert trio.current_time() - began == 40


async def test_a_dead_peer_is_noticed_in_time(autojump_clock: MockClock) -> None:
    """With the default jitter a silent peer is given up after 36 to 44 s."""
    pulses = [Pulse() for _ in range(100)]
    ended: list[float] = []
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for pulse in pulses:
            nursery.start_soon(_time, pulse, ended)

    assert len(ended) == 100
    assert 36 <= min(ended) - began <= 38
    assert 42 <= max(ended) - began <= 44.001


async def _time(pulse: Pulse, ended: list[float]) -> None:
    with watched(pulse, Heartbeat()):
        await pulse.ended.wait()
    ended.append(trio.current_time())


async def test_a_peer_that_answers_is_asked_again(autojump_clock: MockClock) -> None:
    """A peer that answers is pinged again after each silence."""
    pulse = Pulse()
    pulse.answers = True
    with watched(pulse, EXACT):
        await trio.sleep(100)

    assert not pulse.ended.is_set()
    assert pulse.pinged_at == [20, 41, 62, 83]


async def test_a_ping_that_waits_for_its_turn_costs_the_peer_nothing(
    autojump_clock: MockClock,
) -> None:
    """The grace begins when the ping is sent, which may wait behind a large message."""
    pulse = Pulse()
    pulse.is_slow = True
    with watched(pulse, EXACT):
        await trio.sleep(20 + 65)
        (ping,) = pulse.pings
        ping.take()
        await pulse.ended.wait()

    assert trio.current_time() == pytest.approx(20 + 65 + 20)


async def test_a_busy_peer_is_not_pinged(autojump_clock: MockClock) -> None:
    """Any byte counts as a sign of life."""
    pulse = Pulse()
    with watched(pulse, EXACT):
        for _ in range(10):
            await trio.sleep(19)
            pulse.received_at = trio.current_time()

    assert pulse.pinged_at == []


async def test_a_heartbeat_that_never_pings(autojump_clock: MockClock) -> None:
    """An infinite time of silence is allowed."""
    pulse = Pulse()
    with watched(pulse, Heartbeat(idle_seconds=math.inf)):
        await trio.sleep(10_000)

    assert pulse.pinged_at == []


async def test_a_fault_ends_its_own_link_alone(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception in the heartbeat of one link ends that link, and no other."""
    bad, good = Pulse(), Pulse()
    good.answers = True
    bad.on_silence = lambda: 1 / 0  # type: ignore[assignment, method-assign, return-value]
    with watched(bad, EXACT), watched(good, EXACT):
        await trio.sleep(50)

    assert bad.reason == "internal error"
    assert good.pinged_at == [20, 41]
    assert "the heartbeat of a connection failed" in caplog.text


async def test_its_task_ends_with_the_last_link(autojump_clock: MockClock) -> None:
    """One task serves all links, and nothing of them is left when the last one has ended."""
    wheel = Wheel()
    watches = [Watch(Heartbeat(), Pulse()) for _ in range(3)]
    for _ in range(2):
        for watch in watches:
            wheel.join(watch)
        await trio.testing.wait_all_tasks_blocked()
        assert len(system_tasks("farcall heartbeat")) == 1
        for watch in watches:
            wheel.leave(watch)
        await trio.testing.wait_all_tasks_blocked()

        assert system_tasks("farcall heartbeat") == []
        assert not wheel._slots


async def test_links_that_have_ended_are_forgotten(autojump_clock: MockClock) -> None:
    """Of many short links hardly any is held, though the time of their pings is far away."""
    wheel, heartbeat = Wheel(), Heartbeat(idle_seconds=36_000, jitter=0.0)
    pulse, began = Pulse(), trio.current_time()
    lasting = Watch(heartbeat, pulse)
    wheel.join(lasting)
    for _ in range(3 * MOST_STOPPED):
        watch = Watch(heartbeat, Pulse())
        wheel.join(watch)
        wheel.leave(watch)
        await trio.sleep(0.001)

    assert sum(map(len, wheel._slots.values())) <= MOST_STOPPED + 2
    assert len(wheel._times) == len(wheel._slots)
    await pulse.ended.wait()
    wheel.leave(lasting)

    assert [at - began for at in pulse.pinged_at] == [36_000]


def test_each_run_has_its_own() -> None:
    """Each Trio run has a wheel of its own."""

    async def find() -> Wheel:
        return current_wheel()

    assert trio.run(find) is not trio.run(find)


def test_pings_of_many_links_are_spread() -> None:
    """The times of many links differ by up to a tenth either way; many share one."""
    times = [vary(1000.123, 20, 0.1) - 1000.123 for _ in range(400)]

    assert 18 <= min(times) < 19
    assert 21 < max(times) <= 22
    assert len(set(times)) <= 42


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
