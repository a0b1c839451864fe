"""How a client comes to a server: over TCP, TLS or a Unix socket, or why not."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import trio
import trustme

import farcall
from farcall import Limits, current_call, service
from farcall._dial import Dialler
from farcall._websocket import Wire
from farcall._websocket.line import dial_tls
from tests.websocket.certificates import client_context, server_context
from tests.websocket.sockets import REQUEST, SMALL, Raw


@service
class Echo:
    async def say(self, text: str) -> str:
        return text

    async def who(self) -> str:
        return current_call().connection.peer


@asynccontextmanager
async def serving(port: int | None = 0, **options: Any) -> AsyncIterator[farcall.Server]:
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(
            partial(farcall.serve, Echo(), port, **options)
        )
        with trio.fail_after(5):
            yield server
        server.shutdown()


async def refusal_by(url: str, **options: Any) -> farcall.ConnectFailed:
    with pytest.raises(farcall.ConnectFailed) as caught:
        async with farcall.connect(url, **options):
            pass
    return caught.value


class TestTls:
    """Certificates, right and wrong ones."""

    async def test_right(self) -> None:
        """A server with a certificate for its address is served and called as any other."""
        async with serving(ssl_context=server_context()) as server:
            assert server.url == f"wss://127.0.0.1:{server.port}"
            async with farcall.connect(server.url, ssl_context=client_context()) as session:
                assert await session.call("Echo.say", "x" * 100_000) == "x" * 100_000

    async def test_a_name(self) -> None:
        """The certificate has to be for the host of the URL, whatever address that has."""
        async with serving(ssl_context=server_context("localhost")) as server:
            url = f"wss://localhost:{server.port}"
            async with farcall.connect(url, ssl_context=client_context()) as session:
                assert await session.call("Echo.say", "a") == "a"

    async def test_unknown_authority(self) -> None:
        """A certificate that nobody trusted has signed is refused."""
        async with serving(ssl_context=server_context(ca=trustme.CA())) as server:
            refusal = await refusal_by(server.url, ssl_context=client_context())

        assert "its certificate was refused: unable to get local issuer" in str(refusal)
        assert (refusal.status, refusal.code) == (None, None)

    async def test_the_default_is_what_the_system_trusts(self) -> None:
        """Without a context of their own, users get the checks of every browser."""
        async with serving(ssl_context=server_context()) as server:
            assert "certificate was refused" in str(await refusal_by(server.url))

    async def test_expired(self) -> None:
        """A certificate of yesterday is refused."""
        async with serving(ssl_context=server_context(days=-1)) as server:
            refusal = await refusal_by(server.url, ssl_context=client_context())

        assert "its certificate was refused: certificate has expired" in str(refusal)

    async def test_wrong_name(self) -> None:
        """A certificate for another host is refused, and the error says for which it should be."""
        async with serving(ssl_context=server_context("example.com")) as server:
            refusal = await refusal_by(server.url, ssl_context=client_context())

        assert "its certificate was refused: IP address mismatch" in str(refusal)
        assert "'127.0.0.1'" in str(refusal)

    async def test_a_plain_client_at_a_tls_port(self) -> None:
        """It learns in plain words what the port speaks."""
        async with serving(ssl_context=server_context()) as server:
            refusal = await refusal_by(server.url.replace("wss", "ws"))

        assert refusal.status == 400
        assert "this port speaks TLS; use https:// or wss://" in str(refusal)

    async def test_a_tls_client_at_a_plain_port(self) -> None:
        """It learns that there is no TLS, and what to try."""
        async with serving() as server:
            url = server.url.replace("ws", "wss")
            refusal = await refusal_by(url, ssl_context=client_context())

        assert "it speaks no TLS" in str(refusal)
        assert "ws://?" in str(refusal)

    async def test_a_client_that_never_ends_its_handshake(self) -> None:
        """TLS is within the time of the handshake."""
        limits = Limits(handshake_seconds=0.5)
        async with serving(ssl_context=server_context(), limits=limits) as server:
            async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
                await stream.send_all(b"\x16\x03\x01")
                assert await stream.receive_some() == b""

            async with farcall.connect(server.url, ssl_context=client_context()) as session:
                assert await session.call("Echo.say", "next") == "next"

    async def test_a_server_that_never_ends_its_handshake(self) -> None:
        """The same for a client, which names the limit."""
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            port = listener.socket.getsockname()[1]
            limits = Limits(handshake_seconds=0.05)
            refusal = await refusal_by(f"wss://127.0.0.1:{port}", limits=limits)

        assert "no connection in 0.05 s (the limit handshake_seconds)" in str(refusal)

    def test_a_context_without_tls(self) -> None:
        """Whoever gives one wants TLS, and would not get it."""
        with pytest.raises(ValueError, match="ws://a/ has no TLS, which ssl_context is for"):
            farcall.connect("ws://a", ssl_context=client_context())

    def test_the_context_is_made_once(self) -> None:
        """A session that connects again does not read the system's certificates again."""
        dialler = Dialler.of("wss://a", None, Limits(), None)

        assert isinstance(dialler.ssl_context, ssl.SSLContext)
        assert dialler.ssl_context.check_hostname

    async def test_origins_are_those_of_https(self) -> None:
        """A page that came over TLS is one of a server that has TLS; one in clear is not."""
        async with serving(ssl_context=server_context()) as server:
            connect = partial(farcall.connect, server.url, ssl_context=client_context())
            here = f"127.0.0.1:{server.port}"
            async with connect(headers={"Origin": f"https://{here}"}) as session:
                assert await session.call("Echo.say", "a") == "a"

            stream = await trio.open_tcp_stream("127.0.0.1", server.port)
            line = await dial_tls(Wire(stream, SMALL), client_context(), "127.0.0.1")
            request = REQUEST.replace(b"example.com", b"localhost\r\nOrigin: http://localhost")
            await line.stream.send_all(request)
            assert (await line.stream.receive_some()).startswith(b"HTTP/1.1 403 ")
            line.wire.abort()


