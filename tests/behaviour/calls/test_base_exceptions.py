"""User code that raises a BaseException fails only for the peer that it ran for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from functools import partial
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import ConnectFailed, Credentials, Principal, Signal, Unauthorized, method, service
from farcall.testing import open_pair
from tests.patience import PATIENCE
from tests.unit.transport.websocket.sockets import REQUEST, Raw

UPGRADE = REQUEST.replace(b"example.com", b"localhost").replace(b"/chat", b"/")


class Panic(BaseException):
    """A BaseException such as Rust libraries raise on input that they do not expect."""


FAILURES: list[BaseException] = [
    Panic("a secret"),
    asyncio.CancelledError("a secret"),
    GeneratorExit("a secret"),
    BaseExceptionGroup("a secret", [Panic("a secret"), ValueError("a secret")]),
]


class Failing:
    """Which piece of the user's code fails, and with which error."""

    where = ""
    error: BaseException = Panic()


def _failing(where: str, value: Any) -> Any:
    if Failing.where == where:
        raise Failing.error
    return value


def _converted(sku: str) -> str:
    return str(_failing("converter", sku))


def _validate(_order: object, _field: object, count: int) -> None:
    _failing("validator", count)


@attrs.frozen
class Order:
    """A record whose constructor, converter or validator fails when a test says so."""

    sku: str = attrs.field(converter=_converted)
    count: int = attrs.field(validator=_validate)

    def __attrs_post_init__(self) -> None:
        _failing("constructor", self.sku)


def allowed(_call: object, _key: object) -> bool:
    return bool(_failing("allow", value=True))


@service(name="")
class Shop:
    sold: Signal[int] = Signal(allow=allowed)

    async def ok(self) -> bool:
        return True

    async def order(self, order: Order) -> None:
        pass

    def order_inline(self, order: Order) -> None:
        pass

    async def fill(self, order: Order, crates: AsyncIterable[int]) -> None:
        pass

    async def orders(self, orders: AsyncIterable[Order]) -> None:
        async for _ in orders:
            pass

    @method(oneway=True)
    async def tell(self, order: Order) -> None:
        pass


async def authenticate(credentials: Credentials) -> Principal | None:
    await trio.lowlevel.checkpoint()
    _failing("login" if credentials.login is not None else "handshake", None)
    return None


@pytest.fixture(params=FAILURES, ids=lambda error: type(error).__name__)
def error(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    monkeypatch.setattr(Failing, "error", request.param)
    return Failing.error


@asynccontextmanager
async def serving() -> AsyncIterator[farcall.Server]:
    """Serve a shop, and check that another client is served before and after."""
    serve = partial(farcall.serve, Shop(), 0, authenticate=authenticate)
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(serve)
        with trio.fail_after(PATIENCE):
            async with farcall.connect(server.url) as good:
                yield server
                assert await good.call("ok") is True
            async with farcall.connect(server.url) as next_one:
                assert await next_one.call("ok") is True
        server.shutdown()


@pytest.fixture(autouse=True)
def _nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Failing, "where", "")


