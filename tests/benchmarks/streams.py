"""What streams cost: memory while they run, and what calls beside them feel of it.

The server is a process of its own. ``memory`` streams a million items and 2 GB of bytes, down and
up, and prints what both processes hold meanwhile. ``calls`` makes small calls, one after another,
with and without a stream that floods beside them, by turns. ``bytes`` compares binary frames with
base64 in JSON, which is what they would be without.

    python -m tests.benchmarks.streams memory [--items 1000000] [--megabytes 2000]
    python -m tests.benchmarks.streams calls [--rounds 5] [--calls 500]
    python -m tests.benchmarks.streams bytes [--rounds 5] [--megabytes 100]
"""

from __future__ import annotations

import argparse
import base64
import subprocess
import sys
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from statistics import median, quantiles
from typing import Any

import psutil
import trio

import farcall
from farcall import service, stream

MB = 1_000_000
CHUNK = bytes(64 * 1024)
"""Of which a stream of bytes is made."""
TEXT = base64.b64encode(CHUNK).decode()


@service
class Source:
    """Streams down, streams up, and the least that a call can do."""

    async def say(self, number: int) -> int:
        """Give back what came."""
        return number

    async def cpu_seconds(self) -> float:
        """Tell the CPU time that this process has taken."""
        return time.process_time()

    @stream
    async def count(self, items: int) -> AsyncIterator[int]:
        """Give so many numbers."""
        for number in range(items):
            yield number

    @stream
    async def give(self, chunks: int) -> AsyncIterator[bytes]:
        """Give so many chunks of bytes."""
        for _ in range(chunks):
            yield CHUNK

    @stream
    async def give_text(self, chunks: int) -> AsyncIterator[str]:
        """Give the same in base64."""
        for _ in range(chunks):
            yield TEXT

    @stream
    async def flood(self) -> AsyncIterator[int]:
        """Never end."""
        number = 0
        while True:
            yield number
            number += 1

    async def add(self, numbers: AsyncIterable[int]) -> int:
        """Add up what comes."""
        return sum([number async for number in _in_turn(numbers)])

    async def take(self, chunks: AsyncIterable[bytes]) -> int:
        """Count the bytes that come."""
        total = 0
        async for chunk in chunks:
            total += len(chunk)
        return total


async def _in_turn(numbers: AsyncIterable[int]) -> AsyncIterator[int]:
    """Add up in blocks, so that what is counted here is not a list of a million numbers."""
    block = count = 0
    async for number in numbers:
        block, count = block + number, count + 1
        if count % 1000 == 0:
            yield block
            block = 0
    yield block


# Two processes


@asynccontextmanager
async def other_process() -> AsyncIterator[tuple[farcall.Session, psutil.Process]]:
    """Serve in a process of its own, and connect to it."""
    # Nothing else runs yet, nobody has to wait.
    with subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "tests.benchmarks.streams", "serve"],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        try:
            async with farcall.connect(url) as session:
                yield session, psutil.Process(process.pid)
        finally:
            process.terminate()


async def serve() -> None:
    """Serve until the other end of the pipe is gone."""
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, Source(), 0)
        print(server.url, flush=True)
        await trio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()


# Memory


Reached = Callable[[], float]
"""Tells how much of a stream has passed, from 0 to 1."""


async def _sample(name: str, server: psutil.Process, reached: Reached) -> None:
    """Print what both processes hold, at each tenth of the way."""
    client = psutil.Process()
    printed = -1
    while True:
        tenth = int(reached() * 10)
        if tenth > printed:
            printed = tenth
            held = [process.memory_info().rss / MB for process in (client, server)]
            print(f"{name:14} {tenth * 10:4} % {held[0]:9.1f} {held[1]:9.1f}", flush=True)
        await trio.sleep(0.05)


async def memory(items: int, megabytes: int) -> None:
    """Stream both kinds in both directions, and watch."""
    chunks = megabytes * MB // len(CHUNK)
    print(f"{'':14} {'':6} {'client MB':>9} {'server MB':>9}")
    async with other_process() as (session, server):
        source = session.proxy(Source)
        await _watch("items down", server, items, lambda note: _read(source.count(items), note))
        await _watch("bytes down", server, chunks, lambda note: _read(source.give(chunks), note))
        await _watch("items up", server, items, lambda note: source.add(_numbers(items, note)))
        await _watch("bytes up", server, chunks, lambda note: source.take(_chunks(chunks, note)))


