"""Access to signals: by login, by role, and by a function."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import msgspec
import pytest
import trio
import trio.lowlevel
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import CallContext, Connection, Credentials, Principal, Signal, current_call, service
from farcall.testing import open_pair
from tests.ends import KINDS, Kind, RawClient, open_client, raw_client


@attrs.frozen
class Quote:
    symbol: str
    price: float


def own_symbols(call: CallContext, key: str | None) -> bool:
    """Allow A to all peers, and any other symbol to peers whose login claims it."""
    assert call.kind == "subscription"
    assert dict(call.arguments) == {"key": key}
    assert call.principal == call.connection.principal
    if key == "bug":
        raise KeyError("a secret")
    if key == "truthy":
        return "yes"  # type: ignore[return-value]
    return key == "A" or (call.principal is not None and call.principal.name == "ada")


@service(name="")
class Market:
    public: Signal[int] = Signal()
    protected: Signal[int] = Signal(protected=True)
    traded: Signal[int] = Signal(roles={"trader"})
    ticked: Signal[Quote] = Signal(key="symbol", allow=own_symbols)

    async def emit(self) -> None:
        self.public.emit(1)
        self.protected.emit(1)
        self.traded.emit(1)
        self.ticked.emit(Quote("A", 1.0))

    async def logout(self) -> None:
        current_call().connection.logout()


async def authenticate(credentials: Credentials) -> Principal | None:
    """Accept any name."""
    if credentials.login is None:
        return None
    name, *seconds = credentials.login
    roles = {"trader"} if name == "ada" else frozenset[str]()
    return Principal(name, roles, expires_after=seconds[0] if seconds else None)


async def refused(session: farcall.Session, name: str, **options: Any) -> int:
    with pytest.raises(farcall.RpcError) as caught:
        async with session.subscribe(name, **options):
            pytest.fail("it was let in")
    return caught.value.code


@pytest.mark.parametrize("kind", KINDS)
async def test_a_subscription_needs_the_login(kind: Kind) -> None:
    """-32606 without the login or the role; with it the values come."""
    async with open_client(kind, Market(), authenticate=authenticate) as session:
        assert await refused(session, "protected") == await refused(session, "traded") == -32606

        await session.call("rpc.login", "bob")
        assert await refused(session, "traded") == -32606
        async with session.subscribe("protected") as values:
            await session.call("emit")
            assert await anext(values) == 1

        await session.call("rpc.login", "ada")
        async with session.subscribe("traded") as values:
            await session.call("emit")
            assert await anext(values) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_an_event_needs_the_login(kind: Kind) -> None:
    """An event of the plain dialect needs the login, too."""
    options: dict[str, Any] = {"authenticate": authenticate, "dialect": "plain"}
    async with open_client(kind, Market(), **options) as session:
        assert await refused(session, "protected") == await refused(session, "traded") == -32606

        await session.call("rpc.login", "ada")
        async with session.subscribe("traded") as values:
            await session.call("emit")
            assert await anext(values) == 1


async def test_the_order_of_the_checks() -> None:
    """Unknown, then forbidden, then arguments: without access a peer learns nothing more."""
    async with open_pair(Market(), authenticate=authenticate) as (session, _):
        assert await refused(session, "nothing") == -32601
        assert await refused(session, "traded", key="x") == -32606
        assert await refused(session, "ticked", key=3) == -32602


async def test_one_forbidden_event_refuses_the_whole_call() -> None:
    """One forbidden event fails the whole rpc.on; an unknown one has its word in the result."""
    async with raw_client(Market(), authenticate=authenticate) as client:
        (answer,) = await client.ask(request(1, "rpc.on", ["public", "protected"]))
        assert answer["error"] == {"code": -32606, "message": "Event forbidden"}

        assert await client.ask(request(2, "emit")) == [answered(2, None)]
        (answer,) = await client.ask(request(3, "rpc.on", ["public", "nothing"]))
        assert answer["result"] == {"public": "ok", "nothing": "provided event invalid"}
        (answer,) = await client.ask(request(4, "rpc.off", ["protected"]))
        assert answer["result"] == {"protected": "not subscribed"}


async def test_a_notification_subscribes_to_what_it_may() -> None:
    """rpc.on as a notification leaves out the events that are forbidden."""
    async with raw_client(Market(), authenticate=authenticate) as client:
        names = ["traded", "public", "protected", "public"]
        await client.ask({"jsonrpc": "2.0", "method": "rpc.on", "params": names})

        assert await heard_events(client) == ["public"]
        await client.ask({"jsonrpc": "2.0", "method": "rpc.off", "params": names})
        assert await heard_events(client) == []


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
async def test_allow_decides(dialect: Any, caplog: pytest.LogCaptureFixture) -> None:
    """allow= gets the call and the key, which is None for a plain peer."""
    pair = open_pair(Market(), authenticate=authenticate, dialect=dialect)
    async with pair as (session, _):
        assert await refused(session, "ticked") == -32606
        if dialect == "farcall":
            assert await refused(session, "ticked", key="B") == -32606
            async with session.subscribe("ticked", key="A", returns=Quote) as quotes:
                await session.call("emit")
                assert await anext(quotes) == Quote("A", 1.0)

        await session.call("rpc.login", "ada")
        async with session.subscribe("ticked", returns=Quote) as quotes:
            await session.call("emit")
            assert await anext(quotes) == Quote("A", 1.0)


@pytest.mark.parametrize("key", ["bug", "truthy"])
async def test_a_fault_in_allow_lets_nobody_in(key: str, caplog: pytest.LogCaptureFixture) -> None:
    """An exception of allow=, or a result that is no bool, is logged and refuses."""
    async with open_pair(Market(), authenticate=authenticate) as (session, _):
        with pytest.raises(farcall.InternalError) as caught:
            async with session.subscribe("ticked", key=key):
                pytest.fail("it was let in")

    assert caught.value.id is not None
    assert caught.value.id in caplog.text
    assert "secret" not in str(caught.value)


@asynccontextmanager
async def subscribed(session: farcall.Session, *names: str) -> AsyncIterator[list[Any]]:
    async with trio.open_nursery() as nursery:
        subscriptions: list[Any] = []
        done = trio.Event()

        async def hold(name: str, *, task_status: trio.TaskStatus[None]) -> None:
            async with session.subscribe(name) as values:
                subscriptions.append(values)
                task_status.started()
                await done.wait()

        for name in names:
            await nursery.start(hold, name)
        yield subscriptions
        done.set()


@pytest.mark.parametrize("how", ["logout", "server", "expiry", "other"])
async def test_the_end_of_a_principal_ends_its_subscriptions(
    autojump_clock: MockClock, how: str
) -> None:
    """However the login ends, also by another login; open signals go on."""
    async with open_pair(Market(), authenticate=authenticate) as (session, connection):
        await session.call("rpc.login", "ada", *([5] if how == "expiry" else []))
        names = ("public", "protected", "traded", "ticked")
        async with subscribed(session, *names) as (public, protected, traded, ticked):
            await end_principal(how, session, connection)
            await session.call("emit")

            assert await anext(public) == 1
            for lost in (traded, ticked):
                with pytest.raises(farcall.Forbidden):
                    await anext(lost)
            if how == "other":  # bob may hear this one as well
                assert await anext(protected) == 1
            else:
                with pytest.raises(farcall.Forbidden):
                    await anext(protected)


@pytest.mark.parametrize("how", ["logout", "server", "expiry", "other"])
async def test_the_end_of_a_principal_ends_its_events(autojump_clock: MockClock, how: str) -> None:
    """A plain peer gets no more events, and may subscribe again."""
    pair = open_pair(Market(), authenticate=authenticate, dialect="plain")
    async with pair as (session, connection):
        await session.call("rpc.login", "ada", *([5] if how == "expiry" else []))
        async with subscribed(session, "public", "traded") as (public, traded):
            await end_principal(how, session, connection)
            await session.call("emit")
            assert await anext(public) == 1
            with trio.move_on_after(1):
                pytest.fail(f"it heard {await anext(traded)}")

            await session.call("rpc.login", "ada")
            assert await session.call("rpc.on", "traded") == {"traded": "ok"}
            await session.call("emit")
            assert await anext(traded) == 1


async def end_principal(how: str, session: farcall.Session, connection: Connection) -> None:
    match how:
        case "logout":
            await session.call("logout")
        case "server":
            connection.logout()
        case "expiry":
            await trio.sleep(6)
        case _:
            await session.call("rpc.login", "bob")


async def test_an_event_asked_for_twice_comes_once() -> None:
    """rpc.off and rpc.on before the first response is sent leave one subscription."""
    async with raw_client(Market()) as client:
        names = ["public"]
        asked = [request(number, f"rpc.{verb}", names) for number, verb in enumerate(VERBS)]
        await client.send([msgspec.json.encode(each) for each in asked])
        await wait_all_tasks_blocked()
        client.heard()

        assert await heard_events(client) == ["public"]


VERBS = ("on", "off", "on", "off", "on")


async def heard_events(client: RawClient) -> list[str]:
    heard = await client.ask(request(99, "emit"))
    return [each["notification"] for each in heard if "notification" in each]


def request(id: int, method: str, params: Any = None) -> dict[str, Any]:
    named = {} if params is None else {"params": params}
    return {"jsonrpc": "2.0", "id": id, "method": method, **named}


def answered(id: int, result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "result": result}
