"""A limiter that lets tasks in one by one, in order."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from farcall._fifo import RankedLimiter


class Hall:
    """Records the order of tasks, and how many were inside together."""

    def __init__(self) -> None:
        self.limiter = RankedLimiter()
        self.came: list[int] = []
        self.came_at: list[float] = []
        self.inside: list[int] = []

    async def visit(self, number: int, most: int, seconds: float = 1) -> None:
        async with self.limiter.one_of(most):
            self.came.append(number)
            self.came_at.append(trio.current_time())
            self.inside.append(self.limiter.inside)
            await trio.sleep(seconds)


async def test_tasks_enter_in_order(autojump_clock: MockClock) -> None:
    """At most so many tasks are inside, and none enters before an earlier one."""
    hall = Hall()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(hall.visit, number, 2)
            await wait_all_tasks_blocked()
        assert len(hall.limiter) == 8

    assert hall.came == list(range(10))
    assert max(hall.inside) == 2
    assert trio.current_time() - began == 5
    assert hall.limiter.inside == len(hall.limiter) == 0


async def test_a_later_task_does_not_overtake(autojump_clock: MockClock) -> None:
    """A new task does not take the slot of a task that was woken and has not run."""
    hall = Hall()

    async def leave_and_come_again() -> None:
        await hall.visit(0, 1)
        await hall.visit(2, 1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave_and_come_again)
        await wait_all_tasks_blocked()
        nursery.start_soon(hall.visit, 1, 1)

    assert hall.came == [0, 1, 2]


async def test_a_lower_rank_comes_first(autojump_clock: MockClock) -> None:
    """Tasks of the lowest rank enter first, in order; a cancelled one leaves its rank."""
    hall = Hall()

    async def visit(number: int, rank: int) -> None:
        async with hall.limiter.one_of(1, rank):
            hall.came.append(number)
            await trio.sleep(1)

    async with trio.open_nursery() as nursery, trio.open_nursery() as impatient:
        for number, rank in enumerate((5, 1, 2, 1, 0, 2)):
            nursery.start_soon(visit, number, rank)
            await wait_all_tasks_blocked()
        for rank in (0, 1, 7):
            impatient.start_soon(visit, 99, rank)
        await wait_all_tasks_blocked()
        assert len(hall.limiter) == 8
        impatient.cancel_scope.cancel()

    assert hall.came == [0, 4, 1, 3, 2, 5]
    assert hall.limiter.inside == len(hall.limiter) == 0


async def test_each_task_has_a_limit_of_its_own(autojump_clock: MockClock) -> None:
    """The first task in line waits for its own limit, and delays the tasks after it."""
    hall = Hall()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for number, most in enumerate((3, 3, 1, 3, 3)):
            nursery.start_soon(hall.visit, number, most)
            await wait_all_tasks_blocked()

    assert hall.came == [0, 1, 2, 3, 4]
    assert [at - began for at in hall.came_at] == [0, 0, 1, 1, 1]


async def test_a_cancelled_task_leaves_the_line(autojump_clock: MockClock) -> None:
    """When the first task in line is cancelled, the tasks that it delayed enter."""
    hall = Hall()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hall.visit, 0, 2, 10)
        await wait_all_tasks_blocked()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as impatient:
                impatient.start_soon(hall.visit, 1, 1)
                await wait_all_tasks_blocked()
                nursery.start_soon(hall.visit, 2, 2)
                await wait_all_tasks_blocked()
                assert hall.came == [0]
                scope.cancel()
        await wait_all_tasks_blocked()
        assert hall.came == [0, 2]


async def test_a_turn_that_comes_with_a_cancellation_is_not_lost() -> None:
    """The turn of a cancelled task goes to the next one."""
    limiter, scope = RankedLimiter(), trio.CancelScope()
    came: list[int] = []

    async def visit(number: int) -> None:
        with scope if number == 1 else trio.CancelScope():
            async with limiter.one_of(1):
                came.append(number)

    async with trio.open_nursery() as nursery:
        async with limiter.one_of(1):
            for number in (1, 2):
                nursery.start_soon(visit, number)
                await wait_all_tasks_blocked()
            scope.cancel()  # it has not run yet when its turn comes

    assert came == [2]
    assert limiter.inside == 0


@pytest.mark.parametrize("most", [1, 5])
async def test_a_task_that_fails_leaves(most: int) -> None:
    """A task leaves the limiter whatever its block raises."""
    limiter = RankedLimiter()
    with pytest.raises(KeyError):
        async with limiter.one_of(most):
            raise KeyError
    assert limiter.inside == 0
