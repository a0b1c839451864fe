"""The events of plain servers: asked for by `rpc.on`, or sent unasked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import Proxy, RemoteSignal, Signal, method, service
from farcall.testing import open_pair
from tests.ends import RawPeer, raw_server


class Subscriber:
    """Subscribes beside the test, until it is told to leave."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.error: Exception | None = None
        self.is_in = False
        self.leave = trio.CancelScope()

    async def run(self, session: farcall.Session, name: str = "tick") -> None:
        try:
            with self.leave:
                async with session.subscribe(name) as values:
                    self.is_in = True
                    async for value in values:
                        self.values.append(value)
        except farcall.FarcallError as error:
            self.error = error


@asynccontextmanager
async def subscribed(
    answer: dict[str, Any], **options: Any
) -> AsyncIterator[tuple[Subscriber, RawPeer]]:
    """Subscribe to the event `tick` of a plain server, which answers `rpc.on` with `answer`."""
    subscriber = Subscriber()
    async with raw_server(dialect="plain", **options) as (session, server):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(subscriber.run, session)
            asked = msgspec.json.decode(await server.hear())
            assert (asked["method"], asked["params"]) == ("rpc.on", ["tick"])
            await server.send_json({"jsonrpc": "2.0", "id": asked["id"], **answer})
            await wait_all_tasks_blocked()
            yield subscriber, server
            nursery.cancel_scope.cancel()


def error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def tick(*params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "tick", "params": list(params)}


UNKNOWN_METHODS = [
    pytest.param(error(-32601, "Method not found"), id="JSON-RPC 2.0"),
    pytest.param(error(1, "No such method."), id="aria2"),
    pytest.param(error(-32700, "Parse error"), id="Ganache"),
    pytest.param(error(-32004, "Method rpc.on is not supported"), id="Hardhat"),
    pytest.param(error(-32000, "Event not provided"), id="rpc-websockets without params"),
    pytest.param(error(-32600, "Invalid Request"), id="invalid request"),
    pytest.param(error(-32603, "Internal error"), id="internal error"),
    pytest.param({"error": "no"}, id="a text for an error"),
    pytest.param({"result": 1, "error": error(1, "no")["error"]}, id="result and error"),
]


@pytest.mark.parametrize("answer", UNKNOWN_METHODS)
async def test_an_error_to_rpc_on_is_no_refusal_of_the_event(answer: dict[str, Any]) -> None:
    """After an error to `rpc.on` the client still listens, and sends no `rpc.off`."""
    async with subscribed(answer) as (subscriber, server):
        await server.send_json(tick(7))
        await wait_all_tasks_blocked()
        assert subscriber.is_in
        assert subscriber.values == [7]

        subscriber.leave.cancel()
        await wait_all_tasks_blocked()
        assert server.heard() == []


@pytest.mark.parametrize("result", [True, None, [], {}, {"tick": True}, {"tock": "ok"}, "ok"])
async def test_a_result_of_another_shape_is_no_refusal(result: Any) -> None:
    """A server that accepts any method gets `rpc.off` at the end."""
    async with subscribed({} if result is None else {"result": result}) as (subscriber, server):
        await server.send_json(tick("a"))
        await wait_all_tasks_blocked()
        assert subscriber.values == ["a"]

        subscriber.leave.cancel()
        await wait_all_tasks_blocked()
        assert [each["method"] for each in server.heard()] == ["rpc.off"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error(-32606, "Event forbidden"), farcall.Forbidden),
        (error(-32605, "Method forbidden"), farcall.Forbidden),
        ({"result": {"tick": "provided event invalid"}}, farcall.MethodNotFound),
    ],
)
async def test_a_refused_event_is_an_error(
    answer: dict[str, Any], expected: type[Exception]
) -> None:
    """If the server refuses the event itself, no `rpc.off` follows."""
    async with subscribed(answer) as (subscriber, server):
        assert not subscriber.is_in
        assert isinstance(subscriber.error, expected)
        assert server.heard() == []


async def test_the_next_subscriber_asks_again_after_a_refusal() -> None:
    """The next subscriber calls `rpc.on` again: the user may have logged in since."""
    async with raw_server(dialect="plain") as (session, server):
        for answer in (error(-32606, "Event forbidden"), {"result": {"tick": "ok"}}):
            subscriber = Subscriber()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(subscriber.run, session)
                asked = msgspec.json.decode(await server.hear())
                assert asked["method"] == "rpc.on"
                await server.send_json({"jsonrpc": "2.0", "id": asked["id"], **answer})
                await wait_all_tasks_blocked()
                nursery.cancel_scope.cancel()
        assert subscriber.is_in


async def test_a_subscriber_that_comes_while_rpc_off_is_unanswered_asks_anew(
    autojump_clock: MockClock,
) -> None:
    """A listener that stays does not keep the subscription."""
    async with raw_server(dialect="plain") as (session, server):
        async with session.listen("tick"), trio.open_nursery() as nursery:
            first, second = Subscriber(), Subscriber()
            nursery.start_soon(first.run, session)
            asked = msgspec.json.decode(await server.hear())
            await server.send_json({"jsonrpc": "2.0", "id": asked["id"], "result": {"tick": "ok"}})
            await wait_all_tasks_blocked()
            first.leave.cancel()
            assert msgspec.json.decode(await server.hear())["method"] == "rpc.off"
            nursery.start_soon(second.run, session)

            assert msgspec.json.decode(await server.hear())["method"] == "rpc.on"
            nursery.cancel_scope.cancel()


