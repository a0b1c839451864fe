"""The handshake from both sides, against every kind of peer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import h11
import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from farcall._limits import Limits
from farcall._transport.http import Rejection, Request, read_request
from farcall._transport.websocket import Upgrade, WebSocketTransport, connect_websocket
from farcall.errors import ConnectFailed
from tests.unit.transport.suite import End, running
from tests.unit.transport.websocket.sockets import (
    REQUEST,
    TEXT,
    Raw,
    accept,
    frame,
    open_pair,
    open_raw_client,
    open_raw_server,
    open_sockets,
    welcome,
)

KEY = b"Sec-WebSocket-Key: "
VERSION = b"Sec-WebSocket-Version: 13\r\n"


def request_of(said: bytes = REQUEST) -> Request:
    """Read a complete request."""
    parser = h11.Connection(h11.SERVER)
    parser.receive_data(said)
    event = parser.next_event()
    assert isinstance(event, h11.Request)
    target, version = event.target.decode(), event.http_version.decode()
    return Request(event.method.decode(), target, version, list(event.headers))


class TestServer:
    async def test_endpoint(self) -> None:
        """The endpoint tells both addresses, the path, the query and all headers."""
        async with open_raw_client() as (raw, server):
            endpoint = server.endpoint

            assert endpoint.local == "{}:{}".format(*raw.stream.socket.getpeername())
            assert endpoint.peer == "{}:{}".format(*raw.stream.socket.getsockname())
            assert (endpoint.path, endpoint.query) == ("/chat", "token=1")
            assert endpoint.headers["host"] == "example.com"
            assert endpoint.headers["sec-websocket-version"] == "13"

    @pytest.mark.parametrize(
        ("said", "status"),
        [
            (REQUEST.replace(b"GET", b"POST"), 400),
            (REQUEST.replace(b"GET", b"HEAD"), 400),
            (REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
            (REQUEST.replace(b"Version: 13", b"Version: 8"), 426),
            (REQUEST.replace(b"Sec-WebSocket-Key", b"X"), 400),
            (REQUEST.replace(KEY, KEY + b"AAAAAAAAAAAAAAAAAAAAAQ==\r\n" + KEY), 400),
            (REQUEST.replace(VERSION, b"Sec-WebSocket-Version: 8\r\n" + VERSION), 400),
            (REQUEST.replace(b"AAAAAAAAAAAAAAAAAAAAAA==", b"AAAAAAAAAAAAAAAAAAAAAAAA"), 400),
            (REQUEST.replace(b"AAAAAAAAAAAAAAAAAAAAAA==", b"AAAAAAAAAAAAAAAAAAAA*A=="), 400),
            (REQUEST.replace(b"AAAAAAAAAAAAAAAAAAAAAA==", b""), 400),
            (REQUEST.replace(b"Connection: Upgrade", b"Connection: close"), 400),
        ],
    )
    def test_what_is_no_websocket(self, said: bytes, status: int) -> None:
        """A request that is not for a WebSocket is refused with an HTTP status."""
        with pytest.raises(Rejection) as caught:
            Upgrade.of(request_of(said))

        assert caught.value.status == status

    def test_the_version_that_is_spoken(self) -> None:
        """A client of another version learns the version of the server."""
        with pytest.raises(Rejection) as caught:
            Upgrade.of(request_of(REQUEST.replace(b"Version: 13", b"Version: 8")))

        assert caught.value.response.headers == {"sec-websocket-version": "13"}

    @pytest.mark.parametrize(
        "header",
        [
            b"Host: \xff",
            b"Host: xn--",
            b"Connection: \xff",
            b"Sec-WebSocket-Protocol: \xff",
            b"Sec-WebSocket-Extensions: \xff",
        ],
    )
    def test_hostile_headers(self, header: bytes) -> None:
        """Bytes that wsproto cannot decode get 400."""
        name = header.partition(b":")[0]
        lines = [line for line in REQUEST.split(b"\r\n") if not line.startswith(name + b":")]
        said = b"\r\n".join([*lines[:-2], header, b"", b""])

        with pytest.raises(Rejection) as caught:
            Upgrade.of(request_of(said))

        assert caught.value.status == 400

    @given(
        name=st.sampled_from(["Host", "Connection", "Upgrade", "Origin", "Sec-WebSocket-Key"])
        | st.sampled_from(["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"]),
        value=st.binary(max_size=80),
    )
    @settings(max_examples=200)
    async def test_any_header(self, name: str, value: bytes) -> None:
        """Whatever a header contains, the request is accepted or refused."""
        near, far = trio.testing.memory_stream_pair()
        await near.send_all(REQUEST[:-2] + name.encode() + b": " + value + b"\r\n\r\n")
        await near.aclose()
        with suppress(Rejection, trio.BrokenResourceError):
            request = await read_request(far, Limits())
            Upgrade.of(request).answer()

    async def test_nothing_is_compressed(self) -> None:
        """A client that offers compression does not get it."""
        async with open_sockets() as (near, far):
            raw = Raw(near)
            await raw.send(
                REQUEST[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
            )
            await accept(far)

            assert b"extensions" not in (await raw.read_head()).lower()


class TestClient:
    async def test_endpoint(self) -> None:
        """The endpoint tells what was asked for, and the headers of the answer."""
        async with open_pair(target="/side?a=b") as (client, server):
            for end in (client, server):
                assert (end.endpoint.path, end.endpoint.query) == ("/side", "a=b")
            assert client.endpoint.peer == server.endpoint.local
            assert server.endpoint.headers["host"] == "localhost"

    async def test_headers(self) -> None:
        """A request may have more headers, and those of the response can be read."""

        async def talk(raw: Raw) -> None:
            request = await raw.read_head()
            assert b"x-token: \xfc\r\n" in request.lower()
            await raw.send(welcome(request, b"Server: test\r\n"))

        client = await connect_to(talk, headers={"X-Token": "ü"})

        assert client.endpoint.headers == {"server": "test"}

    async def test_nothing_is_offered(self) -> None:
        """A client offers no extension, so no compression."""

        async def talk(raw: Raw) -> None:
            request = await raw.read_head()
            assert b"extensions" not in request.lower()
            await raw.send(welcome(request))

        await connect_to(talk)

    async def test_messages_behind_the_answer(self) -> None:
        """Messages that come together with the response are not lost."""
        async with open_raw_server(early=[frame(TEXT, b"early", masked=False)]) as (_, client):
            end = End(client)
            async with running(end):
                assert await end.heard.next_frame() == "early"

    async def test_an_answer_in_pieces(self) -> None:
        """A response may arrive in any pieces."""

        async def talk(raw: Raw) -> None:
            answer = welcome(await raw.read_head())
            for number in range(len(answer)):
                await raw.send(answer[number : number + 1])
                await wait_all_tasks_blocked()

        await connect_to(talk)

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", "HTTP status 404"),
            (b"HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP status 103"),
            (b"SSH-2.0-OpenSSH_9\r\n\r\n", "the handshake failed: Bad HTTP message"),
            (b"HTTP/1.1 101 Switching\r\nConnection: \xff\r\n\r\n", "the handshake failed"),
            (b"HTTP/1.1 101 Switching\r\n\r\n", "Missing header"),
            (b"x" * 20_000, "the handshake failed: Bad HTTP message"),
            (b"", "the server hung up during the handshake"),
            (b"HTTP/1.1 200", "the server hung up during the handshake"),
        ],
    )
    async def test_a_server_that_refuses(self, answer: bytes, message: str) -> None:
        """Any other response raises ConnectFailed, which quotes it."""

        async def talk(raw: Raw) -> None:
            await raw.read_head()
            await raw.send(answer)
            await raw.hang_up()

        with pytest.raises(ConnectFailed, match=message):
            await connect_to(talk)

    @pytest.mark.parametrize(
        ("kind", "body", "words"),
        [
            (b"text/plain", b"log in\nplease", "HTTP status 401: log in"),
            (b"text/plain; charset=utf-8", "grün".encode(), "HTTP status 401: grün"),
            (b"text/plain", b"\x1b[31m\xff", "HTTP status 401: [31m\ufffd"),
            (b"text/plain", b"x" * 300, "HTTP status 401: " + "x" * 200),
            (b"text/plain", b"", "HTTP status 401"),
            (b"text/html", b"<p>log in", "HTTP status 401"),
        ],
    )
    async def test_the_words_of_a_refusal(self, kind: bytes, body: bytes, words: str) -> None:
        """The error has the status, and the printable part of the first line of the text."""

        async def talk(raw: Raw) -> None:
            await raw.read_head()
            head = b"HTTP/1.1 401 No\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
            await raw.send(head % (kind, len(body)), body)
            await raw.read_to_end()

        with pytest.raises(ConnectFailed) as caught:
            await connect_to(talk)

        assert str(caught.value).endswith(words)
        assert caught.value.status == 401

    @pytest.mark.parametrize(
        "body", [b"Content-Length: 9\r\n\r\nwait", b"Transfer-Encoding: chunked\r\n\r\n4\r\nwait"]
    )
    async def test_the_words_of_a_refusal_are_not_waited_for(
        self, body: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A text that does not end is quoted as far as it has come."""
        monkeypatch.setattr("farcall._transport.websocket.handshake.EXPLANATION_SECONDS", 0.05)

        async def talk(raw: Raw) -> None:
            await raw.read_head()
            await raw.send(b"HTTP/1.1 503 No\r\nContent-Type: text/plain\r\n", body)
            await raw.read_to_end()

        with pytest.raises(ConnectFailed, match=r"503: wait$"):
            await connect_to(talk)

    async def test_a_server_that_insists_on_compression(self) -> None:
        """An extension that was not offered is not accepted."""

        async def talk(raw: Raw) -> None:
            request = await raw.read_head()
            await raw.send(welcome(request, b"Sec-WebSocket-Extensions: permessage-deflate\r\n"))

        with pytest.raises(ConnectFailed, match="unrecognized extension"):
            await connect_to(talk)

    async def test_a_wrong_token(self) -> None:
        """A server that does not know the WebSocket protocol is refused."""

        async def talk(raw: Raw) -> None:
            await raw.read_head()
            await raw.send(welcome(b""))

        with pytest.raises(ConnectFailed, match="Bad accept token"):
            await connect_to(talk)

    @pytest.mark.parametrize(
        ("host", "target", "headers"),
        [
            ("x" * 64, "/", {}),
            ("localhost", "/ü", {}),
            ("localhost", "/a b", {}),
            ("localhost", "/", {"X": "a\r\nb: c"}),
            ("localhost", "/", {"X": "€"}),
        ],
    )
    async def test_a_request_that_cannot_be_written(
        self, host: str, target: str, headers: dict[str, str]
    ) -> None:
        """What a request cannot contain is refused before anything is sent."""
        async with open_sockets() as (near, far):
            with pytest.raises(ConnectFailed, match="the handshake failed"):
                await connect_websocket(near, host, target, headers=headers)

            assert near.socket.fileno() == -1
            assert await far.receive_some() == b""

    async def test_cancelled(self) -> None:
        """A handshake that is cancelled closes the stream."""
        async with open_sockets() as (near, _):
            with trio.move_on_after(0.01) as scope:
                await connect_websocket(near, "localhost")

            assert scope.cancelled_caught
            assert near.socket.fileno() == -1


async def connect_to(
    talk: Callable[[Raw], Awaitable[None]], *, headers: dict[str, str] | None = None
) -> WebSocketTransport:
    """Connect to a server that does what `talk` says, and close the sockets."""
    async with open_sockets() as (near, far):
        result: list[WebSocketTransport | ConnectFailed] = []

        async def connect() -> None:
            try:
                result.append(await connect_websocket(near, "localhost", headers=headers))
            except ConnectFailed as exc:
                assert near.socket.fileno() == -1
                result.append(exc)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(connect)
            await talk(Raw(far))
    (outcome,) = result
    if isinstance(outcome, ConnectFailed):
        raise outcome
    return outcome
