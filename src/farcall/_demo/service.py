"""A service that watches the machine it runs on."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import attrs
import psutil
import trio

from farcall import ApplicationError, Signal, background, method, service


@attrs.frozen
class Load:
    """How busy the processors are."""

    processors: int
    average_1: float
    """Runnable processes, averaged over a minute."""
    average_5: float
    average_15: float


@attrs.frozen
class Memory:
    """The main memory, in bytes."""

    total: int
    available: int
    percent: float
    """In use."""


@attrs.frozen
class Process:
    """A running program."""

    pid: int
    name: str
    memory: int
    """Resident, in bytes."""


@attrs.frozen
class Disk:
    """A mounted file system, in bytes."""

    mount: str
    total: int
    used: int
    percent: float


@attrs.frozen
class Sample:
    """The machine at one moment."""

    at: datetime
    cpu_percent: float
    """Of all processors, since the last sample."""
    memory_percent: float
    load: float
    """Runnable processes, averaged over a minute."""


@attrs.define
class NoSuchProcess(ApplicationError):
    """No process has this number, or it belongs to somebody else."""

    pid: int


@service
class Monitor:
    """Live figures of the machine that serves it."""

    sampled: Signal[Sample] = Signal(retain=True)
    """The machine, once in each interval."""

    def __init__(self, interval: float = 0.5) -> None:
        self._interval = interval

    async def load(self) -> Load:
        """Tell how busy the processors are."""
        one, five, fifteen = psutil.getloadavg()
        return Load(os.cpu_count() or 1, one, five, fifteen)

    async def memory(self) -> Memory:
        """Tell how much memory is in use."""
        found = psutil.virtual_memory()
        return Memory(found.total, found.available, found.percent)

    async def processes(self, most: int = 5) -> list[Process]:
        """List the processes that hold most memory.

        Args:
            most: How many.
        """
        # Reading all of /proc takes a while, in which nothing else could run.
        return await trio.to_thread.run_sync(_largest, max(most, 0))

    @method(raises=[NoSuchProcess])
    async def process(self, pid: int) -> Process:
        """Look at one process."""
        try:
            return _described(psutil.Process(pid))
        except (psutil.Error, ValueError, OverflowError):
            raise NoSuchProcess(pid) from None

    async def disks(self) -> list[Disk]:
        """List the mounted file systems."""
        # A file system on the network may take its time.
        return await trio.to_thread.run_sync(_mounted, abandon_on_cancel=True)

    @background
    async def sample(self) -> None:
        """Emit a sample in each interval."""
        while True:
            self.sampled.emit(_sampled())
            await trio.sleep(self._interval)


def _sampled() -> Sample:
    return Sample(
        datetime.now(UTC),
        psutil.cpu_percent(),
        psutil.virtual_memory().percent,
        psutil.getloadavg()[0],
    )


def _described(process: psutil.Process) -> Process:
    return Process(process.pid, process.name(), process.memory_info().rss)


def _largest(most: int) -> list[Process]:
    found: list[Process] = []
    for process in psutil.process_iter():
        try:
            found.append(_described(process))
        except psutil.Error:
            continue  # it has ended meanwhile, or is none of our business
    return sorted(found, key=lambda each: each.memory, reverse=True)[:most]


def _mounted() -> list[Disk]:
    found: list[Disk] = []
    for partition in psutil.disk_partitions():
        try:
            usage = psutil.disk_usage(partition.mountpoint)
        except OSError:
            continue  # it may not be looked at
        found.append(Disk(partition.mountpoint, usage.total, usage.used, usage.percent))
    return found
