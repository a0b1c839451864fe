"""Both ends of a connection, in memory or over WebSocket, so that one test runs on either."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal, TypeVar, cast

import msgspec
import pytest
import trio
import trio.testing

import farcall
from farcall.testing import MemoryTransport, memory_pair, open_pair
from tests.inside import (
    ClientOptions,
    CloseReason,
    Host,
    HostOptions,
    Skipped,
    Transport,
    contracts,
    open_session,
)
from tests.patience import PATIENCE
from tests.unit.transport.suite import send

ClientT = TypeVar("ClientT")
Kind = Literal["memory", "websocket"]
KINDS: tuple[Kind, ...] = ("memory", "websocket")


@asynccontextmanager
async def open_client(
    kind: Kind,
    services: Any,
    proxy: type[Any] | None = None,
    *,
    authenticate: farcall.Authenticate | None = None,
    interceptors: Sequence[farcall.Interceptor] = (),
    client_interceptors: Sequence[farcall.Interceptor] = (),
    **options: Any,
) -> AsyncIterator[Any]:
    """Serve `services` and connect to a proxy, or to a session if there is no proxy."""
    proxies = filter(None, [proxy])
    serving: dict[str, Any] = {"authenticate": authenticate, "interceptors": interceptors}
    if kind == "memory":
        options["client_interceptors"] = client_interceptors
        async with open_pair(services, *proxies, **serving, **options) as pair:
            yield pair.client
        return
    async with trio.open_nursery() as nursery:
        serve = functools.partial(farcall.serve, services, 0, **serving)
        server: farcall.Server = await nursery.start(serve)
        options["interceptors"] = client_interceptors
        async with farcall.connect(server.url, *proxies, **options) as client:
            yield client
        server.shutdown()


def dial(
    transport: Transport, proxy: type[Any] | None = None, **options: Any
) -> AbstractAsyncContextManager[Any]:
    """Open a session, or a proxy, over a transport, with options of `connect`."""
    return open_session(transport, "raw", proxy, ClientOptions(**options))


def make_host(
    services: Any,
    authenticate: farcall.Authenticate | None = None,
    limits: farcall.Limits = farcall.Limits(),  # noqa: B008 - frozen
    interceptors: Sequence[farcall.Interceptor] = (),
) -> Host:
    """Return a server without sockets."""
    options = HostOptions(authenticate=authenticate, limits=limits, interceptors=interceptors)
    return Host(services, options)


class RawPeer:
    """A peer that sends exactly the messages of a test."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._frames: deque[bytes] = deque()
        self._came = trio.Event()
        self.reason: CloseReason | None = None

    def on_text(self, text: bytes) -> None:
        self._frames.append(text)
        self._came.set()

    def on_binary(self, data: bytes) -> None:
        self.on_text(data)

    def hang_up(self) -> None:
        """Hang up without a Close frame."""
        self.transport.abort()

    def may_skip(self, start: bytes) -> bool:
        return False

    def on_skipped(self, message: Skipped) -> None:
        pass

    def on_incomplete(self, size: int) -> None:
        pass

    def on_pong(self, payload: bytes) -> None:
        pass

    def on_rest(self) -> None:
        pass  # no rest of a message is read

    def on_pause(self) -> None:
        pass

    async def run(self) -> None:
        self.reason = await self.transport.run(self)

    def stop_reading(self) -> None:
        """Leave all further bytes in the link; only in memory."""
        cast("MemoryTransport", self.transport).stop_reading()

    def go_on_reading(self) -> None:
        """Read the bytes that are waiting."""
        cast("MemoryTransport", self.transport).go_on_reading()

    async def send_json(self, message: Any) -> None:
        """Send one JSON text, without waiting for an answer."""
        await self.send([msgspec.json.encode(message)])

    async def send(self, frames: list[bytes]) -> None:
        """Send frames as they are."""
        await send(self.transport, frames)

    async def hear(self, seconds: float = PATIENCE) -> bytes:
        """Wait for the next frame."""
        with trio.fail_after(seconds):
            while not self._frames:
                self._came = trio.Event()
                await self._came.wait()
            return self._frames.popleft()

    def heard(self) -> list[Any]:
        """Return the JSON of all frames that came since the last call."""
        frames = [msgspec.json.decode(frame) for frame in self._frames]
        self._frames.clear()
        return frames

    async def ask(self, message: Any) -> list[Any]:
        """Send one JSON text, and return all that comes back until every task waits."""
        await self.send([msgspec.json.encode(message)])
        await trio.testing.wait_all_tasks_blocked()
        return self.heard()


class RawClient(RawPeer):
    """A raw peer of a server."""

    def __init__(self, transport: Transport, host: Host) -> None:
        super().__init__(transport)
        self.host = host


@asynccontextmanager
async def raw_client(
    services: Any,
    limits: farcall.Limits = farcall.Limits(),  # noqa: B008 - frozen
    authenticate: farcall.Authenticate | None = None,
    interceptors: Sequence[farcall.Interceptor] = (),
) -> AsyncIterator[RawClient]:
    """Serve `services` to a `RawClient`, in memory."""
    host = make_host(services, authenticate, limits, interceptors)
    dialled, accepted = memory_pair()
    client = RawClient(dialled, host)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.serve_link, accepted)
        nursery.start_soon(client.run)
        await trio.testing.wait_all_tasks_blocked()
        yield client
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def raw_server(
    proxy: type[ClientT] | None = None, **options: Any
) -> AsyncIterator[tuple[Any, RawPeer]]:
    """Connect to a `RawPeer`, in memory, which answers only the hello by itself."""
    dialled, accepted = memory_pair()
    server = RawPeer(accepted)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run)
        if options.get("dialect") != "plain":
            nursery.start_soon(_answer_hello, server)
        async with dial(dialled, proxy, **options) as client:
            yield client, server
        nursery.cancel_scope.cancel()


async def _answer_hello(server: RawPeer) -> None:
    hello = msgspec.json.decode(await server.hear())
    answer = {"jsonrpc": "2.0", "id": hello["id"], "result": hello["params"]}
    await server.send([msgspec.json.encode(answer)])


def cut(end: farcall.Connection | farcall.Session) -> None:
    """Break a connection without a Close frame."""
    end._link.abort(1011, "pulled")


async def drain(end: farcall.Connection | farcall.Session, seconds: float) -> None:
    """Drain one connection, as a shutdown drains all of them."""
    await end._link.drain(seconds)


def forget_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the contracts of all peers, as in a new process."""
    monkeypatch.setattr(contracts, "KNOWN", contracts.KnownContracts())


def read_now(connection: farcall.Connection, text: bytes) -> None:
    """Make a link read one frame of text at once."""
    connection._link.on_text(text)
    connection._link.on_pause()


async def wait_until(condition: Any) -> None:
    """Poll a condition that depends on the peer."""
    with trio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 - a peer sets no event
            await trio.sleep(0.001)
