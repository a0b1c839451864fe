"""Whatever is cancelled, at whichever step, by whomever: nothing of it is left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import pytest
import trio
from trio.testing import MockClock

import farcall
from farcall import CallContext, Proceed, Session, Signal, current_call, method, service
from farcall.testing import CancelledBy, Pair, cancel_sweep, open_pair

WAYS: tuple[CancelledBy, ...] = ("caller", "handlers", "server", "cut")


@service
class Back:
    """What the client serves."""

    async def confirm(self, question: str) -> str:
        await trio.sleep(1)
        return f"{question}!"


@service
class Desk:
    """Something of each kind."""

    ticked: Signal[int] = Signal()

    async def work(self, seconds: float) -> str:
        await trio.sleep(seconds)
        return "done"

    async def fail(self) -> None:
        raise farcall.RpcError(7, "no")

    async def ask(self) -> str:
        return await current_call().connection.proxy(Back).confirm("sure")

    @method(ordered=True)
    async def in_turn(self) -> None:
        await trio.sleep(1)

    @method(oneway=True)
    async def forget(self) -> None:
        await trio.lowlevel.checkpoint()

    @method(thread=True)
    def in_thread(self) -> str:
        trio.from_thread.check_cancelled()
        return "read"

    def inline(self) -> str:
        return "quick"


async def call(pair: Pair[Session]) -> None:
    """One call, with a deadline that is never reached."""
    with trio.fail_after(30):
        assert await pair.client.call("Desk.work", 1) == "done"


async def calls_at_once(pair: Pair[Session]) -> None:
    """Several, which leave in one bundle; one fails, one has its own, shorter deadline."""

    async def fail() -> None:
        with pytest.raises(farcall.RpcError):
            await pair.client.call("Desk.fail")

    async def give_up() -> None:
        with trio.move_on_after(0.5):
            await pair.client.call("Desk.work", 1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pair.client.call, "Desk.work", 1)
        nursery.start_soon(pair.client.call, "Desk.inline")
        nursery.start_soon(fail)
        nursery.start_soon(give_up)


async def call_back(pair: Pair[Session]) -> None:
    """A call within a call."""
    assert await pair.client.call("Desk.ask") == "sure!"


async def ordered(pair: Pair[Session]) -> None:
    """Calls of which all but one wait for their turn."""
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(pair.client.call, "Desk.in_turn")


async def in_thread(pair: Pair[Session]) -> None:
    """A handler in a worker thread."""
    assert await pair.client.call("Desk.in_thread") == "read"


async def one_way(pair: Pair[Session]) -> None:
    """A call without an answer, and one behind it."""
    await pair.client.notify("Desk.forget")
    assert await pair.client.call("Desk.inline") == "quick"


async def subscribe(pair: Pair[Session]) -> None:
    """A subscription that brings two values."""
    async with pair.client.subscribe("Desk.ticked") as ticks:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(emit, pair.connection)
            while await anext(ticks) != 2:
                pass


async def subscribe_twice(pair: Pair[Session]) -> None:
    """Two subscribers to one signal; the second comes while the first one is on its way."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(subscribe, pair)
        nursery.start_soon(subscribe, pair)


async def emit(connection: farcall.Connection) -> None:
    (desk,) = [each.target for each in endpoints(connection) if isinstance(each.target, Desk)][:1]
    for value in (1, 2):
        await trio.sleep(0.5)
        desk.ticked.emit(value)


def endpoints(connection: farcall.Connection) -> Any:
    handler: Any = connection._link.handler
    return handler._dispatcher._endpoints.methods.values()


async def ping(pair: Pair[Session]) -> None:
    """A round trip of the link itself."""
    await pair.client.ping()


Scenario: TypeAlias = Callable[[Pair[Session]], Awaitable[None]]

SCENARIOS: tuple[Scenario, ...] = (
    call,
    calls_at_once,
    call_back,
    ordered,
    one_way,
    subscribe,
    subscribe_twice,
    ping,
)

PLAIN: tuple[Scenario, ...] = (call, calls_at_once, one_way, subscribe, subscribe_twice)


async def pass_through(call: CallContext, proceed: Proceed) -> Any:
    await trio.lowlevel.checkpoint()
    try:
        return await proceed()
    finally:
        await trio.lowlevel.cancel_shielded_checkpoint()


