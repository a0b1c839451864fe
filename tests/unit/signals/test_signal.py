"""`Signal` as users see it."""

from __future__ import annotations

import copy
import weakref
from dataclasses import dataclass
from typing import Any, ClassVar

import attrs
import pytest
import trio
from trio.testing import assert_checkpoints

from farcall._codec import codec_of
from farcall._signals import Signal, SignalCodec, SignalKey, SignalOptions
from farcall.errors import EncodeError, SignalLagged


@attrs.frozen
class Quote:
    symbol: str
    price: float


class Market:
    ticked: Signal[Quote] = Signal(key="symbol")
    opened: Signal[bool] = Signal(retain=True)


Market.ticked._configure(Market, SignalCodec(codec_of(Quote), SignalKey("symbol", codec_of(str))))
Market.opened._configure(Market, SignalCodec(codec_of(bool)))


def test_options() -> None:
    """The options of a declaration are found in `Signal.options`."""
    given = Signal[int](
        name="tick",
        key="symbol",
        retain=True,
        broadcast=True,
        history=3,
        protected=True,
        roles={"trader"},
        allow=max,
    )

    assert given.options == SignalOptions(
        name="tick",
        key="symbol",
        retain=True,
        broadcast=True,
        history=3,
        protected=True,
        roles=frozenset({"trader"}),
        allow=max,
    )
    assert Signal[int]().options == SignalOptions()


async def test_emit_and_subscribe() -> None:
    """Subscribers in this process share a frozen value."""
    market, quote = Market(), Quote("A", 1.0)
    async with market.ticked.subscribe() as ticks:
        market.ticked.emit(quote)

        assert await anext(ticks) is quote


async def test_subscribe_by_key() -> None:
    """A local subscriber may filter by key."""
    market = Market()
    async with market.ticked.subscribe(key="B") as ticks:
        market.ticked.emit(Quote("A", 1.0))
        market.ticked.emit(Quote("B", 2.0))

        assert await anext(ticks) == Quote("B", 2.0)


async def test_wrong_key() -> None:
    """A wrong key is refused by the call, before anything is entered."""
    with pytest.raises(EncodeError):
        Market().ticked.subscribe(key=3)
    with pytest.raises(TypeError, match=r"Market.opened has no key"):
        Market().opened.subscribe(key="A")


async def test_wrong_policy() -> None:
    """A policy that does not exist is refused by the call."""
    with pytest.raises(ValueError, match="newest"):
        Market().ticked.subscribe(on_lag="newest")  # type: ignore[arg-type]


async def test_retained_value() -> None:
    """A local subscriber of a signal with `retain` gets the last value at once."""
    market = Market()
    market.opened.emit(True)
    async with market.opened.subscribe() as states:
        assert await anext(states) is True


async def test_lag() -> None:
    """A local subscriber has room for 1,024 values; the next one raises `SignalLagged`."""
    market = Market()
    async with market.opened.subscribe() as states:
        for _ in range(1025):
            market.opened.emit(True)

        with pytest.raises(SignalLagged) as caught:
            await anext(states)

    assert caught.value.missed == 1


async def test_latest() -> None:
    """The policy is chosen at the subscription."""
    market = Market()
    async with market.ticked.subscribe(on_lag="latest") as ticks:
        market.ticked.emit(Quote("A", 1.0))
        market.ticked.emit(Quote("A", 2.0))

        assert (await anext(ticks), ticks.missed) == (Quote("A", 2.0), 1)


async def test_leaving() -> None:
    """After the block, iteration stops at once and the signal has no subscriber."""
    market = Market()
    async with market.ticked.subscribe() as ticks:
        market.ticked.emit(Quote("A", 1.0))

    assert [tick async for tick in ticks] == []
    assert Market.ticked._state_of(market).subscribers == 0


async def test_leaving_by_an_error() -> None:
    """An exception leaves the block as it is, and the subscription ends."""
    market = Market()
    with pytest.raises(KeyError):
        async with market.ticked.subscribe():
            raise KeyError

    assert Market.ticked._state_of(market).subscribers == 0