async def test_authenticate_in_a_handshake(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An `authenticate` that raises in a handshake gives HTTP 500; only the log has the error."""
    async with serving() as server:
        with monkeypatch.context() as patch:
            patch.setattr(Failing, "where", "handshake")
            with pytest.raises(ConnectFailed, match="HTTP status 500: internal error") as caught:
                async with farcall.connect(server.url):
                    pytest.fail("it was let in")

    assert "secret" not in str(caught.value)
    assert type(error).__name__ in caplog.text


async def test_authenticate_in_a_login(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An `authenticate` that raises in a login fails that login; the connection goes on."""
    async with serving() as server, farcall.connect(server.url) as session:
        with monkeypatch.context() as patch:
            patch.setattr(Failing, "where", "login")
            assert await session.call("rpc.login", "me") is False
        assert await session.call("ok") is True

    assert type(error).__name__ in caplog.text


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
async def test_allow(dialect: Any, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """An `allow` that raises refuses the subscription with an error id."""
    async with serving() as server, farcall.connect(server.url, dialect=dialect) as session:
        with monkeypatch.context() as patch:
            patch.setattr(Failing, "where", "allow")
            with pytest.raises(farcall.InternalError) as caught:
                async with session.subscribe("sold"):
                    pytest.fail("it was let in")
        assert await session.call("ok") is True

    assert caught.value.id is not None
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
@pytest.mark.parametrize("where", ["converter", "validator", "constructor"])
@pytest.mark.parametrize("name", ["order", "order_inline", "fill", "orders"])
async def test_the_arguments_of_a_call(
    dialect: Any,
    where: str,
    name: str,
    error: BaseException,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Arguments whose record raises are refused, with and without uploads."""
    order = {"sku": "A-1", "count": 1}
    uploads: list[Any] = {"order": [], "order_inline": [], "fill": [[]], "orders": []}[name]
    given = [[order]] if name == "orders" else [order, *uploads]
    async with serving() as server, farcall.connect(server.url, dialect=dialect) as session:
        with monkeypatch.context() as patch:
            patch.setattr(Failing, "where", where)
            with pytest.raises(farcall.InvalidArguments, match="refused") as caught:
                await session.call(name, *given)
        assert await session.call("ok") is True

    assert "secret" not in str(caught.value)
    assert "Panic" not in str(caught.value)


async def test_the_arguments_of_a_one_way_call(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A notification whose arguments raise is dropped, and the connection goes on."""
    async with open_pair(Shop()) as (session, _):
        with monkeypatch.context() as patch:
            patch.setattr(Failing, "where", "validator")
            await session.notify("tell", {"sku": "A-1", "count": 1})
            await wait_all_tasks_blocked()
        assert await session.call("ok") is True


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
async def test_keyboard_interrupt_and_system_exit_end_the_server(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KeyboardInterrupt and SystemExit in `authenticate` come out of `serve`."""
    monkeypatch.setattr(Failing, "error", error)
    monkeypatch.setattr(Failing, "where", "handshake")
    with pytest.RaisesGroup(type(error), flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            serve = partial(farcall.serve, Shop(), 0, authenticate=authenticate)
            server: farcall.Server = await nursery.start(serve)
            async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
                await stream.send_all(UPGRADE)
                await trio.sleep_forever()


async def test_a_handshake_out_of_time_with_a_group(
    running_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A handshake that times out is dropped; an error raised meanwhile is only logged."""
    asked = trio.Event()

    async def slow(_credentials: Credentials) -> Principal | None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_fail_late)
            asked.set()
        return None

    serve = partial(farcall.serve, Shop(), 0, authenticate=slow)
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(serve)
        async with await trio.open_tcp_stream("127.0.0.1", server.port) as stream:
            raw = Raw(stream)
            await raw.send(UPGRADE)
            await asked.wait()
            await wait_all_tasks_blocked()
            running_clock.jump(farcall.Limits().handshake_seconds)
            assert await raw.read_to_end() == b""
        server.shutdown()

    assert "a secret" in caplog.text
    assert [each.levelno for each in caplog.records if each.exc_info] == [logging.ERROR]


async def _fail_late() -> None:
    try:
        await trio.sleep_forever()
    finally:
        raise Panic("a secret")


async def test_unauthorized_in_a_login_is_no_fault(caplog: pytest.LogCaptureFixture) -> None:
    """A login that `authenticate` refuses with Unauthorized leaves no traceback in the log."""

    async def refuse(credentials: Credentials) -> Principal | None:
        if credentials.login is not None:
            raise Unauthorized("no")
        return None

    serve = partial(farcall.serve, Shop(), 0, authenticate=refuse)
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(serve)
        async with farcall.connect(server.url) as session:
            assert await session.call("rpc.login", "me") is False
        server.shutdown()
    assert not [each for each in caplog.records if each.exc_info]


class Symbol(Enum):
    """An enum that raises for any value but its own."""

    ACME = "acme"

    @classmethod
    def _missing_(cls, value: object) -> None:
        raise Panic("a secret")


@attrs.frozen
class Quote:
    symbol: Symbol


@service(name="")
class Ticker:
    ticked: Signal[Quote] = Signal(key="symbol")

    async def ok(self) -> bool:
        return True


async def test_the_key_of_a_subscription() -> None:
    """A key that cannot be decoded refuses its subscription only."""
    async with open_pair(Ticker()) as (session, _):
        with pytest.raises(farcall.RpcError):
            async with session.subscribe("ticked", key="odd"):
                pass

        assert await session.call("ok") is True
