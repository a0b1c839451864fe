"""Assembling members into one service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import attrs
import pytest

from farcall import DeclarationError, Signal, method, service
from farcall._contract.digest import digest
from farcall._declare import Rule, documented, service_of


def refusal(cls: type) -> str:
    with pytest.raises(DeclarationError) as caught:
        service_of(service(cls))
    return caught.value.number


def test_digest_is_of_the_contract() -> None:
    """Two classes of one contract have one digest, whatever their members are called in Python."""

    def first() -> type:
        @service
        class Market:
            async def quote(self, symbol: str) -> float:
                return 1.0

        return Market

    def second() -> type:
        @service(name="Market")
        class Bazaar:
            @method(name="Market.quote")
            def price(self, symbol: str) -> float:
                """Say what it costs."""
                return 1.0

        return Bazaar

    assert service_of(first()).digest == service_of(second()).digest


def test_service_that_is_a_dataclass() -> None:
    """The signature that dataclass puts into the place of a docstring is none."""

    @service
    @dataclass
    class Market:
        limit: int = 3

        async def quote(self, symbol: str) -> float:
            return 1.0

    assert service_of(Market).spec.doc is None


@service
class Ticker:
    """A base whose signals are inherited."""

    ticked: Signal[float] = Signal()
    """Each price.

    As it changes.
    """
    opened: Signal[None] = Signal()


@service
class Exchange(Ticker):
    closed: Signal[None] = Signal()
    """In the evening."""


def test_docstrings_of_signals() -> None:
    """The docstring below a signal is part of the documented contract, also if inherited."""
    found = service_of(Exchange)

    docs = {each.name: each.doc for each in documented(found).signals}

    assert docs == {
        "ticked": "Each price.\n\nAs it changes.",
        "opened": None,
        "closed": "In the evening.",
    }
    assert documented(found) != found.spec
    assert digest(documented(found)) == found.digest


def test_signals_of_a_class_without_source() -> None:
    """A class made by a program has no docstrings of signals, and can be served."""
    namespace = {"__module__": "nowhere", "ticked": Signal[float]()}

    found = service_of(service(type("Made", (), namespace)))

    assert documented(found) == found.spec


def test_marked_mixin() -> None:
    """A declaration in an undecorated base is refused."""

    class Mixin:
        @method(oneway=True)
        async def report(self, price: float) -> None: ...

    class Market(Mixin):
        async def quote(self, symbol: str) -> float:
            return 1.0

    assert refusal(Market) == Rule.LOST_MEMBER


def test_mixin_that_is_overridden() -> None:
    """The marks of an undecorated base hold for its override in a decorated class."""

    class Mixin:
        @method(oneway=True)
        async def report(self, price: float) -> None: ...

    @service
    class Market(Mixin):
        async def report(self, price: float) -> None: ...

    assert service_of(Market).methods["Market.report"].spec.oneway


def test_signal_and_method_of_one_name() -> None:
    """Methods and signals share the names on the wire."""

    class Market:
        ticked: Signal[float] = Signal(name="Market.quote")

        async def quote(self, symbol: str) -> float:
            return 1.0

    assert refusal(Market) == Rule.TAKEN_NAME


def test_class_was_made_anew() -> None:
    """A class that attrs replaced after @service is refused, and so are its subclasses."""

    @attrs.define
    @service
    class Market:
        async def quote(self, symbol: str) -> float:
            return 1.0

    class Derived(Market): ...

    for cls in (Market, Derived):
        with pytest.raises(DeclarationError) as caught:
            service_of(cls)
        assert caught.value.number == Rule.REPLACED_CLASS
    assert refusal(Derived) == Rule.REPLACED_CLASS


def test_signal_was_taken_away() -> None:
    """A decorator on top of @service that turns a signal into a field is refused."""

    @attrs.define(slots=False)
    @service
    class Market:
        ticked: Signal[float] = Signal()  # noqa: RUF009  # the mistake

    with pytest.raises(DeclarationError) as caught:
        service_of(Market)

    assert caught.value.number == Rule.REPLACED_CLASS


def test_what_others_leave_on_a_class() -> None:
    """A foreign attribute ``__farcall_service__`` does not make a class a service."""
    other: Any = type("Market", (), {"__farcall_service__": 3})

    with pytest.raises(DeclarationError) as caught:
        service_of(other)

    assert caught.value.number == Rule.NO_SERVICE


def test_decorated_twice() -> None:
    """Decorated twice, a class has the service of the decorator on top."""

    @service(name="Shop")
    @service
    class Market:
        async def quote(self, symbol: str) -> float:
            return 1.0

    assert [*service_of(Market).methods] == ["Shop.quote"]
