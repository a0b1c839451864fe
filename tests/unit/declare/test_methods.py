"""Endpoints: contracts and codecs of parsed functions."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import attrs
import pytest

from farcall import OMIT, ApplicationError, DeclarationError, EncodeError, method, service
from farcall._contract.spec import Default
from farcall._declare import Rule, method_of, service_of


@attrs.define
class UnknownSymbol(ApplicationError):
    symbol: str


@service
class Market:
    @method(raises=[UnknownSymbol])
    async def quote(self, symbol: str, *, at: float = 0.0) -> float:
        """Say what it costs."""
        raise UnknownSymbol(symbol)


class Stub:
    async def quote(self, symbol: str, *, at: float = 0.0) -> float:
        """Say what it costs."""
        raise NotImplementedError

    async def place(self, orders: list[str] = OMIT) -> None: ...


def test_stub_is_read_alike() -> None:
    """The method of a stub has the contract of the service's."""
    found = method_of(Stub.quote, "Market.quote", [UnknownSymbol])

    assert found.spec == service_of(Market).methods["Market.quote"].spec
    assert found.attribute == "quote"


def test_default_without_a_literal() -> None:
    """The default OMIT in a stub becomes a default without a source."""
    (argument,) = method_of(Stub.place, "Market.place").spec.arguments

    assert argument.default == Default(None)


def test_codecs() -> None:
    """A method carries its arguments, its result and its errors."""
    found = service_of(Market).methods["Market.quote"]

    assert found.arguments.encode(("ACME",), {}) == b'{"symbol":"ACME"}'
    assert found.errors.knows(UnknownSymbol("ACME"))
    with pytest.raises(EncodeError):
        found.result.encode("free")


def declared(**options: Any) -> None:
    @service
    class Shop:
        @method(**options)
        async def report(self, price: float) -> None: ...


def test_oneway() -> None:
    """A one-way method has neither a result nor errors."""
    declared(oneway=True)
    with pytest.raises(DeclarationError) as caught:
        declared(oneway=True, raises=[UnknownSymbol])

    assert caught.value.number == Rule.ONEWAY_ANSWERS


def test_place_of_the_fault() -> None:
    """An error about a type says where inside of it the fault is."""

    @attrs.frozen
    class Order:
        files: list[type]

    with pytest.raises(DeclarationError, match=r"parameter 'order', at Order.files"):

        @service
        class Shop:
            async def buy(self, order: Order) -> None: ...


def test_default_of_another_type() -> None:
    """A default that is not of its type is refused, with the path of the fault."""
    with pytest.raises(DeclarationError, match=r"expected int, got str @ value\[1\]"):

        @service
        class Shop:
            async def buy(self, counts: tuple[int, ...] = (1, "2")) -> None: ...  # type: ignore[assignment]


def test_default_of_a_type_that_is_not_in_the_contract() -> None:
    """A default has a source only if a stub knows every name in it."""

    class Size(StrEnum):
        SMALL = "small"

    @service
    class Shop:
        async def order(self, size: str = Size.SMALL) -> None: ...
        async def fit(self, size: Size = Size.SMALL) -> None: ...

    order, fit = service_of(Shop).spec.methods

    assert order.arguments[0].default == Default(None)
    assert fit.arguments[0].default == Default("Size.SMALL")
