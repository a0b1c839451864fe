"""The events of a plain peer, with interceptors around them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
import farcall.testing
from farcall import CallContext, Forbidden, Limits, Proceed, Signal, service
from tests.ends import RawClient, raw_client


@service
class Feed:
    first: Signal[int] = Signal()
    second: Signal[int] = Signal()
    news: Signal[str] = Signal(broadcast=True)


@attrs.define
class Gate:
    """An interceptor that proceeds when the test lets it."""

    doors: dict[str, trio.Event] = attrs.field(factory=dict[str, trio.Event])
    refused: set[str] = attrs.field(factory=set[str])
    log: list[str] = attrs.field(factory=list[str])

    async def __call__(self, call: CallContext, proceed: Proceed) -> Any:
        name = call.method.removeprefix("Feed.")
        self.log.append(f"+{name}")
        try:
            await self.doors.setdefault(name, trio.Event()).wait()
            if name in self.refused:
                raise Forbidden.because("not today")
            return await proceed()
        finally:
            self.log.append(f"-{name}: {call.cancel_reason}")

    async def open(self, *names: str) -> None:
        for name in names:
            self.doors.setdefault(name, trio.Event()).set()
        await wait_all_tasks_blocked()


@asynccontextmanager
async def gated(feed: Feed, limits: Limits = Limits()) -> AsyncIterator[tuple[RawClient, Gate]]:  # noqa: B008 - frozen
    gate = Gate()
    async with raw_client(feed, limits, interceptors=[gate]) as client:
        yield client, gate


def on(id: int, *names: str, method: str = "rpc.on") -> dict[str, Any]:
    named = [f"Feed.{name}" for name in names]
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": named}


def off(id: int, *names: str) -> dict[str, Any]:
    return on(id, *names, method="rpc.off")


async def test_the_answer_waits_for_all_interceptors() -> None:
    """rpc.on is answered, and its events begin, when all interceptors have proceeded."""
    feed = Feed()
    async with gated(feed) as (client, gate):
        assert await client.ask(on(1, "first", "second")) == []
        await gate.open("first")
        feed.first.emit(1)
        await wait_all_tasks_blocked()
        assert client.heard() == []

        await gate.open("second")
        feed.first.emit(2)
        feed.second.emit(3)
        await wait_all_tasks_blocked()
        answer, *events = client.heard()
    assert answer["result"] == {"Feed.first": "ok", "Feed.second": "ok"}
    assert sorted(each["params"] for each in events) == [[2], [3]]


async def test_one_refusal_refuses_all() -> None:
    """The response is that error, and the peer is subscribed to none of the events."""
    feed = Feed()
    async with gated(feed) as (client, gate):
        gate.refused.add("second")
        await client.ask(on(1, "first", "second"))
        await gate.open("first", "second")
        (answer,) = client.heard()
        feed.first.emit(1)
        feed.second.emit(1)
        await wait_all_tasks_blocked()
        assert client.heard() == []
        assert sorted(gate.log[2:]) == ["-first: caller", "-second: None"]

        (again,) = await client.ask(on(2, "first"))
    assert answer["error"] == {"code": -32605, "message": "not today"}
    assert again["result"] == {"Feed.first": "ok"}


async def test_an_event_that_is_left_cancels_its_interceptors() -> None:
    """rpc.off cancels the interceptors of its event; the others of the request go on."""
    feed = Feed()
    async with gated(feed) as (client, gate):
        await gate.open("first")
        await client.ask(on(1, "first", "second"))
        left, answer = await client.ask(off(2, "second"))
        assert left["result"] == {"Feed.second": "ok"}
        # It was there when it was asked for; that it was left is in the other answer.
        assert answer["result"] == {"Feed.first": "ok", "Feed.second": "ok"}
        assert gate.log == ["+first", "+second", "-second: caller"]
        feed.first.emit(1)
        await wait_all_tasks_blocked()
        assert [each["params"] for each in client.heard()] == [[1]]
        await client.ask(off(3, "first"))
        assert gate.log[-1] == "-first: caller"


async def test_an_event_may_be_left_and_asked_for_again() -> None:
    """A second subscription after rpc.off has interceptors of its own."""
    feed = Feed()
    async with gated(feed) as (client, gate):
        await client.ask(on(1, "first"))
        heard = await client.ask(off(2, "first"))
        assert [each["id"] for each in heard] == [2, 1]
        assert await client.ask(on(3, "first")) == []
        feed.first.emit(1)
        assert await client.ask({"jsonrpc": "2.0", "method": "nothing"}) == []
        await gate.open("first")
        (answer,) = client.heard()
    assert (answer["id"], answer["result"]) == (3, {"Feed.first": "ok"})


async def test_asked_for_twice_an_event_has_one_interceptor() -> None:
    """A second rpc.on for the same event is answered at once."""
    async with gated(Feed()) as (client, gate):
        await client.ask(on(1, "first"))
        (answer,) = await client.ask(on(2, "first"))
        assert answer["result"] == {"Feed.first": "socket has already been subscribed to event"}
        assert gate.log == ["+first"]


async def test_a_broadcast_needs_no_interceptors() -> None:
    """A broadcast is sent without rpc.on."""
    feed = Feed()
    async with gated(feed) as (client, gate):
        feed.news.emit("hello")
        (event,) = await client.ask({"jsonrpc": "2.0", "method": "nothing"})
        (answer,) = await client.ask(on(1, "news"))
        assert event["params"] == ["hello"]
        assert answer["result"] == {"Feed.news": "ok"}
        assert gate.log == []


async def test_a_notification_is_intercepted_as_well() -> None:
    """rpc.on as a notification runs interceptors, whose refusal gets no response."""
    feed = Feed()
    async with gated(feed) as (client, gate):
        gate.refused.add("second")
        both = on(0, "first"), on(0, "second")
        for each in both:
            del each["id"]
            await client.ask(each)
        await gate.open("first", "second")
        feed.first.emit(1)
        feed.second.emit(2)
        await wait_all_tasks_blocked()
        assert [each["params"] for each in client.heard()] == [[1]]


async def test_a_lost_link_cancels_the_interceptors_of_events() -> None:
    """Interceptors are cancelled whether they have proceeded or not."""
    async with gated(Feed()) as (client, gate):
        await gate.open("first")
        await client.ask(on(1, "first"))
        await client.ask(on(2, "second"))
        client.hang_up()
        await wait_all_tasks_blocked()
        assert sorted(gate.log[2:]) == ["-first: disconnect", "-second: disconnect"]


async def test_interceptors_that_take_their_time_to_end_keep_their_place(
    autojump_clock: MockClock,
) -> None:
    """Interceptors that still run after rpc.off count as subscriptions."""

    async def linger(call: CallContext, proceed: Proceed) -> Any:
        try:
            return await proceed()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(10)

    limits = Limits(subscriptions=3)
    async with raw_client(Feed(), limits, interceptors=[linger]) as client:
        outcomes: list[Any] = []
        for id in range(5):
            (answer,) = await client.ask(on(id, "first"))
            outcomes.append(answer.get("error", {}).get("code", "ok"))
            await client.ask(off(100, "first"))
        assert outcomes == ["ok", "ok", "ok", -32006, -32006]
        await trio.sleep(11)
        (answer,) = await client.ask(on(6, "first"))
        assert "result" in answer


async def test_an_event_that_its_interceptor_ends_is_off(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """An event that its interceptors end may be subscribed to again."""

    async def bound(call: CallContext, proceed: Proceed) -> Any:
        with trio.fail_after(1):
            await proceed()

    feed = Feed()
    async with raw_client(feed, interceptors=[bound]) as client:
        await client.ask(on(1, "first"))
        await trio.sleep(2)
        feed.first.emit(1)
        assert await client.ask({"jsonrpc": "2.0", "method": "nothing"}) == []
        assert "TooSlowError" in caplog.text
        (answer,) = await client.ask(on(2, "first"))
        assert answer["result"] == {"Feed.first": "ok"}


async def test_a_logout_ends_intercepted_subscriptions() -> None:
    """`proceed` raises the error of the subscription."""
    seen: list[Any] = []

    async def note(call: CallContext, proceed: Proceed) -> Any:
        try:
            return await proceed()
        except Forbidden as error:
            assert call.connection.principal is None
            seen.append((error.code, call.principal))
            raise

    async def authenticate(credentials: farcall.Credentials) -> farcall.Principal:
        return ada

    ada = farcall.Principal("ada")
    async with farcall.testing.open_pair(
        Private(), authenticate=authenticate, interceptors=[note]
    ) as (session, connection):
        async with session.subscribe("Private.told") as values:
            connection.logout()
            with pytest.raises(Forbidden):
                await anext(values)
    assert seen == [(-32606, ada)]


@service(protected=True)
class Private:
    told: Signal[str] = Signal()
