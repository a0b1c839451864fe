"""What a run has found, as data that JSON keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import msgspec

KB = 1024
"""Bytes of the KB in which memory is told, as in the limits of farcall."""


class Sample(msgspec.Struct, frozen=True):
    """What one system did in one round of one point."""

    operations: int
    seconds: float
    p50: float
    """Seconds of one call, burst, stream or connection; half took less."""
    p99: float
    server_cpu: float
    """Seconds of CPU time, user and system, in all."""
    client_cpu: float
    server_memory: float
    """Bytes that are resident at the end."""
    client_memory: float
    grown: float
    """Bytes of the server's memory that came with the open connections."""

    def measures(self) -> Mapping[str, float]:
        """Give what is compared."""
        return {
            "throughput": self.operations / self.seconds,
            "p50_us": self.p50 * 1e6,
            "p99_us": self.p99 * 1e6,
            "server_us": self.server_cpu / self.operations * 1e6,
            "client_us": self.client_cpu / self.operations * 1e6,
            "cpu_us": (self.server_cpu + self.client_cpu) / self.operations * 1e6,
            "core_percent": self.server_cpu / self.seconds * 100,
            "server_mb": self.server_memory / 1e6,
            "client_mb": self.client_memory / 1e6,
            "kb_each": self.grown / self.operations / KB,
        }


class Row(msgspec.Struct):
    """All rounds of one system at one point of a work."""

    work: str
    title: str
    unit: str
    """What one operation is."""
    point: str
    """Which of the points of the work, or nothing where it has one."""
    size: float
    """How much it is: in flight, connections, subscribers, or bytes."""
    system: str
    samples: list[Sample] = []
    failure: str = ""
    """Why there are no more rounds."""

    def measure(self, name: str) -> float:
        """Give the median of a measure."""
        return median(sample.measures()[name] for sample in self.samples)

    def medians(self) -> Mapping[str, float]:
        """Give the median of each measure."""
        names = self.samples[0].measures() if self.samples else {}
        return {name: self.measure(name) for name in names}


class Machine(msgspec.Struct, frozen=True):
    """Where a run was made."""

    system: str
    processor: str
    cores: int
    memory_gb: float
    versions: dict[str, str]
    """Of Python, Node and packages."""


class Run(msgspec.Struct, frozen=True):
    """One run of the benchmark."""

    began: str
    rounds: int
    seconds: float
    machine: Machine
    systems: dict[str, str]
    """Their titles by name, in the order of the table."""
    skipped: dict[str, str]
    """Systems that are not installed, and what would install them."""
    rows: list[Row]


def load(path: Path) -> Run:
    """Read a run that `--json` has kept.

    Raises:
        ValueError: The file holds something else.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File).run
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path} is no file that --json has written: {error}") from error


def save(run: Run, path: Path, verdicts: Sequence[object]) -> None:
    """Keep a run as JSON, with what a reader of the file would compute: medians and verdicts."""
    medians = [
        {"work": row.work, "point": row.point, "system": row.system, **row.medians()}
        for row in run.rows
    ]
    file = {"run": run, "medians": medians, "targets": verdicts}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(file)) + b"\n")


class _File(msgspec.Struct):
    run: Run
