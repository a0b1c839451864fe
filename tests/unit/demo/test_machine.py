"""The figures of a machine whose processes end and whose file systems are closed."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from farcall._demo import machine
from farcall._demo.records import Disk, Process


class FakeProcess:
    """A stand-in for `psutil.Process`."""

    def __init__(self, pid: int, *seconds: float, has_ended: bool = False) -> None:
        self.pid = pid
        self._seconds = iter(seconds)
        self._has_ended = has_ended

    def cpu_times(self) -> Any:
        seconds = next(self._seconds, None)
        if seconds is None:
            raise psutil.NoSuchProcess(self.pid)
        return SimpleNamespace(user=seconds, system=0.5)

    def name(self) -> str:
        if self._has_ended:
            raise psutil.ZombieProcess(self.pid)
        return f"process {self.pid}"

    def memory_info(self) -> Any:
        return SimpleNamespace(rss=4096)


def busiest(monkeypatch: pytest.MonkeyPatch, *processes: Any) -> list[Process]:
    """Watch processes for two seconds."""
    times = iter([10.0, 12.0])
    monkeypatch.setattr(machine, "time", SimpleNamespace(perf_counter=lambda: next(times)))
    return machine.busiest_since(machine.read_cpu(processes))


def test_busiest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are ordered by their share of one processor."""
    found = busiest(monkeypatch, FakeProcess(1, 5.0, 5.1), FakeProcess(2, 7.0, 10.0))

    assert found == [
        Process(2, "process 2", 150.0, 4096),
        Process(1, "process 1", 5.0, 4096),
    ]


def test_processes_that_end_meanwhile_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends at any moment is left out."""
    before, between = FakeProcess(1), FakeProcess(2, 5.0)
    after = FakeProcess(3, 5.0, 6.0, has_ended=True)

    assert busiest(monkeypatch, before, between, after) == []


def test_processes_by_number() -> None:
    """A number without a process, or out of range, gives none."""
    assert [each.pid for each in machine.processes_with(os.getpid())] == [os.getpid()]
    assert machine.processes_with(-1) == []
    assert machine.processes_with(10**30) == []


def test_file_systems_that_cannot_be_read_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that cannot be read is left out."""
    mounts = [SimpleNamespace(mountpoint=mount) for mount in ("/", "/secret")]

    def usage(mount: str) -> Any:
        if mount == "/secret":
            raise PermissionError
        return SimpleNamespace(total=100, used=25, percent=25.0)

    monkeypatch.setattr(psutil, "disk_partitions", lambda: mounts)
    monkeypatch.setattr(psutil, "disk_usage", usage)

    assert machine.read_disks() == [Disk("/", 100, 25, 25.0)]


def test_figures_of_this_machine() -> None:
    """The figures of this machine are in their ranges."""
    load, memory, sample = machine.read_load(), machine.read_memory(), machine.read_sample()

    assert load.processors >= 1
    assert 0 < memory.available <= memory.total
    assert 0 <= sample.cpu_percent <= 100
    assert sample.at.tzinfo is not None
