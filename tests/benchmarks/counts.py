"""Print what noise cannot change: what one operation does, and how large the tree is.

    python -m tests.benchmarks.counts [--json FILE]

`PYTHONPATH` may name the ``src`` of another checkout, to compare.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
from collections.abc import Mapping
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
loaded = set(sys.modules) - before
print(len(loaded), len([name for name in loaded if name.partition(".")[0] == "farcall"]))
"""


def count_loaded(program: str) -> Mapping[str, int]:
    """Count the modules that a program of `PROGRAMS` loads, in a fresh interpreter."""
    command = [sys.executable, "-c", _LOADED.format(PROGRAMS[program])]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    all_of_them, own = map(int, found.stdout.split())
    return {"all": all_of_them, "own": own}


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


def main() -> None:
    """Read the command line, count and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.counts")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    operations, tree = count_all(), attrs.asdict(count_tree())
    loaded = {program: count_loaded(program) for program in PROGRAMS}
    show_operations(operations)
    show("the tree", tree)
    show("modules loaded by", loaded)
    if options.json:
        of_each = {name: attrs.asdict(each) for name, each in operations.items()}
        found = {"operations": of_each, "tree": tree, "loaded": loaded}
        options.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
