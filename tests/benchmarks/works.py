"""The works: what each system is measured at, and in what unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs

from tests.benchmarks.loads import Order
from tests.benchmarks.systems.registry import Operation

Unit = Literal["call", "delivery", "item", "chunk", "connection", "import"]

MB = 1_000_000
MIB = 1024 * 1024

IDLE_SECONDS = 12.5
"""For each second of `--seconds`: with its default, a little more than one interval of pings."""

OURS = ("farcall", "farcall-async", "floor")


@attrs.frozen
class Point:
    """One measurement of a work, for each system in each round."""

    label: str
    order: Order
    size: float = 1.0
    """How much of its kind it is: in flight, connections, subscribers, or bytes."""


@attrs.frozen
class Work:
    """One row of the table, or several where it has several points."""

    name: str
    title: str
    operation: Operation
    unit: Unit
    points: Sequence[Point]
    is_fresh: bool = False
    """Whether each measurement has a new server and a new client, because memory is measured."""
    seconds: float = 1.0
    """How long it is measured, in `--seconds`."""
    most_rounds: int = 100
    """For a work that takes long, and varies little."""
    systems: Sequence[str] = ()
    """The only systems, unless others are named; all that offer it where it is empty."""
    message: int = 0
    """The largest message that the server has to take; 0 for its default."""


def _calls(label: str, operation: Operation, **members: int) -> Point:
    return Point(label, Order("make_calls", operation, **members))


def _doublings(first: int, last: int) -> Sequence[int]:
    sizes = [first]
    while sizes[-1] < last:
        sizes.append(min(last, 2 * sizes[-1]))
    return sizes


def _subscribers(count: int, rate: int) -> Point:
    order = Order("emit_paced", connections=count, burst=1, rate=rate)
    return Point(f"{count:,} subscribers, {rate} a second", order)


def _idle(count: int) -> Point:
    return Point(f"{count:,} connections", Order("stay_idle", connections=count), count)


def _grown(
    member: Literal["in_flight", "connections", "size"], sizes: Sequence[int]
) -> list[Point]:
    operation: Operation = "echo_text" if member == "size" else "add"
    orders = [Order("make_calls", operation, **{member: size}) for size in sizes]
    return [Point(f"{size:,}", order, size) for size, order in zip(sizes, orders, strict=True)]


def _grown_emits() -> list[Point]:
    return [
        Point(f"{size:,}", Order("emit_bursts", connections=size, burst=10), size)
        for size in _doublings(1, 5000)
    ]


def _growth(
    name: str, title: str, operation: Operation, points: Sequence[Point], message: int = 0
) -> Work:
    return Work(
        f"S9-{name}",
        title,
        operation,
        "delivery" if operation == "listen" else "call",
        points,
        systems=OURS,
        message=message,
        seconds=0.5,
        most_rounds=3,
    )


WORKS = (
    Work("S1", "add(2, 3), one in flight", "add", "call", [_calls("", "add")]),
    Work("S2", "add(2, 3), 64 in flight", "add", "call", [_calls("", "add", in_flight=64)]),
    Work(
        "S3",
        "50 connections with 4 in flight each",
        "add",
        "call",
        [_calls("", "add", connections=50, in_flight=4)],
    ),
    Work(
        "S4",
        "echo of 100 records, 8 in flight",
        "echo_records",
        "call",
        [_calls("", "echo_records", in_flight=8)],
    ),
    Work(
        "S5",
        "one emit to 100 subscribers, bursts of 200",
        "listen",
        "delivery",
        [Point("", Order("emit_bursts", connections=100, burst=200))],
    ),
    Work(
        "S5b",
        "one emit at a time",
        "listen",
        "delivery",
        [_subscribers(300, 10), _subscribers(300, 50), _subscribers(1000, 10)],
        seconds=3,
    ),
    Work(
        "S6-items",
        "stream of small items",
        "count",
        "item",
        [Point("", Order("read_items", amount=20_000))],
    ),
    Work(
        "S6-bytes",
        "500 MB of bytes items",
        "give",
        "chunk",
        [Point("", Order("read_bytes", amount=500 * MB))],
    ),
    Work(
        "S7",
        "idle connections with heartbeat",
        "idle",
        "connection",
        [_idle(500), _idle(5000)],
        is_fresh=True,
        seconds=IDLE_SECONDS,
        most_rounds=2,
    ),
    Work("S8", "echo of a 1 MB string", "echo_text", "call", [_calls("", "echo_text", size=MB)]),
    _growth("flight", "calls in flight", "add", _grown("in_flight", _doublings(1, 4096))),
    _growth(
        "connections",
        "connections with one call in flight each",
        "add",
        _grown("connections", _doublings(1, 5000)),
    ),
    _growth("subscribers", "bursts of 10 to subscribers", "listen", _grown_emits()),
    _growth("size", "bytes of an echoed text", "echo_text", _grown("size", _doublings(10, MB))),
    _growth(
        "raised",
        "bytes of an echoed text, the limit raised",
        "echo_text",
        _grown("size", _doublings(MIB, 8 * MIB)),
        message=16 * MIB,
    ),
    Work(
        "S9-nested",
        "connections opened inside one another by one task",
        "connect",
        "connection",
        [Point("1,500 connections", Order("connect_nested", connections=1500), 1500)],
        is_fresh=True,
        systems=OURS,
    ),
    Work("S10-import", "import", "import", "import", [Point("", Order("import"))]),
    Work(
        "S10-connect",
        "connect, greet, first call",
        "connect",
        "connection",
        [Point("", Order("connect_again"))],
    ),
)


def chosen(names: Sequence[str]) -> Sequence[Work]:
    """Give the works of these names; "S6" is both "S6-items" and "S6-bytes".

    Raises:
        ValueError: One of them names no work.
    """
    unknown = [name for name in names if not any(_is_of(name, work) for work in WORKS)]
    if unknown:
        known = ", ".join(work.name for work in WORKS)
        raise ValueError(f"there is no work {', '.join(unknown)}; there are {known}")
    return [work for work in WORKS if not names or any(_is_of(name, work) for name in names)]


def _is_of(name: str, work: Work) -> bool:
    return work.name == name or work.name.startswith(f"{name}-")
