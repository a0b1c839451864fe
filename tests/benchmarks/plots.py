"""Pictures of a run, by matplotlib, which is imported for them alone."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.results import Row, Run


def load_matplotlib() -> Any:
    """Give ``matplotlib.pyplot``, for a machine without a screen.

    Raises:
        ValueError: It is not installed.
    """
    try:
        importlib.import_module("matplotlib").use("agg")
        return importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise ValueError("--plots needs matplotlib: pip install 'farcall[bench]'") from error


def draw(run: Run, folder: Path) -> None:
    """Draw a picture of each work into a folder."""
    pyplot = load_matplotlib()
    folder.mkdir(parents=True, exist_ok=True)
    for name in dict.fromkeys(row.work for row in run.rows):
        rows = [row for row in run.rows if row.work == name and row.samples]
        if not rows:
            continue
        grows = len({row.size for row in rows}) > 2
        picture = _draw_growth(pyplot, rows) if grows else _draw_bars(pyplot, rows)
        picture.savefig(folder / f"{name}.png", dpi=120, bbox_inches="tight")
        pyplot.close(picture)


def _draw_growth(pyplot: Any, rows: Sequence[Row]) -> Any:
    """Draw the cost of an operation over its number or size."""
    picture, axes = pyplot.subplots(figsize=(8, 5))
    for system in dict.fromkeys(row.system for row in rows):
        some = [row for row in rows if row.system == system]
        axes.plot(
            [row.size for row in some],
            [row.measure("cpu_us") for row in some],
            marker="o",
            label=system,
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel(rows[0].title)
    axes.set_ylabel(f"CPU of both ends, us a {rows[0].unit}")
    axes.set_title(f"{rows[0].work} {rows[0].title}")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    return picture


def _draw_bars(pyplot: Any, rows: Sequence[Row]) -> Any:
    """Draw the throughput, and the CPU time of each side, of each system."""
    picture, (left, right) = pyplot.subplots(1, 2, figsize=(12, 0.5 * len(rows) + 1.5), sharey=True)
    labels = [f"{row.system} {row.point}".strip() for row in rows]
    left.barh(labels, [row.measure("throughput") for row in rows])
    left.set_xlabel(f"{rows[0].unit}s a second")
    server = [row.measure("server_us") for row in rows]
    right.barh(labels, server, label="server")
    right.barh(labels, [row.measure("client_us") for row in rows], left=server, label="client")
    right.set_xlabel(f"CPU, us a {rows[0].unit}")
    right.legend()
    left.invert_yaxis()
    picture.suptitle(f"{rows[0].work} {rows[0].title}")
    return picture
