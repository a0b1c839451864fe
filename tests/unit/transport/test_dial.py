"""Dialling a server over TCP, TLS or a Unix socket, and what errors say."""

from __future__ import annotations

import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
import trio
import trio.testing
import trustme
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import Limits, current_call, service
from farcall._client.connect import open_session
from farcall._client.options import ClientOptions
from farcall._transport import dial
from farcall._transport.dial import Dialler
from farcall._transport.websocket import GuardedSocket
from farcall._transport.websocket.tls import dial_tls
from farcall.testing import memory_pair
from tests.ends import RawPeer
from tests.patience import PATIENCE
from tests.unit.transport.websocket.certificates import client_context, server_context
from tests.unit.transport.websocket.sockets import REQUEST, SMALL, Raw


@service
class Echo:
    async def say(self, text: str) -> str:
        return text

    async def who(self) -> str:
        return current_call().connection.peer

    async def host(self) -> str:
        return current_call().connection.headers["host"]

    async def name(self) -> str | None:
        principal = current_call().principal
        return None if principal is None else principal.name


@asynccontextmanager
async def serving(port: int | None = 0, **options: Any) -> AsyncIterator[farcall.Server]:
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(
            partial(farcall.serve, Echo(), port, **options)
        )
        with trio.fail_after(PATIENCE):
            yield server
        server.shutdown()


async def refusal_by(url: str, **options: Any) -> farcall.ConnectFailed:
    with pytest.raises(farcall.ConnectFailed) as caught:
        async with farcall.connect(url, **options):
            pass
    return caught.value


class TestTls:
    """Certificates, valid and not."""

    async def test_right(self) -> None:
        """A server with a certificate for its address is called like any other."""
        async with serving(ssl_context=server_context()) as server:
            assert server.url == f"wss://127.0.0.1:{server.port}"
            async with farcall.connect(server.url, ssl_context=client_context()) as session:
                assert await session.call("Echo.say", "x" * 100_000) == "x" * 100_000

    async def test_a_name(self) -> None:
        """The certificate has to be for the host of the URL, whatever its address is."""
        async with serving(ssl_context=server_context("localhost")) as server:
            url = f"wss://localhost:{server.port}"
            async with farcall.connect(url, ssl_context=client_context()) as session:
                assert await session.call("Echo.say", "a") == "a"

    async def test_unknown_authority(self) -> None:
        """A certificate of an unknown authority is refused."""
        async with serving(ssl_context=server_context(ca=trustme.CA())) as server:
            refusal = await refusal_by(server.url, ssl_context=client_context())

        assert "its certificate was refused: unable to get local issuer" in str(refusal)
        assert (refusal.status, refusal.code) == (None, None)

    async def test_the_default_is_what_the_system_trusts(self) -> None:
        """Without a context, certificates are checked as in a browser."""
        async with serving(ssl_context=server_context()) as server:
            assert "certificate was refused" in str(await refusal_by(server.url))

    async def test_expired(self) -> None:
        """An expired certificate is refused."""
        async with serving(ssl_context=server_context(days=-1)) as server:
            refusal = await refusal_by(server.url, ssl_context=client_context())

        assert "its certificate was refused: certificate has expired" in str(refusal)

    async def test_wrong_name(self) -> None:
        """A certificate for another host is refused; the error names the host."""
        async with serving(ssl_context=server_context("example.com")) as server:
            refusal = await refusal_by(server.url, ssl_context=client_context())

        assert "its certificate was refused: IP address mismatch" in str(refusal)
        assert "'127.0.0.1'" in str(refusal)

    async def test_a_plain_client_at_a_tls_port(self) -> None:
        """A client without TLS learns that the port speaks TLS."""
        async with serving(ssl_context=server_context()) as server:
            refusal = await refusal_by(server.url.replace("wss", "ws"))

        assert refusal.status == 400
        assert "this port speaks TLS; use https:// or wss://" in str(refusal)

    async def test_a_tls_client_at_a_plain_port(self) -> None:
        """A client with TLS learns that the port has none, and what to try."""
        async with serving() as server:
            url = server.url.replace("ws", "wss")
            refusal = await refusal_by(url, ssl_context=client_context())

        assert "it speaks no TLS" in str(refusal)
        assert "ws://?" in str(refusal)

    async def test_a_client_that_never_ends_its_handshake(self, running_clock: MockClock) -> None:
        """TLS counts towards the time of the handshake."""
        async with serving(ssl_context=server_context()) as server:
            async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
                await stream.send_all(b"\x16\x03\x01")
                await wait_all_tasks_blocked(0.01)
                running_clock.jump(Limits().handshake_seconds)
                assert await stream.receive_some() == b""

            async with farcall.connect(server.url, ssl_context=client_context()) as session:
                assert await session.call("Echo.say", "next") == "next"

    async def test_a_server_that_never_ends_its_handshake(self) -> None:
        """TLS counts for a client as well, and the error names the limit."""
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            port = listener.socket.getsockname()[1]
            limits = Limits(handshake_seconds=0.05)
            refusal = await refusal_by(f"wss://127.0.0.1:{port}", limits=limits)

        assert "no connection in 0.05 s (the limit handshake_seconds)" in str(refusal)

    def test_a_context_without_tls(self) -> None:
        """A context for a URL without TLS is refused."""
        with pytest.raises(ValueError, match="ws://a/ has no TLS, which ssl_context is for"):
            farcall.connect("ws://a", ssl_context=client_context())

    def test_the_context_is_made_once(self) -> None:
        """Dialling again does not read the certificates of the system again."""
        dialler = Dialler.of("wss://a", None, Limits(), None)

        assert isinstance(dialler.ssl_context, ssl.SSLContext)
        assert dialler.ssl_context.check_hostname

    async def test_origins_are_those_of_https(self) -> None:
        """A page over TLS is one of a server with TLS; one without TLS is not."""
        async with serving(ssl_context=server_context()) as server:
            connect = partial(farcall.connect, server.url, ssl_context=client_context())
            here = f"127.0.0.1:{server.port}"
            async with connect(headers={"Origin": f"https://{here}"}) as session:
                assert await session.call("Echo.say", "a") == "a"

            sock = GuardedSocket(await trio.open_tcp_stream("127.0.0.1", server.port), SMALL)
            stream = await dial_tls(sock, client_context(), "127.0.0.1")
            request = REQUEST.replace(b"example.com", b"localhost\r\nOrigin: http://localhost")
            await stream.send_all(request)
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 403 ")
            sock.abort()


