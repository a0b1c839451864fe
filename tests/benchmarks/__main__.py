"""Compare farcall with its floor and its peers: ``python -m tests.benchmarks``.

Each system takes its turn in each round, with server and client in processes of their own. A
system that is not installed is left out, with a line that says what would install it.
``docs/benchmarks.md`` tells what is measured, and how.

    python -m tests.benchmarks --only S1,S2 --systems farcall,floor --rounds 3
    python -m tests.benchmarks --json run.json --plots plots
    python -m tests.benchmarks --systems floor,farcall --against ../old/src
    python -m tests.benchmarks --load run.json --page docs/benchmarks.md
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import attrs
import trio

from tests.benchmarks import plots, results
from tests.benchmarks.machine import this_machine
from tests.benchmarks.measure import Plan, measure
from tests.benchmarks.report import lines_of, lines_of_targets, write_page
from tests.benchmarks.results import Row, Run
from tests.benchmarks.systems.registry import SYSTEMS, System, before
from tests.benchmarks.targets import verdicts
from tests.benchmarks.works import chosen


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    made = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.add_argument("--only", type=_names, default=[], metavar="S1,S2", help="these works alone")
    made.add_argument("--systems", type=_names, default=[], metavar="farcall,floor")
    made.add_argument("--against", metavar="SRC", help="also farcall in the src of a checkout")
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--seconds", type=float, default=2.0, help="of one measurement of most works")
    made.add_argument("--load", type=Path, metavar="FILE", help="measure nothing: read a run")
    made.add_argument("--json", type=Path, metavar="FILE", help="keep the run")
    made.add_argument("--plots", type=Path, metavar="DIR", help="draw pictures, by matplotlib")
    made.add_argument("--page", type=Path, metavar="PAGE", help="write the tables into a page")
    return made


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


@attrs.frozen
class Choice:
    """The systems that are there, and those that are not."""

    systems: dict[str, System]
    skipped: dict[str, str]

    @classmethod
    def of(cls, names: Sequence[str], more: Sequence[System]) -> Choice:
        """Choose systems by name, no name means all, and some more.

        Raises:
            ValueError: There is no system of a name.
        """
        if unknown := [name for name in names if name not in SYSTEMS]:
            known = ", ".join(SYSTEMS)
            raise ValueError(f"there is no system {', '.join(unknown)}; there are {known}")
        wanted = {name: SYSTEMS[name] for name in names or SYSTEMS}
        wanted |= {system.name: system for system in more}
        hints = {name: system.missing() for name, system in wanted.items()}
        skipped = {name: hint for name, hint in hints.items() if hint is not None}
        there = {name: system for name, system in wanted.items() if name not in skipped}
        return cls(there, skipped)


def make_run(options: argparse.Namespace) -> Run:
    """Measure, and print each row as it comes.

    Raises:
        ValueError: A work or a system is unknown.
    """
    works = chosen(options.only)
    others = before(str(Path(options.against).resolve())) if options.against else ()
    choice = Choice.of(options.systems, others)
    for name, hint in choice.skipped.items():
        print(f"{name} is left out: {hint}")
    named = frozenset([*options.systems, *(system.name for system in others)])
    plan = Plan(works, choice.systems, named, options.rounds, options.seconds)
    machine, began = this_machine(), time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    titles = {name: system.title for name, system in choice.systems.items()}
    printer = Printer()
    try:
        trio.run(measure, plan, printer.tell)
    except KeyboardInterrupt:
        print("\nInterrupted; what was measured until now is kept.")
    rows = printer.rows
    return Run(began, plan.rounds, plan.seconds, machine, titles, choice.skipped, rows)


class Printer:
    """Prints rows below one another, and keeps them."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def tell(self, row: Row) -> None:
        """Print a row, and a title where it begins another table."""
        above = self.rows[-1] if self.rows else None
        print("\n".join(lines_of(row, above)), flush=True)
        self.rows.append(row)


def main(words: Sequence[str] | None = None) -> None:
    """Read the command line and run."""
    options = parser().parse_args(words)
    try:
        if options.plots:
            plots.load_matplotlib()  # before all the work, not after it
        run = results.load(options.load) if options.load else make_run(options)
        print("\n".join(lines_of_targets(run)))
        if options.json:
            results.save(run, options.json, [each.as_data() for each in verdicts(run.rows)])
        if options.plots:
            plots.draw(run, options.plots)
        if options.page:
            write_page(run, options.page)
    except ValueError as error:
        sys.exit(f"{parser().prog}: {error}")


if __name__ == "__main__":
    main()
