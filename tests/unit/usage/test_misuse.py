"""Errors for API used in a wrong way or place say what to write instead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import attrs
import pytest
import trio

import farcall
from farcall import (
    ApplicationError,
    Credentials,
    Forbidden,
    Principal,
    RpcError,
    Signal,
    method,
    service,
    stream,
)
from farcall.testing import cancel_sweep, memory_pair, open_pair


@service
class Market:
    ticked: Signal[int] = Signal()

    async def quote(self, symbol: str) -> float:
        return 2.5

    @stream
    async def history(self, symbol: str) -> AsyncIterator[float]:
        yield 2.5

    @farcall.local
    async def refill(self) -> None: ...


class MarketStub(farcall.Proxy, service="Market"):
    ticked: farcall.RemoteSignal[int] = farcall.RemoteSignal("Market.ticked")

    @farcall.endpoint("Market.quote")
    async def quote(self, symbol: str) -> float:
        raise NotImplementedError


# Streams and signals without `async with`

Use = Callable[[Any], Awaitable[object]]


async def iterated(opening: Any) -> None:
    async for _ in opening:
        pass


async def awaited(opening: Any) -> None:
    await opening


async def entered(opening: Any) -> None:
    with opening:
        pass


async def looped(opening: Any) -> None:
    for _ in opening:
        pass


async def async_entered(signal: Any) -> None:
    async with signal:
        pass


async def called(signal: Any) -> None:
    signal()


USES: list[Use] = [iterated, awaited, entered, looped]


@pytest.mark.parametrize("use", USES)
async def test_a_stream_is_read_in_a_block(use: Use) -> None:
    """A stream that is awaited or iterated without `async with` raises, and the error says how."""
    async with open_pair(Market(), Market) as (market, _), open_pair(Market()) as (session, _):
        for opening, call in [
            (market.history("A"), r"proxy\.history\(\.\.\.\)"),
            (session.stream("Market.history", "A"), r'session\.stream\("Market.history"\)'),
            (Market().history("A"), r"\.\.\.history\(\.\.\.\)"),
        ]:
            with pytest.raises(
                TypeError, match=f"Market.history is a stream: write `async with {call} as items:`"
            ):
                await use(opening)


@pytest.mark.parametrize("use", USES)
async def test_a_subscription_is_heard_in_a_block(use: Use) -> None:
    """A subscription that is used without `async with` raises, and the error says how."""
    async with open_pair(Market(), Market) as (market, _), open_pair(Market()) as (session, _):
        for opening in (
            market.ticked.subscribe(),
            session.subscribe("Market.ticked"),
            Market().ticked.subscribe(),
        ):
            with pytest.raises(
                TypeError,
                match=r"Market.ticked is a signal: write `async with \.\.\.ticked\.subscribe\(\)",
            ):
                await use(opening)


@pytest.mark.parametrize("use", [*USES, async_entered, called])
async def test_a_signal_is_subscribed_to(use: Use) -> None:
    """A signal that is iterated, awaited, entered or called raises; the error says how."""
    async with open_pair(Market(), Market) as (by_class, connection):
        for signal in (
            by_class.ticked,
            connection.proxy(MarketStub).ticked,
            Market().ticked,
        ):
            with pytest.raises(TypeError, match=r"write `async with \.\.\.ticked\.subscribe\(\)"):
                await use(signal)


@pytest.mark.parametrize("use", USES)
async def test_a_connection_is_a_block(use: Use) -> None:
    """A connection that is used without `async with` raises; the error says how."""
    with pytest.raises(TypeError, match=r"write `async with farcall.connect\(\.\.\.\) as"):
        await use(farcall.connect("ws://127.0.0.1:1"))
    with pytest.raises(TypeError, match=r"write `async with open_pair\(\.\.\.\) as"):
        await use(open_pair(Market()))


# Names


async def test_a_name_that_is_nowhere_is_told_from_one_that_stays() -> None:
    """An unknown name raises with the nearest endpoint; a local method raises as not remote."""
    async with open_pair(Market(), Market) as (market, _):
        with pytest.raises(AttributeError, match=r"^Market has no qoute; did you mean quote\?$"):
            market.qoute  # type: ignore[attr-defined]  # noqa: B018
        with pytest.raises(AttributeError, match=r"^Market has no zzz$"):
            market.zzz  # type: ignore[attr-defined]  # noqa: B018
        with pytest.raises(AttributeError, match=r"Market\.refill is not an endpoint: it stays"):
            await market.refill()
        assert not hasattr(market, "__len__")


# Outside of Trio

OUTSIDE: list[Callable[[], Any]] = [
    lambda: farcall.serve(Market(), 0),
    lambda: _enter(farcall.connect("ws://127.0.0.1:1")),
    lambda: _enter(open_pair(Market())),
    lambda: cancel_sweep(lambda: open_pair(Market()), _enter),
    lambda: _later(memory_pair),
]


async def _enter(manager: Any) -> None:
    async with manager:
        pass


async def _open(make: Callable[..., Any], *args: object) -> None:
    await _enter(make(*args))


async def _later(function: Callable[[], object]) -> None:
    function()


@pytest.mark.parametrize("make", OUTSIDE)
def test_asyncio_is_told_to_be_trio(make: Callable[[], Any]) -> None:
    """Under asyncio, the error says to write trio.run(main)."""
    with pytest.raises(RuntimeError, match=r"this is asyncio: write trio.run\(main\) instead of"):
        asyncio.run(make())


@pytest.mark.parametrize("make", OUTSIDE)
def test_nothing_runs_where_there_is_no_loop(make: Callable[[], Any]) -> None:
    """Without an event loop, the error says that no Trio runs."""
    with pytest.raises(RuntimeError, match=r"no Trio runs here: write trio\.run"):
        make().send(None)


async def in_thread(work: Callable[[], object]) -> Exception:
    """Do something in another thread, and give what it raised."""

    def attempt() -> Exception:
        with pytest.raises(RuntimeError) as caught:
            work()
        return caught.value

    return await trio.to_thread.run_sync(attempt)


async def test_a_call_in_another_thread_says_how() -> None:
    """A call in another thread raises, says how to call, and leaves the connection usable."""
    async with open_pair(Market()) as (session, _):
        market = session.proxy(Market)
        for work in (
            lambda: trio.run(session.call, "Market.quote", "A"),
            lambda: trio.run(session.notify, "Market.quote", "A"),
            lambda: trio.run(market.quote, "A"),
            lambda: trio.run(_open, session.stream, "Market.history", "A"),
            lambda: trio.run(_open, market.history, "A"),
        ):
            error = await in_thread(work)
            assert "can be used only in the thread of its Trio run" in str(error)
            assert 'call trio.from_thread.run(session.call, "Market.' in str(error)

        error = await in_thread(lambda: asyncio.run(session.call("Market.quote", "A")))
        assert "this is asyncio" in str(error)

        assert await session.call("Market.quote", "A") == 2.5


async def test_a_call_in_another_thread_by_way_of_trio() -> None:
    """A call in another thread works by trio.from_thread.run, as the error says."""
    async with open_pair(Market(), Market) as (market, _):
        answer = await trio.to_thread.run_sync(trio.from_thread.run, market.quote, "A")

    assert answer == 2.5


async def test_other_threads_may_not_change_a_connection() -> None:
    """Changing a connection or a server in another thread raises; each error says what to call."""
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, Market(), 0)
        async with open_pair(Market()) as (_, connection):
            for work, name in (
                (lambda: connection.join("a"), "connection.join"),
                (lambda: connection.leave("a"), "connection.leave"),
                (connection.logout, "connection.logout"),
                (server.shutdown, "server.shutdown"),
            ):
                error = await in_thread(work)
                assert f"call trio.from_thread.run_sync({name}" in str(error)
        assert not server.is_draining
        await trio.to_thread.run_sync(trio.from_thread.run_sync, server.shutdown)


# Refusals


@service(protected=True)
class Vault:
    opened: Signal[bool] = Signal()
    audited: Signal[bool] = Signal(roles={"auditor", "keeper"})
    denied: Signal[bool] = Signal(protected=False, allow=lambda call, key: False)

    async def look(self) -> None: ...

    @method(roles={"keeper"})
    async def take(self) -> None: ...

    @stream
    async def contents(self) -> AsyncIterator[str]:
        yield "gold"


async def everybody(credentials: Credentials) -> Principal | None:
    return None if credentials.login is None else Principal("ada", roles={"guest"})


async def refused(session: farcall.Session, name: str) -> Forbidden:
    is_signal = name in ("Vault.opened", "Vault.audited", "Vault.denied")
    with pytest.raises(Forbidden) as caught:
        await (_enter(session.subscribe(name)) if is_signal else session.call(name))
    return caught.value


REASONS = {
    "Vault.look": "it needs a login",
    "Vault.take": "it needs a login with the role keeper",
    "Vault.contents": "it needs a login",
    "Vault.opened": "it needs a login",
    "Vault.audited": "it needs a login with one of the roles auditor, keeper",
    "Vault.denied": "the service does not allow this subscription",
}


async def test_a_refusal_says_which_login_is_missing() -> None:
    """A farcall peer learns which login is missing, in the data and in the text of the error."""
    async with open_pair(Vault(), authenticate=everybody) as (session, _):
        for name, reason in REASONS.items():
            error = await refused(session, name)
            assert error.reason == reason
            assert str(error) == f"{name}: {error.message} ({error.code}): {reason}"

        await session.login({"name": "ada"})
        assert (await refused(session, "Vault.take")).reason == (
            "it needs the role keeper, which this login does not have"
        )
        assert await session.call("Vault.look") is None


async def test_a_refusal_of_an_interceptor_is_its_own() -> None:
    """When an interceptor refuses a call, its own message reaches the caller."""

    async def refuse(call: farcall.CallContext, proceed: farcall.Proceed) -> Any:
        raise Forbidden.because("only on weekdays")

    async with open_pair(Market(), interceptors=[refuse]) as (session, _):
        error = await refused(session, "Market.quote")

    assert error.reason is None
    assert str(error) == "Market.quote: only on weekdays (-32605)"


async def test_a_plain_peer_gets_what_rpc_websockets_says() -> None:
    """A plain peer gets the message of rpc-websockets, which its clients compare."""
    async with open_pair(Vault(), authenticate=everybody, dialect="plain") as (session, _):
        error = await refused(session, "Vault.take")

    assert (error.message, error.data) == ("Method forbidden", None)


async def test_a_call_whose_login_has_ended_says_so() -> None:
    """A call that waited for its turn is refused if the login ended meanwhile."""

    @service(name="", protected=True)
    class Queue:
        def __init__(self) -> None:
            self.release = trio.Event()

        @method(ordered=True)
        async def wait(self) -> None:
            await self.release.wait()

    queue, caught = Queue(), list[RpcError]()

    async def call(session: farcall.Session) -> None:
        try:
            await session.call("wait")
        except RpcError as error:
            caught.append(error)

    async with open_pair(queue, authenticate=everybody, login={"name": "ada"}) as pair:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call, pair.client)
            nursery.start_soon(call, pair.client)
            await trio.testing.wait_all_tasks_blocked()
            pair.connection.logout()
            queue.release.set()

    assert [error.data for error in caught] == [
        {"reason": "the login under which it was called has ended"}
    ]


# Errors that are not declared


@attrs.define
class SoldOut(ApplicationError):
    sku: str


@attrs.define
class Closed(ApplicationError):
    until: str


async def log_of(error: Exception, caplog: pytest.LogCaptureFixture) -> str:
    """Raise an error in a handler that declares `Closed` alone, and give the line of the log."""

    @service
    class Shop:
        @method(raises=[Closed])
        async def buy(self) -> None:
            raise error

    caplog.set_level(logging.ERROR)
    async with open_pair(Shop()) as (session, _):
        with pytest.raises((RpcError, ExceptionGroup)):
            await session.call("Shop.buy")
    return caplog.records[0].getMessage() if caplog.records else ""


async def test_the_log_says_that_an_error_is_not_declared(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The author meant it for the caller, who gets an id."""
    told = await log_of(SoldOut("A-1"), caplog)

    assert told.startswith("Shop.buy failed (id ")
    assert told.endswith("): SoldOut is missing in raises=; write raises=[SoldOut]")


async def test_the_log_says_so_of_the_errors_in_a_group(caplog: pytest.LogCaptureFixture) -> None:
    """The log redacts each error of a group."""
    told = await log_of(ExceptionGroup("both", [SoldOut("A-1"), ValueError("b")]), caplog)

    assert told.endswith("): SoldOut is missing in raises=; write raises=[SoldOut]")


async def test_the_log_says_that_a_code_is_not_the_handlers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It would say something about the call itself."""
    told = await log_of(RpcError(-32602, "no"), caplog)

    assert told.endswith("): the code -32602 belongs to the protocol; choose another")


async def test_the_log_says_no_more_of_a_defect(caplog: pytest.LogCaptureFixture) -> None:
    """The log of a defect does not suggest declaring it."""
    told = await log_of(KeyError("k"), caplog)

    assert told.endswith(")")