class TestNames:
    """The name that is looked up, and the path that is requested."""

    @pytest.mark.parametrize("tail", ["/?name=ä", "/?name=a b", "/?%"])
    async def test_beyond_ascii(self, tail: str) -> None:
        """A query with letters beyond ASCII arrives unchanged."""

        async def authenticate(credentials: farcall.Credentials) -> farcall.Principal:
            return farcall.Principal(credentials.query.get("name", "nobody"))

        async with serving(authenticate=authenticate) as server:
            async with farcall.connect(server.url + tail, Echo) as echo:
                name = await echo.name()

        assert name == {"/?name=ä": "ä", "/?name=a b": "a b", "/?%": "nobody"}[tail]

    @pytest.mark.parametrize("tail", ["/ä", "/a b", "/\u200b"])
    async def test_a_path_that_is_not_served(self, tail: str) -> None:
        """A path that is not served is refused with 404."""
        async with serving() as server:
            assert (await refusal_by(server.url + tail)).status == 404

    @pytest.mark.parametrize(
        "host",
        ["a..b", "x" * 64, "xn--", "a_b.ü", "ü" * 64, "ü..a", "-ü", "a b", ".a", "ex%61mple"],
    )
    async def test_a_name_that_is_none(self, host: str) -> None:
        """A name that is malformed raises ConnectFailed."""
        refusal = await refusal_by(f"ws://{host}:1/?s3cret")

        assert "s3cret" not in str(refusal)
        assert str(refusal).startswith(f"ws://{host}:1/: ")

    async def test_one_name_for_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One form of a name is looked up, sent as Host, and checked in the certificate."""
        looked_up: list[str] = []

        async def open_here(host: str, port: int) -> trio.SocketStream:
            looked_up.append(host)
            return await trio.testing.open_stream_to_socket_listener(listener)

        monkeypatch.setattr(trio, "open_tcp_stream", open_here)
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(refusal_by, "ws://straße.example:81/")
                async with await listener.accept() as stream:
                    head = await Raw(stream).read_head()

        assert looked_up == ["xn--strae-oqa.example"]
        assert b"\r\nHost: xn--strae-oqa.example:81\r\n" in head

    async def test_a_zone(self) -> None:
        """A zone chooses the interface, and is not sent to the server."""
        try:
            (listener,) = await trio.open_tcp_listeners(0, host="::1")
        except OSError:
            pytest.skip("there is no IPv6")
        await listener.aclose()
        async with serving(host="::1") as server:
            async with farcall.connect(f"ws://[::1%251]:{server.port}", Echo) as echo:
                assert await echo.host() == f"[::1]:{server.port}"

    @pytest.mark.parametrize("dialect", ["farcall", "plain"])
    @pytest.mark.parametrize("answer", [{}, {"error": "no"}, {"result": None}])
    async def test_an_answer_to_the_login_that_is_none(
        self, dialect: Any, answer: dict[str, Any]
    ) -> None:
        """A malformed response to the login raises an error."""
        dialled, accepted = memory_pair()
        server = RawPeer(accepted)

        async def talk() -> None:
            if dialect == "farcall":
                hello = msgspec.json.decode(await server.hear())
                result = {"jsonrpc": "2.0", "id": hello["id"], "result": hello["params"]}
                await server.send_json(result)
            login = msgspec.json.decode(await server.hear())
            await server.send_json({"jsonrpc": "2.0", "id": login["id"], **answer})

        options = ClientOptions(dialect=dialect, login=["ada"])
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.run)
            nursery.start_soon(talk)
            with pytest.raises(farcall.ConnectFailed, match="login"):
                async with open_session(dialled, "ws://a/", None, options):
                    pytest.fail("it was let in")
            nursery.cancel_scope.cancel()

    @pytest.mark.parametrize(
        "name", ["Host", "CONTENT-LENGTH", "Expect", "Trailer", "Sec-WebSocket-Accept"]
    )
    def test_headers_of_the_handshake(self, name: str) -> None:
        """A header that would add another head or a body is refused when it is given."""
        with pytest.raises(ValueError, match=f"{name}.*belongs to the handshake") as caught:
            farcall.connect("ws://a", headers={name: "s3cret"})

        assert "s3cret" not in str(caught.value)


class TestOwnUrl:
    """`Server.url` works for a client on the same machine, wherever the server listens."""

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", None, ["0.0.0.0", "::"], "localhost"])
    async def test_every_address(self, host: Any, caplog: pytest.LogCaptureFixture) -> None:
        """A wildcard address has a URL for this machine; the log warns that all can connect."""
        caplog.set_level(logging.INFO)
        try:
            async with serving(host=host) as server:
                for url in server.urls:
                    assert "0.0.0.0" not in url
                    assert "[::]" not in url
                    async with farcall.connect(url, Echo) as echo:
                        assert await echo.say("a") == "a"
        except OSError:
            pytest.skip("there is no IPv6")
        is_open = "and every other address of this machine" in caplog.text
        assert is_open is (host != "localhost")

    async def test_a_relative_path(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The URL has the absolute path, and the file is removed from any directory."""
        with TemporaryDirectory(prefix="fc") as folder:
            monkeypatch.chdir(folder)
            async with serving(None, unix="a.sock") as server:
                assert server.url == f"ws+unix://{folder}/a.sock"
                monkeypatch.chdir("/")
                async with farcall.connect(server.url, Echo) as echo:
                    assert await echo.say("a") == "a"
            assert os.listdir(folder) == []

    async def test_an_inherited_socket(self) -> None:
        """A socket that listens at every address may be inherited."""
        with socket.create_server(("0.0.0.0", 0)) as inherited:
            async with serving(None, sock=inherited) as server:
                assert server.url.startswith("ws://127.0.0.1:")
                async with farcall.connect(server.url, Echo) as echo:
                    assert await echo.say("a") == "a"

    async def test_with_tls(self) -> None:
        """The certificate has to be for the address of the URL."""
        async with serving(host="0.0.0.0", ssl_context=server_context()) as server:
            context = client_context()
            async with farcall.connect(server.url, Echo, ssl_context=context) as echo:
                assert await echo.say("a") == "a"


