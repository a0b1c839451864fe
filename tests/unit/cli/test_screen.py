"""The output of the demo."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from farcall._cli.demo import SAMPLES_SHOWN, draw, in_words, say
from farcall._demo.monitor import Disk, Load, Memory, Process, Sample

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def console(*, is_interactive: bool) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    terminal = Console(
        file=written, force_terminal=is_interactive, force_interactive=is_interactive, width=80
    )
    return terminal, written


async def samples(count: int) -> AsyncIterator[Sample]:
    for number in range(count):
        yield Sample(NOON + timedelta(minutes=number), 10.0 + number, 50.0, 0.25)


def minutes(written: io.StringIO) -> list[str]:
    """List the times that were drawn last, without hours, which depend on the time zone."""
    table = written.getvalue().rpartition("Monitor.sampled, live")[2]
    return [line.split(":")[1] for line in table.splitlines() if ":00.0" in line]


async def test_lines_where_nothing_can_be_redrawn() -> None:
    """Without a terminal there is one line for each sample, and no escape sequence."""
    plain, written = console(is_interactive=False)

    await draw(plain, samples(2))

    first, second = written.getvalue().splitlines()
    assert first.startswith("sampled: ")
    assert first.endswith(":00:00 cpu 10 %, memory 50 %, load 0.25")
    assert second.endswith(":01:00 cpu 11 %, memory 50 %, load 0.25")


async def test_table_on_a_terminal() -> None:
    """On a terminal one table has the last samples, and is redrawn for each."""
    terminal, written = console(is_interactive=True)

    await draw(terminal, samples(SAMPLES_SHOWN + 2))

    assert minutes(written) == [f"{each:02}" for each in range(2, SAMPLES_SHOWN + 2)]
    assert written.getvalue().count("Monitor.sampled, live") >= SAMPLES_SHOWN + 2
    assert "\x1b[1A" in written.getvalue()  # up one line


def test_text_is_shown_as_it_is() -> None:
    """Brackets are not read as markup, and long lines are not wrapped."""
    plain, written = console(is_interactive=False)

    say(plain, "[bold]" + "x" * 100)

    assert written.getvalue() == "[bold]" + "x" * 100 + "\n"


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        (Load(4, 0.5, 0.25, 1.0), "0.50 0.25 1.00 on 4 processors"),
        (Memory(8 * 2**30, 2 * 2**30, 75.0), "2.0 of 8.0 GiB available"),
        (Process(7, "python", 12.5, 3 * 2**20), "python 12 %, 3 MiB"),
        (Disk("/", 100 * 2**30, 2**30, 1.0), "/ 1 % of 100 GiB"),
    ],
)
def test_words(figures: Load | Memory | Process | Disk, words: str) -> None:
    """All figures are written in a few words, with their units."""
    assert in_words(figures) == words
