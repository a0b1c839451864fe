"""Measure the codec: ``python -m tests.benchmarks.codec [SOURCE ...]``.

Each SOURCE is a folder that holds the package `farcall`, such as the ``src`` of another checkout;
none means the one that is installed. They take turns, a fresh process for each turn, so that
whatever else the machine does meets them alike. Printed is the CPU time of one operation in
microseconds, the least of all turns, and what part of the first SOURCE's time it is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import attrs

from farcall._codec import Argument, Arguments, codec_of

ROUNDS = 7
SECONDS = 0.05
"""For each case and turn; the clock of CPU time is much finer."""

MARK = "--one-turn"


@attrs.frozen
class Sample:
    """A record of five fields."""

    id: int
    name: str
    price: float
    is_open: bool
    note: str | None = None


SAMPLE = Sample(7, "acme", 1.5, is_open=True)
SAMPLES = [SAMPLE] * 1000
ADD = Arguments([Argument("a", int), Argument("b", int), Argument("scale", float, default=1.0)])

Case = Callable[[], object]


def cases() -> Mapping[str, Case]:
    """Give what is measured."""
    one, many = codec_of(Sample), codec_of(list[Sample])
    one_text, many_text = one.encode(SAMPLE), many.encode(SAMPLES)
    params = ADD.encode((1, 2), {"scale": 2.0})
    return {
        "record of 5, write": lambda: one.encode(SAMPLE),
        "record of 5, read": lambda: one.decode(one_text, unknown="refuse", at="a"),
        "record of 5, read result": lambda: one.decode(one_text, unknown="ignore", at="a"),
        "1,000 records, write": lambda: many.encode(SAMPLES),
        "1,000 records, read": lambda: many.decode(many_text, unknown="refuse", at="a"),
        "1,000 records, read result": lambda: many.decode(many_text, unknown="ignore", at="a"),
        "3 scalar arguments, write": lambda: ADD.encode((1, 2), {"scale": 2.0}),
        "3 scalar arguments, read": lambda: ADD.decode(params),
        "3 scalar arguments, read by position": lambda: ADD.decode(b"[1,2,2.0]"),
    }


def microseconds(case: Case) -> float:
    """Measure the CPU time of one call."""
    case()  # what is made on first use is no part of it
    calls, spent = 1, 0.0
    while spent < SECONDS:
        calls *= 2
        start = time.process_time()
        for _ in range(calls):
            case()
        spent = time.process_time() - start
    return spent / calls * 1e6


def turn(source: str) -> Mapping[str, float]:
    """Measure every case with one source, in a process of its own."""
    path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH")]))
    process = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.codec", MARK],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        check=True,
    )
    times: Mapping[str, float] = json.loads(process.stdout)
    return times


def compare(sources: Sequence[str]) -> None:
    """Let the sources take turns, and print the table."""
    turns = [[turn(source) for source in sources] for _ in range(ROUNDS)]
    for name in turns[0][0]:
        best = [min(each[i][name] for each in turns) for i in range(len(sources))]
        columns = "".join(f"{time:10.2f} ({time / best[0]:4.2f})" for time in best)
        sys.stdout.write(f"{name:38}{columns}\n")


if __name__ == "__main__":
    if sys.argv[1:] == [MARK]:
        sys.stdout.write(json.dumps({name: microseconds(each) for name, each in cases().items()}))
    else:
        compare(sys.argv[1:] or [""])
