"""Run every sweep and print the number of its steps, and how often a result came in spite of it.

python -m tests.sweeps [--seeds 0 1 2]
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence

import trio
from trio.testing import MockClock

from farcall.testing import CancelledBy, SweepReport
from tests.sweeps import SWEEPS, WAYS, Sweep


def run(sweep: Sweep, by: CancelledBy, seed: int) -> SweepReport:
    """Run one sweep, in virtual or real time."""
    clock = MockClock(autojump_threshold=0) if sweep.is_virtual else None
    return trio.run(sweep.run, by, seed, clock=clock)


def main(args: Sequence[str] | None = None) -> None:
    """Print a line for each scenario; a sweep that finds a leak raises its error."""
    parser = argparse.ArgumentParser(prog="python -m tests.sweeps", description=__doc__)
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        default=[0],
        help="the orders of tasks to try; the tests have tried 0 (default: 0)",
    )
    seeds: Sequence[int] = parser.parse_args(args).seeds
    logging.disable()  # handlers fail and links break, as they should
    began = time.perf_counter()
    runs = 0
    print(f"{'scenario':<42}{'steps':>7}", *(f"{by:>12}" for by in WAYS), sep="")
    for sweep in SWEEPS:
        reports = {by: [run(sweep, by, seed) for seed in seeds] for by in WAYS}
        steps = max(each.steps for by in WAYS for each in reports[by])
        counts = [_count(reports[by]) for by in WAYS]
        runs += sum(each.runs for by in WAYS for each in reports[by])
        print(f"{sweep!s:<42}{steps:>7}", *(f"{count:>12}" for count in counts), sep="")
    print(f"{runs} runs in {time.perf_counter() - began:.0f} s; nothing was left behind in any")


def _count(reports: Sequence[SweepReport]) -> str:
    """Count the runs that were ended early, and those of them that completed nevertheless."""
    return f"{sum(each.runs for each in reports)}/{sum(each.completed for each in reports)}"


if __name__ == "__main__":
    main()
