"""Handshakes of peers of every kind, before a link is served."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from farcall import service
from farcall._limits import Limits
from farcall._server.acceptor import Acceptor, Admit, _local_ip
from farcall._server.guard import ConnectionGuard
from farcall._server.host import Host
from farcall._server.options import HostOptions
from farcall._transport.http import Rejection, TrustedProxies
from farcall._transport.transport import Endpoint
from farcall._transport.websocket import GuardedSocket
from tests.ends import wait_until
from tests.patience import PATIENCE
from tests.unit.transport.websocket.sockets import REQUEST, SMALL, TEXT, Raw, frame, open_sockets

UPGRADE = REQUEST.replace(b"example.com", b"localhost").replace(b"/chat?", b"/?")
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@service
class Echo:
    async def say(self, text: str) -> str:
        return text


async def admit_all(_endpoint: Endpoint) -> None:
    pass


def door(admit: Admit = admit_all, **limits: float) -> Acceptor:
    host = Host(Echo(), HostOptions())
    return Acceptor(host, Limits(**limits), ConnectionGuard(10, 10), admit=admit)  # type: ignore[arg-type]


@asynccontextmanager
async def at(entrance: Acceptor) -> AsyncIterator[Raw]:
    """Connect as a peer that sends bytes; check that nothing is left afterwards."""
    async with open_sockets() as (near, far), trio.open_nursery() as nursery:
        nursery.start_soon(entrance.handle, far)
        with trio.fail_after(PATIENCE):
            yield Raw(near)
        await near.aclose()
        await wait_until(lambda: far.socket.fileno() == -1)
        await wait_until(lambda: entrance.guard.open == entrance.guard.pending == 0)


async def answer_to(said: bytes, entrance: Acceptor | None = None) -> bytes:
    """Send bytes, and return the response up to the end of the connection."""
    async with at(entrance or door()) as raw:
        await raw.send(said)
        return await raw.read_to_end()


async def test_a_websocket_is_served() -> None:
    """After the upgrade a peer can call, and counts as an open connection."""
    entrance = door()
    async with at(entrance) as raw:
        await raw.send(UPGRADE)
        assert (await raw.read_head()).startswith(b"HTTP/1.1 101 ")
        await raw.send(frame(TEXT, b'{"jsonrpc":"2.0","id":1,"method":"Echo.say","params":["a"]}'))
        await raw.expect(frame(TEXT, b'{"jsonrpc":"2.0","id":1,"result":"a"}', masked=False))
        assert (entrance.guard.open, entrance.guard.pending) == (1, 0)


async def test_a_plain_request_gets_a_hint() -> None:
    """A plain request gets 426, which names WebSocket in its header and its text."""
    answer = await answer_to(GET)

    assert answer.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
    assert b"\r\nUpgrade: websocket\r\n" in answer
    assert b"\r\nConnection: close, upgrade\r\n" in answer
    assert answer.endswith(b"\r\n\r\nthis port speaks WebSocket: connect with ws:// or wss://\n")


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (GET.replace(b" / ", b" /none "), 404),
        (UPGRADE.replace(b"GET /?", b"GET /none?"), 404),
        (GET.replace(b"GET", b"POST"), 405),
        (GET.replace(b"GET", b"OPTIONS"), 405),
        (UPGRADE.replace(b"GET", b"POST"), 400),
        (UPGRADE.replace(b"Version: 13", b"Version: 8"), 426),
        (GET.replace(b"localhost", b"evil.example"), 403),
        (UPGRADE.replace(b"localhost", b"evil.example"), 403),
        (UPGRADE[:-2] + b"Origin: http://evil.example\r\n\r\n", 403),
        (GET.replace(b"HTTP/1.1", b"HTTP/1.0"), 426),
        (b"\x16\x03\x01\x02\x00", 400),
        (b"nonsense\n\n", 400),
        (UPGRADE[:-2] + b"X: %s\r\n\r\n" % (b"x" * 9000), 431),
    ],
)
async def test_each_refusal_has_its_status(said: bytes, status: int) -> None:
    """A refused request gets one response, and the connection ends."""
    answer = await answer_to(said)

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert answer.endswith(b"\n")


async def test_what_may_be_asked_for_is_told() -> None:
    """405 lists the methods (RFC 9110, section 15.5.6)."""
    assert b"\r\nAllow: GET, HEAD\r\n" in await answer_to(GET.replace(b"GET", b"DELETE"))


async def test_head_gets_no_body() -> None:
    """A response to HEAD has the length of the body, but no body."""
    answer = await answer_to(GET.replace(b"GET", b"HEAD"))

    assert answer.startswith(b"HTTP/1.1 426 ")
    assert b"\r\nContent-Length: 57\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("more", [GET, b"\xff" * 100_000, b"\n", UPGRADE])
async def test_what_comes_behind_a_plain_request_is_ignored(more: bytes) -> None:
    """A connection has one request; bytes after it are ignored."""
    answer = await answer_to(GET + more)

    assert answer.startswith(b"HTTP/1.1 426 ")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_peer_that_does_not_hang_up_is_not_waited_for_for_ever() -> None:
    """After a response the time of the handshake still limits the connection."""
    entrance = door(handshake_seconds=0.05)
    async with at(entrance) as raw:
        await raw.send(GET)
        await raw.read_to_end()
        await wait_until(lambda: entrance.guard.pending == 0)


@pytest.mark.parametrize("said", [b"", b"GET / HT", UPGRADE[:-1], UPGRADE])
async def test_a_peer_that_hangs_up(said: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """A peer that hangs up leaves nothing behind, and no error in the log."""
    async with at(door()) as raw:
        await raw.send(said)
        await raw.hang_up()

    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_peer_that_resets() -> None:
    """A connection that its peer resets is closed."""
    entrance = door()
    async with open_sockets() as (near, far):
        await far.send_all(b"unread")  # what makes the close of the other end a reset
        await near.aclose()
        await entrance.handle(far)

        assert far.socket.fileno() == -1


async def test_a_peer_whose_address_is_gone() -> None:
    """A peer that has gone is not taken for one at a Unix socket, though it has no address."""
    async with open_sockets() as (near, _):
        sock = GuardedSocket(near, SMALL)
        sock._peer = sock._local = "unknown"
        entrance = Acceptor(
            door().host,
            Limits(),
            ConnectionGuard(1, 1),
            proxies=TrustedProxies.of(["unix"]),
            admit=admit_all,
        )

        assert entrance._client_of(sock, "192.0.2.1") is None
        with pytest.raises(trio.BrokenResourceError, match="no address any more"):
            _local_ip(sock)


async def test_admit_sees_the_request() -> None:
    """Admit gets path, query and headers before the upgrade."""
    seen: list[Endpoint] = []

    async def admit(endpoint: Endpoint) -> None:
        seen.append(endpoint)
        raise Rejection(401, "log in", {"WWW-Authenticate": "Bearer"})

    said = UPGRADE.replace(b"GET /", b"GET /")[:-2] + b"Cookie: a=1\r\nCookie: b=2\r\n\r\n"
    answer = await answer_to(said, door(admit))

    assert answer.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b"\r\nWWW-Authenticate: Bearer\r\n" in answer
    assert answer.endswith(b"\r\n\r\nlog in\n")
    (endpoint,) = seen
    assert (endpoint.path, endpoint.query) == ("/", "token=1")
    assert endpoint.headers["cookie"] == "a=1; b=2"


async def test_only_what_might_be_let_in_is_given_to_admit() -> None:
    """Admit may be slow, so all other checks come first."""

    async def admit(_endpoint: Endpoint) -> None:
        raise AssertionError

    entrance = door(admit)
    for said in (
        GET,
        UPGRADE.replace(b"GET /?", b"GET /none?"),
        UPGRADE.replace(b"Version: 13", b"Version: 8"),
        UPGRADE[:-2] + b"Origin: null\r\n\r\n",
    ):
        assert not (await answer_to(said, entrance)).startswith(b"HTTP/1.1 500")


async def test_admit_has_the_time_of_the_handshake() -> None:
    """The time of the handshake limits admit."""

    async def admit(_endpoint: Endpoint) -> None:
        await trio.sleep_forever()

    assert await answer_to(UPGRADE, door(admit, handshake_seconds=0.05)) == b""


async def test_a_fault_in_admit(caplog: pytest.LogCaptureFixture) -> None:
    """An exception of admit fails the handshake with 500, and only the log has it."""

    async def admit(_endpoint: Endpoint) -> None:
        raise KeyError("secret")

    answer = await answer_to(UPGRADE, door(admit))

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"secret" not in answer
    assert "KeyError: 'secret'" in caplog.text


async def test_a_fault_in_serving(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception in serving ends the connection, and is logged."""

    async def fail(_host: Host, _transport: object) -> None:
        raise KeyError("defect")

    monkeypatch.setattr(Host, "serve_link", fail)
    async with at(door()) as raw:
        await raw.send(UPGRADE)
        await raw.read_to_end()

    assert "KeyError: 'defect'" in caplog.text