class TestUnix:
    """Unix sockets."""

    async def test_url(self) -> None:
        """The URL of the server is taken as it is, and with a path behind it."""
        with TemporaryDirectory(prefix="fc") as folder:
            path = Path(folder) / "a b.sock"
            async with serving(None, unix=path) as server:
                assert server.url == f"ws+unix://{folder}/a%20b.sock"
                async with farcall.connect(server.url) as session:
                    assert await session.call("Echo.say", "a") == "a"
                async with farcall.connect(server.url + ":/?token=1", Echo) as echo:
                    assert await echo.who() == "unnamed"
                assert (await refusal_by(server.url + ":/none")).status == 404
                with pytest.raises(RuntimeError, match=r"no port, it listens at ws\+unix:"):
                    _ = server.port
            assert os.listdir(folder) == []

    async def test_nobody_listens(self) -> None:
        """The error names the path."""
        refusal = await refusal_by("ws+unix:///run/none/a.sock:/b?secret")

        assert "ws+unix:///run/none/a.sock:/b: " in str(refusal)
        assert "secret" not in str(refusal)

    async def test_there_is_no_tls(self) -> None:
        """Beside a TLS port a Unix socket is plain: it does not leave the machine."""
        with TemporaryDirectory(prefix="fc") as folder:
            unix, context = f"{folder}/a.sock", server_context()
            async with serving(unix=unix, ssl_context=context) as server:
                assert server.urls == [server.url, f"ws+unix://{unix}"]
                assert server.url.startswith("wss://")
                async with farcall.connect(server.urls[1]) as session:
                    assert await session.call("Echo.say", "a") == "a"

    async def test_host_is_not_checked(self) -> None:
        """No page can name a Unix socket, so whatever a proxy passes on as Host is right."""
        with TemporaryDirectory(prefix="fc") as folder:
            async with serving(None, unix=f"{folder}/a.sock"):
                async with await trio.open_unix_socket(f"{folder}/a.sock") as stream:
                    raw = Raw(stream)
                    await raw.send(REQUEST.replace(b"/chat", b"/"))

                    assert (await raw.read_head()).startswith(b"HTTP/1.1 101 ")


class TestForwarded:
    """Proxies in front."""

    async def test_a_trusted_proxy(self) -> None:
        """Where the operator says so, the peer is whom the proxy names."""
        headers = {"X-Forwarded-For": "6.6.6.6, 192.0.2.1"}
        async with serving(trusted_proxies=["127.0.0.1"]) as server:
            async with farcall.connect(server.url, Echo, headers=headers) as echo:
                assert await echo.who() == "192.0.2.1"
            async with farcall.connect(server.url, Echo) as echo:
                assert (await echo.who()).startswith("127.0.0.1:")

    async def test_anybody_else(self) -> None:
        """Where he does not, the header is what anybody may write."""
        headers = {"X-Forwarded-For": "192.0.2.1"}
        async with serving() as server:
            async with farcall.connect(server.url, Echo, headers=headers) as echo:
                assert (await echo.who()).startswith("127.0.0.1:")

    async def test_behind_a_unix_socket(self) -> None:
        """A proxy on the same machine may well use one."""
        headers = {"X-Forwarded-For": "192.0.2.1"}
        with TemporaryDirectory(prefix="fc") as folder:
            unix = f"{folder}/a.sock"
            async with serving(None, unix=unix, trusted_proxies=["unix"]) as server:
                async with farcall.connect(server.url, Echo, headers=headers) as echo:
                    assert await echo.who() == "192.0.2.1"


async def test_a_server_that_ends_the_connection_at_the_hello() -> None:
    """The close code is told, as rules for another try need it."""
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(
            partial(farcall.serve, Echo(), 0, limits=Limits(message=10))
        )
        refusal = await refusal_by(server.url)
        server.shutdown()

    assert (refusal.status, refusal.code) == (None, 1009)
