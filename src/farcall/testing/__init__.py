"""Test services without a socket: the pair in memory, on which virtual time works."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, NamedTuple, TypeVar, overload

import trio
import trio.testing

from farcall._call import Connection
from farcall._client import ClientOptions, Dialect, open_session
from farcall._connection.heartbeat import Heartbeat
from farcall._host import Host, Services
from farcall._limits import DEFAULT_LIMITS, Limits
from farcall._memory import MemoryTransport, memory_pair
from farcall._nursery import open_owned_nursery
from farcall._session import ContractCheck, Session

ClientT = TypeVar("ClientT")

__all__ = ["MemoryTransport", "Pair", "memory_pair", "open_pair"]


class Pair(NamedTuple, Generic[ClientT]):
    """Both ends of a link."""

    client: ClientT
    """The proxy, or the session where no proxy was asked for."""
    connection: Connection
    """The server's end."""


@overload
def open_pair(
    services: Services,
    /,
    *,
    path: str = ...,
    dialect: Dialect = ...,
    contract: ContractCheck = ...,
    limits: Limits = ...,
    heartbeat: Heartbeat = ...,
) -> AbstractAsyncContextManager[Pair[Session]]: ...


@overload
def open_pair(
    services: Services,
    proxy: type[ClientT],
    /,
    *,
    path: str = ...,
    dialect: Dialect = ...,
    contract: ContractCheck = ...,
    limits: Limits = ...,
    heartbeat: Heartbeat = ...,
) -> AbstractAsyncContextManager[Pair[ClientT]]: ...


@asynccontextmanager
async def open_pair(
    services: Services,
    proxy: type[Any] | None = None,
    /,
    *,
    path: str = "/",
    dialect: Dialect = "farcall",
    contract: ContractCheck = "warn",
    limits: Limits = DEFAULT_LIMITS,
    heartbeat: Heartbeat = Heartbeat(),  # noqa: B008 - frozen
) -> AsyncIterator[Pair[Any]]:
    """Serve services to one client in this process, over a link in memory.

    Everything but the socket is what `farcall.serve` and `farcall.connect` use, and all of it runs
    under ``trio.testing.MockClock``.

    Args:
        services: As for `farcall.serve`.
        proxy: A stub, or the service class; without it the client is a `Session`.
        path: What the client asks for.
        dialect: As for `farcall.connect`.
        contract: As for `farcall.connect`.
        limits: Of both ends.
        heartbeat: Of both ends.

    Returns:
        A context manager that gives a `Pair`: the client, and the server's `Connection`.

    Raises:
        Exception: what a ``@background`` method raised, as it is.

    Cancellation:
        The link is cut, and both ends end.
    """
    host = Host(services, limits=limits, heartbeat=heartbeat)
    dialled, accepted = memory_pair(path=path)
    options = ClientOptions(dialect, contract, limits, heartbeat)
    async with open_owned_nursery() as nursery:
        host.start_background(nursery)
        nursery.start_soon(host.serve_link, accepted)
        await trio.testing.wait_all_tasks_blocked()
        (link,) = host.links
        async with open_session(dialled, f"memory:{path}", proxy, options) as client:
            yield Pair(client, Connection(link))
        nursery.cancel_scope.cancel()
