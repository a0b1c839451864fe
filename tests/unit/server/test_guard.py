"""Limits on the number of peers."""

from __future__ import annotations

import logging
import math
import resource

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from farcall._limits import Limits
from farcall._server.guard import ConnectionGuard, descriptor_limit
from farcall._transport.http import Rejection


@pytest.mark.parametrize(
    ("descriptors", "most_open", "most_pending"),
    [
        (math.inf, 10_000, 1000),
        (100_000, 10_000, 1000),
        (12_500, 10_000, 1000),
        (10_000, 8_000, 1000),
        (1024, 819, 102),
        (10, 8, 1),
        (1, 1, 1),
    ],
)
def test_descriptors_are_shared(descriptors: float, most_open: int, most_pending: int) -> None:
    """80 % for open connections, at most 10 % for handshakes, the rest for the application."""
    capacity = ConnectionGuard.of(Limits(), descriptors)

    assert (capacity.most_open, capacity.most_pending) == (most_open, most_pending)


@pytest.mark.parametrize(("descriptors", "limit"), [(10, "descriptor_share"), (99, "connections")])
def test_the_limit_that_holds_is_named(descriptors: int, limit: str) -> None:
    """The refusal names the limit that is smaller."""
    capacity = ConnectionGuard.of(Limits(connections=9), descriptors)
    for _ in range(capacity.most_open):
        capacity.enter()

    for ask in (capacity.check, capacity.enter):
        with pytest.raises(Rejection, match=rf"503, .*\(the limit {limit}\)"):
            ask()


def test_who_leaves_makes_room() -> None:
    """A connection that ends makes room for another."""
    capacity = ConnectionGuard.of(Limits(connections=1), math.inf)
    for _ in range(3):
        capacity.enter()
        capacity.leave()

    assert capacity.open == 0


def test_the_limit_of_this_process() -> None:
    """The soft limit of the process counts."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert descriptor_limit() == soft


async def test_a_handshake_has_its_time(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A handshake ends after its time, and the log names the limit."""
    caplog.set_level(logging.DEBUG)
    capacity = ConnectionGuard.of(Limits(), math.inf)
    with capacity.handshake(10):
        assert capacity.pending == 1
        await trio.Event().wait()

    assert trio.current_time() == pytest.approx(10)
    assert capacity.pending == 0
    assert "the limit handshake_seconds" in caplog.text


async def test_the_oldest_goes_for_the_newest(caplog: pytest.LogCaptureFixture) -> None:
    """At the limit a new handshake drops the oldest."""
    caplog.set_level(logging.DEBUG)
    capacity = ConnectionGuard.of(Limits(pending_handshakes=2), math.inf)
    ended: list[int] = []

    async def take_long(number: int) -> None:
        with capacity.handshake(10):
            await trio.Event().wait()
        ended.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(take_long, number)
            await wait_all_tasks_blocked()
            assert capacity.pending == min(number + 1, 2)

        assert ended == [0, 1, 2]
        assert "the limit pending_handshakes" in caplog.text
        nursery.cancel_scope.cancel()

    assert capacity.pending == 0


async def test_an_end_frees_the_place() -> None:
    """A handshake that has ended drops no other."""
    capacity = ConnectionGuard.of(Limits(pending_handshakes=1), math.inf)
    with capacity.handshake(10):
        pass
    with pytest.raises(KeyError), capacity.handshake(10):
        raise KeyError

    assert capacity.pending == 0