async def test_a_full_server_asks_nobody_to_decide() -> None:
    """A full server refuses a peer before admit."""

    async def admit(_endpoint: Endpoint) -> None:
        raise Rejection(401, "log in")

    full = ConnectionGuard(1, 10)
    full.enter()
    host = door().host
    async with open_sockets() as (near, far), trio.open_nursery() as nursery:
        nursery.start_soon(Acceptor(host, Limits(), full, admit=admit).handle, far)
        await near.send_all(UPGRADE)
        assert (await Raw(near).read_to_end()).startswith(b"HTTP/1.1 503 ")
        await near.aclose()


async def test_room_is_asked_for_again_behind_admit() -> None:
    """If another connection opens during admit, a full server refuses the peer after it."""
    entrance = door()
    waiting = trio.Event()

    async def admit(_endpoint: Endpoint) -> None:
        waiting.set()
        await wait_until(lambda: entrance.guard.open > 0)

    entrance = Acceptor(entrance.host, entrance.limits, ConnectionGuard(1, 10), admit=admit)
    async with at(entrance) as raw:
        await raw.send(UPGRADE)
        await waiting.wait()
        entrance.guard.enter()

        assert (await raw.read_to_end()).startswith(b"HTTP/1.1 503 ")

        entrance.guard.leave()


