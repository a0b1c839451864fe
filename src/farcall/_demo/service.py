"""A service that watches the machine it runs on."""

from __future__ import annotations

from collections.abc import Iterable

import psutil
import trio

from farcall import Signal, background, method, service
from farcall._demo import machine
from farcall._demo.records import Disk, Load, Memory, NoSuchProcess, Process, Sample

WATCHED_SECONDS = 0.2
"""The kernel counts hundredths of a second: in fewer of them, busy and idle look alike."""


@service
class Monitor:
    """Live figures of the machine that serves it."""

    sampled: Signal[Sample] = Signal(retain=True)
    """The machine, once in each interval."""

    def __init__(self, interval: float = 1.0) -> None:
        self._interval = interval

    async def load(self) -> Load:
        """Tell how busy the processors are."""
        return machine.read_load()

    async def memory(self) -> Memory:
        """Tell how much memory is in use."""
        return machine.read_memory()

    async def processes(self, most: int = 5) -> list[Process]:
        """Watch all processes for a moment, and list the busiest.

        Args:
            most: How many.
        """
        found = await trio.to_thread.run_sync(machine.all_processes)
        return (await _watch(found))[: max(most, 0)]

    @method(raises=[NoSuchProcess])
    async def process(self, pid: int) -> Process:
        """Watch one process for a moment."""
        for process in await _watch(machine.processes_with(pid)):
            return process
        raise NoSuchProcess(pid)

    async def disks(self) -> list[Disk]:
        """List the mounted file systems."""
        # A network file system may not answer for long: its thread is left alone on cancel.
        return await trio.to_thread.run_sync(machine.read_disks, abandon_on_cancel=True)

    @background
    async def sample(self) -> None:
        """Emit a sample in each interval."""
        machine.read_sample()  # processors are counted from one reading to the next
        while True:
            await trio.sleep(self._interval)
            self.sampled.emit(machine.read_sample())


async def _watch(processes: Iterable[psutil.Process]) -> list[Process]:
    before = await trio.to_thread.run_sync(machine.read_cpu, processes)
    await trio.sleep(WATCHED_SECONDS)
    return await trio.to_thread.run_sync(machine.busiest_since, before)
