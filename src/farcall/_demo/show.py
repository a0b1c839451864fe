"""The demonstration: serve the monitor, look at it through its stub, and draw what it says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TypeAlias

import trio
from rich.console import Console
from rich.live import Live
from rich.table import Table

import farcall
from farcall._demo.monitor import Memory, MonitorProxy, Process, Sample
from farcall._demo.service import Monitor
from farcall._nursery import open_owned_nursery

SAMPLES_SHOWN = 8


Attend: TypeAlias = Callable[..., Awaitable[None]]
"""Looks after a `farcall.Server` while it runs, given a scope to cancel; reports when it does."""


async def run_demo(
    console: Console, attend: Attend, *, port: int, seconds: float, forever: bool
) -> None:
    """Serve the monitor, and show it for a while.

    Args:
        console: Where to draw.
        attend: Started beside the server; ends it when a signal comes.
        port: To listen at; 0 for any.
        seconds: For how long samples are shown.
        forever: Whether to keep serving after that.

    Raises:
        OSError: it cannot listen there.

    Cancellation:
        Server and client end.
    """
    async with open_owned_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, Monitor(), port)
        await nursery.start(attend, server, nursery.cancel_scope)
        console.print(f"Serving [bold]Monitor[/] at {server.url}")
        await _look(console, server, seconds)
        _tell_how_to_reach(console, server, forever=forever)
        if not forever:
            server.shutdown()
        await server.wait_closed()
        nursery.cancel_scope.cancel()


async def _look(console: Console, server: farcall.Server, seconds: float) -> None:
    async with farcall.connect(server.url, MonitorProxy) as monitor:
        await _show_calls(console, monitor)
        # A signal drains the server, which ends the subscription; that is no fault to show.
        with suppress(farcall.RemoteCancelled, farcall.ShuttingDown, farcall.ConnectionLost):
            await _show_samples(console, monitor, seconds)


async def _show_calls(console: Console, monitor: MonitorProxy) -> None:
    load = await monitor.load()
    console.print(
        f"load(): {load.average_1:.2f} {load.average_5:.2f} {load.average_15:.2f}"
        f" on {load.processors} processors"
    )
    console.print(f"memory(): {_in_words(await monitor.memory())}")
    console.print(f"processes(most=3): {', '.join(map(_named, await monitor.processes(3)))}")
    console.print(f"disks(): {len(await monitor.disks())} mounted")
    try:
        await monitor.process(-1)
    except farcall.ApplicationError as error:
        console.print(f"process(-1): {type(error).__name__}, {error}")


async def _show_samples(console: Console, monitor: MonitorProxy, seconds: float) -> None:
    samples: list[Sample] = []
    with Live(console=console, auto_refresh=False, transient=False) as live:
        async with monitor.sampled.subscribe(on_lag="latest") as stream:
            with trio.move_on_after(seconds):
                async for sample in stream:
                    samples.append(sample)
                    if console.is_terminal:
                        live.update(_table(samples[-SAMPLES_SHOWN:]), refresh=True)
                    else:
                        console.print(_line(sample))


def _table(samples: Iterable[Sample]) -> Table:
    table = Table(title="Monitor.sampled, live", title_justify="left")
    for heading in ("at", "cpu", "memory", "load"):
        table.add_column(heading, justify="right")
    for sample in samples:
        table.add_row(
            f"{sample.at.astimezone():%H:%M:%S.%f}"[:-5],
            f"{sample.cpu_percent:.0f} %",
            f"{sample.memory_percent:.0f} %",
            f"{sample.load:.2f}",
        )
    return table


def _line(sample: Sample) -> str:
    return (
        f"sampled: {sample.at.astimezone():%H:%M:%S} cpu {sample.cpu_percent:.0f} %,"
        f" memory {sample.memory_percent:.0f} %, load {sample.load:.2f}"
    )


def _tell_how_to_reach(console: Console, server: farcall.Server, *, forever: bool) -> None:
    port = server.port if forever else 8765
    start = "" if forever else f"To try it from elsewhere: farcall demo --forever --port {port}\n"
    python = f'async with farcall.connect("ws://127.0.0.1:{port}") as session:'
    javascript = f'new (require("rpc-websockets").Client)("ws://127.0.0.1:{port}")'
    console.print(
        f"{start}Python:     {python}\n"
        '                await session.call("Monitor.load")\n'
        f"JavaScript: {javascript}\n"
        '                .call("Monitor.load")',
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _in_words(memory: Memory) -> str:
    gib = 2**30
    return f"{memory.available / gib:.1f} of {memory.total / gib:.1f} GiB available"


def _named(process: Process) -> str:
    return f"{process.name} ({process.memory / 2**20:.0f} MiB)"
