"""What a call costs, in CPU time of both ends, beside the least that it could cost.

The floor is that of ``python -m tests.benchmarks``, where each end is a process of its own. Here
both ends share one process, which a profiler sees whole. All are measured by turns, so that what
else the machine does weighs on each alike; look at the ratios, not at the microseconds.
`PYTHONPATH` may name the ``src`` of another checkout.

    python -m tests.benchmarks.calls [--rounds 7] [--calls 2000] [--profile websocket]
"""

from __future__ import annotations

import argparse
import cProfile
import functools
import pstats
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from statistics import median
from typing import Any

import trio

import farcall
from farcall import service
from farcall.testing import open_pair
from tests.benchmarks.peer import Options
from tests.benchmarks.systems import floor

IN_FLIGHT = (1, 64)
"""A caller that waits for each answer, and as many as keep every queue filled."""

Call = Callable[[int], Awaitable[int]]


@service
class Echo:
    """The least that a service can do."""

    async def say(self, number: int) -> int:
        """Give back what came."""
        return number


# The floor


async def _serve_floor(*, task_status: trio.TaskStatus[int]) -> None:
    await floor.serve(Options(), task_status.started)


@asynccontextmanager
async def open_floor() -> AsyncIterator[Call]:
    """Lines of JSON over loopback TCP."""
    async with trio.open_nursery() as nursery:
        port: int = await nursery.start(_serve_floor)
        async with floor.connect(port) as client:
            yield functools.partial(client.add, 0)
        nursery.cancel_scope.cancel()


# What is measured against it


@asynccontextmanager
async def open_memory() -> AsyncIterator[Call]:
    """Farcall without sockets."""
    async with open_pair(Echo(), Echo) as pair:
        yield pair.client.say


@asynccontextmanager
async def open_websocket() -> AsyncIterator[Call]:
    """Farcall as it is used, over loopback TCP."""
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, Echo(), 0)
        async with farcall.connect(server.url, Echo) as echo:
            yield echo.say
        server.shutdown()


WAYS: Mapping[str, Callable[[], AbstractAsyncContextManager[Call]]] = {
    "floor": open_floor,
    "memory": open_memory,
    "websocket": open_websocket,
}


async def _make_calls(call: Call, count: int) -> None:
    for number in range(count):
        assert await call(number) == number


async def _work(call: Call, count: int, in_flight: int) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(in_flight):
            nursery.start_soon(_make_calls, call, count // in_flight)


async def _measure(call: Call, count: int, in_flight: int) -> float:
    """Give the microseconds of CPU time that one call takes at both ends together."""
    began = time.process_time()
    await _work(call, count, in_flight)
    return (time.process_time() - began) / (count // in_flight * in_flight) * 1e6


async def compare(rounds: int, count: int) -> None:
    """Measure every way by turns, and print a table."""
    costs: dict[tuple[str, int], list[float]] = {}
    async with AsyncExitStack() as stack:
        calls = {name: await stack.enter_async_context(way()) for name, way in WAYS.items()}
        for call in calls.values():
            await _work(call, count // 4, 8)  # what is made once is made
        for _ in range(rounds):
            for in_flight in IN_FLIGHT:
                for name, call in calls.items():
                    cost = await _measure(call, count, in_flight)
                    costs.setdefault((name, in_flight), []).append(cost)
    _show(costs)


def _show(costs: Mapping[tuple[str, int], list[float]]) -> None:
    print(f"{'':10} {'in flight':>9} {'us a call':>10} {'to floor':>9}")
    for (name, in_flight), found in costs.items():
        # Of each round by itself: what slows a round slows all of it.
        ratio = median(a / b for a, b in zip(found, costs["floor", in_flight], strict=True))
        print(f"{name:10} {in_flight:9} {median(found):10.1f} {ratio:9.2f}")


async def profile(name: str, count: int) -> None:
    """Print where the time goes on the path of one call; among many, joining hides it."""
    async with WAYS[name]() as call:
        await _work(call, count // 4, 8)
        with cProfile.Profile() as found:
            await _work(call, count, 1)
    pstats.Stats(found).sort_stats("tottime").print_stats(40)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.calls")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=2000, help="of each way, in each round")
    parser.add_argument("--profile", choices=WAYS, help="profile one of them instead")
    options: Any = parser.parse_args()
    if options.profile:
        trio.run(profile, options.profile, options.calls)
    else:
        trio.run(compare, options.rounds, options.calls)


if __name__ == "__main__":
    main()
