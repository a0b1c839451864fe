"""What was found, for a reader: on the terminal, and as the tables of ``docs/benchmarks.md``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.benchmarks.results import Row, Run
from tests.benchmarks.targets import Verdict, verdicts

COLUMNS: Mapping[str, str] = {
    "throughput": "a second",
    "p50_us": "p50, us",
    "p99_us": "p99, us",
    "server_us": "CPU server, us",
    "client_us": "CPU client, us",
    "server_mb": "server, MB",
    "client_mb": "client, MB",
}
"""The measures of most works."""

IDLE_COLUMNS: Mapping[str, str] = {
    "kb_each": "KB each",
    "core_percent": "% of a core",
    "server_mb": "server, MB",
    "client_mb": "client, MB",
}
"""Of connections that do nothing."""

IMPORT_COLUMNS: Mapping[str, str] = {"cpu_us": "CPU, us"}

LONG = 3
"""Points of a work, above which its table has one line for each point, and one measure."""

BEGIN, END = "<!-- results: written by tests.benchmarks -->", "<!-- end of results -->"


def columns(row: Row) -> Mapping[str, str]:
    """Give the measures that say something of a row, and their titles."""
    return {"S7": IDLE_COLUMNS, "S10-import": IMPORT_COLUMNS}.get(row.work, COLUMNS)


def figure(value: float) -> str:
    """Write a number as it is read best: three digits that say something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3g}"


# The terminal


def lines_of(row: Row, above: Row | None) -> Iterator[str]:
    """Give the line of a row, below a title where the row above is of another point."""
    titles = columns(row)
    if above is None or (above.work, above.point) != (row.work, row.point):
        title = f"{row.work} {row.title}" + (f": {row.point}" if row.point else "")
        yield ""
        yield f"{title}, for each {row.unit}"
        yield f"{'':16}" + "".join(f"{each:>15}" for each in titles.values())
    if row.samples:
        yield f"{row.system:16}" + "".join(f"{figure(row.measure(each)):>15}" for each in titles)
    if row.failure:
        yield f"{row.system:16} failed: {row.failure}"


def lines_of_targets(run: Run) -> Iterator[str]:
    """Give the targets, with what was reached beside what is wanted."""
    yield ""
    yield f"{'targets':16}{'reached':>10}{'wanted':>12}"
    for each in verdicts(run.rows):
        target = each.target
        wanted = f"{target.bound} {target.wanted:g}"
        mark = "" if each.is_met else "   MISSED"
        yield (
            f"{target.work:16}{_reached(each):>10}{wanted:>12}   "
            f"{target.describe()}{_in_brackets(each.note)}{mark}"
        )


def _reached(verdict: Verdict) -> str:
    return "failed" if verdict.reached is None else figure(verdict.reached)


def _in_brackets(note: str) -> str:
    return f" ({note})" if note else ""


# The page


def write_page(run: Run, page: Path) -> None:
    """Put the tables of a run between the two markers of a page.

    Raises:
        ValueError: The page has no such markers.
    """
    text = page.read_text("utf-8")
    between = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not between.search(text):
        raise ValueError(f"{page} has no place for the tables: {BEGIN} ... {END}")
    tables = "\n".join([BEGIN, *_page_lines(run), END])
    page.write_text(between.sub(lambda _: tables, text), "utf-8")


def _page_lines(run: Run) -> Iterator[str]:
    yield from _where_and_what(run)
    yield from _target_table(verdicts(run.rows))
    for rows in _by_work(run.rows):
        is_long = len({row.point for row in rows}) > LONG
        yield from (_growth_table if is_long else _work_table)(rows, run.systems)


def _where_and_what(run: Run) -> Iterator[str]:
    machine = run.machine
    yield (
        f"Measured on {run.began}, in {run.rounds} rounds, on {machine.cores} cores of "
        f"{machine.processor} with {machine.memory_gb:g} GB of memory, {machine.system}, with "
        + ", ".join(f"{name} {version}" for name, version in machine.versions.items())
        + "."
    )
    if run.skipped:
        yield ""
        yield f"Not installed there, and so not measured: {', '.join(run.skipped)}."
    yield ""


def _target_table(found: Sequence[Verdict]) -> Iterator[str]:
    if not found:
        return
    yield "### Targets"
    yield ""
    yield "| work | what | wanted | reached | |"
    yield "|---|---|---|---|---|"
    for each in found:
        target = each.target
        mark = "" if each.is_met else "missed"
        yield (
            f"| {target.work} | {target.describe()}{_in_brackets(each.note)} "
            f"| {target.bound} {target.wanted:g} | {_reached(each)} | {mark} |"
        )
    yield ""


def _by_work(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for name in dict.fromkeys(row.work for row in rows):
        yield [row for row in rows if row.work == name]


def _work_table(rows: Sequence[Row], titles: Mapping[str, str]) -> Iterator[str]:
    first = rows[0]
    measures = columns(first)
    yield f"### {first.work}: {first.title}"
    yield ""
    yield f"| | {' | '.join(measures.values())} |"
    yield f"|---|{'---|' * len(measures)}"
    for row in rows:
        at = f", {row.point}" if row.point else ""
        if row.samples:
            figures = " | ".join(figure(row.measure(each)) for each in measures)
        else:
            figures = f"failed: {row.failure}" + " |" * (len(measures) - 1)
        yield f"| {titles[row.system]}{at} | {figures} |"
    yield ""


def _growth_table(rows: Sequence[Row], titles: Mapping[str, str]) -> Iterator[str]:
    first = rows[0]
    systems = list(dict.fromkeys(row.system for row in rows))
    yield f"### {first.work}: {first.title}"
    yield ""
    yield f"CPU time of both ends for each {first.unit}, in us:"
    yield ""
    yield f"| | {' | '.join(titles[system] for system in systems)} |"
    yield f"|---|{'---|' * len(systems)}"
    for point in dict.fromkeys(row.point for row in rows):
        found = {row.system: row for row in rows if row.point == point}
        yield f"| {point} | {' | '.join(_cost_of(found.get(each)) for each in systems)} |"
    yield ""


def _cost_of(row: Row | None) -> str:
    if row is None or not row.samples:
        return "failed"
    return figure(row.measure("cpu_us"))
