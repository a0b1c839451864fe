"""Undecorated subclasses keep the contract, or are refused."""

from __future__ import annotations

from typing import Any

import pytest

from farcall import DeclarationError, Signal, local, service
from farcall._declare import Rule, service_of


@service
class Market:
    ticked: Signal[float] = Signal()

    async def buy(self, symbol: str, /, count: int, *, limit: float = 1.0) -> str:
        return "bought"

    def symbols(self) -> list[str]:
        return []


def overriding(**members: Any) -> type:
    return type("FakeMarket", (Market,), members)


async def same(self: object, symbol: str, /, count: int, *, limit: float = 2.0) -> str:
    return "done"


async def tolerant(self: object, what: object, count: object = 0, **options: object) -> str:
    return "done"


async def anything(self: object, *args: object, **kwargs: object) -> str:
    return "done"


async def more_required(self: object, symbol: str, count: int, extra: int, *, limit: int) -> str:
    return "done"


async def fewer(self: object, symbol: str) -> str:
    return "done"


async def swapped(self: object, count: int, symbol: str, *, limit: float = 1.0) -> str:
    return "done"


async def required_by_name(self: object, symbol: str, /, count: int, *, limit: float) -> str:
    return "done"


def plain(self: object, symbol: str, /, count: int, *, limit: float = 1.0) -> str:
    return "done"


@pytest.mark.parametrize("override", [same, tolerant, anything])
def test_kept(override: object) -> None:
    """An override that accepts the same calls is accepted."""
    assert service_of(overriding(buy=override)) is service_of(Market)


@pytest.mark.parametrize(
    "override",
    [more_required, fewer, swapped, required_by_name, plain, None, staticmethod(same)],
)
def test_not_kept(override: object) -> None:
    """An override that does not accept the same calls is refused."""
    with pytest.raises(DeclarationError) as caught:
        service_of(overriding(buy=override))

    assert caught.value.number == Rule.CHANGED_MEMBER
    assert caught.value.member == "FakeMarket.buy"
    assert "an async def" in caught.value.fix


def test_plain_def_is_named() -> None:
    """The error for an override says which kind of function to write."""
    with pytest.raises(DeclarationError, match="Write a plain def with the same arguments"):
        service_of(overriding(symbols=same))


def test_signal_is_kept() -> None:
    """A signal cannot be overridden by something else."""
    with pytest.raises(DeclarationError, match=r"FakeMarket.ticked: it overrides a signal"):
        service_of(overriding(ticked=None))


def test_new_signal_has_no_effect() -> None:
    """A signal declared in a class that is not decorated is refused."""
    with pytest.raises(DeclarationError) as caught:
        service_of(overriding(closed=Signal[float]()))

    assert caught.value.number == Rule.LOST_MEMBER


def test_local_members_are_free() -> None:
    """@local is allowed in an undecorated class."""

    @local
    def helper(self: object, symbol: str) -> str:
        return "done"

    assert service_of(overriding(helper=helper)) is service_of(Market)


def test_mixin_before_the_base() -> None:
    """A mixin that overrides an endpoint of a decorated class keeps its contract, too."""

    class Mixin:
        async def buy(self, symbol: str) -> str:
            return "done"

    with pytest.raises(DeclarationError) as caught:

        @service
        class Bazaar(Mixin, Market): ...  # type: ignore[misc]

    assert caught.value.member == "Mixin.buy"
