"""Iterating over a subscription."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from farcall._signals.buffer import Buffer, Entry, Missed, OnLag
from farcall._signals.subscription import Subscription, open_subscription
from farcall.errors import SignalGap, SignalLagged


def open_counted(on_lag: OnLag = "raise", max_items: int = 3) -> tuple[Buffer, Subscription[int]]:
    return open_subscription(read, on_lag=on_lag, max_items=max_items)


def read(entry: Entry) -> Any:
    return entry.value


def push(buffer: Buffer, *values: int, missed: Missed = 0) -> None:
    for value in values:
        buffer.push(Entry(b".", value, missed=missed))


async def rest_of(subscription: Subscription[int]) -> list[int]:
    return [value async for value in subscription]


async def test_values_that_wait() -> None:
    """Values that were pushed before come in their order."""
    buffer, subscription = open_counted()
    push(buffer, 1, 2, 3)
    buffer.end()

    assert await rest_of(subscription) == [1, 2, 3]


async def test_values_to_come() -> None:
    """A subscriber that came first waits for the next value."""
    buffer, subscription = open_counted()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_expect, subscription, 1)
        await wait_all_tasks_blocked()
        push(buffer, 1)


async def _expect(subscription: Subscription[int], value: int) -> None:
    assert await anext(subscription) == value


async def test_a_flood_of_values_starves_no_other_task() -> None:
    """A reader that always has a value lets other tasks run every now and then."""
    buffer, subscription = open_counted()
    push(buffer, 0)
    has_run = trio.Event()

    async def run() -> None:
        has_run.set()

    async with trio.open_nursery() as nursery:
        await anext(subscription)  # begins its turn
        nursery.start_soon(run)
        push(buffer, 1)
        async for value in subscription:
            assert value < 1_000_000
            if has_run.is_set():
                break
            push(buffer, value + 1)


async def test_a_cancelled_reader_takes_no_value_that_waits() -> None:
    """Taking a value is a point of cancellation, also if it does not wait."""
    buffer, subscription = open_counted()
    push(buffer, 1, 2)
    assert await anext(subscription) == 1
    with trio.CancelScope() as scope:
        scope.cancel()
        await anext(subscription)

    assert scope.cancelled_caught
    assert await anext(subscription) == 2


async def test_checkpoint() -> None:
    """Taking the first value lets others run."""
    buffer, subscription = open_counted()
    push(buffer, 1)

    with assert_checkpoints():
        await anext(subscription)


async def test_lag_is_raised() -> None:
    """Under ``raise`` the count comes before the next value, and the iteration goes on."""
    buffer, subscription = open_counted("raise")
    push(buffer, 1, 2, 3, 4, 5)
    buffer.end()

    with pytest.raises(SignalLagged) as caught:
        await anext(subscription)

    assert (caught.value.missed, subscription.missed) == (2, 2)
    assert await rest_of(subscription) == [3, 4, 5]


@pytest.mark.parametrize(("on_lag", "values"), [("drop_oldest", [3, 4, 5]), ("latest", [5])])
async def test_lag_is_counted(on_lag: OnLag, values: list[int]) -> None:
    """Under the other policies the loss is counted, and nothing is raised."""
    buffer, subscription = open_counted(on_lag)
    push(buffer, 1, 2, 3, 4, 5)
    buffer.end()

    assert await rest_of(subscription) == values
    assert subscription.missed == 5 - len(values)


async def test_lag_of_the_sender() -> None:
    """A loss at the sender is raised where it happened, between two values."""
    buffer, subscription = open_counted()
    push(buffer, 1)
    push(buffer, 9, missed=7)

    assert await anext(subscription) == 1
    with pytest.raises(SignalLagged, match="7 values"):
        await anext(subscription)
    assert await anext(subscription) == 9


async def test_unknown_loss_is_a_gap() -> None:
    """A loss of unknown size is raised as a gap, and counts as one."""
    buffer, subscription = open_counted()
    push(buffer, 9, missed=None)

    with pytest.raises(SignalGap) as caught:
        await anext(subscription)

    assert (caught.value.missed, subscription.missed) == (None, 1)
    assert await anext(subscription) == 9


async def test_unknown_loss_is_counted() -> None:
    """Under the other policies a loss of unknown size counts as one, so it is never silent."""
    buffer, subscription = open_counted("latest")
    push(buffer, 9, missed=None)

    assert await anext(subscription) == 9
    assert subscription.missed == 1


async def test_error_at_the_end() -> None:
    """The error that ended a subscription is raised after its values, at each further call."""
    buffer, subscription = open_counted()
    push(buffer, 1)
    buffer.end(OSError("gone"))

    assert await anext(subscription) == 1
    for _ in range(2):
        with pytest.raises(OSError, match="gone"):
            await anext(subscription)


async def test_end_while_waiting() -> None:
    """The end wakes a subscriber that waits."""
    buffer, subscription = open_counted()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_expect_end, subscription)
        await wait_all_tasks_blocked()
        buffer.end()


async def _expect_end(subscription: Subscription[int]) -> None:
    assert await rest_of(subscription) == []


async def test_close() -> None:
    """After a close iteration stops at once, even if values waited."""
    buffer, subscription = open_counted()
    push(buffer, 1, 2)
    buffer.close()

    assert await rest_of(subscription) == []


async def test_unreadable_value() -> None:
    """An exception of `read` is raised once; the iteration goes on after that value."""

    def invert(entry: Entry) -> float:
        return 1 / float(entry.value)

    buffer, subscription = open_subscription(invert)
    push(buffer, 0, 2)

    with pytest.raises(ZeroDivisionError):
        await anext(subscription)
    assert await anext(subscription) == 0.5


async def test_two_tasks() -> None:
    """Each value goes to one of the waiting tasks; the others go on waiting."""
    buffer, subscription = open_counted()
    seen: list[int] = []

    async def take_one() -> None:
        seen.append(await anext(subscription))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(take_one)
        for value in range(3):
            await wait_all_tasks_blocked()
            assert len(seen) == value
            push(buffer, value)

    assert seen == [0, 1, 2]


class CancelAtStep(trio.abc.Instrument):
    """Cancel a scope when its task is about to take the given step."""

    def __init__(self, scope: trio.CancelScope, step: int) -> None:
        self._scope = scope
        self._task = trio.lowlevel.current_task()
        self._left = step

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._left -= task is self._task
        if self._left == 0:
            self._scope.cancel()


async def _collect_until_cancelled(subscription: Subscription[int], step: int) -> list[int]:
    seen: list[int] = []
    with trio.CancelScope() as scope:
        instrument = CancelAtStep(scope, step)
        trio.lowlevel.add_instrument(instrument)
        try:
            async for value in subscription:
                seen.append(value)  # noqa: PERF401 - a comprehension would lose what it had
        finally:
            trio.lowlevel.remove_instrument(instrument)
    return seen


@pytest.mark.parametrize("step", range(1, 12))
async def test_cancel_sweep(step: int) -> None:
    """Cancelled at whichever step, a wait takes no value that it does not return."""
    buffer, subscription = open_counted(max_items=10)

    async def feed() -> None:
        for value in range(4):
            push(buffer, value)
            await trio.testing.wait_all_tasks_blocked()
        buffer.end()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed)
        seen = await _collect_until_cancelled(subscription, step)

    assert seen + await rest_of(subscription) == [0, 1, 2, 3]


async def test_cancelled_in_the_step_that_wakes() -> None:
    """A value pushed in the very step that cancels the waiter is left for the next call."""
    buffer, subscription = open_counted()
    seen: list[int] = []

    async def wait(scope: trio.CancelScope) -> None:
        with scope:
            seen.append(await anext(subscription))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, scope := trio.CancelScope())
        await wait_all_tasks_blocked()
        scope.cancel()
        push(buffer, 1)
    buffer.end()

    assert seen + await rest_of(subscription) == [1]


async def test_repr() -> None:
    """The representation tells how far behind the subscriber is."""
    buffer, subscription = open_counted(max_items=2)
    push(buffer, 1, 2, 3)
    with pytest.raises(SignalLagged):
        await anext(subscription)

    assert repr(subscription) == "<Subscription: 2 waiting, 1 missed>"
