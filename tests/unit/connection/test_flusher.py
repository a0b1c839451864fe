"""The one task that flushes all links of a Trio run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall._connection.flusher import LATE_SECONDS, Flusher, current_flusher
from farcall.testing import open_pair
from tests.unit.connection.system import system_tasks


class Noting:
    """A writer that notes when it is flushed."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.flushed = 0
        self._then = then

    def flush_now(self) -> None:
        self.flushed += 1
        self._then()

    def flush_late(self) -> None:
        self.flush_now()


@contextmanager
def using(flusher: Flusher) -> Iterator[None]:
    """Be a link during the block."""
    flusher.join()
    try:
        yield
    finally:
        flusher.leave()


def flusher_tasks() -> list[trio.lowlevel.Task]:
    return system_tasks("farcall flusher")


async def test_all_that_have_something_to_send_do_so_in_one_turn() -> None:
    """No writer is flushed in the step that adds it; all are in the next turn of the event loop."""
    writers = [Noting() for _ in range(3)]
    flusher = Flusher()
    with using(flusher):
        await wait_all_tasks_blocked()
        for writer in writers:
            flusher.add(writer)
        assert [writer.flushed for writer in writers] == [0, 0, 0]
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()

        assert [writer.flushed for writer in writers] == [1, 1, 1]


async def test_what_is_added_in_a_flush_is_flushed_as_well() -> None:
    """A writer that is added during a flush is flushed in the same turn."""
    flusher = Flusher()
    second = Noting()
    first = Noting(lambda: flusher.add(second))
    with using(flusher):
        flusher.add(first)
        await wait_all_tasks_blocked()

        assert (first.flushed, second.flushed) == (1, 1)


async def test_what_may_be_late_leaves_together(autojump_clock: MockClock) -> None:
    """Writers that may be late are flushed together, and the next ones after them."""
    flusher = Flusher()
    first, second, third = Noting(), Noting(), Noting()
    with using(flusher):
        await wait_all_tasks_blocked()
        flusher.add_late(first)
        await trio.sleep(LATE_SECONDS / 2)
        flusher.add_late(second)
        assert (first.flushed, second.flushed) == (0, 0)
        await trio.sleep(LATE_SECONDS)
        assert (first.flushed, second.flushed) == (1, 1)
        flusher.add_late(third)
        await trio.sleep(2 * LATE_SECONDS)

    assert (first.flushed, second.flushed, third.flushed) == (1, 1, 1)


async def test_its_task_ends_with_the_last_link() -> None:
    """The task lives while there is a link, and one task serves all links."""
    flusher = Flusher()
    assert flusher_tasks() == []
    with using(flusher):
        with using(flusher):
            await wait_all_tasks_blocked()
            assert len(flusher_tasks()) == 1
        await wait_all_tasks_blocked()
        assert len(flusher_tasks()) == 1
    await wait_all_tasks_blocked()

    assert flusher_tasks() == []


async def test_a_link_that_comes_as_the_last_one_leaves() -> None:
    """If a link comes while the task is about to end, the task goes on."""
    flusher = Flusher()
    writer = Noting()
    with using(flusher):
        await wait_all_tasks_blocked()
    with using(flusher):
        flusher.add(writer)
        await wait_all_tasks_blocked()

        assert writer.flushed == 1
        assert len(flusher_tasks()) == 1


async def test_a_link_that_comes_after_the_last_one_has_left() -> None:
    """A link that comes later starts a new task."""
    flusher = Flusher()
    for _ in range(2):
        writer = Noting()
        with using(flusher):
            flusher.add(writer)
            await wait_all_tasks_blocked()
        await wait_all_tasks_blocked()

        assert (writer.flushed, flusher_tasks()) == (1, [])


async def test_what_a_link_leaves_behind_is_forgotten(autojump_clock: MockClock) -> None:
    """A writer that is added after the last link has ended is not kept in memory."""
    flusher = Flusher()
    writer = Noting()
    with using(flusher):
        await wait_all_tasks_blocked()
    flusher.add(writer)
    await wait_all_tasks_blocked()
    flusher.add(writer)
    flusher.add_late(writer)
    with using(flusher):
        await trio.sleep(2 * LATE_SECONDS)

    assert writer.flushed == 0


async def test_there_is_one_in_a_run() -> None:
    """All links of a Trio run share one flusher."""
    assert current_flusher() is current_flusher()


def test_each_run_has_its_own() -> None:
    """Each Trio run has its own flusher."""

    async def find() -> Flusher:
        return current_flusher()

    assert trio.run(find) is not trio.run(find)


@farcall.service
class Echo:
    async def say(self, number: int) -> int:
        return number


async def talk() -> list[int]:
    """Make calls through several links at once, some of which end meanwhile."""
    heard: list[int] = []

    async def call(number: int) -> None:
        async with open_pair(Echo(), Echo) as pair:
            heard.append(await pair.client.say(number))

    async with open_pair(Echo(), Echo) as pair, trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(call, number)
        heard.append(await pair.client.say(8))
    await wait_all_tasks_blocked()
    assert flusher_tasks() == []
    return sorted(heard)


def test_runs_one_after_another_and_at_once() -> None:
    """Several Trio runs in one process, in threads too, flush all their links."""
    found: list[list[int]] = [trio.run(talk), trio.run(talk, clock=MockClock(autojump_threshold=0))]
    threads = [threading.Thread(target=lambda: found.append(trio.run(talk))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert found == [list(range(9))] * 5
