"""The life of a connection: its hello, login, close and drain."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

import farcall
from farcall import Session
from farcall.testing import Pair
from tests.ends import drain
from tests.sweeps.calls import Desk, open_desk, subscribe
from tests.sweeps.sweep import Sweep, ignore


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    yield


async def connect(_: None) -> None:
    """The hello, a call and the close."""
    async with open_desk() as pair:
        await pair.client.call("Desk.work", 1)


async def connect_with_a_login(_: None) -> None:
    """The hello and a login, a call and the close."""
    async with open_desk(authenticate=authenticate, login={"name": "ada"}) as pair:
        await pair.client.call("Desk.work", 0.1)


async def authenticate(credentials: farcall.Credentials) -> farcall.Principal | None:
    await trio.sleep(0.3)
    return None if credentials.login is None else farcall.Principal("ada")


async def log_in(pair: Pair[Session]) -> None:
    """A login, and a call sent at the same time."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pair.client.call, "Desk.work", 0.1)
        assert await pair.client.call("rpc.login", {"name": "ada"}) is True


async def close(pair: Pair[Session]) -> None:
    """A close by the server during a call."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ignore, pair.client.call, "Desk.work", 10)
        await trio.sleep(0.5)
        await pair.connection.aclose()


async def shut_down(pair: Pair[Session]) -> None:
    """A drain, with a call that ends in time, one that does not, and a subscription."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pair.client.call, "Desk.work", 1)
        nursery.start_soon(ignore, pair.client.call, "Desk.work", 10)
        nursery.start_soon(ignore, subscribe, pair)
        await trio.sleep(0.5)
        await drain(pair.connection, 2)


@asynccontextmanager
async def serving() -> AsyncIterator[farcall.Server]:
    async with trio.open_nursery() as nursery:
        yield await nursery.start(farcall.serve, Desk(), 0)
        nursery.cancel_scope.cancel()


async def connect_over_tcp(server: farcall.Server) -> None:
    """The opening handshake over TCP, and a call."""
    async with farcall.connect(server.url) as session:
        assert await session.call("Desk.inline") == "quick"


CONNECTIONS = [
    Sweep("connections", connect, nothing),
    Sweep("connections", connect_with_a_login, nothing),
    Sweep("connections", log_in, functools.partial(open_desk, authenticate=authenticate)),
    Sweep("connections", close, open_desk),
    Sweep("connections", shut_down, open_desk),
]

OVER_TCP = [Sweep("TCP", connect_over_tcp, serving, is_virtual=False)]
