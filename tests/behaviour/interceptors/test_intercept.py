"""Interceptors wrap calls, streams and subscriptions on either side."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import (
    Busy,
    CallContext,
    Forbidden,
    InvalidArguments,
    Proceed,
    RpcError,
    Signal,
    current_call,
    service,
)
from farcall.testing import open_pair
from tests.ends import KINDS, Kind, cut, drain, open_client, raw_client, wait_until
from tests.shelf import OUTCOMES, TRAFFIC, Dialect, Missing, Shelf, Side, Traffic, open_shelf, use


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(params=["farcall", "plain"])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    found: Dialect = request.param
    return found


@pytest.fixture(params=["server", "client"])
def side(request: pytest.FixtureRequest) -> Side:
    found: Side = request.param
    return found


@pytest.fixture(params=TRAFFIC)
def traffic(request: pytest.FixtureRequest) -> Traffic:
    found: Traffic = request.param
    return found


async def test_an_interceptor_wraps_each_kind_of_call(
    kind: Kind, dialect: Dialect, side: Side, traffic: Traffic
) -> None:
    """An interceptor sees the method, kind and arguments; `proceed` lasts as long as the call."""
    log: list[Any] = []

    async def note(call: CallContext, proceed: Proceed) -> Any:
        log.append((call.method, call.kind, dict(call.arguments)))
        try:
            return await proceed()
        finally:
            log.append("over")

    async with open_shelf(kind, [note], side, dialect) as session:
        assert await use(session, traffic) == OUTCOMES[traffic]
        await wait_until(lambda: log[-1] == "over")

    asked: dict[Traffic, Any] = {
        "call": ("Shelf.find", "call", {"name": "pen"}),
        "stream": ("Shelf.items", "stream", {"count": 3}),
        "subscription": ("Shelf.changed", "subscription", {"key": None, "on_lag": "raise"}),
    }
    assert log == [asked[traffic], "over"]


async def test_a_refusal_is_what_the_caller_gets(
    kind: Kind, dialect: Dialect, side: Side, traffic: Traffic
) -> None:
    """An error that an interceptor raises reaches the caller."""

    async def refuse(call: CallContext, proceed: Proceed) -> Any:
        raise Busy.after(1.5, "come back later")

    async with open_shelf(kind, [refuse], side, dialect) as session:
        with pytest.raises(RpcError, match="come back later") as caught:
            await use(session, traffic)
        assert caught.value.args == Busy.after(1.5, "come back later").args
        is_own = dialect == "farcall" or side == "client"
        assert isinstance(caught.value, Busy) is is_own


async def test_an_interceptor_may_try_again(
    kind: Kind, dialect: Dialect, side: Side, traffic: Traffic
) -> None:
    """An interceptor can proceed again after an attempt that failed to begin."""
    tries = 0

    async def fail_twice(call: CallContext, proceed: Proceed) -> Any:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Busy.after(0)
        return await proceed()

    async def again(call: CallContext, proceed: Proceed) -> Any:
        while True:
            try:
                return await proceed()
            except Busy:
                continue

    async with open_shelf(kind, [again, fail_twice], side, dialect) as session:
        assert await use(session, traffic) == OUTCOMES[traffic]
    assert tries == 3


async def test_a_client_tries_again_what_its_server_refused(
    kind: Kind, dialect: Dialect, traffic: Traffic
) -> None:
    """A client's interceptor can repeat a call that the server refused."""
    tries = 0

    async def fail_twice(call: CallContext, proceed: Proceed) -> Any:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise Busy.after(0.001)
        return await proceed()

    async def again(call: CallContext, proceed: Proceed) -> Any:
        while True:
            try:
                return await proceed()
            except RpcError as error:
                await trio.sleep(error.data["retry_after_ms"] / 1000)

    async with open_client(
        kind, Shelf(), dialect=dialect, interceptors=[fail_twice], client_interceptors=[again]
    ) as session:
        assert await use(session, traffic) == OUTCOMES[traffic]
    assert tries == 3


async def leave_out(call: CallContext, proceed: Proceed) -> Any:
    """Return a result without proceeding."""
    return "from the cache"


async def test_an_interceptor_may_answer_by_itself(
    kind: Kind, dialect: Dialect, side: Side
) -> None:
    """An interceptor may return a result of its own, and the handler does not run."""
    shelf = Shelf()
    async with open_shelf(kind, [leave_out], side, dialect, shelf) as session:
        assert await use(session, "call") == "from the cache"
    assert shelf.asked == []


