"""Reading the first request of a connection, from peers of every kind."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from farcall._limits import Limits
from farcall._transport.http import Rejection, Request, read_request

GET: Final = b"GET /chat?token=1 HTTP/1.1\r\nHost: example.com\r\n\r\n"


async def read(*pieces: bytes, limits: Limits = Limits()) -> Request:  # noqa: B008 - frozen
    """Read a request that arrives in these pieces."""
    near, far = trio.testing.memory_stream_one_way_pair()

    async def feed() -> None:
        for piece in pieces:
            await near.send_all(piece)
            await trio.testing.wait_all_tasks_blocked()
        await near.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(feed)
        try:
            return await read_request(far, limits)
        except (Rejection, trio.BrokenResourceError) as exc:
            caught = exc
        finally:
            nursery.cancel_scope.cancel()
    raise caught


def with_headers(*headers: bytes) -> bytes:
    return GET[:-2] + b"".join(header + b"\r\n" for header in headers) + b"\r\n"


async def refusal_of(*pieces: bytes, limits: Limits = Limits()) -> Rejection:  # noqa: B008
    with pytest.raises(Rejection) as caught:
        await read(*pieces, limits=limits)
    return caught.value


async def test_a_request() -> None:
    """A request has everything that its head says."""
    request = await read(GET)

    assert (request.method, request.target, request.version) == ("GET", "/chat?token=1", "1.1")
    assert (request.path, request.query) == ("/chat", "token=1")
    assert request.headers == {"host": "example.com"}
    assert request.early == b""
    assert not request.wants_websocket


async def test_in_pieces() -> None:
    """A request may arrive in any pieces."""
    pieces = [GET[number : number + 1] for number in range(len(GET))]

    assert await read(*pieces) == await read(GET)


@pytest.mark.parametrize("behind", [b"\x81\x05early", b"GET / HTTP/1.1\r\n\r\n", b"\xff\n\n"])
async def test_what_comes_behind(behind: bytes) -> None:
    """Bytes after the blank line are not part of the request, and are not read."""
    assert (await read(GET + behind)).early == behind


async def test_repeated_headers() -> None:
    """Repeated headers are joined by commas, and cookies by semicolons."""
    request = await read(
        with_headers(b"Cookie: a=1", b"X-Real: 1", b"Cookie: b=2", b"X-Real: \xfc")
    )

    assert request.headers["cookie"] == "a=1; b=2"
    assert request.headers["x-real"] == "1, ü"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(b"websocket", True), (b"h2c, WebSocket", True), (b"h2c", False), (b"websockets", False)],
)
async def test_who_wants_a_websocket(value: bytes, expected: bool) -> None:
    """Upgrade is a list of names without case."""
    assert (await read(with_headers(b"Upgrade: " + value))).wants_websocket is expected


@pytest.mark.parametrize(
    "said",
    [
        b"\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00",  # a TLS hello, which needs no line end to be seen
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET ftp://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: example.com\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: example.com\r\n\r\n",
        with_headers(b"Host: twice"),
        with_headers(b"Content-Length: 1", b"Content-Length: 2"),
        with_headers(b"A: \x00"),
        with_headers(b"A B: c"),
    ],
)
async def test_what_is_no_request(said: bytes) -> None:
    """A malformed request gets 400 as soon as that is certain."""
    assert (await refusal_of(said)).status == 400


@pytest.mark.parametrize(
    "said",
    [
        b"GET /?token=secret\xff HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nCookie secret\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: secret\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: secret\r\n\r\n",
    ],
)
async def test_nothing_of_a_wrong_request_is_quoted(said: bytes) -> None:
    """A refusal quotes nothing: the request may be secret, and 16 KiB long."""
    with pytest.raises(Rejection) as caught:
        await read(said)

    assert "secret" not in str(caught.value)


async def test_an_unknown_coding_is_not_implemented() -> None:
    """An unknown transfer coding gets 501 (RFC 9112, section 6.1)."""
    assert (await refusal_of(with_headers(b"Transfer-Encoding: magic"))).status == 501


@pytest.mark.parametrize("said", [b"", b"GET / HT", GET[:-1]])
async def test_a_peer_that_hangs_up(said: bytes) -> None:
    """A peer that hangs up in its request is lost."""
    with pytest.raises(trio.BrokenResourceError, match="hung up"):
        await read(*filter(None, [said]))


def headers_of(count: int) -> bytes:
    return with_headers(*[b"X-%d: 1" % number for number in range(count - 1)])


def line_of(size: int) -> bytes:
    return with_headers(b"X: ".ljust(size, b"x"))


def target_of(size: int) -> bytes:
    return GET.replace(b"token=1", b"x" * (size - len(b"GET /chat? HTTP/1.1")))


def head_of(size: int) -> bytes:
    rest = size - len(GET)
    return with_headers(b"X: ".ljust(rest // 2 - 2, b"x"), b"Y: ".ljust(rest - rest // 2 - 2, b"y"))


@pytest.mark.parametrize(
    ("make", "most", "limit"),
    [
        (headers_of, 64, "headers"),
        (line_of, 8192, "header_line"),
        (target_of, 8192, "header_line"),
        (head_of, 16_384, "head"),
    ],
)
async def test_the_limits(make: Callable[[int], bytes], most: int, limit: str) -> None:
    """A request at a limit is read; one over it gets 431, which names the limit."""
    await read(make(most))
    rejection = await refusal_of(make(most + 1))

    assert rejection.status == 431
    assert f"{most} " in rejection.reason
    assert f"(the limit {limit})" in rejection.reason


async def test_a_head_without_an_end() -> None:
    """A head over the limit is refused at once, in one piece or in many."""
    flood = GET[:-2] + b"X: " + b"x" * 16_384

    for pieces in ([flood], [flood[n : n + 1000] for n in range(0, len(flood), 1000)]):
        rejection = await refusal_of(*pieces)
        assert (rejection.status, "the limit head)" in rejection.reason) == (431, True)


@given(said=st.binary(max_size=300) | st.binary(max_size=60).map(lambda tail: GET[:-2] + tail))
async def test_any_bytes(said: bytes) -> None:
    """Any bytes are a request, or refused, or not yet complete."""
    with suppress(Rejection, trio.BrokenResourceError):
        await read(*filter(None, [said]))
