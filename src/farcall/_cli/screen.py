"""Draw what the monitor says: a table on a terminal, lines elsewhere."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, Iterable

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from farcall._demo.monitor import Disk, Load, Memory, Process, Sample

SAMPLES_SHOWN = 8
"""As many fit below the calls on a terminal of 24 lines."""

GIB = 2**30
MIB = 2**20


def say(console: Console, text: str) -> None:
    """Print text as it is, however long its lines."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


async def draw(console: Console, samples: AsyncIterable[Sample]) -> None:
    """Draw samples as they come: in one table that redraws, or a line for each.

    Args:
        console: Where to; whether it can redraw decides.
        samples: Drawn until they end.

    Cancellation:
        The table stays as it is.
    """
    if console.is_interactive:
        await _redraw(console, samples)
        return
    async for sample in samples:
        say(console, f"sampled: {in_words(sample)}")


async def _redraw(console: Console, samples: AsyncIterable[Sample]) -> None:
    recent = deque[Sample](maxlen=SAMPLES_SHOWN)
    with Live(console=console, auto_refresh=False) as live:
        async for sample in samples:
            recent.append(sample)
            live.update(_table(recent), refresh=True)


def _table(samples: Iterable[Sample]) -> Table:
    table = Table(title="Monitor.sampled, live", title_justify="left")
    for heading in ("at", "cpu", "", "memory", "load"):
        table.add_column(heading, justify="right")
    for sample in samples:
        table.add_row(
            f"{sample.at.astimezone():%H:%M:%S.%f}"[:-5],
            f"{sample.cpu_percent:.0f} %",
            ProgressBar(completed=sample.cpu_percent, width=24),
            f"{sample.memory_percent:.0f} %",
            f"{sample.load:.2f}",
        )
    return table


def in_words(figures: Load | Memory | Process | Disk | Sample) -> str:
    """Put figures into a few words."""
    match figures:
        case Load():
            averages = f"{figures.average_1:.2f} {figures.average_5:.2f} {figures.average_15:.2f}"
            return f"{averages} on {figures.processors} processors"
        case Memory():
            available, total = figures.available / GIB, figures.total / GIB
            return f"{available:.1f} of {total:.1f} GiB available"
        case Process():
            return f"{figures.name} {figures.cpu_percent:.0f} %, {figures.memory / MIB:.0f} MiB"
        case Disk():
            return f"{figures.mount} {figures.percent:.0f} % of {figures.total / GIB:.0f} GiB"
        case Sample():
            shares = f"cpu {figures.cpu_percent:.0f} %, memory {figures.memory_percent:.0f} %"
            return f"{figures.at.astimezone():%H:%M:%S} {shares}, load {figures.load:.2f}"