@pytest.mark.parametrize("traffic", ["stream", "subscription"])
async def test_a_client_that_does_not_proceed_is_told_of_its_mistake(
    kind: Kind, dialect: Dialect, traffic: Traffic
) -> None:
    """A client's interceptor that returns without opening a stream raises RuntimeError."""
    async with open_shelf(kind, [leave_out], "client", dialect) as session:
        with pytest.raises(RuntimeError, match=f"so there is no {traffic} of Shelf"):
            await use(session, traffic)


@pytest.mark.parametrize("traffic", ["stream", "subscription"])
async def test_a_server_that_does_not_proceed_has_it_in_its_log(
    kind: Kind, dialect: Dialect, traffic: Traffic, caplog: pytest.LogCaptureFixture
) -> None:
    """A server's interceptor that returns without opening a stream is logged as a server fault."""
    async with open_shelf(kind, [leave_out], "server", dialect) as session:
        with pytest.raises(farcall.InternalError) as caught:
            await use(session, traffic)
    assert caught.value.id is not None
    assert caught.value.id in caplog.text
    assert f"so there is no {traffic} of Shelf" in caplog.text


async def proceed_twice(call: CallContext, proceed: Proceed) -> Any:
    """Proceed twice."""
    await proceed()
    return await proceed()


async def test_a_call_may_be_made_twice(kind: Kind, dialect: Dialect, side: Side) -> None:
    """An interceptor may make a call twice, and the last result counts."""
    shelf = Shelf()
    async with open_shelf(kind, [proceed_twice], side, dialect, shelf) as session:
        assert await use(session, "call") == OUTCOMES["call"]
    assert shelf.asked == ["pen", "pen"]


@pytest.mark.parametrize("traffic", ["stream", "subscription"])
async def test_a_client_cannot_open_a_stream_twice(
    kind: Kind, dialect: Dialect, traffic: Traffic
) -> None:
    """A client's interceptor cannot open a stream or subscription twice."""
    async with open_shelf(kind, [proceed_twice], "client", dialect) as session:
        with pytest.raises(RuntimeError, match=f"again with the {traffic} of Shelf"):
            await use(session, traffic)


async def test_a_served_stream_cannot_begin_again(kind: Kind, dialect: Dialect) -> None:
    """A server's interceptor cannot run a stream twice."""
    async with open_shelf(kind, [proceed_twice], "server", dialect) as session:
        with pytest.raises(farcall.InternalError):
            await use(session, "stream")


async def test_a_remote_task_that_has_started_cannot_start_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A remote task that has started cannot be started again."""
    async with open_pair(Shelf(), Shelf, interceptors=[proceed_twice]) as (shelf, _):
        with pytest.RaisesGroup(farcall.InternalError):
            async with trio.open_nursery() as nursery:
                assert await nursery.start(shelf.work) == 1
    assert "again with the call of Shelf.work" in caplog.text


async def test_an_interceptor_may_swallow_an_error(
    kind: Kind, dialect: Dialect, side: Side
) -> None:
    """An interceptor may return a result in place of an error."""

    async def forgive(call: CallContext, proceed: Proceed) -> Any:
        try:
            return await proceed()
        except (Missing, RpcError):
            return "not found"

    async with open_shelf(kind, [forgive], side, dialect) as session:
        assert await session.call("Shelf.find", "nothing") == "not found"


async def test_the_arguments_are_decoded_once() -> None:
    """An interceptor gets the arguments as one decoded mapping, and wrong ones raise."""
    seen: list[Any] = []

    async def look(call: CallContext, proceed: Proceed) -> Any:
        if call.method == "Shelf.find":
            seen.append(call.arguments)
            assert call.arguments is seen[-1]
        return await proceed()

    async with open_pair(Shelf(), interceptors=[look]) as (session, _):
        with pytest.raises(InvalidArguments) as caught:
            await session.call("Shelf.find", 7)
        assert caught.value.errors[0]["path"] == "params[0]"
        await session.call("Shelf.find", "pen", 2)
    assert seen == [{"name": "pen", "shelf": 2}]


async def test_a_key_is_decoded() -> None:
    """An interceptor of either side gets the decoded key of a subscription."""
    seen: list[Any] = []

    async def look(call: CallContext, proceed: Proceed) -> Any:
        seen.append(dict(call.arguments))
        return await proceed()

    async with open_pair(Keyed(), interceptors=[look], client_interceptors=[look]) as (session, _):
        async with session.subscribe("Keyed.moved", key="A", on_lag="latest"):
            pass
    assert seen == [{"key": "A", "on_lag": "latest"}] * 2


@attrs.frozen
class Move:
    piece: str


@service
class Keyed:
    moved: Signal[Move] = Signal(key="piece")


async def test_an_interceptor_knows_its_call_by_current_call_as_well() -> None:
    """`current_call()` in a server's interceptor is the call that it wraps."""
    seen: list[bool] = []

    async def look(call: CallContext, proceed: Proceed) -> Any:
        seen.append(current_call() is call)
        return await proceed()

    async with open_pair(Shelf(), interceptors=[look]) as (session, _):
        for traffic in TRAFFIC:
            await use(session, traffic)
    assert seen == [True] * 3


