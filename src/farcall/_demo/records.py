"""The records and the error of the monitor."""

from __future__ import annotations

from datetime import datetime

import attrs

from farcall import ApplicationError


@attrs.frozen
class Load:
    """How many tasks ran or wanted to, on average over 1, 5 and 15 minutes."""

    processors: int
    average_1: float
    average_5: float
    average_15: float


@attrs.frozen
class Memory:
    """The main memory, in bytes; `percent` of it is in use."""

    total: int
    available: int
    percent: float


@attrs.frozen
class Process:
    """A running program: its share of one processor, and the bytes it holds in memory."""

    pid: int
    name: str
    cpu_percent: float
    memory: int


@attrs.frozen
class Disk:
    """A mounted file system, in bytes; `percent` of it is in use."""

    mount: str
    total: int
    used: int
    percent: float


@attrs.frozen
class Sample:
    """The machine at one moment; `cpu_percent` is of all processors, since the sample before."""

    at: datetime
    cpu_percent: float
    memory_percent: float
    load: float


@attrs.define
class NoSuchProcess(ApplicationError):
    """No process has this number, or it belongs to somebody else."""

    pid: int
