"""A farcall session against the npm server: many calls, logins, and broken frames."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

import farcall
from tests.interop.peers import VERSIONS, run_peer
from tests.interop.test_npm_server import open_ends

pytestmark = [pytest.mark.requires("node"), pytest.mark.parametrize("version", VERSIONS)]


async def test_a_thousand_calls_at_once(version: str) -> None:
    """A thousand calls in flight each get their own result."""
    order: list[int] = []

    async def call(session: farcall.Session, number: int) -> None:
        assert await session.call("backwards", number, 1000) == number
        order.append(number)

    async with open_ends(version) as (session, _), trio.open_nursery() as nursery:
        for number in range(1000):
            nursery.start_soon(call, session, number)

    assert sorted(order) == list(range(1000))
    assert order != sorted(order)


@pytest.mark.parametrize("count", [1, 10])
async def test_a_megabyte_both_ways(version: str, count: int) -> None:
    """Calls of a megabyte and their results arrive whole, also ten at once."""

    async def call(session: farcall.Session, number: int) -> None:
        text = str(number) * 1_000_000
        assert await session.call("same", text) == text

    async with open_ends(version) as (session, _), trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(call, session, number)


async def test_a_path_is_a_namespace(version: str) -> None:
    """The path of the URL selects a namespace of the server."""
    async with run_peer("server.cjs", version) as peer:
        port = (await peer.hear())["port"]
        async with farcall.connect(f"ws://127.0.0.1:{port}/side") as session:
            assert await session.call("where") == "/side"
            with pytest.raises(farcall.MethodNotFound):
                await session.call("add", 1, 2)


async def test_a_login_opens_what_is_protected(version: str) -> None:
    """Protected methods and events are forbidden before the login and served after it."""
    async with open_ends(version) as (session, peer):
        with pytest.raises(farcall.RpcError) as method:
            await session.call("whoami")
        with pytest.raises(farcall.RpcError) as event:
            async with session.subscribe("secret"):
                pass
        assert await session.call("rpc.login", user="ada", password="wrong") is False
        assert await session.call("rpc.login", user="ada", password="secret") is True
        assert await session.call("whoami") == "ada"
        async with session.subscribe("secret") as secrets:
            await peer.tell({"emit": ["secret", 1]})
            assert await anext(secrets) == 1

    assert (method.value.code, event.value.code) == (-32605, -32606)


@asynccontextmanager
async def connected(version: str, path: str, login: object) -> AsyncIterator[farcall.Session]:
    async with run_peer("server.cjs", version) as peer:
        port = (await peer.hear())["port"]
        async with farcall.connect(f"ws://127.0.0.1:{port}{path}", login=login) as session:
            yield session


async def test_connect_logs_in(version: str) -> None:
    """`connect(login=...)` logs in before its block begins."""
    async with connected(version, "/", {"user": "ada", "password": "secret"}) as session:
        assert await session.call("whoami") == "ada"


@pytest.mark.parametrize(
    ("path", "problem"), [("/", "refused the login"), ("/side", "knows no logins")]
)
async def test_connect_without_a_login_fails(version: str, path: str, problem: str) -> None:
    """`connect` fails if the server refuses the login or knows none."""
    refusal = pytest.RaisesExc(farcall.ConnectFailed, match=problem)
    with pytest.RaisesGroup(refusal, flatten_subgroups=True):
        async with connected(version, path, {"user": "ada", "password": "wrong"}):
            pytest.fail("it was let in")


async def test_answers_to_notifications_disturb_nobody(version: str) -> None:
    """Errors without an id, which answer notifications, disturb no call."""
    async with open_ends(version) as (session, _), trio.open_nursery() as nursery:
        nursery.start_soon(session.call, "slow", 100)
        await session.notify("missing", 1)
        await session.notify("whoami")
        await session.notify("fail")

        assert await session.call("add", 1, 2) == 3


async def test_subscribers_share_one_subscription(version: str) -> None:
    """Subscribers of one event share one subscription at the server."""
    async with open_ends(version) as (session, peer):
        async with session.subscribe("tick") as first:
            async with session.subscribe("tick") as second:
                assert await peer.ask({"count": "tick"}) == {"count": 1}
                for number in range(3):
                    await peer.ask({"emit": ["tick", number]})
                assert [await anext(second) for _ in range(3)] == [0, 1, 2]
            assert await peer.ask({"count": "tick"}) == {"count": 1}
            assert [await anext(first) for _ in range(3)] == [0, 1, 2]
        assert await peer.ask({"count": "tick"}) == {"count": 0}


STRANGE = [
    "null",
    "7",
    '"text"',
    "[]",
    "[1]",
    "no JSON",
    "{}",
    '{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error"},"id":null}',
    '{"jsonrpc":"2.0","error":"just text","id":null}',
    '{"jsonrpc":"2.0","result":1,"id":null}',
    '{"jsonrpc":"2.0","result":1,"id":999}',
    '{"jsonrpc":"2.0","error":{"code":1},"id":"never"}',
    '{"notification":"unknown","params":[1]}',
    '{"notification":"unknown"}',
    '{"notification":"unknown","params":null}',
    '{"notification":7,"params":[1]}',
    '{"jsonrpc":"2.0","method":"unknown","params":[1]}',
    '{"jsonrpc":"2.0","method":"unknown","params":[1],"id":"a"}',
]


@pytest.mark.parametrize("is_subscribed", [False, True])
async def test_strange_frames_disturb_nobody(version: str, is_subscribed: bool) -> None:
    """Frames that belong to no call and no subscription are dropped."""
    async with open_ends(version) as (session, peer), trio.open_nursery() as nursery:
        if is_subscribed:
            await nursery.start(_hold, session)
        for frame in STRANGE:
            await peer.ask({"say": frame})

        assert await session.call("add", 1, 2) == 3
        nursery.cancel_scope.cancel()


async def _hold(
    session: farcall.Session, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    async with session.subscribe("tick"):
        task_status.started()
        await trio.sleep_forever()


@pytest.mark.parametrize("method", ["vanish", "deep"])
async def test_a_server_that_crashes_ends_every_call(version: str, method: str) -> None:
    """A call that crashes the server ends with ConnectionLost, and so do the others."""
    lost: list[farcall.ConnectionLost] = []

    async def call(session: farcall.Session, name: str, *args: int) -> None:
        with pytest.raises(farcall.ConnectionLost) as caught:
            await session.call(name, *args)
        lost.append(caught.value)

    async with open_ends(version) as (session, _), trio.open_nursery() as nursery:
        nursery.start_soon(call, session, "slow", 60_000)
        nursery.start_soon(call, session, method)

    assert [each.sent for each in lost] == [True, True]
