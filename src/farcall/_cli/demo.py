"""The demonstration: serve the monitor, call it through its stub, and draw its samples."""

from __future__ import annotations

from functools import partial

import attrs
import trio
from rich.console import Console

import farcall
from farcall._cli.screen import draw, in_words, say
from farcall._cli.serving import serve_until_signal
from farcall._demo.monitor import MonitorProxy, NoSuchProcess
from farcall._demo.service import Monitor

INTERVAL = 0.5
"""Seconds between samples: few enough that something moves, enough to read them."""

ANOTHER_PORT = 8765
"""To advise where the port of the demo itself is gone by the time the advice is read."""

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
    """What was asked for on the command line."""

    console: Console
    port: int
    seconds: float
    forever: bool


async def run_demo(demo: Demo) -> None:
    """Serve the monitor, and show it for a while.

    Raises:
        CommandError: it cannot listen at the port.
        SystemExit: a second signal came.

    Cancellation:
        Server and client end.
    """
    await serve_until_signal([Monitor(INTERVAL)], partial(_visit, demo), port=demo.port)


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