class TestUnix:
    """Unix sockets."""

    async def test_url(self) -> None:
        """The URL of the server works as it is, and with a path appended."""
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
        """Without a server, the error names the path."""
        refusal = await refusal_by("ws+unix:///run/none/a.sock:/b?secret")

        assert "ws+unix:///run/none/a.sock:/b: " in str(refusal)
        assert "secret" not in str(refusal)

    async def test_there_is_no_tls(self) -> None:
        """A Unix socket has no TLS, even beside a TLS port: it does not leave the machine."""
        with TemporaryDirectory(prefix="fc") as folder:
            unix, context = f"{folder}/a.sock", server_context()
            async with serving(unix=unix, ssl_context=context) as server:
                assert server.urls == [server.url, f"ws+unix://{unix}"]
                assert server.url.startswith("wss://")
                async with farcall.connect(server.urls[1]) as session:
                    assert await session.call("Echo.say", "a") == "a"

    async def test_host_is_not_checked(self) -> None:
        """Host is not checked on a Unix socket, which no page can reach."""
        with TemporaryDirectory(prefix="fc") as folder:
            async with serving(None, unix=f"{folder}/a.sock"):
                async with await trio.open_unix_socket(f"{folder}/a.sock") as stream:
                    raw = Raw(stream)
                    await raw.send(REQUEST.replace(b"/chat", b"/"))

                    assert (await raw.read_head()).startswith(b"HTTP/1.1 101 ")