async def test_entering_is_a_checkpoint() -> None:
    """Entering is a checkpoint; cancelled there, it leaves no subscriber behind."""
    market = Market()
    with assert_checkpoints():
        async with market.ticked.subscribe():
            pass
    with trio.CancelScope() as scope:
        scope.cancel()
        async with market.ticked.subscribe():
            pytest.fail("entered")

    assert Market.ticked._state_of(market).subscribers == 0


async def test_each_object_has_its_own() -> None:
    """Subscribers of one service object get no values of another."""
    market, other = Market(), Market()
    async with market.opened.subscribe() as states:
        other.opened.emit(False)
        market.opened.emit(True)

        assert await anext(states) is True


async def test_equal_objects() -> None:
    """Two services that are equal, or have no hash, have separate subscribers."""

    @attrs.define
    class Shop:
        opened: ClassVar[Signal[bool]] = Signal()

    Shop.opened._configure(Shop, SignalCodec(codec_of(bool)))
    shop, other = Shop(), Shop()
    async with shop.opened.subscribe() as states:
        other.opened.emit(False)
        shop.opened.emit(True)

        assert await anext(states) is True


async def test_copy() -> None:
    """A copy of a service object starts without the subscribers of the original."""
    market = Market()
    async with market.opened.subscribe():
        copied = copy.deepcopy(market)

        assert Market.opened._state_of(copied).subscribers == 0


def test_bound_once() -> None:
    """An object returns the same bound signal each time."""
    market = Market()

    assert market.ticked is market.ticked


def test_state_dies_with_the_object() -> None:
    """A signal does not keep a service object alive, and forgets its state when that dies."""

    class Shop:
        opened: Signal[bool] = Signal()

    shop = Shop()
    died = weakref.ref(shop)
    bound = shop.opened
    assert "opened" in repr(bound)

    del shop

    assert died() is None
    assert len(Shop.opened._bound) == 0


def test_slots_without_weak_references() -> None:
    """The error for a class with slots and without weak references names the fix."""

    @dataclass(slots=True)
    class Shop:
        opened: ClassVar[Signal[bool]] = Signal()

    with pytest.raises(TypeError, match=r"Shop.opened needs weak .* of Shop .* weakref_slot=True"):
        _ = Shop().opened


async def test_undecorated() -> None:
    """A signal of a class that is not a service exists, but emitting raises."""

    class Shop:
        opened: Signal[bool] = Signal()

    bound = Shop().opened
    with pytest.raises(TypeError, match=r"Shop.opened has no type yet"):
        bound.emit(True)


async def test_inherited() -> None:
    """A subclass uses what its base was configured with."""

    class Bazaar(Market):
        pass

    bazaar = Bazaar()
    with pytest.raises(EncodeError):
        bazaar.opened.emit(3)  # type: ignore[arg-type]
    bazaar.opened.emit(True)


async def test_inherited_with_another_type() -> None:
    """An inherited signal can have another type in each service."""

    class Base:
        changed: Signal[Any] = Signal()

    class Numbers(Base):
        pass

    class Texts(Base):
        pass

    Numbers.changed._configure(Numbers, SignalCodec(codec_of(int)))
    Texts.changed._configure(Texts, SignalCodec(codec_of(str)))
    Numbers().changed.emit(3)
    Texts().changed.emit("three")

    with pytest.raises(EncodeError):
        Texts().changed.emit(3)


def test_assignment() -> None:
    """Assigning to a signal raises."""
    market = Market()

    with pytest.raises(AttributeError, match=r"Market.ticked is a signal: emit a value"):
        market.ticked = Signal()  # type: ignore[assignment]


def test_repr() -> None:
    """A signal is shown by its class and attribute."""
    assert repr(Market.ticked) == "<Signal Market.ticked>"
    assert repr(Market().ticked) == "<signal Market.ticked: 0 subscribers>"
