"""Attack the open port for a while: ``python -m tests.fuzz --seconds 60``.

A case has a kind and a seed, and always does the same; ``--kind`` and ``--first`` repeat one.
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Iterator
from itertools import count, takewhile
from typing import Final

import trio

from tests.fuzz.cases import KINDS, Case
from tests.fuzz.ground import Ground, open_ground
from tests.fuzz.stock import Memory

WARM_UP: Final = 50
"""Cases of each kind until caches are full and memory no longer grows."""

INTERVAL: Final = 500
"""Cases between two measurements of memory, each of which takes as long as some cases."""


def cases(kinds: list[str], first: int) -> Iterator[Case]:
    """Take the kinds in turn."""
    for seed in count(first):
        for kind in kinds:
            yield Case(kind, seed)


async def run(kinds: list[str], first: int, seconds: float, most: float) -> None:
    """Run cases until the time is up, and compare the memory after them with the memory before."""
    async with open_ground() as ground:
        for case in takewhile(lambda case: case.seed < 0, cases(kinds, -WARM_UP)):
            await _meet(ground, case)
        before = Memory.now()
        done: Counter[str] = Counter()
        began = trio.current_time()
        for case in cases(kinds, first):
            if trio.current_time() - began > seconds or case.seed - first >= most:
                break
            await _meet(ground, case)
            done[case.kind] += 1
            if done.total() % INTERVAL == 0:
                Memory.now().check(before)
        took = trio.current_time() - began
        after = Memory.now()
    kinds_done = ", ".join(f"{number} {kind}" for kind, number in done.items())
    print(f"{done.total()} cases in {took:.0f} s ({kinds_done}): each was answered as it should be")
    print(f"the good client waited {ground.slowest * 1000:.0f} ms at worst")
    print(f"before: {before}\nafter:  {after}")
    after.check(before)


async def _meet(ground: Ground, case: Case) -> None:
    try:
        await ground.meet(case)
    except BaseException:
        print(f"FAILED: --kind {case.kind} --first {case.seed} --most 1: {case.script()!r:.2000}")
        raise


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--most", type=float, default=float("inf"), help="seeds to run")
    parser.add_argument("--kind", choices=KINDS, action="append")
    options = parser.parse_args()
    logging.getLogger("farcall").addHandler(logging.NullHandler())
    logging.getLogger("farcall").propagate = False
    trio.run(run, options.kind or list(KINDS), options.first, options.seconds, options.most)


if __name__ == "__main__":
    main()