class TestForwarded:
    """Proxies in front of a server."""

    async def test_a_trusted_proxy(self) -> None:
        """The peer is the client that a trusted proxy names."""
        headers = {"X-Forwarded-For": "6.6.6.6, 192.0.2.1"}
        async with serving(trusted_proxies=["127.0.0.1"]) as server:
            async with farcall.connect(server.url, Echo, headers=headers) as echo:
                assert await echo.who() == "192.0.2.1"
            async with farcall.connect(server.url, Echo) as echo:
                assert (await echo.who()).startswith("127.0.0.1:")

    async def test_anybody_else(self) -> None:
        """Without trust, the header does not count."""
        headers = {"X-Forwarded-For": "192.0.2.1"}
        async with serving() as server:
            async with farcall.connect(server.url, Echo, headers=headers) as echo:
                assert (await echo.who()).startswith("127.0.0.1:")

    async def test_behind_a_unix_socket(self) -> None:
        """A proxy on a Unix socket may be trusted."""
        headers = {"X-Forwarded-For": "192.0.2.1"}
        with TemporaryDirectory(prefix="fc") as folder:
            unix = f"{folder}/a.sock"
            async with serving(None, unix=unix, trusted_proxies=["unix"]) as server:
                async with farcall.connect(server.url, Echo, headers=headers) as echo:
                    assert await echo.who() == "192.0.2.1"


async def test_a_server_that_ends_the_connection_at_the_hello() -> None:
    """The error has the close code, which decides about another try."""
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(
            partial(farcall.serve, Echo(), 0, limits=Limits(message=10))
        )
        refusal = await refusal_by(server.url)
        server.shutdown()

    assert (refusal.status, refusal.code) == (None, 1009)


async def test_connections_to_one_server_are_opened_in_line(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    """So many are opened at a time; the others wait, and those to another server do not."""
    monkeypatch.setattr(dial, "MOST_DIALS", 2)
    ended: list[tuple[str, float]] = []

    async def hold(server: str) -> None:
        async with dial._in_line(server):
            await trio.sleep(1)
        ended.append((server, trio.current_time()))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(hold, "one")
        nursery.start_soon(hold, "another")

    assert [at for server, at in ended if server == "one"] == [1, 1, 2, 2, 3]
    assert ("another", 1) in ended
    assert dial._current_lines() == {}


async def test_leaving_the_line(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    """A connection that is cancelled while it waits in line leaves nothing behind."""
    monkeypatch.setattr(dial, "MOST_DIALS", 1)
    async with dial._in_line("one"):
        with trio.move_on_after(1) as waiting:
            async with dial._in_line("one"):
                raise AssertionError("there is no room")
        assert waiting.cancelled_caught

    assert dial._current_lines() == {}
