"""The npm client against a farcall server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

import farcall
from farcall import ApplicationError, Signal, method, service
from tests.interop.peers import VERSIONS, Peer, run_peer

pytestmark = [pytest.mark.requires("node"), pytest.mark.parametrize("version", VERSIONS)]


@attrs.frozen
class Quote:
    symbol: str
    price: float


@attrs.define
class UnknownSymbol(ApplicationError):
    symbol: str


@service
class Market:
    ticked: Signal[Quote] = Signal(key="symbol")
    opened: Signal[str] = Signal(broadcast=True)

    @method(raises=[UnknownSymbol])
    async def quote(self, symbol: str, price: float = 1.0) -> Quote:
        if symbol == "NONE":
            raise UnknownSymbol(symbol)
        return Quote(symbol, price)

    async def fail(self) -> None:
        raise KeyError("a secret")

    async def wait(self, seconds: float) -> float:
        await trio.sleep(seconds)
        return seconds


@asynccontextmanager
async def open_ends(version: str) -> AsyncIterator[tuple[Market, Peer]]:
    market = Market()
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, market, 0)
        async with run_peer("client.cjs", version, server.url) as peer:
            assert await peer.hear() == {"open": True}
            yield market, peer
        nursery.cancel_scope.cancel()


async def test_calls_by_position_and_by_name(version: str) -> None:
    """A call by position and one by name reach the same method, with its default."""
    async with open_ends(version) as (_, peer):
        by_position = await peer.ask({"call": ["Market.quote", ["ACME", 2.5]]})
        by_name = await peer.ask({"call": ["Market.quote", {"symbol": "ACME"}]})

    assert by_position == {"result": {"symbol": "ACME", "price": 2.5}}
    assert by_name == {"result": {"symbol": "ACME", "price": 1}}


async def test_a_declared_error_arrives_with_its_fields(version: str) -> None:
    """A declared error arrives with its code, message and fields."""
    async with open_ends(version) as (_, peer):
        answer = await peer.ask({"call": ["Market.quote", ["NONE"]]})

    assert answer["error"] == {
        "code": 1,
        "message": "UnknownSymbol: symbol=NONE",
        "data": {"code": "UnknownSymbol", "fields": {"symbol": "NONE"}},
    }


async def test_other_errors_tell_what_the_caller_may_know(version: str) -> None:
    """A wrong argument is named by its path, and a defect by an id only."""
    async with open_ends(version) as (_, peer):
        wrong = await peer.ask({"call": ["Market.quote", [7]]})
        missing = await peer.ask({"call": ["Market.nothing"]})
        broken = await peer.ask({"call": ["Market.fail"]})

    assert wrong["error"]["code"] == -32602
    assert wrong["error"]["data"]["errors"][0]["path"] == "params[0]"
    assert missing["error"] == {"code": -32601, "message": "Method not found"}
    assert broken["error"]["code"] == -32603
    assert list(broken["error"]["data"]) == ["id"]


async def test_answers_come_as_they_are_ready(version: str) -> None:
    """A slow call does not hold up a quick one."""
    async with open_ends(version) as (_, peer):
        await peer.tell({"call": ["Market.wait", [0.2]]})
        await peer.tell({"call": ["Market.wait", [0]]})

        assert await peer.hear() == {"result": 0}
        assert await peer.hear() == {"result": 0.2}


async def test_subscribe_receive_and_leave(version: str) -> None:
    """Events arrive between subscribe and unsubscribe."""
    async with open_ends(version) as (market, peer):
        market.ticked.emit(Quote("EARLY", 0.0))

        assert await peer.ask({"subscribe": "Market.ticked"}) == {"result": {"Market.ticked": "ok"}}
        market.ticked.emit(Quote("ACME", 1.5))
        assert await peer.hear() == {
            "event": "Market.ticked",
            "args": [{"symbol": "ACME", "price": 1.5}],
        }
        assert await peer.ask({"unsubscribe": "Market.ticked"}) == {
            "result": {"Market.ticked": "ok"}
        }
        market.ticked.emit(Quote("LATE", 0.0))
        assert await peer.ask({"call": ["Market.wait", [0]]}) == {"result": 0}


async def test_an_event_that_is_not_there(version: str) -> None:
    """Subscribing to an unknown event is answered in the words of rpc-websockets."""
    async with open_ends(version) as (_, peer):
        answer = await peer.ask({"subscribe": "Market.never"})

    assert answer == {"result": {"Market.never": "provided event invalid"}}


async def test_methods_are_listed(version: str) -> None:
    """`__listMethods` lists every method."""
    async with open_ends(version) as (_, peer):
        answer = await peer.ask({"call": ["__listMethods"]})

    assert set(answer["result"]) >= {"Market.quote", "Market.fail", "__listMethods"}


async def test_an_unknown_notification_is_ignored(version: str) -> None:
    """An unknown notification is ignored; some clients send `ping` every few seconds."""
    async with open_ends(version) as (_, peer):
        assert await peer.ask({"notify": ["ping"]}) == {"result": None}
        assert await peer.ask({"call": ["Market.wait", [0]]}) == {"result": 0}