async def test_a_handshake_that_is_cut_leaves_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is lost during the upgrade does not count as open."""

    async def lose(*_args: object) -> None:
        raise trio.BrokenResourceError

    monkeypatch.setattr("farcall._transport.websocket.handshake.Upgrade.accept", lose)
    async with at(door()) as raw:
        await raw.send(UPGRADE)

        assert await raw.read_to_end() == b""


async def test_the_log_holds_no_query(caplog: pytest.LogCaptureFixture) -> None:
    """The query of a URL may be a secret, and is not logged."""
    caplog.set_level(logging.DEBUG)
    await answer_to(UPGRADE.replace(b"GET /?", b"GET /none?"))
    async with at(door()) as raw:
        await raw.send(UPGRADE)
        await raw.read_head()

    assert "refused a request: 404, nothing is served at this path" in caplog.text
    assert "token" not in caplog.text


@given(
    said=st.binary(max_size=300)
    | st.binary(max_size=60).map(lambda tail: UPGRADE + tail)
    | st.tuples(st.integers(0, len(UPGRADE) - 1), st.integers(0, 255)).map(
        lambda change: UPGRADE[: change[0]] + bytes([change[1]]) + UPGRADE[change[0] + 1 :]
    )
)
@settings(max_examples=60)
async def test_any_bytes(said: bytes) -> None:
    """After any bytes the connection ends, and nothing is left of it."""
    async with at(door()) as raw:
        with suppress(trio.BrokenResourceError):
            await raw.send(said)
            await raw.stream.send_eof()
            await raw.read_to_end()
