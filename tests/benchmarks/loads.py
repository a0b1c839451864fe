"""What a client process does to a server: calls, deliveries, items, connections.

A load opens its connections, each in a task of its own, and tells that it is ready. It begins when
it is told to, measures, and keeps the connections open until it is told to close them. So its
parent reads the CPU time of the server exactly around what is measured.
"""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from tests.benchmarks.peer import CHUNK, RECORDS, Client
from tests.benchmarks.runtimes import Runtime, together

AT_ONCE = 20
"""Connections that are opened at a time: a server has a limit for those that are pending."""


@dataclass(frozen=True)
class Order:
    """One measurement, as the parent asks for it. Members that a load has no use for are 0."""

    load: str
    operation: str = ""
    seconds: float = 1.0
    connections: int = 1
    in_flight: int = 1
    size: int = 0
    """Characters of a text."""
    burst: int = 0
    """Values emitted by one call."""
    rate: float = 0.0
    """Calls of `emit` in a second."""
    amount: int = 0
    """Items of one stream, or bytes in all."""


@dataclass
class Found:
    """What a load has counted between its begin and its end."""

    operations: int = 0
    latencies: list[float] = field(default_factory=list)


class Stage(Protocol):
    """The parent, as a load sees it."""

    async def begin(self) -> None:
        """Tell that all is open, and wait for the signal to begin."""

    async def end(self, found: Found) -> None:
        """Hand over what was found, and wait for the signal to close."""


@dataclass(frozen=True)
class Site:
    """Where a load runs."""

    runtime: Runtime
    connect: Callable[[], AbstractAsyncContextManager[Client]]
    stage: Stage


Load = Callable[[Site, Order], Awaitable[None]]