def open_desk(**options: Any) -> AbstractAsyncContextManager[Pair[Session]]:
    return open_pair(Desk(), serves=[Back()], **options)


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__)
async def test_nothing_is_left(
    scenario: Scenario, by: CancelledBy, autojump_clock: MockClock
) -> None:
    """Of calls, calls back and subscriptions between farcall peers."""
    await cancel_sweep(open_desk, scenario, by=by)


@pytest.mark.parametrize("by", WAYS)
async def test_nothing_is_left_of_a_call_that_runs_in_a_thread(by: CancelledBy) -> None:
    """In real time, for a virtual clock would not wait for a thread."""
    await cancel_sweep(open_desk, in_thread, by=by)


@pytest.mark.parametrize("by", WAYS)
@pytest.mark.parametrize("scenario", PLAIN, ids=lambda each: each.__name__)
async def test_nothing_is_left_in_the_plain_dialect(
    scenario: Scenario, by: CancelledBy, autojump_clock: MockClock
) -> None:
    """A call that cannot be cancelled goes on; its answer, and what it holds, end with it."""
    await cancel_sweep(lambda: open_desk(dialect="plain"), scenario, by=by, settle_seconds=5)


@pytest.mark.parametrize("by", WAYS)
async def test_nothing_is_left_inside_of_interceptors(
    by: CancelledBy, autojump_clock: MockClock
) -> None:
    """On either side, before and after the call that they stand around."""
    interceptors = [pass_through, pass_through]

    def open_intercepted() -> AbstractAsyncContextManager[Pair[Session]]:
        return open_desk(interceptors=interceptors, client_interceptors=interceptors)

    await cancel_sweep(open_intercepted, call_back, by=by)


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize("by", WAYS)
async def test_nothing_is_left_of_connecting(by: CancelledBy, autojump_clock: MockClock) -> None:
    """Of the hello, of the session, and of its close."""

    async def connect(_: None) -> None:
        async with open_desk() as pair:
            await pair.client.call("Desk.work", 1)

    await cancel_sweep(nothing, connect, by=by)


@pytest.mark.parametrize("by", WAYS)
async def test_nothing_is_left_of_connecting_over_tcp(by: CancelledBy) -> None:
    """Of the handshake as well."""

    @asynccontextmanager
    async def serving() -> AsyncIterator[farcall.Server]:
        async with trio.open_nursery() as nursery:
            yield await nursery.start(farcall.serve, Desk(), 0)
            nursery.cancel_scope.cancel()

    async def connect(server: farcall.Server) -> None:
        async with farcall.connect(server.url) as session:
            assert await session.call("Desk.inline") == "quick"

    await cancel_sweep(serving, connect, by=by)


@pytest.mark.parametrize("by", WAYS)
async def test_nothing_is_left_of_a_close(by: CancelledBy, autojump_clock: MockClock) -> None:
    """By either side, with a call under way."""

    async def close(pair: Pair[Session]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ignore, pair.client.call, "Desk.work", 10)
            await trio.sleep(0.5)
            await pair.connection.aclose()

    await cancel_sweep(open_desk, close, by=by)


@pytest.mark.parametrize("by", WAYS)
async def test_nothing_is_left_of_a_drain(by: CancelledBy, autojump_clock: MockClock) -> None:
    """One call ends in time, another one does not, and a subscription ends at once."""

    async def drain(pair: Pair[Session]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pair.client.call, "Desk.work", 1)
            nursery.start_soon(ignore, pair.client.call, "Desk.work", 10)
            nursery.start_soon(ignore, subscribe, pair)
            await trio.sleep(0.5)
            await pair.connection._link.drain(2)

    await cancel_sweep(open_desk, drain, by=by)


async def ignore(function: Any, *args: Any) -> None:
    try:
        await function(*args)
    except* farcall.FarcallError:
        pass


@pytest.mark.parametrize("by", WAYS)
async def test_nothing_is_left_of_a_login(by: CancelledBy, autojump_clock: MockClock) -> None:
    """While it hashes, and of the calls behind it."""

    async def authenticate(credentials: farcall.Credentials) -> farcall.Principal | None:
        await trio.sleep(0.3)
        return None if credentials.login is None else farcall.Principal("ada")

    async def log_in(pair: Pair[Session]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pair.client.call, "Desk.work", 0.1)
            assert await pair.client.call("rpc.login", {"name": "ada"}) is True

    await cancel_sweep(lambda: open_desk(authenticate=authenticate), log_in, by=by)
