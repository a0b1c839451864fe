"""Limits of what waits in the subscriptions of one peer, tested at and above the limit."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from farcall import Limits, Signal, service
from tests.ends import RawClient, raw_client
from tests.inside import VALUE_COST, CloseReason


@attrs.frozen
class Tick:
    symbol: str


@service(name="")
class Feed:
    first: Signal[str] = Signal()
    second: Signal[str] = Signal()
    kept: Signal[str] = Signal(retain=True)
    prices: Signal[Tick] = Signal(key="symbol", retain=True)
    ticked: Signal[Tick] = Signal(key="symbol")


def request(id: int, method: str, params: Any, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params, **more}


def subscribe(id: int, signal: str, **params: Any) -> dict[str, Any]:
    meta = {"credit": [1, 1]}
    return request(id, "rpc.subscribe", {"signal": signal, **params}, meta=meta)


HELLO = request(0, "rpc.hello", {"v": 1})


async def grant(client: RawClient, id: int, items: int) -> dict[str, Any]:
    """Grant credit, and return what arrives."""
    params = {"id": id, "items": items, "bytes": 1_000_000}
    await client.send_json({"jsonrpc": "2.0", "method": "rpc.credit", "params": params})
    await wait_all_tasks_blocked()
    (frame,) = client.heard()
    return {name: frame["params"].get(name) for name in ("values", "missed")}


async def test_limit_subscription_bytes() -> None:
    """Over `subscription_bytes`, the fullest subscription loses its oldest value and is told."""
    feed = Feed()
    async with raw_client(feed, Limits(subscription_bytes=1000)) as client:
        for each in (HELLO, subscribe(1, "first"), subscribe(2, "second")):
            await client.ask(each)
        for signal in (feed.first, feed.second):
            signal.emit("")  # larger than the credit, so it is sent alone and uses all of it
        await wait_all_tasks_blocked()
        for size in (300, 298):
            feed.first.emit("x" * size)
        feed.second.emit("y" * 396)
        feed.second.emit("z")
        (link,) = client.host.links
        assert link.account.held == 1003 + 4 * VALUE_COST
        client.heard()
        feed.second.emit("zz")

        assert await grant(client, 1, 9) == {"values": ["x" * 298], "missed": 1}
        assert await grant(client, 2, 9) == {"values": ["y" * 396, "z", "zz"], "missed": None}


async def test_limit_subscription_bytes_of_a_plain_peer(autojump_clock: MockClock) -> None:
    """A plain peer over `subscription_bytes` is disconnected, as it cannot be told of a gap."""
    feed = Feed()
    async with raw_client(feed, Limits(subscription_bytes=100_000)) as client:
        await client.ask(request(1, "rpc.on", ["first", "second"]))
        (link,) = client.host.links
        client.stop_reading()
        feed.second.emit("x" * 100_000)  # fills the link
        await wait_all_tasks_blocked()
        feed.second.emit("y")  # is being sent
        await wait_all_tasks_blocked()
        feed.first.emit("x" * 60_000)
        feed.second.emit("x" * 39_996)
        feed.first.emit("x" * 10)
        assert link.close_reason is None

        feed.second.emit("x")
        problem = "events of first were not read (the limit subscription_bytes)"
        assert link.close_reason == CloseReason(1013, problem, remote=False)


async def test_limit_subscription_bytes_holds_for_keys() -> None:
    """The key of a subscription counts toward `subscription_bytes`; its other parameters do not."""
    async with raw_client(Feed(), Limits(subscription_bytes=1000)) as client:
        await client.ask(HELLO)
        (link,) = client.host.links
        await client.ask(subscribe(1, "ticked", key="x" * 498, since="y" * 10_000))
        await client.ask(subscribe(2, "ticked", key="y" * 498))
        assert link.account.held == 1000
        assert all(call.params is None for call in link.protocol.incoming.values())

        (refused,) = await client.ask(subscribe(3, "ticked", key=""))
        error = refused["error"]
        data = {"limit": "subscription_bytes", "most": 1000}
        assert (error["code"], error["data"]) == (-32006, data)

        cancel = {"jsonrpc": "2.0", "method": "rpc.cancel", "params": {"id": 1}}
        await client.ask(cancel)
        (started,) = await client.ask(subscribe(3, "ticked", key="x" * 498))
        assert started["method"] == "rpc.started"
        assert link.account.held == 1000


async def test_what_waits_in_subscriptions_counts_for_the_process(
    autojump_clock: MockClock,
) -> None:
    """Values that wait count toward `process_bytes` for each subscription."""
    feed, limits = Feed(), Limits(process_bytes=100_000)
    async with raw_client(feed, limits) as one, raw_client(feed, limits) as two:
        for client, signals in ((one, ["first"]), (two, ["first", "second"])):
            await client.ask(HELLO)
            for number, signal in enumerate(signals):
                await client.ask(subscribe(number + 1, signal))
        links = [next(iter(one.host.links)), next(iter(two.host.links))]
        feed.first.emit("")
        feed.second.emit("")
        await wait_all_tasks_blocked()
        for _ in range(9):
            feed.first.emit("x" * 3000)
            feed.second.emit("x" * 3000)
        assert links[1].account.held == 18 * (3002 + VALUE_COST)
        assert [link.close_reason for link in links] == [None, None]

        feed.first.emit("x" * 12_000)
        problem = "all connections had more than 100000 bytes waiting (the limit process_bytes)"
        ends = [link.close_reason for link in links]
        assert ends == [None, CloseReason(1013, problem, remote=False)]
        assert repr(feed.second) == "<signal Feed.second: 0 subscribers>"
        assert repr(feed.first) == "<signal Feed.first: 1 subscribers>"


async def test_a_name_that_is_unknown_is_not_echoed_in_full() -> None:
    """An error does not echo an unknown name or key in full."""
    async with raw_client(Feed()) as client:
        await client.ask(HELLO)
        for params in (
            {"signal": "x" * 100_000},
            {"signal": "first", "x" * 100_000: 1},
            {"signal": "first", "on_lag": "x" * 100_000},
            {"signal": "first", "key": "x" * 100_000},
            {"signal": "ticked", "key": ["x" * 100_000]},
        ):
            (refused,) = await client.ask(request(1, "rpc.subscribe", params))
            assert len(str(refused["error"])) < 500, params.keys()


@pytest.mark.parametrize("dialect", ["plain", "farcall"])
async def test_a_retained_value_over_the_limit_closes_its_subscriber(dialect: str) -> None:
    """A retained value over `process_bytes` closes the subscriber, and its subscription is gone."""
    feed = Feed()
    feed.kept.emit("x" * 1000)
    async with raw_client(feed, Limits(process_bytes=1000)) as client:
        if dialect == "farcall":
            await client.ask(HELLO)
            await client.ask(subscribe(1, "kept"))
        else:
            await client.ask(request(1, "rpc.on", ["kept"]))
        assert "1013" in str(client.reason)
        assert repr(feed.kept) == "<signal Feed.kept: 0 subscribers>"


async def test_retained_values_over_the_limit_close_a_plain_peer() -> None:
    """Retained values over `subscription_bytes` close a plain peer when it subscribes."""
    feed = Feed()
    for letter in "abc":
        feed.prices.emit(Tick(letter * 600))
    async with raw_client(feed, Limits(subscription_bytes=1000)) as client:
        await client.ask(request(1, "rpc.on", ["prices"]))
        assert "1013: events of prices were not read (the limit subscription_bytes)" in str(
            client.reason
        )
        assert repr(feed.prices) == "<signal Feed.prices: 0 subscribers>"
