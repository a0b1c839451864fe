"""What pyrpckit serves in the benchmark, as its README writes services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

from rpckit import Inject, RpcChannel, RpcModel, RpcService


class Terms(RpcModel):
    left: int
    right: int


class Number(RpcModel):
    value: int


class Text(RpcModel):
    value: str


class Record(RpcModel):
    id: int
    name: str
    price: float
    is_open: bool
    at: datetime
    tags: list[str]
    note: str | None


class Records(RpcModel):
    records: list[Record]


class Quote(RpcModel):
    symbol: str
    price: float


class Quotes:
    """A queue for each connection."""

    def __init__(self) -> None:
        self.queues: set[asyncio.Queue[Quote]] = set()


bench = RpcChannel("bench")


@bench.method()
async def add(params: Terms) -> Number:
    return Number(value=params.left + params.right)


@bench.method()
async def echo_text(params: Text) -> Text:
    return params


@bench.method()
async def echo_records(params: Records) -> Records:
    return params


@bench.method()
async def emit(params: Number, quotes: Inject[Quotes]) -> Number:
    for number in range(params.value):
        quote = Quote(symbol="ACME", price=12.5 + number)
        for queue in quotes.queues:
            queue.put_nowait(quote)
    return params


@bench.event()
async def quoted(quotes: Inject[Quotes]) -> AsyncIterator[Quote]:
    queue: asyncio.Queue[Quote] = asyncio.Queue()
    quotes.queues.add(queue)
    try:
        while True:
            yield await queue.get()
    finally:
        quotes.queues.discard(queue)


service = RpcService(version=1)
service.socket("/rpc", channels=(bench,))
