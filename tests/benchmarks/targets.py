"""What farcall is to reach: ratios within one run, and a few absolute figures."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Literal

import attrs

from tests.benchmarks.results import Row

Bound = Literal["<=", ">="]


@attrs.frozen
class Target:
    """One figure to reach."""

    work: str
    measure: str
    bound: Bound
    wanted: float
    against: str | None = None
    """The system that it is a ratio to; None for an absolute figure."""
    system: str = "farcall"
    point: str = ""

    def describe(self) -> str:
        """Say what is compared."""
        of = f" to {self.against}" if self.against else ""
        at = f" ({self.point})" if self.point else ""
        return f"{self.system}: {NAMES[self.measure]}{of}{at}"


NAMES: Mapping[str, str] = {
    "throughput": "operations a second",
    "p50_us": "p50",
    "cpu_us": "CPU of both ends",
    "server_us": "us of the server's CPU",
    "core_percent": "% of a core",
    "kb_each": "KB each",
    "growth": "the worst of all doublings",
    "passes": "no error",
}

LARGE = 16 * 1024
"""Bytes of a text above which a kilobyte is what costs, and not the call."""

OF_TEXTS = ("S9-size", "S9-raised")
"""Works that grow by the bytes of a text."""

PYTHON_PEERS = ("websockets", "grpc", "socketio", "pyrpckit")

TARGETS: Sequence[Target] = (
    Target("S1", "p50_us", "<=", 1.0, "floor"),
    Target("S1", "p50_us", "<=", 1.25, "floor", "farcall-async"),
    Target("S1", "p50_us", "<=", 0.25, "grpc"),
    Target("S2", "throughput", ">=", 0.85, "floor"),
    Target("S2", "throughput", ">=", 0.45, "floor", "farcall-async"),
    Target("S2", "throughput", ">=", 0.8, "npm"),
    Target("S2", "throughput", ">=", 1.2, "websockets"),
    Target("S2", "cpu_us", "<=", 0.6, "websockets"),
    Target("S3", "throughput", ">=", 0.85, "floor"),
    Target("S3", "throughput", ">=", 0.65, "npm"),
    Target("S3", "throughput", ">=", 1.0, "websockets"),
    Target("S4", "throughput", ">=", 1.0, "grpc"),
    Target("S4", "throughput", ">=", 0.5, "npm"),
    Target("S4", "throughput", ">=", 3.0, "pyrpckit"),
    Target("S5", "throughput", ">=", 1.0, "floor"),
    Target("S5", "throughput", ">=", 0.8, "npm"),
    *(Target("S5", "throughput", ">=", 1.0, peer) for peer in PYTHON_PEERS),
    Target("S5b", "server_us", "<=", 30.0, point="300 subscribers, 10 a second"),
    Target("S5b", "server_us", "<=", 30.0, point="300 subscribers, 50 a second"),
    Target("S5b", "server_us", "<=", 30.0, point="1,000 subscribers, 10 a second"),
    Target("S6-items", "throughput", ">=", 0.25, "floor"),
    Target("S6-items", "throughput", ">=", 10.0, "grpc"),
    Target("S6-bytes", "throughput", ">=", 1.0, "grpc"),
    Target("S7", "kb_each", "<=", 22.0, point="500 connections"),
    Target("S7", "kb_each", "<=", 22.0, point="5,000 connections"),
    Target("S7", "core_percent", "<=", 0.5, point="500 connections"),
    Target("S7", "core_percent", "<=", 2.5, point="5,000 connections"),
    Target("S8", "throughput", ">=", 1.7, "npm"),
    Target("S8", "p50_us", "<=", 1.4, "websockets"),
    Target("S9-flight", "growth", "<=", 1.5),
    Target("S9-connections", "growth", "<=", 1.5),
    Target("S9-subscribers", "growth", "<=", 1.5),
    Target("S9-size", "growth", "<=", 1.5),
    Target("S9-raised", "growth", "<=", 1.5),
    Target("S9-nested", "passes", ">=", 1.0),
    Target("S10-import", "cpu_us", "<=", 1.6, "bare"),
    Target("S10-connect", "p50_us", "<=", 1.8, "bare"),
)


@attrs.frozen
class Verdict:
    """A target, and what was reached."""

    target: Target
    reached: float | None
    """None where farcall failed."""
    note: str = ""

    def as_data(self) -> Mapping[str, object]:
        """Give what is kept as JSON."""
        return {**attrs.asdict(self), "is_met": self.is_met}

    @property
    def is_met(self) -> bool:
        """Whether it is enough."""
        wanted = self.target.wanted
        if self.reached is None:
            return False
        return self.reached <= wanted if self.target.bound == "<=" else self.reached >= wanted


def verdicts(rows: Sequence[Row]) -> Sequence[Verdict]:
    """Judge each target for which all that it needs was measured."""
    return [found for target in TARGETS if (found := _judge(target, rows)) is not None]


def _judge(target: Target, rows: Sequence[Row]) -> Verdict | None:
    ours = _find(rows, target, target.system)
    if target.measure == "growth":
        return _growth(target, ours)
    if not ours:
        return None
    if not ours[0].samples:
        return Verdict(target, None, ours[0].failure)
    if target.measure == "passes":
        return Verdict(target, 1.0)
    if target.against is None:
        return Verdict(target, ours[0].measure(target.measure))
    theirs = _find(rows, target, target.against)
    return (
        Verdict(target, _ratio(ours[0], theirs[0], target.measure))
        if theirs and theirs[0].samples
        else None
    )


def _find(rows: Sequence[Row], target: Target, system: str) -> Sequence[Row]:
    return [
        row
        for row in rows
        if row.work == target.work and row.system == system and target.point in ("", row.point)
    ]


def _ratio(ours: Row, theirs: Row, measure: str) -> float:
    """Compare round by round, for what slows a round slows all of it."""
    pairs = zip(ours.samples, theirs.samples, strict=False)
    return median(a.measures()[measure] / b.measures()[measure] for a, b in pairs)


def _growth(target: Target, rows: Sequence[Row]) -> Verdict | None:
    """Find the doubling that raises the cost most."""
    if failed := [row for row in rows if row.failure]:
        return Verdict(target, None, f"{failed[0].point}: {failed[0].failure}")
    steps = [
        (_cost(after, after) / _cost(before, after), before, after)
        for before, after in itertools.pairwise(rows)
        if before.samples and after.samples
    ]
    if not steps:
        return None
    worst, before, after = max(steps, key=lambda step: step[0])
    return Verdict(target, worst, f"{before.point} to {after.point}")


def _cost(row: Row, larger: Row) -> float:
    """Give the CPU time of an operation, or of its bytes where the larger one has many."""
    is_large = row.work in OF_TEXTS and larger.size > LARGE
    return row.measure("cpu_us") / (row.size if is_large else 1)
