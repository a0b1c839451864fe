"""Read the figures of this machine, by psutil.

Load, memory and processors come from tables of the kernel in less than a millisecond. Disks may be
far away and processes many: those are to be read in a worker thread.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

import attrs
import psutil

from farcall._demo.records import Disk, Load, Memory, Process, Sample


def read_load() -> Load:
    """Read how busy the processors are."""
    return Load(psutil.cpu_count() or 1, *psutil.getloadavg())


def read_memory() -> Memory:
    """Read how much memory is in use."""
    found = psutil.virtual_memory()
    return Memory(found.total, found.available, found.percent)


def read_sample() -> Sample:
    """Read a sample; its share of the processors is that since the last one."""
    cpu, memory = psutil.cpu_percent(), psutil.virtual_memory().percent
    return Sample(datetime.now(UTC), cpu, memory, psutil.getloadavg()[0])


def read_disks() -> list[Disk]:
    """Read how full each file system is; those that may not be looked at are left out."""
    return list(_disks())


def _disks() -> Iterator[Disk]:
    for partition in psutil.disk_partitions():
        try:
            usage = psutil.disk_usage(partition.mountpoint)
        except OSError:
            continue
        yield Disk(partition.mountpoint, usage.total, usage.used, usage.percent)


@attrs.frozen
class CpuReading:
    """What processes had used of the processors at one moment."""

    at: float
    """By `time.perf_counter`."""
    seconds: Mapping[psutil.Process, float]
    """A process that got the number of another one counts as another one."""


def all_processes() -> list[psutil.Process]:
    """Find the processes that run."""
    return list(psutil.process_iter())


def processes_with(pid: int) -> list[psutil.Process]:
    """Find the process of that number, if there is one."""
    try:
        return [psutil.Process(pid)]
    except (psutil.Error, ValueError, OverflowError):  # no process could have such a number
        return []


def read_cpu(processes: Iterable[psutil.Process]) -> CpuReading:
    """Read what processes have used so far."""
    return CpuReading(time.perf_counter(), dict(_cpu_seconds(processes)))


def _cpu_seconds(processes: Iterable[psutil.Process]) -> Iterator[tuple[psutil.Process, float]]:
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue  # it has ended, or is none of our business
        yield process, times.user + times.system


def busiest_since(before: CpuReading) -> list[Process]:
    """Describe the processes of a reading by what they have used since, the busiest first."""
    now = read_cpu(before.seconds)
    elapsed = now.at - before.at
    found = [
        _described(process, (seconds - before.seconds[process]) / elapsed)
        for process, seconds in now.seconds.items()
    ]
    running = [each for each in found if each is not None]
    return sorted(running, key=lambda each: each.cpu_percent, reverse=True)


def _described(process: psutil.Process, share: float) -> Process | None:
    try:
        name, memory = process.name(), process.memory_info().rss
    except psutil.Error:
        return None
    return Process(process.pid, name, round(100 * share, 1), memory)
