"""The limits of connections, handshakes and logins, each tested at the limit and above it.

A limit that would need much time or many peers is lowered; docs/limits.md has its default.
"""

from __future__ import annotations

import os
import re
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
import trio
import trio.testing

import farcall
from farcall import Limits, service
from farcall.testing import open_pair
from tests.ends import wait_until
from tests.inside import links_of
from tests.patience import PATIENCE
from tests.unit.transport.websocket.sockets import CONTINUATION, TEXT, Raw, close_frame, frame

ROOT = Path(__file__).parents[3]

REQUEST = (
    b"GET / HTTP/1.1\r\n"
    b"Host: localhost\r\n"
    b"Connection: Upgrade\r\n"
    b"Upgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"\r\n"
)

CALL = b'{"jsonrpc":"2.0","id":1,"method":"Echo.say","params":["%s"]}'


def expect_closed(heard: bytes, code: int, words: str, limit: str) -> None:
    """Check that the peer has sent one Close frame, which names the limit."""
    assert heard == close_frame(code, f"{words} (the limit {limit})", masked=False)


@service
class Echo:
    async def say(self, text: str) -> str:
        return text


@asynccontextmanager
async def serving(
    limits: Limits, authenticate: farcall.Authenticate | None = None
) -> AsyncIterator[farcall.Server]:
    serve = partial(farcall.serve, Echo(), 0, limits=limits, authenticate=authenticate)
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(serve)
        with trio.fail_after(PATIENCE):
            yield server
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def silent(server: farcall.Server) -> AsyncIterator[Raw]:
    """Connect, and wait until the server waits for the request."""
    async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        await trio.testing.wait_all_tasks_blocked(0.01)
        yield Raw(stream)


@asynccontextmanager
async def raw_peer(server: farcall.Server) -> AsyncIterator[Raw]:
    """Connect over a raw socket, and finish the opening handshake."""
    async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
        raw = Raw(stream)
        await raw.send(REQUEST)
        await raw.read_head()
        yield raw


def call_of(size: int) -> bytes:
    """Return a call that is a message of `size` bytes."""
    return CALL % (b"x" * (size - len(CALL) + 2))


def result_of(size: int) -> bytes:
    """Return the frame of the response to `call_of(size)`."""
    text = b"x" * (size - len(CALL) + 2)
    return frame(TEXT, b'{"jsonrpc":"2.0","id":1,"result":"%s"}' % text, masked=False)