class _Countdown:
    """An event that is set when so many have reported."""

    def __init__(self, runtime: Runtime, count: int) -> None:
        self._left = count
        self._event = runtime.event()
        if count <= 0:
            self._event.set()

    def report(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._event.set()

    async def wait(self) -> None:
        await self._event.wait()


@asynccontextmanager
async def _open(site: Site, count: int) -> AsyncIterator[Sequence[Client]]:
    """Open connections, each in a task of its own, and close them at the end of the block."""
    clients: list[Client] = []
    released = site.runtime.event()

    async def hold(opened: _Countdown) -> None:
        async with site.connect() as client:
            clients.append(client)
            opened.report()
            await released.wait()

    async with site.runtime.tasks() as tasks:
        for first in range(0, count, AT_ONCE):
            some = min(AT_ONCE, count - first)
            opened = _Countdown(site.runtime, some)
            for _ in range(some):
                tasks.start(functools.partial(hold, opened))
            await opened.wait()
        yield clients
        released.set()


# Calls


async def make_calls(site: Site, order: Order) -> None:
    """Keep so many calls in flight on each connection."""
    async with _open(site, order.connections) as clients:
        calls = [_call(client, order) for client in clients for _ in range(order.in_flight)]
        await _call_for(site.runtime, calls, order.seconds / 10)
        await site.stage.begin()
        await site.stage.end(await _call_for(site.runtime, calls, order.seconds))


def _call(client: Client, order: Order) -> Callable[[], Awaitable[None]]:
    """Give the call that a work makes, checked."""
    text = "x" * order.size

    async def add() -> None:
        assert await client.add(2, 3) == 5

    async def echo_text() -> None:
        assert len(await client.echo_text(text)) == order.size

    async def echo_records() -> None:
        assert await client.echo_records() == RECORDS

    return {"add": add, "echo_text": echo_text, "echo_records": echo_records}[order.operation]


async def _call_for(
    runtime: Runtime, calls: Sequence[Callable[[], Awaitable[None]]], seconds: float
) -> Found:
    found = Found()
    until = time.perf_counter() + seconds

    async def call_on(call: Callable[[], Awaitable[None]]) -> None:
        ended = time.perf_counter()
        while True:  # at least once: among thousands of tasks the last begins late
            began = ended
            await call()
            ended = time.perf_counter()
            found.latencies.append(ended - began)
            if ended >= until:
                break

    await together(runtime, [functools.partial(call_on, call) for call in calls])
    found.operations = len(found.latencies)
    return found


# Deliveries


class _Deliveries:
    """Counts values as they come in, and wakes the task that waits for a number of them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._left = 0
        self._all_came = runtime.event()

    def expect(self, count: int) -> None:
        self._left += count
        self._all_came = self._runtime.event()

    def received(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._all_came.set()

    async def wait(self) -> None:
        await self._all_came.wait()


@asynccontextmanager
async def _listening(site: Site, count: int) -> AsyncIterator[tuple[Client, _Deliveries]]:
    """Give a connection that has the server emit, and what comes at so many others."""
    deliveries = _Deliveries(site.runtime)
    async with _open(site, count + 1) as (emitter, *clients), site.runtime.tasks() as tasks:
        for first in range(0, count, AT_ONCE):
            some = clients[first : first + AT_ONCE]
            started = _Countdown(site.runtime, len(some))
            for client in some:
                tasks.start(functools.partial(_listen, client, started, deliveries))
            await started.wait()
        yield emitter, deliveries
        tasks.cancel()


async def _listen(client: Client, started: _Countdown, deliveries: _Deliveries) -> None:
    await client.listen(started.report, deliveries.received)


async def emit_bursts(site: Site, order: Order) -> None:
    """Emit a burst, wait until every subscriber has all of it, and go on with the next."""
    async with _listening(site, order.connections) as (emitter, deliveries):
        found = Found()
        await _burst(emitter, deliveries, order, Found())
        await site.stage.begin()
        until = time.perf_counter() + order.seconds
        while time.perf_counter() < until:
            await _burst(emitter, deliveries, order, found)
        await site.stage.end(found)


async def emit_paced(site: Site, order: Order) -> None:
    """Emit one value at a time at a steady pace."""
    async with _listening(site, order.connections) as (emitter, deliveries):
        found = Found()
        await _burst(emitter, deliveries, order, Found())
        await site.stage.begin()
        began = time.perf_counter()
        for number in range(max(1, round(order.rate * order.seconds))):
            due = began + number / order.rate
            await site.runtime.sleep(max(0.0, due - time.perf_counter()))
            await _burst(emitter, deliveries, order, found)
        await site.stage.end(found)


async def _burst(emitter: Client, deliveries: _Deliveries, order: Order, found: Found) -> None:
    began = time.perf_counter()
    deliveries.expect(order.burst * order.connections)
    await emitter.emit(order.burst)
    await deliveries.wait()
    found.latencies.append(time.perf_counter() - began)
    found.operations += order.burst * order.connections


# Items


async def read_items(site: Site, order: Order) -> None:
    """Read one stream of numbers after the other."""
    async with _open(site, 1) as (client,):
        found = Found()
        assert await client.count(order.amount // 10) == order.amount // 10
        await site.stage.begin()
        until = time.perf_counter() + order.seconds
        while time.perf_counter() < until:
            began = time.perf_counter()
            found.operations += await client.count(order.amount)
            found.latencies.append(time.perf_counter() - began)
        await site.stage.end(found)


async def read_bytes(site: Site, order: Order) -> None:
    """Read one stream of bytes, `amount` for each second; an operation is a chunk."""
    async with _open(site, 1) as (client,):
        found = Found()
        await client.give(4)
        await site.stage.begin()
        began = time.perf_counter()
        chunks = max(1, round(order.amount * order.seconds) // CHUNK)
        assert await client.give(chunks) == chunks * CHUNK
        found.latencies.append(time.perf_counter() - began)
        found.operations = chunks
        await site.stage.end(found)


# Connections


async def stay_idle(site: Site, order: Order) -> None:
    """Keep connections open, and do nothing; an operation is a connection."""
    async with _open(site, order.connections):
        await site.stage.begin()
        await site.runtime.sleep(order.seconds)
        await site.stage.end(Found(order.connections, [0.0]))


async def connect_again(site: Site, order: Order) -> None:
    """Connect, make one call, close, and do it again."""
    found = Found()
    await _connect_once(site, Found())
    await site.stage.begin()
    until = time.perf_counter() + order.seconds
    while time.perf_counter() < until:
        await _connect_once(site, found)
    await site.stage.end(found)


async def _connect_once(site: Site, found: Found) -> None:
    began = time.perf_counter()
    async with site.connect() as client:
        assert await client.add(2, 3) == 5
        found.latencies.append(time.perf_counter() - began)
    found.operations += 1


async def connect_nested(site: Site, order: Order) -> None:
    """Open connections one inside another in one task, and call over the innermost."""
    async with AsyncExitStack() as stack:
        await site.stage.begin()
        began = time.perf_counter()
        for _ in range(order.connections):
            client = await stack.enter_async_context(site.connect())
        assert await client.add(2, 3) == 5
        await site.stage.end(Found(order.connections, [time.perf_counter() - began]))


LOADS: dict[str, Load] = {
    load.__name__: load
    for load in (
        make_calls,
        emit_bursts,
        emit_paced,
        read_items,
        read_bytes,
        stay_idle,
        connect_again,
        connect_nested,
    )
}
