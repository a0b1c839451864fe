"""Print what noise cannot change: what one operation does, and how large the tree is.

    python -m tests.benchmarks.counts [--json FILE | --check | --keep]

`PYTHONPATH` may name the ``src`` of another checkout, to compare. ``--check`` fails if an operation
does more of anything than what ``--keep`` has written.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
import trio

from tests.benchmarks.call_counts import KINDS, WAYS, Counts, count
from tests.benchmarks.tree_counts import count_tree


def count_all() -> Mapping[str, Counts]:
    """Count an operation of each kind, over each way."""
    return {
        f"{way}: {kind}": trio.run(count, way, kind) for way, kind in itertools.product(WAYS, KINDS)
    }


CHECKED = ("python", "c", "objects", "steps", "system", "encodings")
"""The counts that `--check` compares."""

MARGIN = 0.05
"""By how much a count may grow: tasks do not always run in the same order."""

PYTHON = (3, 11)
"""Other versions of Python call other functions for the same work."""

KEPT = Path(__file__).with_name("counts.json")

PROGRAMS = {
    "import farcall": "import farcall",
    "declarations": "from farcall import Signal, method, service",
    "a client": "from farcall import Proxy, connect, endpoint",
    "a server": "from farcall import Signal, method, serve, service",
    "every name": "from farcall import *",
}
"""What a program imports, by its sort."""

_LOADED = """
import sys
before = set(sys.modules)
{}
print(*set(sys.modules) - before)
"""


def loaded_by(program: str) -> frozenset[str]:
    """Name the modules that a program of `PROGRAMS` loads, in a fresh interpreter."""
    command = [sys.executable, "-c", _LOADED.format(PROGRAMS[program])]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return frozenset(found.stdout.split())


def package_of(module: str) -> str:
    """Return the package at the top: ``trio`` for ``trio._core``."""
    return module.partition(".")[0]


def count_loaded(program: str) -> Mapping[str, int]:
    """Count the modules that a program of `PROGRAMS` loads."""
    loaded = loaded_by(program)
    return {"all": len(loaded), "own": sum(package_of(each) == "farcall" for each in loaded)}


def show_operations(counts: Mapping[str, Counts]) -> None:
    """Print a line for each."""
    names = [field.name for field in attrs.fields(Counts)]
    print(f"{'one operation, both ends':38}" + "".join(f"{name:>10}" for name in names))
    for title, found in counts.items():
        print(f"{title:38}" + "".join(f"{value:>10.4g}" for value in attrs.astuple(found)))


def show(title: str, counts: Mapping[str, object]) -> None:
    """Print a line for each."""
    print(f"\n{title}")
    for name, value in counts.items():
        print(f"  {name.replace('_', ' '):32}{value}")


def kept_of(operations: Mapping[str, Counts]) -> Mapping[str, Mapping[str, float]]:
    """Give the counts that `--check` compares, which do not depend on the machine."""
    return {
        title: {name: round(getattr(found, name), 3) for name in CHECKED}
        for title, found in operations.items()
    }


def grown(
    kept: Mapping[str, Mapping[str, float]], found: Mapping[str, Mapping[str, float]]
) -> Iterator[str]:
    """Tell what is done more often than it was, or is not counted any more."""
    for title, before in kept.items():
        for name, most in before.items():
            now = found.get(title, {}).get(name, math.inf)
            if now > most * (1 + MARGIN):
                yield f"{title}: {name}: {now:.4g}, kept {most:.4g}"


def main() -> int:
    """Read the command line, count and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.counts")
    parser.add_argument("--json", type=Path, metavar="FILE")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="fail if an operation does more")
    what.add_argument("--keep", action="store_true", help="keep the counts for --check")
    options = parser.parse_args()
    operations = count_all()
    show_operations(operations)
    if options.keep:
        KEPT.write_text(json.dumps(kept_of(operations), indent=2) + "\n", "utf-8")
        return 0
    if options.check:
        return _check(operations)
    tree, loaded = attrs.asdict(count_tree()), {each: count_loaded(each) for each in PROGRAMS}
    show("the tree", tree)
    show("modules loaded by", loaded)
    if options.json:
        of_each = {name: attrs.asdict(each) for name, each in operations.items()}
        everything = {"operations": of_each, "tree": tree, "loaded": loaded}
        options.json.write_text(json.dumps(everything, indent=2) + "\n", "utf-8")
    return 0


def _check(operations: Mapping[str, Counts]) -> int:
    if sys.version_info[:2] != PYTHON:
        print(f"Not checked: the counts are those of Python {PYTHON[0]}.{PYTHON[1]}")
        return 0
    more = list(grown(json.loads(KEPT.read_text("utf-8")), kept_of(operations)))
    for line in more:
        print(line)
    if more:
        print(f"More than {MARGIN:.0%} over tests/benchmarks/{KEPT.name}; --keep if it is worth it")
    return 1 if more else 0


if __name__ == "__main__":
    sys.exit(main())