@pytest.mark.parametrize("dialect", ["farcall", "plain"])
async def test_refusals_have_constructors(dialect: Dialect) -> None:
    """`because`, `at` and `after` make errors that arrive as they were raised."""
    refusals: dict[str, RpcError] = {
        "a": Forbidden.because("only on weekdays"),
        "b": InvalidArguments.at("params.name", "expected a known name"),
        "c": Busy.after(0.0001),
        "d": RpcError(7, "own", {"x": 1}),
    }

    async def refuse(call: CallContext, proceed: Proceed) -> Any:
        raise refusals[call.arguments["name"]]

    async with open_pair(Shelf(), interceptors=[refuse], dialect=dialect) as (session, _):
        for name, refusal in refusals.items():
            with pytest.raises(RpcError) as caught:
                await session.call("Shelf.find", name)
            is_own = isinstance(refusal, Busy) and dialect == "plain"
            assert type(caught.value) is (RpcError if is_own else type(refusal))
            assert caught.value.args == refusal.args
    assert Busy.after(0.0001).retry_after == 0.001
    path = {"path": "params.name", "message": "expected a known name"}
    assert InvalidArguments.at("params.name", "expected a known name").errors == [path]


async def test_a_cancelled_caller_cancels_interceptors(
    traffic: Traffic, autojump_clock: MockClock
) -> None:
    """A cancelled caller cancels an interceptor that has not proceeded yet."""
    log: list[str | None] = []

    async def dawdle(call: CallContext, proceed: Proceed) -> Any:
        try:
            await trio.sleep(10)
        finally:
            log.append(call.cancel_reason)
        return await proceed()

    async with open_pair(Shelf(), interceptors=[dawdle]) as (session, connection):
        with trio.move_on_after(1) as scope:
            await use(session, traffic)
        assert scope.cancelled_caught
        assert len(log) == 1
        assert session.statistics().calls_out == connection.statistics().calls_in == 0
    assert log == ["deadline"]


async def test_a_subscription_ends_when_its_interceptors_have(autojump_clock: MockClock) -> None:
    """Leaving a subscription waits for the clean-up of the server's interceptors."""
    log: list[str] = []

    async def clean_up(call: CallContext, proceed: Proceed) -> Any:
        try:
            return await proceed()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.3)
            log.append("clean")

    async with open_pair(Shelf(), interceptors=[clean_up]) as (session, _):
        began = trio.current_time()
        await use(session, "subscription")
        assert log == ["clean"]
        assert trio.current_time() - began == pytest.approx(0.3)


async def test_an_interceptor_may_end_a_subscription(kind: Kind) -> None:
    """An error of a server's interceptor ends its subscription after the values before it."""
    scope = trio.CancelScope()

    async def bound(call: CallContext, proceed: Proceed) -> Any:
        with scope:
            await proceed()
        raise RpcError(9, "long enough")

    async with open_shelf(kind, [bound], "server") as session:
        async with session.subscribe("Shelf.changed") as values:
            assert await anext(values) == 7
            scope.cancel()
            with pytest.raises(RpcError, match="long enough"):
                await anext(values)


async def test_an_interceptor_that_goes_quietly_ends_a_subscription(
    autojump_clock: MockClock,
) -> None:
    """A server's interceptor that leaves a subscription ends it with RemoteCancelled."""

    async def bound(call: CallContext, proceed: Proceed) -> Any:
        with trio.move_on_after(1):
            await proceed()

    async with open_pair(Shelf(), interceptors=[bound]) as (session, connection):
        async with session.subscribe("Shelf.changed") as values:
            assert await anext(values) == 7
            with pytest.raises(farcall.RemoteCancelled):
                await anext(values)
        assert connection.statistics().calls_in == 0


