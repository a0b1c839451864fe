"""A client of the monitor that uses its generated stub.

Run ``farcall serve examples.monitor.service:Monitor`` in one terminal and
``python -m examples.monitor.client`` in another.
"""

from __future__ import annotations

import sys

import trio

import farcall
from farcall._demo.monitor import MonitorProxy, NoSuchProcess


async def main(url: str) -> None:
    async with farcall.connect(url, MonitorProxy) as monitor:
        load, memory = await monitor.load(), await monitor.memory()
        print(f"load {load.average_1:.2f} on {load.processors} processors")
        print(f"memory {memory.percent:.0f} % of {memory.total / 2**30:.0f} GiB")
        for process in await monitor.processes(most=3):
            print(f"{process.pid:8} {process.name} {process.memory / 2**20:.0f} MiB")
        for disk in await monitor.disks():
            print(f"{disk.mount} {disk.percent:.0f} %")
        try:
            await monitor.process(-1)
        except NoSuchProcess as error:
            print("no process", error.pid)
        async with monitor.sampled.subscribe(on_lag="latest") as samples:
            for _ in range(2):
                print(f"cpu {(await anext(samples)).cpu_percent:.0f} %")


if __name__ == "__main__":
    trio.run(main, sys.argv[1] if sys.argv[1:] else "ws://127.0.0.1:8765")
