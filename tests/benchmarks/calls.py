"""What a call costs, in CPU time of both ends, beside the least that it could cost.

The floor is what one would write by hand: a line of JSON for each message on Trio's own TCP
streams, and a task for each request. All are measured by turns in one run, so that what else the
machine does weighs on each alike; look at the ratios, not at the microseconds.

    python -m tests.benchmarks.calls [--rounds 7] [--calls 2000] [--profile websocket]
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from statistics import median
from typing import Any

import msgspec
import trio

import farcall
from farcall import service
from farcall.testing import open_pair

IN_FLIGHT = (1, 64)
"""A caller that waits for each answer, and as many as keep every queue filled."""

Call = Callable[[int], Awaitable[int]]


@service
class Echo:
    """The least that a service can do."""

    async def say(self, number: int) -> int:
        """Give back what came."""
        return number


# The floor


class Line(msgspec.Struct):
    """A request, or its answer."""

    id: int
    number: int


async def _answer(stream: trio.SocketStream, lock: trio.Lock, line: bytes) -> None:
    asked = msgspec.json.decode(line, type=Line)
    async with lock:
        await stream.send_all(msgspec.json.encode(Line(asked.id, asked.number)) + b"\n")


async def _lines(stream: trio.SocketStream) -> AsyncIterator[bytes]:
    rest = b""
    async for data in stream:
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line


async def _serve_lines(stream: trio.SocketStream) -> None:
    lock = trio.Lock()
    async with trio.open_nursery() as nursery:
        async for line in _lines(stream):
            nursery.start_soon(_answer, stream, lock, line)


class LineClient:
    """Calls over lines: ids, a table of who waits, one reader."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._lock = trio.Lock()
        self._waiting: dict[int, tuple[trio.Event, list[int]]] = {}
        self._made = 0

    async def read(self) -> None:
        async for line in _lines(self._stream):
            answer = msgspec.json.decode(line, type=Line)
            event, found = self._waiting.pop(answer.id)
            found.append(answer.number)
            event.set()

    async def call(self, number: int) -> int:
        self._made += 1
        line = Line(self._made, number)
        event, found = self._waiting[line.id] = trio.Event(), list[int]()
        async with self._lock:
            await self._stream.send_all(msgspec.json.encode(line) + b"\n")
        await event.wait()
        return found[0]


@asynccontextmanager
async def open_floor() -> AsyncIterator[Call]:
    """Lines of JSON over loopback TCP."""
    async with trio.open_nursery() as nursery:
        listeners: list[trio.SocketListener] = await nursery.start(trio.serve_tcp, _serve_lines, 0)
        port = listeners[0].socket.getsockname()[1]
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        client = LineClient(stream)
        nursery.start_soon(client.read)
        yield client.call
        nursery.cancel_scope.cancel()


# What is measured against it


@asynccontextmanager
async def open_memory() -> AsyncIterator[Call]:
    """Farcall without sockets."""
    async with open_pair(Echo(), Echo) as pair:
        yield pair.client.say


@asynccontextmanager
async def open_websocket() -> AsyncIterator[Call]:
    """Farcall as it is used, over loopback TCP."""
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, Echo(), 0)
        async with farcall.connect(server.url, Echo) as echo:
            yield echo.say
        server.shutdown()


WAYS: Mapping[str, Callable[[], AbstractAsyncContextManager[Call]]] = {
    "floor": open_floor,
    "memory": open_memory,
    "websocket": open_websocket,
}


async def _make_calls(call: Call, count: int) -> None:
    for number in range(count):
        assert await call(number) == number


async def _work(call: Call, count: int, in_flight: int) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(in_flight):
            nursery.start_soon(_make_calls, call, count // in_flight)


async def _measure(call: Call, count: int, in_flight: int) -> float:
    """Give the microseconds of CPU time that one call takes at both ends together."""
    began = time.process_time()
    await _work(call, count, in_flight)
    return (time.process_time() - began) / (count // in_flight * in_flight) * 1e6


async def compare(rounds: int, count: int) -> None:
    """Measure every way by turns, and print a table."""
    costs: dict[tuple[str, int], list[float]] = {}
    async with AsyncExitStack() as stack:
        calls = {name: await stack.enter_async_context(way()) for name, way in WAYS.items()}
        for call in calls.values():
            await _work(call, count // 4, 8)  # what is made once is made
        for _ in range(rounds):
            for in_flight in IN_FLIGHT:
                for name, call in calls.items():
                    cost = await _measure(call, count, in_flight)
                    costs.setdefault((name, in_flight), []).append(cost)
    _show(costs)


def _show(costs: Mapping[tuple[str, int], list[float]]) -> None:
    print(f"{'':10} {'in flight':>9} {'us a call':>10} {'to floor':>9}")
    for (name, in_flight), found in costs.items():
        # Of each round by itself: what slows a round slows all of it.
        ratio = median(a / b for a, b in zip(found, costs["floor", in_flight], strict=True))
        print(f"{name:10} {in_flight:9} {median(found):10.1f} {ratio:9.2f}")


async def profile(name: str, count: int) -> None:
    """Print where the time goes on the path of one call; among many, joining hides it."""
    async with WAYS[name]() as call:
        await _work(call, count // 4, 8)
        with cProfile.Profile() as found:
            await _work(call, count, 1)
    pstats.Stats(found).sort_stats("tottime").print_stats(40)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.calls")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=2000, help="of each way, in each round")
    parser.add_argument("--profile", choices=WAYS, help="profile one of them instead")
    options: Any = parser.parse_args()
    if options.profile:
        trio.run(profile, options.profile, options.calls)
    else:
        trio.run(compare, options.rounds, options.calls)


if __name__ == "__main__":
    main()
