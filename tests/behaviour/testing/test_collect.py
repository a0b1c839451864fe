"""`collect` lists what a service emits."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from farcall import EncodeError, Signal, room, service
from farcall.testing import collect, open_pair


@attrs.frozen
class Quote:
    symbol: str
    price: int


@service
class Market:
    quoted: Signal[Quote] = Signal(key="symbol", retain=True)
    said: Signal[list[str]] = Signal()

    async def quote(self, symbol: str) -> None:
        self.quoted.emit(Quote(symbol, 1))


async def test_values_are_listed_at_once() -> None:
    """A value is in the list when `emit` returns, and none comes after the block."""
    market = Market()
    with collect(market.quoted) as quotes:
        market.quoted.emit(Quote("A", 1))
        market.quoted.emit(Quote("B", 2))
        assert quotes == [Quote("A", 1), Quote("B", 2)]

    market.quoted.emit(Quote("C", 3))
    assert quotes == [Quote("A", 1), Quote("B", 2)]


async def test_values_that_a_handler_emits() -> None:
    """Values emitted by a handler, for a remote caller, are listed as well."""
    market = Market()
    async with open_pair(market, Market) as (client, _):
        with collect(market.quoted) as quotes:
            await client.quote("A")

    assert quotes == [Quote("A", 1)]


async def test_more_values_than_a_subscription_holds() -> None:
    """A list has no bound, unlike the buffer of a subscription."""
    market = Market()
    with collect(market.said) as texts:
        for number in range(3000):
            market.said.emit([str(number)])

    assert len(texts) == 3000


async def test_values_for_an_audience() -> None:
    """Values for a room are listed too, wherever the room is."""
    market = Market()
    with collect(market.said) as texts:
        market.said.emit(["hello"], to={room("lobby")})

    assert texts == [["hello"]]


async def test_retained_values_are_not_listed() -> None:
    """A value from before the block is not listed, although new subscribers get it."""
    market = Market()
    market.quoted.emit(Quote("A", 1))
    with collect(market.quoted) as quotes:
        assert quotes == []


async def test_a_value_is_listed_as_it_was() -> None:
    """An object that changes after it was emitted is listed as it was."""
    market, words = Market(), ["a"]
    with collect(market.said) as texts:
        market.said.emit(words)
        words.append("b")

    assert texts == [["a"]]


async def test_a_wrong_value_is_refused_as_always() -> None:
    """A value of another type raises in the emitter and is not listed."""
    market = Market()
    wrong: Any = "a"
    with collect(market.said) as texts, pytest.raises(EncodeError):
        market.said.emit(wrong)

    assert texts == []


async def test_only_a_signal_of_an_object_can_be_collected() -> None:
    """The signal of a class, or of a proxy, is a TypeError that says what to write."""
    wrong: Any = Market.said
    with pytest.raises(TypeError, match="the signal of a service object"), collect(wrong):
        pass
    async with open_pair(Market(), Market) as (client, _):
        remote: Any = client.said
        with pytest.raises(TypeError, match="the signal of a service object"), collect(remote):
            pass
