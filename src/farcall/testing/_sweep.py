"""The cancel sweep: cancel a scenario at each of its steps, and check that nothing is left."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Set
from contextlib import AbstractAsyncContextManager
from typing import Final, Generic, Literal, TypeAlias, TypeVar, cast, get_args

import attrs
import trio
from trio.lowlevel import Task
from trio.testing import wait_all_tasks_blocked

from farcall._connection.link import Link
from farcall._connection.state import ConnectionState
from farcall._nursery import leaves, open_owned_nursery
from farcall._usage.home import check_trio
from farcall._usage.options import (
    check_instance,
    check_int,
    check_seconds,
    check_word,
    wrong_type,
)
from farcall.errors import CloseCode, FarcallError
from farcall.testing._census import census
from farcall.testing._watch import Watch, scheduled_by, stack_of, watching

logger = logging.getLogger("farcall")

T = TypeVar("T")

CancelledBy: TypeAlias = Literal["caller", "handlers", "server", "cut"]
"""How the scenario ends: ``caller``, its own scope is cancelled; ``handlers``, the server cancels
handlers and subscriptions as at the end of a drain; ``server``, the server's nursery is cancelled;
``cut``, the link breaks."""

MAX_STEPS: Final = 10_000
"""The sweep of a longer scenario would take hours."""

SCENARIO_SECONDS: Final = 60.0
"""Longer than any time limit of a link, so that a scenario that takes longer hangs for good."""

SETTLE_SECONDS: Final = 1.0
"""For the other side to finish: many round trips, where one is enough."""

_POLLS = 20


@attrs.frozen
class SweepReport:
    """The result of a sweep."""

    steps: int
    """Task steps, on both sides, of the run that was not cancelled."""
    completed: int
    """Cancelled runs in which the scenario still completed, because its result came first."""
    runs: int
    """Cancelled runs, each one step longer than the one before."""


class CancelSweepError(AssertionError):
    """A cancelled scenario left something behind, or did not end; the message has the step."""


async def cancel_sweep(
    open: Callable[[], AbstractAsyncContextManager[T]],  # noqa: A002 - as a user reads it
    scenario: Callable[[T], Awaitable[object]],
    /,
    *,
    by: CancelledBy | Callable[[T], object] = "caller",
    again: Callable[[T], Awaitable[object]] | None = None,
    tolerate: tuple[type[Exception], ...] = (),
    settle_seconds: float = SETTLE_SECONDS,
    scenario_seconds: float = SCENARIO_SECONDS,
    max_steps: int = MAX_STEPS,
    seed: int = 0,
) -> SweepReport:
    """Run a scenario again and again, cancelled after its first, second, third ... step.

    Each run has a new environment. The steps are those of all tasks that start in it: of the
    scenario, of both ends of each link, of handlers. After each run nothing new may be left: no
    task, no call in flight on either side, no message in a queue, no handler, no subscription. If
    the link was not broken, it must still be usable. The sweep ends with the run that completes
    before it is cancelled.

    Use it under ``trio.testing.MockClock`` with ``autojump_threshold=0`` (`autojump_clock` of
    pytest-trio) and with `open_pair`: then a run can be repeated step by step.

    Args:
        open: Makes the environment, such as ``lambda: open_pair(Shop(), ShopProxy)``.
        scenario: An async function of the environment.
        by: How the scenario ends; or a function of the environment, called between two steps,
            which ends it in another way, and may break links.
        again: An async function of the environment that must succeed afterwards, if the link was
            not broken; by default the scenario.
        tolerate: Exceptions that a cancelled scenario may raise, besides `FarcallError`.
        settle_seconds: Time for the other side to finish.
        scenario_seconds: After which a run hangs. The scenario does not see this deadline.
        max_steps: After which the sweep fails.
        seed: Chooses an order in which Trio runs tasks.

    Raises:
        TypeError: an argument is of another type; the message names it.
        ValueError: an argument makes no sense, such as an unknown word for `by`.
        CancelSweepError: something was left behind, a run did not end, or the scenario has too
            many steps.
        Exception: an exception of the scenario when it was not cancelled, or one that is not
            tolerated.

    Cancellation:
        Ends the present run.

    >>> import trio.testing
    >>> from farcall import functions
    >>> from farcall.testing import open_pair
    >>> async def nap() -> None:
    ...     await trio.sleep(1)
    >>> async def main() -> None:
    ...     report = await cancel_sweep(
    ...         lambda: open_pair(functions(nap, name="")),
    ...         lambda pair: pair.client.call("nap"),
    ...     )
    ...     print(report.steps >= 5)
    >>> trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    True
    """
    check_trio("farcall.testing.cancel_sweep")
    _check(open, scenario, by, again, tolerate)
    check_seconds("settle_seconds=", settle_seconds, may_be_zero=True)
    check_seconds("scenario_seconds=", scenario_seconds)
    check_int("max_steps=", max_steps, least=1)
    check_int("seed=", seed, least=-sys.maxsize)
    allowed: tuple[type[Exception], ...] = (FarcallError, *tolerate)
    sweep = _Sweep(open, scenario, by, again or scenario, allowed, settle_seconds, scenario_seconds)
    runs: list[_Run[T]] = []
    for step in range(max_steps):
        run = _Run(sweep, step)
        with scheduled_by(seed):
            await run.go()
        if not run.was_cut_off:
            _check_links(by, runs, run)
            return SweepReport(run.watch.steps, sum(each.has_completed for each in runs), len(runs))
        runs.append(run)
    raise CancelSweepError(f"the scenario takes more than {max_steps} steps (the limit max_steps)")


def _check(open: object, scenario: object, by: object, again: object, tolerate: object) -> None:  # noqa: A002
    if not callable(open):
        raise wrong_type("open", "a function", open, "lambda: open_pair(Shop(), ShopProxy)")
    write = "an async function of what open gives"
    for name, function in (("scenario", scenario), ("again=", again)):
        if not (callable(function) or (name == "again=" and function is None)):
            raise wrong_type(name, "a function", function, write)
    if not callable(by):
        check_word("by=", by, get_args(CancelledBy))
    check_instance("tolerate=", tolerate, tuple, "a tuple of exception classes", "(ValueError,)")
    for each in cast("tuple[object, ...]", tolerate):
        if not _is_exception_class(each):
            raise wrong_type("each element of tolerate=", "a class of exceptions", each)


def _is_exception_class(thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, Exception)


@attrs.frozen
class _Sweep(Generic[T]):
    open: Callable[[], AbstractAsyncContextManager[T]]
    scenario: Callable[[T], Awaitable[object]]
    by: CancelledBy | Callable[[T], object]
    again: Callable[[T], Awaitable[object]]
    tolerate: tuple[type[Exception], ...]
    settle_seconds: float
    scenario_seconds: float


class _Run(Generic[T]):
    """One run of the scenario, cancelled after a step.

    Args:
        sweep: The sweep.
        step: The number of the step; 0 to cancel before the first one.
    """

    def __init__(self, sweep: _Sweep[T], step: int) -> None:
        self._sweep = sweep
        self.step = step
        self._scope = trio.CancelScope()
        self._where = ""
        self._environment: T
        self._tasks_before: frozenset[Task] = frozenset()
        self._held_before: Counter[str] = Counter()
        self.watch = Watch(self._on_step)
        self.was_cut_off = False
        self.has_completed = False
        self.is_link_broken = False

    async def go(self) -> None:
        """Run it.

        Raises:
            CancelSweepError: something was left behind, or it did not end.
        """
        with watching(self.watch):
            async with open_owned_nursery() as nursery:
                # A task, because a deadline would be sent with the calls.
                nursery.start_soon(self._end_what_hangs)
                await self._live()
                nursery.cancel_scope.cancel()
        if self.watch.fault is not None:
            raise self.watch.fault

    async def _end_what_hangs(self) -> None:
        self.watch.tasks.discard(trio.lowlevel.current_task())
        await trio.sleep(self._sweep.scenario_seconds)
        problem = f"it has not ended in {self._sweep.scenario_seconds:g} s"
        error = self._error(problem, self.watch.tasks)
        # Logged as well: a run that hangs in a shield lets no exception out.
        logger.error("%s", error)
        raise error

    async def _live(self) -> None:
        async with self._sweep.open() as self._environment:
            await wait_all_tasks_blocked()
            links = tuple(self.watch.links)
            self._tasks_before = frozenset(self.watch.tasks)
            self._held_before = census(self.watch.links)
            async with open_owned_nursery() as nursery:
                # In a new task, because only the steps of new tasks count.
                nursery.start_soon(self._play)
            await self._settle()
            self.is_link_broken = any(link.state is not ConnectionState.OPEN for link in links)
            if self.was_cut_off and not self.is_link_broken:
                await self._sweep.again(self._environment)
                await self._settle()
        self._tasks_before, self._held_before = frozenset(), Counter()
        await self._settle()

    # The scenario

    async def _play(self) -> None:
        self.watch.is_counting = True
        try:
            with self._scope:
                if self.step == 0:
                    self._cut_off(trio.lowlevel.current_task())
                await self._sweep.scenario(self._environment)
                self.has_completed = True
        except Exception as error:
            if not (self.was_cut_off and self._is_tolerable(error)):
                raise
        finally:
            self.watch.is_counting = False

    def _is_tolerable(self, error: Exception) -> bool:
        return all(
            isinstance(leaf, (*self._sweep.tolerate, trio.Cancelled)) for leaf in leaves(error)
        )

    def _on_step(self, number: int, task: Task) -> None:
        if number == self.step:
            self._cut_off(task)

    def _cut_off(self, task: Task) -> None:
        self.was_cut_off = True
        self.watch.is_counting = False
        self._where = stack_of(task)
        by = self._sweep.by
        if by == "caller":
            self._scope.cancel()
        elif by == "cut" or callable(by):
            # The task that took the step is still the current one, which must not close a socket
            # that it waits for.
            trio.lowlevel.current_trio_token().run_sync_soon(self._act)
        else:
            self._act()

    def _act(self) -> None:
        by = self._sweep.by
        try:
            if callable(by):
                by(self._environment)
                return
            for link in self.watch.links:
                _WAYS[by](link)
        except Exception as fault:  # noqa: BLE001 - raised again after the run
            self.watch.fault = self.watch.fault or fault

    # What is left

    async def _settle(self) -> None:
        """Wait until nothing new is left."""
        for _ in range(_POLLS):
            await wait_all_tasks_blocked()
            if not self._tasks_left() and not self._held():
                return
            await trio.sleep(self._sweep.settle_seconds / _POLLS)
        held = [f"{kind} ({count})" for kind, count in self._held().items()]
        tasks = self._tasks_left()
        running = [f"{len(tasks)} tasks"] if tasks else []
        raise self._error(f"this was left: {', '.join(held + running)}", tasks)

    def _tasks_left(self) -> Set[Task]:
        # The task that holds the nursery of a link begins when it is needed, and ends with it.
        holders = {link.holder for link in self.watch.links if not link.is_closed}
        return self.watch.tasks - self._tasks_before - holders

    def _held(self) -> Counter[str]:
        return census(self.watch.links) - self._held_before

    def _error(self, problem: str, tasks: Set[Task]) -> CancelSweepError:
        by = self._sweep.by
        how = f"cancelled ({by}) after step {self.step}, which was"
        when = f"{how}\n{self._where}" if self.was_cut_off else "not cancelled"
        running = "".join(map(stack_of, tasks))
        return CancelSweepError(
            f"{problem}\n{when}" + (f"\nstill running\n{running}" * bool(tasks))
        )


def _cancel_handlers(link: Link) -> None:
    link.handler.on_draining()
    link.handler.on_grace_over()


def _cancel_server(link: Link) -> None:
    if not link.protocol.has_dialled and link._nursery is not None:
        link._nursery.cancel_scope.cancel()


def _cut(link: Link) -> None:
    if link.protocol.has_dialled:
        link.abort(CloseCode.INTERNAL, "cut by the sweep")


_WAYS: Mapping[str, Callable[[Link], None]] = {
    "handlers": _cancel_handlers,
    "server": _cancel_server,
    "cut": _cut,
}


def _check_links(by: object, runs: Iterable[_Run[T]], last: _Run[T]) -> None:
    """Raise if cancelling one call has ended its link."""
    broken = [run.step for run in runs if run.is_link_broken]
    if broken and not last.is_link_broken and by in ("caller", "handlers"):
        raise CancelSweepError(f"cancelled ({by}) after step {broken[0]}, the link ended as well")
