"""Handlers that block all other tasks are logged once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from farcall import service, stream
from farcall.testing import open_pair

# A step is time of the machine, which no clock of Trio's can stand for.
SLOW = 0.06
"""Seconds; a little more than the limit of a slow step."""


@service
class Busy:
    """Each method blocks in another step; steps are counted by name in the whole process."""

    async def once(self) -> None:
        time.sleep(SLOW)  # noqa: ASYNC251 - what it is about

    async def at_its_end(self) -> None:
        time.sleep(SLOW)  # noqa: ASYNC251 - as above

    async def later(self) -> str:
        for _ in range(4):
            await trio.lowlevel.checkpoint()
            time.sleep(SLOW)  # noqa: ASYNC251 - as above
            await trio.lowlevel.checkpoint()  # here
        return "done"

    async def failing(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            time.sleep(SLOW)  # noqa: ASYNC251 - as above

    @stream
    async def count(self) -> AsyncIterator[int]:
        for number in range(3):
            time.sleep(SLOW)  # noqa: ASYNC251 - as above
            yield number
            await trio.lowlevel.checkpoint()

    async def started(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        task_status.started()
        for _ in range(2):
            time.sleep(SLOW)  # noqa: ASYNC251 - as above
            await trio.lowlevel.checkpoint()

    async def told_with_its_stack(self) -> None:
        for _ in range(2):
            blocking_part()
            await trio.lowlevel.checkpoint()

    async def untimed(self) -> None:
        time.sleep(SLOW)  # noqa: ASYNC251 - as above

    async def quick(self) -> str:
        await trio.sleep(0.2)
        return "done"


def blocking_part() -> None:
    time.sleep(2 * SLOW)


def line_of(mark: str) -> int:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, text in enumerate(lines, 1) if text.endswith(f"# {mark}"))


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]


async def test_one_slow_step_may_be_a_busy_machine(caplog: pytest.LogCaptureFixture) -> None:
    """One slow step is not logged, nor a handler that waits for long."""
    async with open_pair(Busy(), Busy, debug=True) as (busy, _):
        await busy.once()
        assert await busy.quick() == "done"

    assert warnings_in(caplog) == []


async def test_a_handler_that_blocks_in_its_only_step(caplog: pytest.LogCaptureFixture) -> None:
    """Only the second slow step is logged."""
    async with open_pair(Busy(), Busy, debug=True) as (busy, _):
        for _ in range(3):
            await busy.at_its_end()

    (line,) = warnings_in(caplog)
    assert line.startswith("Busy.at_its_end blocked all other tasks for ")
    assert "for the second time, before its end; do such work in a thread" in line


async def test_a_handler_that_blocks_between_two_waits(caplog: pytest.LogCaptureFixture) -> None:
    """The log names the line of the await at which the step ended."""
    async with open_pair(Busy(), Busy, debug=True) as (busy, _):
        assert await busy.later() == "done"

    (line,) = warnings_in(caplog)
    assert f"before the await at {__file__}:{line_of('here')};" in line


async def test_a_handler_that_blocks_while_it_is_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An exception that Trio throws into a handler begins a step, too."""
    async with open_pair(Busy(), Busy, debug=True) as (busy, _):
        for _ in range(2):
            with trio.move_on_after(0.01):
                await busy.failing()

    (line,) = warnings_in(caplog)
    assert "Busy.failing blocked all other tasks" in line


async def test_a_stream_and_a_remote_task(caplog: pytest.LogCaptureFixture) -> None:
    """Streams and tasks are timed; the line is that of the generator."""
    async with open_pair(Busy(), Busy, debug=True) as (busy, _), trio.open_nursery() as nursery:
        async with busy.count() as numbers:
            assert [number async for number in numbers] == [0, 1, 2]
        await nursery.start(busy.started)

    first, second = warnings_in(caplog)
    assert first.startswith("Busy.count blocked")
    assert __file__ in first
    assert second.startswith("Busy.started blocked")


async def test_nothing_is_timed_without_debug(caplog: pytest.LogCaptureFixture) -> None:
    """Without debug no step is timed."""
    async with open_pair(Busy(), Busy) as (busy, _):
        for _ in range(3):
            await busy.untimed()

    assert warnings_in(caplog) == []


async def test_debug_adds_the_stack(caplog: pytest.LogCaptureFixture) -> None:
    """The stack is taken during the step: its last line is the one that blocks."""
    async with open_pair(Busy(), Busy, debug=True) as (busy, _):
        await busy.told_with_its_stack()

    (line,) = warnings_in(caplog)
    assert "in blocking_part" in line
    assert line.rstrip().endswith("time.sleep(2 * SLOW)")
