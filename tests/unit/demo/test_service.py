"""The service of the demo, with processes that are made up."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from farcall._demo import machine
from farcall._demo.monitor import MonitorProxy
from farcall._demo.records import NoSuchProcess, Process
from farcall._demo.service import Monitor
from farcall.testing import open_pair

RUNNING = [Process(pid, f"process {pid}", 100.0 / pid, 4096) for pid in (1, 2, 3)]


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the processes of this machine by three others."""

    def processes_with(pid: int) -> list[int]:
        return [pid]

    def read_cpu(processes: list[int]) -> list[int]:
        return processes

    def busiest_since(processes: list[int]) -> list[Process]:
        return [each for each in RUNNING if each.pid in processes]

    monkeypatch.setattr(machine, "all_processes", lambda: [1, 2, 3])
    for function in (processes_with, read_cpu, busiest_since):
        monkeypatch.setattr(machine, function.__name__, function)


@pytest.mark.parametrize(("most", "count"), [(2, 2), (5, 3), (0, 0), (-1, 0)])
async def test_processes(most: int, count: int, autojump_clock: MockClock) -> None:
    """The busiest processes come first, at most as many as asked for."""
    assert await Monitor().processes(most) == RUNNING[:count]


async def test_process(autojump_clock: MockClock) -> None:
    """A running process is described, and another one raises NoSuchProcess."""
    monitor = Monitor()

    assert await monitor.process(2) == RUNNING[1]
    with pytest.raises(NoSuchProcess):
        await monitor.process(4)


async def test_samples_come_in_an_interval(autojump_clock: MockClock) -> None:
    """A sample arrives after each interval."""
    async with open_pair(Monitor(interval=30), MonitorProxy) as (monitor, _):
        async with monitor.sampled.subscribe() as samples:
            for _ in range(2):
                await anext(samples)

    assert autojump_clock.current_time() == pytest.approx(60)
