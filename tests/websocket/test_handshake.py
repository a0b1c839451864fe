"""Opening a WebSocket, from both sides, against every kind of peer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked
from wsproto import ConnectionType, WSConnection

from farcall._transport import Endpoint
from farcall._websocket import (
    Rejection,
    WebSocketTransport,
    accept_websocket,
    connect_websocket,
    handshake,
)
from farcall.errors import ConnectFailed
from tests.transport_suite import End, running
from tests.websocket.sockets import (
    REQUEST,
    TEXT,
    Raw,
    admit_all,
    frame,
    open_pair,
    open_raw_client,
    open_raw_server,
    open_sockets,
    welcome,
)


async def answer_to(request: bytes, admit: Callable[[Endpoint], Rejection | None]) -> bytes:
    """Send `request` to a server that should refuse it; give its answer, to the end."""
    async with open_sockets() as (near, far), trio.open_nursery() as nursery:
        raw = Raw(near)
        await raw.send(request)

        async def accept() -> None:
            assert await accept_websocket(far, admit=admit) is None
            assert far.socket.fileno() == -1

        nursery.start_soon(accept)
        answer = await raw.read_to_end()
        await raw.hang_up()
        return answer


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

    async def test_repeated_headers(self) -> None:
        """Headers that stand there twice are joined, cookies as cookies are."""
        seen: list[Endpoint] = []

        def admit(endpoint: Endpoint) -> Rejection:
            seen.append(endpoint)
            return Rejection(404, "not here")

        extra = b"Cookie: a=1\r\nX-Real: 1\r\nCookie: b=2\r\nX-Real: \xfc\r\n\r\n"
        await answer_to(REQUEST[:-2] + extra, admit)

        (endpoint,) = seen
        assert endpoint.headers["cookie"] == "a=1; b=2"
        assert endpoint.headers["x-real"] == "1, ü"

    async def test_a_refused_request(self) -> None:
        """A request that is not admitted gets an HTTP answer, and the connection ends."""
        answer = await answer_to(
            REQUEST, lambda endpoint: Rejection(404, f"nothing at {endpoint.path}", {"X-A": "b"})
        )

        assert answer == (
            b"HTTP/1.1 404 Not Found\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: 17\r\n"
            b"Connection: close\r\n"
            b"X-A: b\r\n"
            b"\r\n"
            b"nothing at /chat\n"
        )

    async def test_a_fault_in_deciding(self, caplog: pytest.LogCaptureFixture) -> None:
        """A bug in `admit` fails this handshake, is logged, and not told to the peer."""

        def admit(_endpoint: Endpoint) -> Rejection | None:
            raise KeyError("secret")

        answer = await answer_to(REQUEST, admit)

        assert answer.startswith(b"HTTP/1.1 500 ")
        assert b"secret" not in answer
        assert "KeyError: 'secret'" in caplog.text

    @pytest.mark.parametrize(
        ("request_", "status"),
        [
            (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
            (REQUEST.replace(b"GET", b"POST"), 400),
            (REQUEST.replace(b"Version: 13", b"Version: 8"), 426),
            (REQUEST.replace(b"Host: example.com\r\n", b""), 400),
            (b"\r\n\r\n", 400),
            (b"nonsense\r\n\r\n", 400),
            (b"\x16\x03\x01 a TLS hello\n\n", 400),
        ],
    )
    async def test_what_is_no_websocket(self, request_: bytes, status: int) -> None:
        """A request for something else gets an HTTP error."""
        answer = await answer_to(request_, admit_all)

        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert answer.endswith(b"\n")

    async def test_the_version_that_is_spoken(self) -> None:
        """A client of another version learns which one would do."""
        answer = await answer_to(REQUEST.replace(b"Version: 13", b"Version: 8"), admit_all)

        assert b"sec-websocket-version: 13\r\n" in answer.lower()

    @pytest.mark.parametrize(
        "header",
        [
            b"Host: \xff",
            b"Host: xn--",
            b"Host: " + b"x" * 64,
            b"Connection: \xff",
            b"Sec-WebSocket-Protocol: \xff",
            b"Sec-WebSocket-Extensions: \xff",
            b"Sec-WebSocket-Accept: \x00",
        ],
    )
    async def test_hostile_headers(self, header: bytes) -> None:
        """Bytes that wsproto cannot decode are the peer's fault, and get 400."""
        answer = await answer_to(REQUEST[:-2] + header + b"\r\n\r\n", admit_all)

        assert answer.startswith(b"HTTP/1.1 400 ")

    def test_half_a_request(self) -> None:
        """What wsproto is still waiting for more of is no request either."""
        protocol = WSConnection(ConnectionType.SERVER)

        assert isinstance(handshake._parse(protocol, b"GET / HT"), Rejection)

    @pytest.mark.parametrize("end", [b"", b"\r\n\r\n"])
    async def test_a_request_that_is_too_long(self, end: bytes) -> None:
        """A request is read up to 16 KiB, whether or not it ends behind that."""
        answer = await answer_to(REQUEST[:-2] + b"X: " + b"x" * 16_384 + end, admit_all)

        assert answer.startswith(b"HTTP/1.1 431 ")

    async def test_a_request_in_pieces(self) -> None:
        """It does not matter how the bytes of a request arrive."""
        async with open_sockets() as (near, far), trio.open_nursery() as nursery:

            async def send() -> None:
                for number in range(len(REQUEST)):
                    await near.send_all(REQUEST[number : number + 1])
                    await wait_all_tasks_blocked()

            nursery.start_soon(send)

            assert await accept_websocket(far, admit=admit_all) is not None

    @pytest.mark.parametrize("said", [b"", b"GET / HT", REQUEST[:-1]])
    async def test_a_peer_that_hangs_up(self, said: bytes) -> None:
        """A peer that leaves before its request is complete leaves nothing behind."""
        async with open_sockets() as (near, far):
            await near.send_all(said)
            await near.aclose()

            assert await accept_websocket(far, admit=admit_all) is None
            assert far.socket.fileno() == -1

    async def test_a_peer_that_resets(self) -> None:
        """Nor does one that resets the connection."""
        async with open_sockets() as (near, far):
            await far.send_all(b"unread")  # what makes the close of the other end a reset
            await near.aclose()

            assert await accept_websocket(far, admit=admit_all) is None
            assert far.socket.fileno() == -1

    async def test_cancelled(self) -> None:
        """A handshake that is cancelled closes the stream."""
        async with open_sockets() as (_, far):
            with trio.move_on_after(0.01) as scope:
                await accept_websocket(far, admit=admit_all)

            assert scope.cancelled_caught
            assert far.socket.fileno() == -1

    async def test_messages_behind_the_request(self) -> None:
        """A client that does not wait for the answer loses nothing."""
        async with open_raw_client(early=[frame(TEXT, b"early")]) as (_, server):
            end = End(server)
            async with running(end):
                assert await end.heard.next_frame() == "early"

    async def test_nothing_is_compressed(self) -> None:
        """A client that offers compression does not get it."""
        async with open_sockets() as (near, far):
            raw = Raw(near)
            await raw.send(
                REQUEST[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
            )

            assert await accept_websocket(far, admit=admit_all) is not None
            assert b"extensions" not in (await raw.read_head()).lower()

    @given(said=st.binary(max_size=300) | st.binary(max_size=60).map(lambda tail: REQUEST + tail))
    @settings(max_examples=50)
    async def test_any_bytes(self, said: bytes) -> None:
        """Whatever a peer says, the handshake ends, with a link or without."""
        async with open_sockets() as (near, far), trio.open_nursery() as nursery:
            await near.send_all(said)
            await near.send_eof()
            nursery.start_soon(Raw(near).read_to_end)
            server = await accept_websocket(far, admit=admit_all)

            assert server is None or said.startswith(REQUEST)

            far.socket.close()


class TestClient:
    async def test_endpoint(self) -> None:
        """The endpoint tells what was asked for, and the headers of the answer."""
        async with open_pair(target="/side?a=b") as (client, server):
            for end in (client, server):
                assert (end.endpoint.path, end.endpoint.query) == ("/side", "a=b")
            assert client.endpoint.peer == server.endpoint.local
            assert server.endpoint.headers["host"] == "localhost"

    async def test_headers(self) -> None:
        """Headers may be added to the request, and the answer's can be read."""

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
        """What a server sends together with its answer is not lost."""
        async with open_raw_server(early=[frame(TEXT, b"early", masked=False)]) as (_, client):
            end = End(client)
            async with running(end):
                assert await end.heard.next_frame() == "early"

    async def test_an_answer_in_pieces(self) -> None:
        """It does not matter how the bytes of the answer arrive."""

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
        """Whatever else a server answers raises ConnectFailed, which says what it was."""

        async def talk(raw: Raw) -> None:
            await raw.read_head()
            await raw.send(answer)
            await raw.hang_up()

        with pytest.raises(ConnectFailed, match=message):
            await connect_to(talk)

    async def test_a_server_that_insists_on_compression(self) -> None:
        """An extension that was not offered is not accepted."""

        async def talk(raw: Raw) -> None:
            request = await raw.read_head()
            await raw.send(welcome(request, b"Sec-WebSocket-Extensions: permessage-deflate\r\n"))

        with pytest.raises(ConnectFailed, match="unrecognized extension"):
            await connect_to(talk)

    async def test_a_wrong_token(self) -> None:
        """A server that does not know the WebSocket protocol is not one."""

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
        """What does not fit into a request is refused before anything is sent."""
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
    """Connect to a server that does what `talk` says, and close the sockets again."""
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


async def test_the_log_holds_no_query(caplog: pytest.LogCaptureFixture) -> None:
    """What stands behind the question mark of a URL may be a secret."""
    caplog.set_level(logging.DEBUG)
    await answer_to(REQUEST, lambda _: Rejection(404, "not here"))
    async with open_raw_client():
        pass

    assert "refused a handshake: 404, not here" in caplog.text
    assert "token" not in caplog.text
