"""Show the progress of a copy: a bar on a terminal, otherwise a line for every 10 %."""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from examples.files import copying

BETWEEN_DRAWINGS = 0.1
"""Seconds. Often enough to look smooth, and cheap compared to the copy."""


@contextmanager
def shown(name: str, console: Console) -> Generator[copying.Progress, None, None]:
    """Show the progress of one copy during a ``with`` block.

    Args:
        name: The name of the file.
        console: Where to show it. A terminal gets a bar.
    """
    if not console.is_terminal:
        yield _Lines(name, console)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, auto_refresh=False) as bar:
        yield _Bar(name, bar)


class _Bar:
    """Redraws itself on each call, so rich needs no thread."""

    def __init__(self, name: str, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task(name, total=None)
        self._drawn_at = -math.inf

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        is_due = now - self._drawn_at > BETWEEN_DRAWINGS
        if is_due:
            self._drawn_at = now
        self._bar.update(self._task, completed=done, total=total, refresh=is_due)


class _Lines:
    def __init__(self, name: str, console: Console) -> None:
        self._name = name
        self._console = console
        self._tenths = -1

    def __call__(self, done: int, total: int) -> None:
        tenths = 10 * done // total if total else 10
        if tenths > self._tenths:
            self._tenths = tenths
            line = f"{self._name}: {tenths * 10} % of {total} bytes"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
