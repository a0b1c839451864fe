"""Serving over TCP: addresses, paths, background methods, broken clients and shutdown."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest
import trio

import farcall
from farcall import Signal, background, service
from tests.ends import wait_until
from tests.patience import PATIENCE
from tests.unit.transport.websocket.sockets import (
    PING,
    PONG,
    REQUEST,
    TEXT,
    Raw,
    close_frame,
    frame,
)


@service
class Echo:
    said: Signal[str] = Signal()

    def __init__(self) -> None:
        self.release = trio.Event()

    async def say(self, text: str) -> str:
        return text

    async def wait(self) -> str:
        await self.release.wait()
        return "done"

    async def hang(self) -> None:
        await trio.sleep_forever()


@service(name="Echo")
class Shout:
    async def say(self, text: str) -> str:
        return text.upper()


@service
class Ticker:
    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.runs = 0

    async def count(self) -> int:
        return self.runs

    @background
    async def run(self) -> None:
        self.runs += 1
        if self.error is not None:
            raise self.error
        await trio.sleep_forever()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


async def test_each_path_is_a_namespace() -> None:
    """Each path has its own names, and an unknown path gets 404."""
    async with trio.open_nursery() as nursery:
        services = {"/": Echo(), "/loud": Shout()}
        server: farcall.Server = await nursery.start(farcall.serve, services, 0)
        async with farcall.connect(server.url) as soft:
            assert await soft.call("Echo.say", "hi") == "hi"
        async with farcall.connect(server.url + "/loud?token=1") as loud:
            assert await loud.call("Echo.say", "hi") == "HI"
        with pytest.raises(farcall.ConnectFailed, match="404"):
            async with farcall.connect(server.url + "/none"):
                pass
        server.shutdown()


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_ipv6_is_served() -> None:
    """An IPv6 address can be served, with brackets in its URL."""
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(
            lambda **kw: farcall.serve(Echo(), 0, host="::1", **kw)
        )
        assert server.url == f"ws://[::1]:{server.port}"
        async with farcall.connect(server.url) as session:
            assert await session.call("Echo.say", "hi") == "hi"
        server.shutdown()


async def test_several_addresses_are_served() -> None:
    """Several addresses share a port, and each has a URL."""
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(
            lambda **kw: farcall.serve(Echo(), 0, host=["127.0.0.1", "127.0.0.2"], **kw)
        )
        assert server.urls == [f"ws://127.0.0.{n}:{server.port}" for n in (1, 2)]
        for url in server.urls:
            async with farcall.connect(url) as session:
                assert await session.call("Echo.say", "hi") == "hi"
        server.shutdown()


async def test_an_inherited_socket_is_served() -> None:
    """A socket passed as `sock` is served, and closed at the end."""
    inherited = socket.create_server(("127.0.0.1", 0))
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(
            lambda **kw: farcall.serve(Echo(), sock=inherited, **kw)
        )
        assert server.port == inherited.getsockname()[1]
        async with farcall.connect(server.url) as session:
            assert await session.call("Echo.say", "hi") == "hi"
        server.shutdown()
        await server.wait_closed()
        with pytest.raises(OSError, match="Bad file descriptor"):
            inherited.getsockname()


async def test_nowhere_to_listen_is_refused() -> None:
    """`serve` without a port, `unix` or `sock` raises ValueError."""
    with pytest.raises(ValueError, match="nowhere to listen: give a port, unix= or sock="):
        await farcall.serve(Echo())


@pytest.mark.parametrize("port", [-1, 65536, 70000])
async def test_a_port_out_of_range_is_refused(port: int) -> None:
    """A port outside of 0 to 65535 raises ValueError."""
    with pytest.raises(ValueError, match="port takes an int from 0 to 65535"):
        await farcall.serve(Echo(), port)


async def test_a_client_that_connects_during_a_drain_is_refused(tmp_path: Path) -> None:
    """All sockets are closed, and a Unix socket is removed, when a shutdown begins."""
    echo, path = Echo(), tmp_path / "a.sock"
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(
            lambda **kw: farcall.serve(echo, 0, unix=path, **kw)
        )
        async with farcall.connect(server.url) as session:
            nursery.start_soon(session.call, "Echo.wait")
            await wait_until(lambda: server.statistics().calls == 1)
            server.shutdown()
            await wait_until(lambda: session.state is farcall.SessionState.DRAINING)
            with pytest.raises(farcall.ConnectFailed, match="refused"):
                async with farcall.connect(server.url):
                    pass
            assert not path.exists()
            echo.release.set()
            await wait_until(lambda: session.connection is None)


async def test_a_port_in_use_is_a_clear_error() -> None:
    """The error of a port in use names the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"127\.0\.0\.1:{port}: the port is in use") as caught:
            await farcall.serve(Echo(), port)

    assert caught.value.errno == errno.EADDRINUSE


async def test_an_object_that_is_no_service_is_refused() -> None:
    """An object without `@service` raises DeclarationError."""
    with pytest.raises(farcall.DeclarationError, match="@service"):
        await farcall.serve(object(), 0)


async def test_a_client_that_serves_no_service_leaves_no_connection() -> None:
    """A client that serves an object without `@service` raises and closes its connection."""
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, Echo(), 0)
        with pytest.raises(farcall.DeclarationError, match="@service"):
            async with farcall.connect(server.url, serves=[object()]):
                raise AssertionError
        await wait_until(lambda: server.statistics().connections == 0)
        server.shutdown()


