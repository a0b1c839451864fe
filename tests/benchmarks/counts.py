"""Print what noise cannot change: what one call does, and how large the tree is.

    python -m tests.benchmarks.counts [--json FILE]

`PYTHONPATH` may name the ``src`` of another checkout, to compare.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Mapping
from pathlib import Path

import attrs
import trio

from tests.benchmarks.call_counts import HANDLERS, IN_FLIGHT, WAYS, CallCounts, count_call
from tests.benchmarks.tree_counts import count_tree


def count_calls() -> Mapping[str, CallCounts]:
    """Count a call in each way, with each kind of handler, alone and among others."""
    return {
        f"{way}, {handlers}, {in_flight} in flight": trio.run(count_call, way, handlers, in_flight)
        for way, handlers, in_flight in itertools.product(WAYS, HANDLERS, IN_FLIGHT)
    }


def show_calls(counts: Mapping[str, CallCounts]) -> None:
    """Print a line for each."""
    names = [field.name for field in attrs.fields(CallCounts)]
    print(f"{'a call, both ends':34}" + "".join(f"{name:>11}" for name in names))
    for title, found in counts.items():
        print(f"{title:34}" + "".join(f"{value:>11.4g}" for value in attrs.astuple(found)))


def main() -> None:
    """Read the command line, count and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.counts")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    calls, tree = count_calls(), attrs.asdict(count_tree())
    show_calls(calls)
    print("\nthe tree")
    for name, value in tree.items():
        print(f"{name.replace('_', ' '):34}{value}")
    if options.json:
        found = {"calls": {name: attrs.asdict(each) for name, each in calls.items()}, "tree": tree}
        options.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
