"""A service with each kind of traffic, and its use with interceptors on either side."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

import attrs
import trio

import farcall
from farcall import ApplicationError, Interceptor, Signal, method, service, stream
from tests.ends import Kind, open_client

Dialect = Literal["farcall", "plain"]
Side = Literal["server", "client"]
Traffic = Literal["call", "stream", "subscription"]
TRAFFIC: tuple[Traffic, ...] = ("call", "stream", "subscription")


@attrs.define
class Missing(ApplicationError):
    name: str


@service
class Shelf:
    """A service with each kind of traffic."""

    changed: Signal[int] = Signal(retain=True)
    lost: Signal[str] = Signal()

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.changed.emit(7)

    @method(raises=[Missing])
    async def find(self, name: str, shelf: int = 1) -> str:
        self.asked.append(name)
        if name == "nothing":
            raise Missing(name)
        return f"{name} is on shelf {shelf}"

    @method(oneway=True)
    async def put(self, name: str) -> None:
        self.asked.append(name)

    async def hang(self) -> None:
        await trio.sleep_forever()

    @stream
    async def items(self, count: int) -> AsyncIterator[int]:
        for number in range(count):
            yield number

    @stream(raises=[Missing])
    async def torn(self) -> AsyncIterator[int]:
        yield 0
        raise Missing("the rest")

    @stream(raises=[Missing])
    async def torn_twice(self) -> AsyncIterator[int]:
        yield 0
        raise ExceptionGroup("both", [Missing("the rest"), ExceptionGroup("more", [Missing("it")])])

    async def work(self, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> str:
        task_status.started(1)
        return "done"


def open_shelf(
    kind: Kind,
    interceptors: Iterable[Interceptor],
    side: Side = "server",
    dialect: Dialect = "farcall",
    served: Shelf | None = None,
) -> AbstractAsyncContextManager[farcall.Session]:
    """Serve a shelf and connect to it, with interceptors on one side."""
    where = "interceptors" if side == "server" else "client_interceptors"
    options: dict[str, Any] = {where: list(interceptors)}
    return open_client(kind, served or Shelf(), dialect=dialect, **options)


async def use(session: farcall.Session, traffic: Traffic) -> Any:
    """Use the shelf with one kind of traffic, and return the outcome."""
    if traffic == "call":
        return await session.call("Shelf.find", name="pen")
    if traffic == "stream":
        async with session.stream("Shelf.items", count=3) as items:
            return [item async for item in items]
    async with session.subscribe("Shelf.changed") as values:
        return await anext(values)


OUTCOMES: dict[Traffic, Any] = {"call": "pen is on shelf 1", "stream": [0, 1, 2], "subscription": 7}