async def test_a_name_that_two_objects_offer_is_refused() -> None:
    """Two objects with the same name at one path raise DeclarationError."""
    words = r"FC135 Shout\.say: Echo, at the same path, already offers"
    with pytest.raises(farcall.DeclarationError, match=words):
        await farcall.serve([Echo(), Shout()], 0)


async def test_a_path_without_a_slash_is_refused() -> None:
    """A path without a slash raises ValueError."""
    with pytest.raises(ValueError, match="begins with a slash"):
        await farcall.serve({"loud": Echo()}, 0)


async def test_background_methods_run_once() -> None:
    """A background method runs once, even if its object is served at two paths."""
    ticker = Ticker()
    async with trio.open_nursery() as nursery:
        services = {"/": ticker, "/b": ticker}
        server: farcall.Server = await nursery.start(farcall.serve, services, 0)
        async with farcall.connect(server.url) as one, farcall.connect(server.url + "/b") as two:
            assert await one.call("Ticker.count") == await two.call("Ticker.count") == 1
        server.shutdown()


async def test_the_error_of_a_background_method_ends_the_server() -> None:
    """The error of a background method comes out of `serve` as itself."""
    with pytest.raises(ZeroDivisionError, match="mine"):
        await farcall.serve(Ticker(ZeroDivisionError("mine")), 0)


async def test_a_shutdown_lets_running_calls_end() -> None:
    """A shutdown refuses new calls, lets running ones finish, and closes with 1001."""
    echo = Echo()
    answers: list[str] = []

    async def wait(session: farcall.Session) -> None:
        answers.append(await session.call("Echo.wait"))

    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, echo, 0)
        async with farcall.connect(server.url) as session:
            nursery.start_soon(wait, session)
            await wait_until(lambda: server.statistics().calls == 1)
            async with session.subscribe("Echo.said") as texts:
                server.shutdown()
                await wait_until(lambda: session.state is farcall.SessionState.DRAINING)
                with pytest.raises(farcall.ShuttingDown):
                    await session.call("Echo.say", "late")
                with pytest.raises(farcall.RemoteCancelled):
                    await anext(texts)
                echo.release.set()
                await wait_until(lambda: session.connection is None)
            with pytest.raises(farcall.ConnectionLost, match="1001"):
                await session.call("Echo.say", "later")

    assert answers == ["done"]


async def test_broken_clients_do_not_disturb_others() -> None:
    """Broken clients do not disturb the ones that follow or are connected."""
    upgrade = (
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    strangers = [
        b"",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: \xff\r\nConnection: \xff\r\n\r\n",
        upgrade.replace(b"localhost", b"xn--"),
        upgrade[:40],
        upgrade + b"\xff\xff\xff\xff",
        upgrade + b"\x81\x82\x00\x00\x00\x00\xff\xfe",
    ]
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, Echo(), 0)
        async with farcall.connect(server.url) as bystander:
            for data in strangers:
                stream = await trio.open_tcp_stream("127.0.0.1", server.port)
                async with stream:
                    if data:
                        await stream.send_all(data)
                async with farcall.connect(server.url) as session:
                    assert await session.call("Echo.say", "hi") == "hi"
            assert await bystander.call("Echo.say", "still here") == "still here"
        await wait_until(lambda: server.statistics().connections == 0)
        server.shutdown()


async def test_a_peer_that_calls_without_end_is_heard_all_the_same() -> None:
    """A peer with a thousand calls in flight still gets its pong and its Close frame."""
    call = b'{"jsonrpc":"2.0","id":%d,"method":"Echo.hang"}'
    calls = [frame(TEXT, call % number) for number in range(1_000)]
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, Echo(), 0)
        async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
            raw = Raw(stream)
            at_home = REQUEST.replace(b"/chat?token=1", b"/").replace(b"example.com", b"localhost")
            await raw.send(at_home)
            await raw.read_head()
            with trio.fail_after(PATIENCE):
                await raw.send(*calls, frame(PING, b"now?"))
                await raw.expect(frame(PONG, b"now?", masked=False))
                assert server.statistics().calls == 1_000
                await raw.send(close_frame(1000))
                await raw.expect(close_frame(1000, masked=False))
        await wait_until(lambda: server.statistics().calls == 0)
        server.shutdown()


async def test_a_port_without_a_server_is_a_clear_error() -> None:
    """Connecting to a port without a server raises ConnectFailed with the address and reason."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(farcall.ConnectFailed, match=rf"ws://127\.0\.0\.1:{port}/: .*refused"):
        async with farcall.connect(f"ws://127.0.0.1:{port}?secret=1"):
            pass


async def test_a_server_that_hangs_up_during_the_handshake_is_an_error() -> None:
    """`connect` raises ConnectFailed if the server hangs up during the handshake."""

    async def hang_up(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()

    async with trio.open_nursery() as nursery:
        listeners: list[trio.SocketListener] = await nursery.start(trio.serve_tcp, hang_up, 0)
        port = listeners[0].socket.getsockname()[1]
        with pytest.raises(farcall.ConnectFailed, match="hung up during the handshake"):
            async with farcall.connect(f"ws://127.0.0.1:{port}"):
                pass
        nursery.cancel_scope.cancel()


async def test_the_state_can_be_seen() -> None:
    """A server has a repr and counts its connections."""
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, Echo(), 0)
        assert repr(server) == f"<Server at ws://127.0.0.1:{server.port}>"
        async with farcall.connect(server.url) as session:
            await session.call("Echo.say", "hi")
            assert server.statistics().connections == 1
            assert server.statistics().accepted == 1
        server.shutdown()
