"""Bytes that a peer sends before the handshake is answered are never read as frames."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest
import trio

import farcall
from farcall import ConnectFailed, Credentials, Principal, service
from tests.ends import wait_until
from tests.patience import PATIENCE
from tests.unit.transport.websocket.certificates import client_context, server_context
from tests.unit.transport.websocket.sockets import TEXT, Raw, frame, welcome

HEADERS = (
    b"Host: localhost\r\n"
    b"Connection: Upgrade\r\n"
    b"Upgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
CALL = frame(TEXT, b'{"jsonrpc":"2.0","id":1,"method":"Safe.open"}')


@service
class Safe:
    def __init__(self) -> None:
        self.is_open = False

    async def open(self) -> None:
        self.is_open = True


@asynccontextmanager
async def serving(
    safe: Safe, authenticate: farcall.Authenticate | None = None
) -> AsyncIterator[farcall.Server]:
    async with trio.open_nursery() as nursery:
        serve = partial(farcall.serve, safe, 0, authenticate=authenticate)
        server: farcall.Server = await nursery.start(serve)
        with trio.fail_after(PATIENCE):
            yield server
        server.shutdown()


async def answer_to(*pieces: bytes, line: bytes = b"GET / HTTP/1.1\r\n") -> bytes:
    """Send a request to a server with a safe, and check that the safe stays closed."""
    safe = Safe()
    async with serving(safe) as server:
        async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
            raw = Raw(stream)
            await raw.send(line + b"".join(pieces))
            answer = await raw.read_head()
            if status_of(answer) != 101:
                answer += await raw.read_to_end()
            await trio.sleep(0.01)  # time in which frames would be read
    assert not safe.is_open
    return answer


def status_of(answer: bytes) -> int:
    return int(answer.split()[1])


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: %d\r\n\r\n" % len(CALL) + CALL,
        b"content-length : %d\r\n\r\n" % len(CALL) + CALL,
        b"Content-Length: 0\r\n\r\n",
        b"Content-Length: 0\r\n\r\n" + CALL,
        b"Content-Length: -1\r\n\r\n" + CALL,
        b"Content-Length: %d\r\nContent-Length: %d\r\n\r\n" % (len(CALL), len(CALL)) + CALL,
        b"Content-Length: %d, %d\r\n\r\n" % (len(CALL), len(CALL)) + CALL,
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(CALL) + CALL + b"\r\n0\r\n\r\n",
        b"Transfer-Encoding: Chunked\r\n\r\n" + CALL,
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + CALL,
        b"Expect: 100-continue\r\n\r\n",
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(CALL) + CALL,
        b"Trailer: X\r\n\r\n",
        # framings that readers disagree about
        b"X: a\r\n Content-Length: %d\r\n\r\n" % len(CALL) + CALL,
        b"X: a\r\n\tb\r\n\r\n",
        b"X: a\nContent-Length: %d\r\n\r\n" % len(CALL) + CALL,
        b"X: a\n\n" + CALL,
        b"X: a\r\n\n" + CALL,
        b"X: a\r\r\n\r\n" + CALL,
        b"X: a\rContent-Length: 5\r\n\r\n",
        b"X: a\0\r\n\r\n",
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        b"Sec-WebSocket-Version: 13\r\n\r\n",
        b"Host: localhost\r\n\r\n",
    ],
)
async def test_a_body_is_refused(body: bytes) -> None:
    """A request for a WebSocket with a body, or that is ambiguous, gets 400."""
    assert status_of(await answer_to(HEADERS, body)) == 400


async def test_an_unknown_coding_is_refused() -> None:
    """An unknown transfer coding gets 501 (RFC 9112, section 6.1)."""
    assert status_of(await answer_to(HEADERS, b"Transfer-Encoding: gzip\r\n\r\n", CALL)) == 501


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET / HTTP/1.0\r\n", 400),
        (b"GET / HTTP/1.2\r\n", 400),
        (b"POST / HTTP/1.1\r\n", 400),
        (b"get / HTTP/1.1\r\n", 400),
        (b"GET /?a#b HTTP/1.1\r\n", 400),
        (b"GET  / HTTP/1.1\r\n", 400),
        (b"GET / HTTP/1.1\n", 400),
        (b"\r\nGET / HTTP/1.1\r\n", 400),
        (b"GET / HTTP/1.1\r\n", 101),
    ],
)
async def test_the_first_line(line: bytes, status: int) -> None:
    """Only GET in HTTP/1.1 with a target without a fragment opens a WebSocket."""
    assert status_of(await answer_to(HEADERS, b"\r\n", line=line)) == status


@pytest.mark.parametrize("early", [CALL, CALL[:1], b"GET / HTTP/1.1\r\n\r\n", b"\n"])
async def test_bytes_with_the_request_are_refused(early: bytes) -> None:
    """A client that sends bytes with its request gets 400 (RFC 6455, section 4.1)."""
    answer = await answer_to(HEADERS, b"\r\n", early)

    assert status_of(answer) == 400
    assert answer.endswith(b"wait for the response to its handshake before it sends more\n")


@pytest.mark.parametrize("is_secure", [False, True])
async def test_bytes_before_the_answer_are_refused(is_secure: bool) -> None:
    """A client that sends bytes before the response gets 400."""
    safe, asked, decided = Safe(), trio.Event(), trio.Event()

    async def authenticate(_credentials: Credentials) -> Principal | None:
        asked.set()
        await decided.wait()
        return None

    async with trio.open_nursery() as nursery:
        context = server_context() if is_secure else None
        serve = partial(farcall.serve, safe, 0, authenticate=authenticate, ssl_context=context)
        server: farcall.Server = await nursery.start(serve)
        stream: trio.abc.Stream = await trio.open_tcp_stream("127.0.0.1", server.port)
        if is_secure:
            stream = trio.SSLStream(stream, client_context(), server_hostname="127.0.0.1")
        with trio.fail_after(PATIENCE):
            await stream.send_all(b"GET / HTTP/1.1\r\n" + HEADERS + b"\r\n")
            await asked.wait()
            await stream.send_all(CALL)
            await trio.sleep(0.01)  # time for the bytes to arrive
            decided.set()
            assert status_of(bytes(await stream.receive_some())) == 400
            await trio.aclose_forcefully(stream)
        server.shutdown()
    assert not safe.is_open


async def test_bytes_after_the_answer_are_frames() -> None:
    """A frame that a client sends after the response is served."""
    safe = Safe()
    async with serving(safe) as server:
        async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
            raw = Raw(stream)
            await raw.send(b"GET / HTTP/1.1\r\n", HEADERS, b"\r\n")
            assert (await raw.read_head()).startswith(b"HTTP/1.1 101 ")
            await raw.send(CALL)
            await raw.read(2)
    assert safe.is_open


async def test_a_peer_that_hangs_up_before_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    """A client that hangs up before the response causes no warning."""
    async with serving(Safe()) as server:
        async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
            raw = Raw(stream)
            await raw.send(b"GET / HTTP/1.1\r\n", HEADERS, b"\r\n")
            await stream.send_eof()
            await raw.read_to_end()
    assert not [each for each in caplog.records if each.levelname in ("WARNING", "ERROR")]


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        (b"http://localhost/", b"localhost", 101),
        (b"HTTP://localhost:8765", b"localhost", 101),
        (b"https://127.0.0.1/?token=1", b"localhost", 101),
        (b"ws://localhost/", b"localhost", 101),
        (b"http://localhost/", b"evil.example", 101),
        (b"http://localhost?token=1", b"localhost", 101),
        (b"http://evil.example/", b"localhost", 403),
        (b"http://localhost/none", b"localhost", 404),
        (b"http://ada:secret@localhost/", b"localhost", 400),
        (b"http:///", b"localhost", 400),
        (b"http://localhost:x/", b"localhost", 400),
        (b"ftp://localhost/", b"localhost", 400),
        (b"localhost", b"localhost", 400),
        (b"*", b"localhost", 400),
    ],
)
async def test_a_url_in_the_first_line(target: bytes, host: bytes, status: int) -> None:
    """A request may have a URL, whose host counts instead of Host (RFC 6455, section 4.2.1)."""
    headers = HEADERS.replace(b"localhost", host)

    answer = await answer_to(headers, b"\r\n", line=b"GET %b HTTP/1.1\r\n" % target)

    assert status_of(answer) == status
    assert b"secret" not in answer


async def test_the_origin_is_that_of_the_url() -> None:
    """The origin is compared with the host of the URL, not with Host."""
    page = b"Origin: http://evil.example\r\n\r\n"
    line = b"GET http://localhost/ HTTP/1.1\r\n"
    headers = HEADERS.replace(b"localhost", b"evil.example")

    assert status_of(await answer_to(headers, page, line=line)) == 403


class TestClient:
    """A client accepts only a response that cannot be ambiguous."""

    @pytest.mark.parametrize(
        ("changed", "problem"),
        [
            (lambda said: said[:-2] + b"Content-Length: 5\r\n\r\n", "it has a body"),
            (lambda said: said[:-2] + b"Content-Length: 0\r\n\r\n", "it has a body"),
            (lambda said: said[:-2] + b"Transfer-Encoding: chunked\r\n\r\n", "it has a body"),
            (lambda said: said[:-2] + b"X: a\r\n b\r\n\r\n", "continues on a second line"),
            (lambda said: said[:-2] + b"X: a\n\n", "without a carriage return"),
            (lambda said: said.replace(b"\r\n", b"\n"), "without a carriage return"),
            (lambda said: said.replace(b"1.1", b"1.0", 1), "it is not HTTP/1.1"),
            (
                lambda said: said.replace(b"Sec-", b"Sec-WebSocket-Accept: x\r\nSec-", 1),
                "Sec-WebSocket-Accept is repeated",
            ),
        ],
    )
    async def test_an_answer_that_may_be_read_in_two_ways(self, changed: Any, problem: str) -> None:
        """A response with a body, or that is ambiguous, fails the connection."""
        async with open_server(changed) as url:
            with pytest.raises(ConnectFailed, match=problem):
                async with farcall.connect(url, dialect="plain"):
                    pytest.fail("it was let in")

    async def test_frames_with_the_answer(self) -> None:
        """Frames that arrive with the response are read."""
        event = b'{"jsonrpc":"2.0","method":"ticked","params":[1]}'
        async with open_server(lambda said: said + frame(TEXT, event, masked=False)) as url:
            async with farcall.connect(url, dialect="plain") as session:
                await wait_until(lambda: session.statistics().frames_in == 1)


@asynccontextmanager
async def open_server(changed: Any) -> AsyncIterator[str]:
    """Serve a 101 response that `changed` has changed."""

    async def answer(stream: trio.SocketStream) -> None:
        raw = Raw(stream)
        await raw.send(changed(welcome(await raw.read_head())))
        with suppress(trio.BrokenResourceError):
            await stream.receive_some()
        await raw.hang_up()

    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, answer, 0, host="127.0.0.1")
        listeners = await nursery.start(serve)
        yield f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()