@service(name="")
class Ticks:
    """What the server calls at its client."""

    def __init__(self) -> None:
        self.values: list[int] = []

    @method(oneway=True)
    async def tick(self, n: int) -> None:
        self.values.append(n)


async def test_a_served_method_and_a_subscription_both_get_a_notification() -> None:
    """A notification reaches a method in `serves=` and a subscriber."""
    ticks = Ticks()
    async with subscribed(error(-32601, "Method not found"), serves=[ticks]) as (
        subscriber,
        server,
    ):
        await server.send_json(tick(7))
        await wait_all_tasks_blocked()

        assert subscriber.values == ticks.values == [7]


# Listening


async def test_listening_sends_nothing() -> None:
    """`listen` sends nothing, and gives values like those of a subscription."""
    async with raw_server(dialect="plain") as (session, server):
        async with session.listen("tick") as values, session.listen("tick", returns=int) as numbers:
            await server.send_json(tick(1))
            await server.send_json(tick())
            await server.send_json({"notification": "tick", "params": [1, 2]})
            assert [await anext(values) for _ in range(3)] == [1, None, (1, 2)]
            assert await anext(numbers) == 1
            with pytest.raises(farcall.InvalidResult, match="tick: expected int @ value"):
                await anext(numbers)
        await wait_all_tasks_blocked()

        assert server.heard() == []


async def test_a_farcall_server_may_notify_a_listener_too() -> None:
    """A listener gets notifications for which the client serves no method."""
    async with raw_server() as (session, server), session.listen("tick") as values:
        await server.send_json(tick(7))

        assert await anext(values) == 7


async def test_a_slow_listener_is_told() -> None:
    """`listen` takes the same policies of lag as `subscribe`."""
    async with raw_server(dialect="plain") as (session, server):
        async with session.listen("tick", on_lag="latest") as values:
            for n in range(5):
                await server.send_json(tick(n))
            await wait_all_tasks_blocked()

            assert await anext(values) == 4
            assert values.missed == 4


async def test_a_lost_link_ends_listening() -> None:
    """After the end of the link, iterating and the next `listen` raise ConnectionLost."""
    async with raw_server(dialect="plain") as (session, server):
        async with session.listen("tick") as values:
            server.hang_up()
            with pytest.raises(farcall.ConnectionLost):
                await anext(values)
        with pytest.raises(farcall.ConnectionLost):
            async with session.listen("tick"):
                pass


async def test_a_listener_stays_when_the_subscribers_of_its_name_leave() -> None:
    """`rpc.off` follows the last subscriber, although a listener stays."""
    async with AsyncExitStack() as stack:
        session, server = await stack.enter_async_context(raw_server(dialect="plain"))
        values = await stack.enter_async_context(session.listen("tick"))
        async with trio.open_nursery() as nursery:
            subscriber = Subscriber()
            nursery.start_soon(subscriber.run, session)
            asked = msgspec.json.decode(await server.hear())
            await server.send_json({"jsonrpc": "2.0", "id": asked["id"], "result": {"tick": "ok"}})
            await wait_all_tasks_blocked()
            subscriber.leave.cancel()
            off = msgspec.json.decode(await server.hear())
            assert off["method"] == "rpc.off"
            await server.send_json({"jsonrpc": "2.0", "id": off["id"], "result": {"tick": "ok"}})
        await server.send_json(tick("late"))

        assert await anext(values) == "late"


async def test_interceptors_see_a_listener_as_a_subscription() -> None:
    """Interceptors get a call of the kind "subscription" for `listen`."""
    seen: list[tuple[str, str]] = []

    async def note(call: farcall.CallContext, proceed: farcall.Proceed) -> Any:
        seen.append((call.kind, call.method))
        return await proceed()

    async with raw_server(dialect="plain", interceptors=[note]) as (session, server):
        async with session.listen("tick") as values:
            await server.send_json(tick(1))
            assert await anext(values) == 1

    assert seen == [("subscription", "tick")]


class FeedProxy(Proxy):
    """A stub, as one is written by hand for a server that sends its events unasked."""

    tick: RemoteSignal[int] = RemoteSignal("tick")


async def test_a_signal_of_a_stub_is_listened_to() -> None:
    """Values of a stub's signal have its type when it listens."""
    async with raw_server(FeedProxy, dialect="plain") as (proxy, server):
        async with proxy.tick.listen() as values:
            await server.send_json(tick(3))

            assert await anext(values) == 3
        assert server.heard() == []


@service
class Feed:
    everywhere: Signal[int] = Signal(broadcast=True)


async def test_broadcast_events_are_heard_without_asking() -> None:
    """A farcall server sends them to every peer that has not said hello."""
    feed = Feed()
    async with open_pair(feed, dialect="plain") as (session, _):
        async with session.listen("Feed.everywhere") as values:
            feed.everywhere.emit(5)

            assert await anext(values) == 5
