"""What one call, delivery or item does at both ends together: functions, objects, task steps."""

from __future__ import annotations

import functools
import gc
import select
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from enum import EnumType
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import attrs
import msgspec
import trio

import farcall
from farcall.testing import open_pair
from tests.benchmarks.stubs.bench import BenchProxy
from tests.benchmarks.systems.farcall_service import Bench, PlainBench

SOURCE = str(Path(farcall.__file__).parent)

WAYS = ("memory", "websocket")

MANY = 64
"""Calls in flight, or values in a burst."""

ALL = 1280
"""Operations of each kind that are counted: 20 for each of 64 tasks."""


SYSTEM_CALLS: Mapping[type, tuple[str, ...]] = {
    socket.socket: ("send", "sendmsg", "recv", "recv_into"),
    select.epoll: ("poll",),
}
"""Methods in C that ask the operating system."""


@attrs.frozen
class Counts:
    """Of one operation, on average."""

    python: float
    """Calls of Python functions, and resumptions of coroutines."""
    c: float
    """Calls of C functions."""
    own: float
    """Of the former, those of farcall's own functions."""
    functions: int
    """Different functions of farcall."""
    files: int
    """Files that they are in."""
    objects: float
    """Objects of farcall's classes."""
    steps: float
    """Times that Trio ran a task."""
    system: float
    """Calls of the operating system: to send, to receive, and to wait for that."""
    encodings: float
    """Values and messages that msgspec wrote as JSON."""


Served = Bench | PlainBench

Work = Callable[[Served, BenchProxy], Awaitable[None]]
"""Do `ALL` operations, given both ends."""


async def _make_calls(in_flight: int, served: Served, bench: BenchProxy) -> None:
    async def call_on() -> None:
        for _ in range(ALL // in_flight):
            assert await bench.add(2, 3) == 5

    async with trio.open_nursery() as nursery:
        for _ in range(in_flight):
            nursery.start_soon(call_on)


async def _deliver(burst: int, served: Served, bench: BenchProxy) -> None:
    async with bench.quoted.subscribe() as quotes:
        for _ in range(ALL // burst):
            served.emit(burst)
            for _ in range(burst):
                await anext(quotes)


async def _read_items(served: Served, bench: BenchProxy) -> None:
    async with bench.count(ALL) as numbers:
        async for _ in numbers:
            pass


KINDS: Mapping[str, tuple[type[Served], Work]] = {
    "call, def": (PlainBench, functools.partial(_make_calls, 1)),
    f"call, def, {MANY} in flight": (PlainBench, functools.partial(_make_calls, MANY)),
    "call, async def": (Bench, functools.partial(_make_calls, 1)),
    f"call, async def, {MANY} in flight": (Bench, functools.partial(_make_calls, MANY)),
    "delivery, one at a time": (Bench, functools.partial(_deliver, 1)),
    f"delivery, bursts of {MANY}": (Bench, functools.partial(_deliver, MANY)),
    "item of a stream": (Bench, _read_items),
}
"""What is counted, each over each way."""


async def count(way: str, kind: str) -> Counts:
    """Count what an operation does, on average of many."""
    service, work = KINDS[kind]
    served = service()
    async with _open(way, served) as bench:
        await work(served, bench)  # what is made once is made
        profile, steps = Profile(), Steps()
        with profile:
            await work(served, bench)
        with count_deaths() as deaths:
            await work(served, bench)
        with steps:
            await work(served, bench)
    return Counts(
        python=profile.python / ALL,
        c=profile.c / ALL,
        own=sum(profile.own.values()) / ALL,
        functions=len(profile.own),
        files=len({code.co_filename for code in profile.own}),
        objects=deaths() / ALL,
        steps=steps.count / ALL,
        system=profile.system / ALL,
        encodings=profile.encodings / ALL,
    )


@asynccontextmanager
async def _open(way: str, served: Served) -> AsyncIterator[BenchProxy]:
    if way == "memory":
        async with open_pair(served, BenchProxy) as pair:
            yield pair.client
        return
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, served, 0)
        async with farcall.connect(server.url, BenchProxy) as bench:
            yield bench
        server.shutdown()


class Profile:
    """Counts calls while it is entered."""

    def __init__(self) -> None:
        self.python = 0
        self.c = 0
        self.system = 0
        self.encodings = 0
        self.own: dict[CodeType, int] = {}

    def __enter__(self) -> None:
        sys.setprofile(self._note)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: FrameType, event: str, called: Any) -> None:
        if event == "c_call":
            self.c += 1
            owner = type(getattr(called, "__self__", None))
            self.system += called.__name__ in SYSTEM_CALLS.get(owner, ())
            self.encodings += owner is msgspec.json.Encoder
        elif event == "call":
            self.python += 1
            code = frame.f_code
            if code.co_filename.startswith(SOURCE):
                self.own[code] = self.own.get(code, 0) + 1


class Steps(trio.abc.Instrument):
    """Counts the steps of tasks while it is entered."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> None:
        trio.lowlevel.add_instrument(self)

    def __exit__(self, *_: object) -> None:
        trio.lowlevel.remove_instrument(self)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count one."""
        self.count += 1


@contextmanager
def count_deaths() -> Iterator[Callable[[], int]]:
    """Count the objects of farcall's classes that end, which are as many as are made.

    Structs are made in C, where no Python function is called that one could count.
    """
    count = 0

    def note(_: object) -> None:
        nonlocal count
        count += 1

    classes = list(own_classes())
    gc.collect()
    for cls in classes:
        setattr(cls, "__del__", note)  # noqa: B010 - the type checker knows no such attribute
    try:
        yield lambda: count
    finally:
        for cls in classes:
            delattr(cls, "__del__")


def own_classes() -> Iterator[type]:
    """Give the classes of all modules of farcall that are imported."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "farcall":
            for value in vars(module).values():
                if isinstance(value, type) and value.__module__ == name and _can_count(value):
                    yield value


def _can_count(cls: type) -> bool:
    return not isinstance(cls, EnumType) and "__del__" not in vars(cls)
