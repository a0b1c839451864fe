"""From cancel to the end of the remote handler, and to the end of the caller's scope.

Over a real socket on the loopback, one call after another; both ends share a process and a clock.

    python -m tests.benchmarks.cancel [--calls 1000]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from statistics import median

import trio

import farcall
from farcall import service


@service
class Sleeper:
    """Sleeps until it is cancelled."""

    def __init__(self) -> None:
        self.begun = trio.Event()
        self.ended_at = 0.0

    async def sleep(self) -> None:
        """Tell when it begins, and when it ends."""
        self.begun.set()
        try:
            await trio.sleep_forever()
        finally:
            self.ended_at = trio.current_time()


async def measure(calls: int) -> None:
    """Serve, cancel so many calls, and print."""
    sleeper = Sleeper()
    handlers: list[float] = []
    scopes: list[float] = []
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, sleeper, 0)
        async with farcall.connect(server.url, Sleeper) as proxy:
            for _ in range(calls):
                cancelled_at, left_at = await _cancel_one(sleeper, proxy)
                handlers.append(sleeper.ended_at - cancelled_at)
                scopes.append(left_at - cancelled_at)
        nursery.cancel_scope.cancel()
    _show("end of the handler", handlers)
    _show("end of the scope", scopes)


async def _cancel_one(sleeper: Sleeper, proxy: Sleeper) -> tuple[float, float]:
    """Make a call, cancel it once it is served; tell when it was cancelled, and when left."""
    sleeper.begun = trio.Event()
    cancelled_at = 0.0
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(proxy.sleep)
            await sleeper.begun.wait()
            cancelled_at = trio.current_time()
            scope.cancel()
    return cancelled_at, trio.current_time()


def _show(what: str, seconds: Sequence[float]) -> None:
    low, middle, high = (1000 * each for each in (min(seconds), median(seconds), max(seconds)))
    print(f"cancel to {what:18} shortest {low:.3f}  median {middle:.3f}  longest {high:.3f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000)
    trio.run(measure, parser.parse_args().calls)
