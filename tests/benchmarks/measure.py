"""Measure works: each system in turn, in rounds, so that what slows a round slows all of it."""

from __future__ import annotations

import dataclasses
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from tempfile import TemporaryDirectory

import attrs

from tests.benchmarks.loads import Order
from tests.benchmarks.processes import Failed, Pair, pair
from tests.benchmarks.results import Row, Sample
from tests.benchmarks.systems.registry import System
from tests.benchmarks.works import Point, Work


@attrs.frozen
class Plan:
    """What to measure."""

    works: Sequence[Work]
    systems: Mapping[str, System]
    named: frozenset[str]
    """Systems that were asked for by name, which take part in each work that they can do."""
    rounds: int
    seconds: float

    def takes_part(self, system: System, work: Work) -> bool:
        """Tell whether a system is measured at a work."""
        is_meant = not work.systems or system.name in {*work.systems, *self.named}
        return is_meant and work.operation in system.offers


Tell = Callable[[Row], None]


async def measure(plan: Plan, tell: Tell) -> None:
    """Measure all works; each row is told as soon as it is complete."""
    for work in plan.works:
        systems = [each for each in plan.systems.values() if plan.takes_part(each, work)]
        async with _running(work) as pairs:
            for point in work.points:
                for row in await _measure_point(plan, pairs, point, systems):
                    tell(row)


async def _measure_point(
    plan: Plan, pairs: _Pairs, point: Point, systems: Sequence[System]
) -> list[Row]:
    order = dataclasses.replace(point.order, seconds=plan.seconds * pairs.work.seconds)
    rows = {system.name: _row(pairs.work, point, system) for system in systems}
    for number in range(min(plan.rounds, pairs.work.most_rounds)):
        for system in _turned(systems, number):
            await _add_sample(pairs, system, rows[system.name], order)
    return list(rows.values())


def _row(work: Work, point: Point, system: System) -> Row:
    return Row(work.name, work.title, work.unit, point.label, point.size, system.name)


def _turned(systems: Sequence[System], number: int) -> Sequence[System]:
    """Have another system begin in each round."""
    first = number % max(1, len(systems))
    return [*systems[first:], *systems[:first]]


class _Pairs:
    """The running pairs of a work, by system."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self._running: dict[str, tuple[Pair, AsyncExitStack]] = {}

    async def get(self, system: System) -> Pair:
        """Give the pair of a system, and start it first if there is none."""
        if system.name not in self._running:
            stack = AsyncExitStack()
            started = await stack.enter_async_context(pair(system, self.work.message))
            self._running[system.name] = started, stack
        return self._running[system.name][0]

    async def end(self, system: System) -> None:
        """End the pair of a system."""
        if system.name in self._running:
            _, stack = self._running.pop(system.name)
            await stack.aclose()

    async def end_all(self) -> None:
        """End all of them."""
        for _, stack in self._running.values():
            await stack.aclose()


@asynccontextmanager
async def _running(work: Work) -> AsyncIterator[_Pairs]:
    pairs = _Pairs(work)
    try:
        yield pairs
    finally:
        await pairs.end_all()


async def _add_sample(pairs: _Pairs, system: System, row: Row, order: Order) -> None:
    """Measure one round of one system; one that fails has no more rounds."""
    if row.failure:
        return
    try:
        if order.load == "import":
            row.samples.append(_import(system))
        else:
            row.samples.append(await _sample(await pairs.get(system), order))
    except Failed as failed:
        row.failure = str(failed)
    if row.failure or pairs.work.is_fresh:
        await pairs.end(system)


async def _sample(pair: Pair, order: Order) -> Sample:
    closed = await pair.server_usage()
    await pair.open(order)
    before = await pair.server_usage()
    found = await pair.measure(order)
    after = await pair.server_usage()
    await pair.close()
    if not found["operations"]:
        raise Failed("it did nothing in the time")
    return Sample(
        operations=found["operations"],
        seconds=found["seconds"],
        p50=found["p50"],
        p99=found["p99"],
        server_cpu=after.cpu - before.cpu_after,
        client_cpu=found["cpu"],
        server_memory=after.memory,
        client_memory=found["memory"],
        grown=after.memory - closed.memory,
    )


_IMPORT = """
import time
began = time.process_time()
{}
print(time.process_time() - began)
"""


def _import(system: System) -> Sample:
    """Import a system in a fresh interpreter that measures itself, when all is compiled."""
    command = [*system.python, "-c", _IMPORT.format(system.imports)]
    with TemporaryDirectory() as compiled:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        subprocess.run(command, env=environment, capture_output=True, check=False)
        found = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
    if found.returncode != 0:
        raise Failed(found.stderr.strip().splitlines()[-1])
    cpu = float(found.stdout)
    return Sample(1, cpu, cpu, cpu, 0.0, cpu, 0.0, 0.0, 0.0)