async def _watch(
    name: str,
    server: psutil.Process,
    total: int,
    run: Callable[[Callable[[], None]], Awaitable[object]],
) -> None:
    passed = 0

    def note() -> None:
        nonlocal passed
        passed += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_sample, name, server, lambda: passed / total)
        began = time.perf_counter()
        await run(note)
        print(f"{name:14} {passed} in {time.perf_counter() - began:.1f} s", flush=True)
        nursery.cancel_scope.cancel()


async def _read(stream: Any, note: Callable[[], None]) -> None:
    async with stream as items:
        async for _ in items:
            note()


async def _numbers(items: int, note: Callable[[], None]) -> AsyncIterator[int]:
    for number in range(items):
        yield number
        note()


async def _chunks(chunks: int, note: Callable[[], None]) -> AsyncIterator[bytes]:
    for _ in range(chunks):
        yield CHUNK
        note()


# Calls beside a stream


async def _time_calls(source: Source, count: int) -> Iterator[float]:
    """Give the milliseconds that each of some calls takes."""
    found: list[float] = []
    for number in range(count):
        began = time.perf_counter()
        await source.say(number)
        found.append((time.perf_counter() - began) * 1000)
    return iter(found)


async def calls(rounds: int, count: int) -> None:
    """Make calls alone and beside floods, by turns, and print how long they took."""
    found: dict[int, list[float]] = {0: [], 1: [], 10: []}
    items: dict[int, list[float]] = {1: [], 10: []}
    async with other_process() as (session, _):
        source = session.proxy(Source)
        for _ in range(rounds):
            for floods, times in found.items():
                async with trio.open_nursery() as nursery:
                    passed = [0]
                    for _ in range(floods):
                        nursery.start_soon(_flood, source, passed)
                    began = time.perf_counter()
                    times.extend(await _time_calls(source, count))
                    if floods:
                        items[floods].append(passed[0] / (time.perf_counter() - began))
                    nursery.cancel_scope.cancel()
    for floods, times in found.items():
        p99 = quantiles(times, n=100)[-1]
        print(f"{floods:3} floods: median {median(times):7.3f} ms, p99 {p99:7.3f} ms", end="")
        print(f", {median(items[floods]):,.0f} items/s meanwhile" if floods else "")


async def _flood(source: Source, passed: list[int]) -> None:
    async with source.flood() as numbers:
        async for _ in numbers:
            passed[0] += 1


# Bytes


async def compare_bytes(rounds: int, megabytes: int) -> None:
    """Stream the same bytes in binary frames and as base64, by turns."""
    chunks = megabytes * MB // len(CHUNK)
    costs: dict[str, list[tuple[float, float]]] = {"binary": [], "base64": []}
    async with other_process() as (session, _):
        source = session.proxy(Source)
        for _ in range(rounds):
            costs["binary"].append(await _cost(source, source.give(chunks), len))
            costs["base64"].append(
                await _cost(source, source.give_text(chunks), lambda text: len(_decoded(text)))
            )
    for name, found in costs.items():
        wall, cpu = (median(column) for column in zip(*found, strict=True))
        print(f"{name}: {megabytes / wall:7.0f} MB/s, {cpu / megabytes * 1e3:6.2f} ms of CPU a MB")
    pairs = zip(costs["base64"], costs["binary"], strict=True)
    print(f"base64 takes {median(a[1] / b[1] for a, b in pairs):.1f} times the CPU time")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text)


async def _cost(source: Source, stream: Any, size: Callable[[Any], int]) -> tuple[float, float]:
    """Give the seconds that a stream takes, by the clock and of both CPUs together."""
    before = time.process_time() + await source.cpu_seconds()
    began = time.perf_counter()
    async with stream as items:
        total = sum([size(item) async for item in items])
    assert total
    wall = time.perf_counter() - began
    return wall, time.process_time() + await source.cpu_seconds() - before


def main(words: Sequence[str] | None = None) -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.streams")
    parser.add_argument("what", choices=("memory", "calls", "bytes", "serve"))
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--megabytes", type=int, default=0, help="2000, or 100 for bytes")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=500, help="of each kind, in each round")
    options: Any = parser.parse_args(words)
    match options.what:
        case "serve":
            trio.run(serve)
        case "memory":
            trio.run(memory, options.items, options.megabytes or 2000)
        case "calls":
            trio.run(calls, options.rounds, options.calls)
        case _:
            trio.run(compare_bytes, options.rounds, options.megabytes or 100)


if __name__ == "__main__":
    main()