@pytest.mark.parametrize("traffic", ["stream", "subscription"])
async def test_a_block_does_not_hang_when_its_interceptor_leaves_it(
    traffic: Traffic, autojump_clock: MockClock
) -> None:
    """A stream or subscription is closed when a client's interceptor leaves it."""

    async def bound(call: CallContext, proceed: Proceed) -> Any:
        with trio.move_on_after(1):
            await proceed()

    async with open_pair(Shelf(), client_interceptors=[bound]) as (session, _):
        if traffic == "stream":
            async with session.stream("Shelf.items", count=3) as items:
                await trio.sleep(2)
                with pytest.raises(trio.ClosedResourceError):
                    await anext(items)
        else:
            async with session.subscribe("Shelf.lost") as values:
                with trio.fail_after(5):
                    assert [value async for value in values] == []


async def test_an_error_of_an_interceptor_ends_the_block(
    autojump_clock: MockClock,
) -> None:
    """An error of a client's interceptor ends the block and comes out as itself."""

    async def bound(call: CallContext, proceed: Proceed) -> Any:
        with trio.fail_after(1):
            await proceed()

    async with open_pair(Shelf(), client_interceptors=[bound]) as (session, _):
        with pytest.raises(trio.TooSlowError):
            async with session.subscribe("Shelf.lost"):
                await trio.sleep(10)


async def test_an_interceptor_cannot_swallow_the_error_of_a_block() -> None:
    """An interceptor cannot swallow an error that the block raises."""

    async def forgive(call: CallContext, proceed: Proceed) -> Any:
        try:
            return await proceed()
        except Exception:  # noqa: BLE001 - on purpose
            return None

    async with open_pair(Shelf(), client_interceptors=[forgive]) as (session, _):
        with pytest.raises(KeyError):
            async with session.stream("Shelf.items", count=3):
                raise KeyError("own")


async def test_a_drain_ends_intercepted_subscriptions(autojump_clock: MockClock) -> None:
    """A drain ends subscriptions and waits for the clean-up of their interceptors."""
    log: list[Any] = []

    async def clean_up(call: CallContext, proceed: Proceed) -> Any:
        try:
            return await proceed()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            log.append((call.cancel_reason, trio.current_time()))

    async with open_pair(Shelf(), interceptors=[clean_up]) as (session, connection):
        began = trio.current_time()
        async with session.subscribe("Shelf.lost") as values:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(drain, connection, 5)
                with pytest.raises(farcall.RemoteCancelled):
                    await anext(values)
    assert log == [("shutdown", began + 1)]


async def test_a_lost_link_cancels_intercepted_subscriptions(autojump_clock: MockClock) -> None:
    """A lost connection ends the interceptors of a subscription with the reason "disconnect"."""
    log: list[Any] = []

    async def note(call: CallContext, proceed: Proceed) -> Any:
        try:
            return await proceed()
        finally:
            log.append(call.cancel_reason)

    async with open_pair(Shelf(), interceptors=[note]) as (session, connection):
        async with session.subscribe("Shelf.lost") as values:
            cut(connection)
            with pytest.raises(farcall.ConnectionLost):
                await anext(values)
        await wait_all_tasks_blocked()
    assert log == ["disconnect"]


async def test_requests_of_one_frame_start_in_order() -> None:
    """Calls, streams and subscriptions of one frame reach the interceptors in the order sent."""
    started: list[Any] = []

    async def note(call: CallContext, proceed: Proceed) -> Any:
        started.append(call.kind)
        return await proceed()

    hello = {"jsonrpc": "2.0", "id": 1, "method": "rpc.hello", "params": {"v": 1}}
    params: dict[Traffic, Any] = {
        "call": ("Shelf.find", ["pen"]),
        "stream": ("Shelf.items", [1]),
        "subscription": ("rpc.subscribe", {"signal": "Shelf.lost"}),
    }
    order = [TRAFFIC[number * 7 % 3] for number in range(60)]
    async with raw_client(Shelf(), interceptors=[note]) as client:
        await client.ask(hello)
        await client.ask(
            [
                {"jsonrpc": "2.0", "id": id, "method": params[each][0], "params": params[each][1]}
                for id, each in enumerate(order, 2)
            ]
        )
    assert started == order
