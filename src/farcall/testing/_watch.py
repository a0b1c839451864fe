"""Observing a Trio run: its tasks, their steps, and the links that they run."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CoroutineType
from typing import Any

import trio
import trio._core._run as trio_run
from trio.lowlevel import Task

from farcall._connection.link import Link


class Watch(trio.abc.Instrument):
    """Follows the tasks that are spawned while it is installed, and counts their steps.

    Args:
        on_step: Called after each step that counts, between two tasks, with the number of the
            step, from 1 up, and the task that took it.
    """

    def __init__(self, on_step: Callable[[int, Task], None]) -> None:
        self._on_step = on_step
        self.tasks: set[Task] = set()
        self.links: list[Link] = []
        self.is_counting = False
        self.steps = 0
        self.fault: Exception | None = None
        """An exception of `on_step`, which Trio would only log, or treat as an internal error."""

    def task_spawned(self, task: Task) -> None:
        """Add a task."""
        # Tasks directly below the root are Trio's own, and last as long as the run.
        nursery = task.parent_nursery
        if nursery is None or nursery.parent_task is trio.lowlevel.current_root_task():
            return
        self.tasks.add(task)

    def task_exited(self, task: Task) -> None:
        """Remove a task."""
        self.tasks.discard(task)

    def after_task_step(self, task: Task) -> None:
        """Count a step of a task that was spawned under this watch, and find the link it runs."""
        if task not in self.tasks:
            return
        link = _link_of(task)
        if link is not None and link not in self.links:
            self.links.append(link)
        if not self.is_counting:
            return
        self.steps += 1
        try:
            self._on_step(self.steps, task)
        except Exception as fault:  # noqa: BLE001 - raised again by the sweep
            self.fault = self.fault or fault


def _link_of(task: Task) -> Link | None:
    """Return the link that a task runs, from the frames of its coroutines.

    Each link has one such task. The alternative is a hook, which every link would pay for.
    """
    coroutine: object = task.coro
    while isinstance(coroutine, CoroutineType):
        frame = coroutine.cr_frame
        if frame is not None and frame.f_code is Link.run.__code__:
            link: Link = frame.f_locals["self"]
            return link
        coroutine = coroutine.cr_await
    return None


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Install a watch for the block."""
    trio.lowlevel.add_instrument(watch)
    try:
        yield
    finally:
        trio.lowlevel.remove_instrument(watch)


@contextmanager
def scheduled_by(seed: int) -> Iterator[None]:
    """Shuffle runnable tasks by a seed, so that a run can be repeated step by step.

    Trio shuffles each batch of tasks so that programs rely on no order; pytest-trio sets the same
    switch for Hypothesis. The clock and sockets still differ between runs without virtual time.
    """
    inside: Any = trio_run
    before, inside._ALLOW_DETERMINISTIC_SCHEDULING = inside._ALLOW_DETERMINISTIC_SCHEDULING, True
    shuffle, inside._r = inside._r, random.Random(seed)
    try:
        yield
    finally:
        inside._ALLOW_DETERMINISTIC_SCHEDULING, inside._r = before, shuffle


def stack_of(task: Task) -> str:
    """Format the stack of a task, the innermost call last."""
    frames = list(task.iter_await_frames())
    shown = traceback.StackSummary.extract(iter(frames)).format()
    return f"  task {task.name}\n{''.join(shown)}"
