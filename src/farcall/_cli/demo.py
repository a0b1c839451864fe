"""``farcall demo``: serve the monitor, call it through its stub, and draw its samples.

It draws a table on a terminal, and writes lines elsewhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, Iterable
from functools import partial

import attrs
import trio
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

import farcall
from farcall._cli.serving import open_server
from farcall._demo.monitor import Disk, Load, Memory, MonitorProxy, NoSuchProcess, Process, Sample
from farcall._demo.service import Monitor
from farcall._server.run import serve_until_signal

SAMPLES_SHOWN = 8
"""These fit below the calls on a terminal of 24 lines."""

GIB = 2**30
MIB = 2**20


def say(console: Console, text: str) -> None:
    """Print text unchanged, without wrapping its lines."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


async def draw(console: Console, samples: AsyncIterable[Sample]) -> None:
    """Draw samples as they come: in one table on a terminal, or a line for each elsewhere.

    Args:
        console: The output.
        samples: Drawn until they end.

    Cancellation:
        Leaves the table on the terminal.
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


INTERVAL = 0.5
"""Seconds between samples: short enough for a live picture, long enough to read them."""

ANOTHER_PORT = 8765
"""For the advice, which is read after the port of the demo has closed."""

PYTHON = """\
import farcall, trio

async def main():
    async with farcall.connect("{url}") as session:
        print(await session.call("Monitor.load"))

trio.run(main)
"""

JAVASCRIPT = """\
const {{ Client }} = require("rpc-websockets")
const client = new Client("{url}")
client.on("open", async () => console.log(await client.call("Monitor.load")))
"""


@attrs.frozen
class Demo:
    """The options of ``farcall demo``."""

    console: Console
    port: int
    seconds: float
    forever: bool


async def run_demo(demo: Demo) -> int:
    """Serve the monitor and show it for a while.

    Returns:
        The status of the process.

    Raises:
        CommandError: it cannot listen at the port.

    Cancellation:
        Ends the server and the client.
    """
    serving = open_server([Monitor(INTERVAL)], demo.port, {})
    return await serve_until_signal(serving, partial(_visit, demo))


async def _visit(demo: Demo, server: farcall.Server) -> None:
    say(demo.console, f"Serving Monitor at {server.url}\n")
    async with farcall.connect(server.url, MonitorProxy) as monitor:
        await _call(demo.console, monitor)
        await _watch(demo.console, monitor, demo.seconds)
    if demo.forever:
        say(demo.console, f"\n{_ways_in(server.url)}\nServing until Ctrl-C")
    else:
        again = f"farcall demo --forever --port {ANOTHER_PORT}"
        url = f"ws://127.0.0.1:{ANOTHER_PORT}"
        say(demo.console, f"\nTo reach it from elsewhere, run: {again}\n\n{_ways_in(url)}")
        server.shutdown()


async def _call(console: Console, monitor: MonitorProxy) -> None:
    say(console, f"load(): {in_words(await monitor.load())}")
    say(console, f"memory(): {in_words(await monitor.memory())}")
    for disk in await monitor.disks():
        say(console, f"disks(): {in_words(disk)}")
    for process in await monitor.processes(most=3):
        say(console, f"processes(most=3): {in_words(process)}")
    try:
        await monitor.process(-1)
    except NoSuchProcess as error:
        say(console, f"process(-1): {error!r}, a declared error, shown on purpose")


async def _watch(console: Console, monitor: MonitorProxy, seconds: float) -> None:
    async with monitor.sampled.subscribe(on_lag="latest") as samples:
        with trio.move_on_after(seconds):
            await draw(console, samples)


def _ways_in(url: str) -> str:
    python, javascript = PYTHON.format(url=url), JAVASCRIPT.format(url=url)
    return f"In Python:\n\n{python}\nIn JavaScript:\n\n{javascript}"