class TestLimits:
    """The class `Limits`."""

    @pytest.mark.parametrize("name", [field.name for field in attrs.fields(Limits)])
    def test_zero_is_refused(self, name: str) -> None:
        """A limit of zero is refused by name."""
        with pytest.raises(ValueError, match=name):
            Limits(**{name: 0})

    def test_a_count_is_an_integer(self) -> None:
        """A limit that counts must be an int."""
        with pytest.raises(TypeError, match="fragments"):
            Limits(fragments=1.5)  # type: ignore[arg-type]

    def test_every_limit_is_shown(self) -> None:
        """Each limit has a row with its default in docs/limits.md, and a test named after it."""
        page = (ROOT / "docs" / "limits.md").read_text("utf-8")
        rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", page, re.MULTILINE))
        fields = attrs.fields(Limits)
        tests = [path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*limits.py")]
        tested = re.findall(r"^async def test_limit_(\w+)\(", "".join(tests), re.MULTILINE)

        assert list(rows) == [field.name for field in fields]
        for field in fields:
            if field.default is not None:
                default = f"{field.default}".removesuffix(".0")
                assert rows[field.name].replace(",", "").startswith(default), field
            assert field.name in tested, field.name


async def test_limit_message() -> None:
    """A call over `message` is refused with its id; another message closes the link with 1009."""
    async with serving(Limits(message=1000)) as server:
        async with raw_peer(server) as raw:
            await raw.send(frame(TEXT, call_of(1000)))
            await raw.expect(result_of(1000))
            await raw.send(frame(TEXT, call_of(1001)))
            data = b'{"limit":"message","bytes":1000}'
            error = b'{"code":-32600,"message":"Invalid Request","data":%b}' % data
            answer = b'{"jsonrpc":"2.0","id":1,"error":%b}' % error
            await raw.expect(frame(TEXT, answer, masked=False))
            await raw.send(frame(TEXT, b"[%b]" % call_of(1000)))

            words = "a message was larger than 1000 bytes"
            expect_closed(await raw.read_to_end(), 1009, words, "message")


async def test_limit_fragments() -> None:
    """A message of more frames than `fragments` closes the connection with 1008."""
    call = call_of(100)
    async with serving(Limits(fragments=3)) as server:
        async with raw_peer(server) as raw:
            await raw.send(
                frame(TEXT, call, fin=False), frame(CONTINUATION, fin=False), frame(CONTINUATION)
            )
            await raw.expect(result_of(100))
            await raw.send(frame(TEXT, call, fin=False), *[frame(CONTINUATION, fin=False)] * 3)

            words = "a message had more than 3 fragments"
            expect_closed(await raw.read_to_end(), 1008, words, "fragments")


async def test_limit_incomplete_seconds(running_clock: trio.testing.MockClock) -> None:
    """A message that is incomplete for `incomplete_seconds` closes the connection with 1008."""
    async with serving(Limits(incomplete_seconds=5)) as server:
        async with raw_peer(server) as raw:
            await raw.send(frame(TEXT, call_of(100), fin=False), frame(CONTINUATION))
            await raw.expect(result_of(100))
            running_clock.jump(5)  # the time of a complete message does not run
            await raw.send(frame(TEXT, call_of(100)))
            await raw.expect(result_of(100))
            await raw.send(frame(TEXT, call_of(100), fin=False))
            await trio.testing.wait_all_tasks_blocked(0.01)
            running_clock.jump(5)

            words = "a message was incomplete for 5 s"
            expect_closed(await raw.read_to_end(), 1008, words, "incomplete_seconds")


async def test_limit_process_bytes_holds_for_incomplete_messages() -> None:
    """Incomplete messages count toward `process_bytes`, and are dropped after a Close."""
    whole = frame(TEXT, call_of(60_000))
    begun, end = whole[:-1], whole[-1:]
    async with serving(Limits(process_bytes=100_000)) as server:
        async with raw_peer(server) as small, raw_peer(server) as large:
            await small.send(begun[:30_000])
            await large.send(begun)
            links: Any = links_of(server)
            await wait_until(lambda: sum(link.account.held for link in links) > 89_000)
            await large.send(end)
            await large.expect(result_of(60_000))
            await wait_until(lambda: sum(link.account.held for link in links) <= 30_000)

            await large.send(begun)
            await small.send(begun[30_000:40_900])

            words = "all connections had more than 100000 bytes waiting (the limit process_bytes)"
            await large.expect(close_frame(1013, words, masked=False))
            (kept,) = [link for link in links if link.close_reason is None]
            assert kept.account.held == 40_900 - 8  # without the header of its frame
            connections = [link._transport._connection for link in links]
            assert all(each._frames_in.size in (0, 40_892) for each in connections)
            await small.send(begun[40_900:], end)
            await small.expect(result_of(60_000))


async def test_limit_handshake_seconds(running_clock: trio.testing.MockClock) -> None:
    """A peer that does not finish its handshake within `handshake_seconds` is disconnected."""
    async with serving(Limits(handshake_seconds=10)) as server:
        async with raw_peer(server) as good, silent(server) as slow:
            await slow.send(REQUEST[:-1])
            running_clock.jump(10)

            assert await slow.read_to_end() == b""

            await good.send(frame(TEXT, call_of(100)))
            await good.expect(result_of(100))


async def test_limit_pending_handshakes() -> None:
    """A peer over `pending_handshakes` costs the oldest unfinished one its connection."""
    async with serving(Limits(pending_handshakes=2)) as server:
        async with raw_peer(server) as opened, silent(server) as oldest, silent(server) as second:
            async with silent(server) as newest:
                assert await oldest.read_to_end() == b""

                for raw in (second, newest):
                    await raw.send(REQUEST)
                    assert (await raw.read_head()).startswith(b"HTTP/1.1 101 ")
                await opened.send(frame(TEXT, call_of(100)))
                await opened.expect(result_of(100))


async def test_limit_headers() -> None:
    """A request with more headers than `headers` gets 431."""
    await check_head(Limits(headers=6), b"X: 1", b"Y: 1", limit="headers")


async def test_limit_header_line() -> None:
    """A request with a header longer than `header_line` gets 431."""
    line = b"X: ".ljust(100, b"x")
    await check_head(Limits(header_line=100), line, line + b"x", limit="header_line")


async def test_limit_head() -> None:
    """A request with a head longer than `head` gets 431."""
    line = b"X: ".ljust(500 - len(REQUEST) - 2, b"x")
    await check_head(Limits(head=500), line, line + b"x", limit="head")


async def check_head(limits: Limits, right: bytes, wrong: bytes, *, limit: str) -> None:
    """Check that a request with the right header is accepted, and that the other gets 431."""
    async with serving(limits) as server:
        async with silent(server) as good, silent(server) as bad:
            await good.send(REQUEST[:-2] + right + b"\r\n\r\n")
            assert (await good.read_head()).startswith(b"HTTP/1.1 101 ")

            both = right + b"\r\n" + wrong if limit == "headers" else wrong
            await bad.send(REQUEST[:-2] + both + b"\r\n\r\n")
            answer = await bad.read_to_end()
            assert answer.startswith(b"HTTP/1.1 431 ")
            assert answer.endswith(b"(the limit %s)\n" % limit.encode())


async def test_limit_connections() -> None:
    """A connection over `connections` gets 503, and a closed one makes room."""
    async with serving(Limits(connections=2)) as server:
        async with raw_peer(server) as good:
            async with raw_peer(server):
                await check_full(server, "connections")
            await wait_until(lambda: server.statistics().connections == 1)
            async with farcall.connect(server.url) as session:
                assert await session.call("Echo.say", "a") == "a"
            await good.send(frame(TEXT, call_of(100)))
            await good.expect(result_of(100))


async def test_limit_descriptor_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections take at most `descriptor_share` of the file descriptors of the process."""
    monkeypatch.setattr("farcall._server.acceptor.descriptor_limit", lambda: 10)
    async with serving(Limits(descriptor_share=0.2)) as server:
        async with raw_peer(server), raw_peer(server):
            await check_full(server, "descriptor_share")


async def test_limit_failed_logins() -> None:
    """After `failed_logins` failed logins, the next login closes the connection."""
    asked: list[object] = []

    async def authenticate(credentials: farcall.Credentials) -> farcall.Principal | None:
        asked.append(credentials.login)
        is_right = credentials.login == ["right"]
        return farcall.Principal("ada") if is_right else None

    pair = open_pair(Echo(), authenticate=authenticate, limits=Limits(failed_logins=2))
    async with pair as (session, connection):
        assert await session.call("rpc.login", "wrong") is False
        assert await session.call("rpc.login", "right") is True
        assert await session.call("rpc.login", "wrong") is False
        with pytest.raises(farcall.ConnectionLost, match=r"1008.*the limit failed_logins"):
            await session.call("rpc.login", "right")
        await connection.wait_closed()
        assert connection.state is farcall.ConnectionState.CLOSED
    assert asked == [None, ["wrong"], ["right"], ["wrong"]]


async def test_limit_failed_logins_unanswered() -> None:
    """A login is refused with Busy while `failed_logins` other logins are unanswered."""

    async def authenticate(credentials: farcall.Credentials) -> farcall.Principal | None:
        if credentials.login is not None:
            await trio.sleep_forever()
        return None

    pair = open_pair(Echo(), authenticate=authenticate, limits=Limits(failed_logins=2))
    async with pair as (session, connection), trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(session.call, "rpc.login", "me")
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(farcall.Busy, match="failed_logins"):
            await session.call("rpc.login", "me")
        assert connection.statistics().calls_in == 2
        nursery.cancel_scope.cancel()


@service(protected=True)
class Vault:
    """A service in which everything needs a login."""

    opened: farcall.Signal[int] = farcall.Signal()

    async def say(self, text: str) -> str:
        return text


@service(name="Vault")
class Hall:
    """A service with an open method."""

    async def hours(self) -> None: ...

    @farcall.method(protected=True)
    async def say(self, text: str) -> str:
        return text


async def by_header_or_login(credentials: farcall.Credentials) -> farcall.Principal | None:
    """Authenticate ada by a header or a login."""
    words = (credentials.login, credentials.headers.get("x-name"))
    return farcall.Principal("ada") if words in ((["me"], None), (None, "ada")) else None


async def say(session: farcall.Session, size: int) -> str:
    """Call with a message that is some hundred bytes larger than `size`."""
    return await session.call("Vault.say", "x" * size, returns=str)


@asynccontextmanager
async def vault_client(kind: str, dialect: Any, limits: Limits) -> AsyncIterator[farcall.Session]:
    """Connect to the vault without a login, with the default limits of a client."""
    if kind == "memory":
        pair = open_pair(Vault(), authenticate=by_header_or_login, dialect=dialect, limits=limits)
        async with pair as (session, _):
            yield session
        return
    serve = partial(farcall.serve, Vault(), 0, authenticate=by_header_or_login, limits=limits)
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(serve)
        async with farcall.connect(server.url, dialect=dialect) as session:
            yield session
        server.shutdown()


@pytest.mark.parametrize("kind", ["memory", "websocket"])
@pytest.mark.parametrize("dialect", ["farcall", "plain"])
async def test_limit_message_before_login(kind: str, dialect: Any) -> None:
    """If everything is protected, a message over `message_before_login` needs a login."""
    limits = Limits(message_before_login=1000, message=5000)
    async with vault_client(kind, dialect, limits) as session:
        with pytest.raises(farcall.Forbidden):
            await say(session, 500)
        await expect_too_large(session, 1500, "message_before_login", dialect)
    async with vault_client(kind, dialect, limits) as session:
        assert await session.call("rpc.login", "me") is True
        assert await say(session, 3000) == "x" * 3000
        assert await session.call("rpc.login", "nobody") is False
        assert await say(session, 3000) == "x" * 3000
        with pytest.raises(farcall.FarcallError, match=r'limit.* message|"limit": "message"'):
            await say(session, 6000)


async def expect_too_large(session: farcall.Session, size: int, limit: str, dialect: str) -> None:
    """Check that a plain peer gets an error, and a farcall one loses its connection with 1009."""
    if dialect == "plain":
        with pytest.raises(farcall.RpcError) as caught:
            await say(session, size)
        assert caught.value.data == {"limit": limit, "bytes": 1000}
        with pytest.raises(farcall.Forbidden):
            await say(session, 1)
    else:
        with pytest.raises(farcall.ConnectionLost, match=rf"1009: .*\(the limit {limit}\)"):
            await say(session, size)


@pytest.mark.parametrize(
    ("served", "authenticate", "headers"),
    [
        (Hall(), by_header_or_login, None),
        (Vault(), by_header_or_login, {"X-Name": "ada"}),
        (Vault(), None, None),
    ],
)
async def test_limit_message_before_login_holds_for_strangers_alone(
    served: object, authenticate: farcall.Authenticate | None, headers: dict[str, str] | None
) -> None:
    """`message_before_login` does not hold with an open method, a principal, or no logins."""
    limits = Limits(message_before_login=1000)
    pair = open_pair(served, authenticate=authenticate, headers=headers, limits=limits)
    async with pair as (session, connection):
        if connection.principal is None:
            with pytest.raises(farcall.Forbidden):
                await say(session, 3000)
        else:
            assert await say(session, 3000) == "x" * 3000


async def test_limit_message_before_login_is_kept_after_a_logout() -> None:
    """`message_before_login` no longer holds after a logout."""
    limits = Limits(message_before_login=1000)
    pair = open_pair(Vault(), authenticate=by_header_or_login, login="me", limits=limits)
    async with pair as (session, connection):
        connection.logout()
        with pytest.raises(farcall.Forbidden):
            await say(session, 3000)
        await session.login()
        assert await say(session, 3000) == "x" * 3000


async def test_limit_message_before_login_is_no_larger_than_message() -> None:
    """The smaller one of `message_before_login` and `message` holds."""
    limits = Limits(message=1000)
    async with open_pair(
        Vault(), authenticate=by_header_or_login, dialect="plain", limits=limits
    ) as (session, _):
        with pytest.raises(farcall.RpcError) as caught:
            await say(session, 1500)
        assert caught.value.data == {"limit": "message", "bytes": 1000}


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
async def test_limit_login_bytes(dialect: Any) -> None:
    """A login over `login_bytes` is refused, and `authenticate` is not called."""
    asked: list[int] = []

    async def authenticate(credentials: farcall.Credentials) -> farcall.Principal | None:
        if credentials.login is None:
            return None
        asked.append(len(credentials.login[0]))
        return farcall.Principal("ada")

    limits = Limits(login_bytes=1000)
    pair = open_pair(Echo(), authenticate=authenticate, limits=limits, dialect=dialect)
    async with pair as (session, connection):
        for _ in range(limits.failed_logins + 1):
            with pytest.raises(farcall.RpcError) as caught:
                await session.call("rpc.login", "x" * 997)
            assert (caught.value.code, caught.value.data) == (
                -32600,
                {"limit": "login_bytes", "bytes": 1000},
            )
            assert connection.principal is None
        assert await session.call("rpc.login", "x" * 996) is True
    assert asked == [996]


async def test_limit_logins(autojump_clock: trio.testing.MockClock) -> None:
    """Logins over `logins` wait in order, on all servers of the process together."""
    at_work, seen, came = 0, list[int](), list[object]()

    async def authenticate(credentials: farcall.Credentials) -> farcall.Principal | None:
        nonlocal at_work
        if credentials.login is not None:
            seen.append(at_work := at_work + 1)
            came.append(credentials.login)
            await trio.sleep(1)
            at_work -= 1
        return None

    async with AsyncExitStack() as stack:
        limits = Limits(logins=2)
        pairs = [
            await stack.enter_async_context(
                open_pair(Echo(), authenticate=authenticate, limits=limits)
            )
            for _ in range(5)
        ]
        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for number, (session, _) in enumerate(pairs):
                nursery.start_soon(session.call, "rpc.login", number)
                await trio.testing.wait_all_tasks_blocked()
        assert came == [[number] for number in range(5)]
        assert max(seen) == 2
        assert trio.current_time() - began == 3


async def test_limit_logins_holds_for_handshakes() -> None:
    """`logins` holds for handshakes too, which have a queue of their own."""
    opened = trio.Event()
    at_work = {"login": 0, "handshake": 0}

    async def authenticate(credentials: farcall.Credentials) -> farcall.Principal | None:
        kind = "handshake" if credentials.login is None else "login"
        at_work[kind] += 1
        await opened.wait()
        at_work[kind] -= 1
        return farcall.Principal("ada")

    limits = Limits(logins=2)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(limits, authenticate))
        opened.set()
        sessions = [await stack.enter_async_context(farcall.connect(server.url)) for _ in range(3)]
        opened = trio.Event()
        raws = [await stack.enter_async_context(silent(server)) for _ in range(3)]
        async with trio.open_nursery() as nursery:
            for session in sessions:
                nursery.start_soon(session.call, "rpc.login", "me")
            await wait_until(lambda: at_work["login"] == 2)
            for raw in raws:
                await raw.send(REQUEST)
            await wait_until(lambda: at_work["handshake"] == 2)
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert at_work == {"login": 2, "handshake": 2}

            opened.set()
            for raw in raws:
                assert (await raw.read_head()).startswith(b"HTTP/1.1 101 ")


async def test_limit_logins_prefers_connections_with_fewer_failures() -> None:
    """A login from a connection with fewer failed logins comes first."""
    release, came = trio.Event(), list[object]()
    release.set()

    async def authenticate(credentials: farcall.Credentials) -> farcall.Principal | None:
        if credentials.login is not None:
            came.append(credentials.login[0])
            await release.wait()
        return None

    async with AsyncExitStack() as stack:
        limits = Limits(logins=1)
        pairs = [
            await stack.enter_async_context(
                open_pair(Echo(), authenticate=authenticate, limits=limits)
            )
            for _ in range(4)
        ]
        for failures, (session, _) in enumerate(pairs):
            for _ in range(failures):
                assert await session.call("rpc.login", "warming up") is False
        came.clear()
        release = trio.Event()
        async with trio.open_nursery() as nursery:
            for failures in (1, 3, 2, 0):
                nursery.start_soon(pairs[failures][0].call, "rpc.login", failures)
                await trio.testing.wait_all_tasks_blocked()
            release.set()

    assert came == [1, 0, 2, 3]  # the first one did not have to wait


async def test_wrong_logins_keep_no_handshake_out(autojump_clock: trio.testing.MockClock) -> None:
    """Handshakes do not wait for 200 clients that repeat wrong logins."""

    async def authenticate(credentials: farcall.Credentials) -> farcall.Principal | None:
        if credentials.login is not None:
            await trio.sleep(0.2)
        return None

    pair = partial(open_pair, Echo(), authenticate=authenticate)

    async def guess() -> None:
        async with pair() as (session, _):
            while True:
                await session.call("rpc.login", "guess")

    async with trio.open_nursery() as nursery:
        for _ in range(200):
            nursery.start_soon(guess)
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        async with pair() as (session, _):
            assert await session.call("Echo.say", "a") == "a"
        assert trio.current_time() == began
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def guarded(limits: Limits) -> AsyncIterator[farcall.Server]:
    """Serve behind a trusted proxy, with right and wrong tokens and logins."""

    async def authenticate(credentials: farcall.Credentials) -> farcall.Principal | None:
        if credentials.headers.get("x-token", "right") != "right":
            raise farcall.Unauthorized
        return farcall.Principal("ada") if credentials.login == ["right"] else None

    proxies = ["127.0.0.1"]
    serve = partial(
        farcall.serve,
        Echo(),
        0,
        limits=limits,
        authenticate=authenticate,
        trusted_proxies=proxies,
    )
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(serve)
        with trio.fail_after(PATIENCE):
            yield server
        server.shutdown()


def come_from(server: farcall.Server, address: str, **headers: str) -> Any:
    """Connect through the proxy."""
    return farcall.connect(server.url, headers={"X-Forwarded-For": address, **headers})


async def shake_hands(server: farcall.Server, address: str, **headers: str) -> int | None:
    """Connect through the proxy; return the status of a refusal."""
    try:
        async with come_from(server, address, **headers):
            return None
    except farcall.ConnectFailed as error:
        return error.status


async def log_in(server: farcall.Server, address: str, *words: str) -> list[object]:
    """Connect through the proxy and log in with one word after the other."""
    answers: list[object] = []
    async with come_from(server, address) as session:
        for word in words:
            try:
                answers.append(await session.call("rpc.login", word))
            except farcall.Busy as error:
                answers.append(cast("dict[str, object]", error.data)["limit"])
    return answers


async def test_limit_address_failed_logins(monkeypatch: pytest.MonkeyPatch) -> None:
    """After `address_failed_logins` failures in a minute, only their address is refused."""
    busy = "address_failed_logins"
    async with guarded(Limits(address_failed_logins=2)) as server:
        assert await log_in(server, "192.0.2.1", "wrong", "right", "wrong", "right") == [
            False,
            True,
            False,
            busy,
        ]
        assert await log_in(server, "192.0.2.1", "right") == [busy]
        assert await log_in(server, "192.0.2.2", "right") == [True]
        assert await log_in(server, "127.0.0.1", *["wrong"] * 4, "right") == [False] * 4 + [True]
        assert await shake_hands(server, "192.0.2.1") is None
        async with come_from(server, "192.0.2.1") as session:
            with pytest.raises(farcall.Busy) as caught:
                await session.call("rpc.login", "right")
        assert caught.value.retry_after == pytest.approx(60, abs=5)

        monkeypatch.setattr("farcall._serving.failed_logins.MINUTE", 0)
        assert await log_in(server, "192.0.2.1", "right") == [True]


async def test_limit_address_failed_logins_of_ipv6() -> None:
    """All addresses of an IPv6 /64 network count as one."""
    async with guarded(Limits(address_failed_logins=1)) as server:
        assert await log_in(server, "2001:db8::1", "wrong") == [False]
        assert await log_in(server, "2001:db8::ffff:1", "right") == ["address_failed_logins"]
        assert await log_in(server, "2001:db8:0:1::1", "right") == [True]


async def test_limit_address_failed_logins_of_handshakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """After `address_failed_logins` refused handshakes an address gets 429; logins do not count."""
    wrong = {"X-Token": "wrong"}
    async with guarded(Limits(address_failed_logins=2)) as server:
        assert await log_in(server, "192.0.2.1", "wrong", "wrong") == [False, False]
        assert await shake_hands(server, "192.0.2.1") is None
        assert await shake_hands(server, "192.0.2.1", **wrong) == 401
        assert await shake_hands(server, "192.0.2.1") is None
        assert await shake_hands(server, "192.0.2.1", **wrong) == 401
        assert await shake_hands(server, "192.0.2.1") == 429
        assert await shake_hands(server, "192.0.2.2") is None

        with pytest.raises(farcall.ConnectFailed, match=r"429: .*address_failed_logins\)"):
            async with come_from(server, "192.0.2.1"):
                pytest.fail("it was let in")
        monkeypatch.setattr("farcall._serving.failed_logins.MINUTE", 0)
        assert await shake_hands(server, "192.0.2.1") is None


async def test_limit_server_failed_logins() -> None:
    """After `server_failed_logins` failures in a minute, an address with a failure is refused."""
    busy = "server_failed_logins"
    async with guarded(Limits(server_failed_logins=3)) as server:
        assert await log_in(server, "192.0.2.1", "wrong") == [False]
        assert await log_in(server, "192.0.2.2", "wrong", "right") == [False, True]
        assert await log_in(server, "127.0.0.1", "wrong", "right") == [False, busy]

        assert await log_in(server, "192.0.2.1", "right") == [busy]
        assert await log_in(server, "192.0.2.3", "wrong", "right") == [False, busy]
        assert await log_in(server, "192.0.2.4", "right") == [True]
        assert await log_in(server, "127.0.0.1", "right") == [True]


async def test_limit_server_failed_logins_of_handshakes() -> None:
    """After `server_failed_logins` refused handshakes, an address with one of them gets 429."""
    wrong = {"X-Token": "wrong"}
    async with guarded(Limits(server_failed_logins=2)) as server:
        for address in ("192.0.2.1", "192.0.2.2"):
            assert await shake_hands(server, address, **wrong) == 401

        assert await shake_hands(server, "192.0.2.1") == 429
        assert await shake_hands(server, "192.0.2.3") is None
        assert await shake_hands(server, "192.0.2.3", **wrong) == 401
        assert await shake_hands(server, "192.0.2.3") == 429


async def test_limit_logins_leaves_a_handshake_its_time(
    running_clock: trio.testing.MockClock,
) -> None:
    """A handshake that waits for its turn is dropped after `handshake_seconds`."""
    release = trio.Event()

    async def authenticate(credentials: farcall.Credentials) -> farcall.Principal | None:
        if "slow" in credentials.query:
            with trio.move_on_after(PATIENCE, shield=True):
                await release.wait()
        return None

    limits = Limits(logins=1, handshake_seconds=10)
    async with serving(limits, authenticate) as server:
        async with silent(server) as slow, silent(server) as waiting:
            await slow.send(REQUEST.replace(b"/ HTTP", b"/?slow=1 HTTP"))
            await trio.testing.wait_all_tasks_blocked(0.01)
            await waiting.send(REQUEST)
            await trio.testing.wait_all_tasks_blocked(0.01)
            running_clock.jump(10)
            assert await waiting.read_to_end() == b""
            release.set()
            async with farcall.connect(server.url):
                pass


async def check_full(server: farcall.Server, limit: str) -> None:
    with pytest.raises(farcall.ConnectFailed, match=rf"503: .*\(the limit {limit}\)") as caught:
        async with farcall.connect(server.url):
            pass
    assert caught.value.status == 503


async def test_the_accept_loop_outlives_a_lack_of_descriptors(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A peer that connects while the process has no descriptors left is served later."""
    async with serving(Limits()) as server:
        with trio.socket.socket() as peer:
            with descriptors_up_to(peer.fileno()):
                await peer.connect(("127.0.0.1", server.port))
                await wait_until(lambda: "accept" in caplog.text)
            raw = Raw(trio.SocketStream(peer))
            await raw.send(REQUEST)
            assert (await raw.read_head()).startswith(b"HTTP/1.1 101 ")


@contextmanager
def descriptors_up_to(last: int) -> Iterator[None]:
    """Limit this process to the descriptors up to `last`, and use them up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as taken:
        resource.setrlimit(resource.RLIMIT_NOFILE, (last + 1, hard))
        try:
            with suppress(OSError):
                while True:
                    taken.callback(os.close, os.dup(0))
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_limit_handshake_seconds_of_a_client() -> None:
    """A client gives up on a handshake after `handshake_seconds`, and the error names the limit."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        port = listener.socket.getsockname()[1]
        limits = Limits(handshake_seconds=0.05)
        with pytest.raises(farcall.ConnectFailed, match="the limit handshake_seconds"):
            async with farcall.connect(f"ws://127.0.0.1:{port}", limits=limits):
                pass
