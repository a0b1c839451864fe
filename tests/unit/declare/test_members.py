"""The members of a class that are on the wire."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any, NewType

import attrs
import pytest
import trio

from farcall import (
    ApplicationError,
    DeclarationError,
    MethodNotFound,
    Signal,
    background,
    local,
    method,
    service,
)
from farcall._declare.annotations import Scope
from farcall._declare.members import read_body
from farcall._declare.mistakes import Mistakes
from farcall._declare.rules import Rule
from farcall.testing import open_pair


def read(cls: type) -> list[str]:
    mistakes = Mistakes()
    found = read_body(cls, Scope({}), mistakes)
    mistakes.check()
    return list(found)


def body(**members: Any) -> type:
    return type("Market", (), {"__module__": __name__, **members})


async def quote(self: object, symbol: str) -> float:
    return 1.0


def plain(self: object) -> None: ...


def marked() -> Any:
    @method
    def status(self: object) -> str:
        return "open"

    return status


@dataclass
class Data:
    symbol: str
    on_tick: Any = print
    seen: list[str] = field(default_factory=list)

    def count(self) -> int:
        return len(self.seen)


@attrs.define
class Slotted:
    symbol: str
    on_tick: Any = print

    def count(self) -> int:
        return 0


@pytest.mark.parametrize("cls", [Data, Slotted])
def test_fields_are_no_members(cls: type) -> None:
    """A field is not an endpoint, even if its value is callable."""
    assert read(cls) == ["count"]


@pytest.mark.parametrize(
    "value",
    [3, None, int, list[int], NewType("Symbol", str), property(plain), functools.cached_property],
)
def test_not_on_the_wire(value: object) -> None:
    """Values, types and properties are not endpoints."""
    assert read(body(member=value)) == []


class Bound:
    def __init__(self, function: Any) -> None:
        self._function = function

    def __get__(self, instance: object, owner: type) -> Any:
        return self._function.__get__(instance, owner)


class Guarded:
    def __get__(self, instance: object, owner: type) -> int:
        return 1

    def __set__(self, instance: object, value: int) -> None: ...


class Slots:
    __slots__ = ("seen",)

    async def quote(self, symbol: str) -> float:
        return 1.0


class Callable:
    def __call__(self) -> None: ...


@pytest.mark.parametrize(
    "value",
    [
        print,
        staticmethod(quote),
        classmethod(quote),
        functools.partial(quote),
        functools.partialmethod(quote),
        functools.singledispatchmethod(quote),
        Bound(quote),
        Guarded(),
        Callable(),
        lambda self: None,
        property(marked()),
        functools.cached_property(marked()),
    ],
)
def test_no_function(value: object) -> None:
    """A member that looks like a method but cannot be an endpoint is refused."""
    with pytest.raises(DeclarationError) as caught:
        read(body(member=value))

    assert caught.value.number == Rule.NO_FUNCTION


def test_slots_are_no_members() -> None:
    """A slot is not an endpoint."""
    assert read(Slots) == ["quote"]


async def test_descriptor_that_is_kept_off_the_wire() -> None:
    """A singledispatchmethod can be local."""

    @service
    class Shop:
        @local
        @functools.singledispatchmethod
        def show(self, what: int) -> str:
            return f"number {what}"

        async def price(self) -> str:
            return self.show(1)

    async with open_pair(Shop()) as (session, _):
        assert await session.call("Shop.price") == "number 1"
        with pytest.raises(MethodNotFound):
            await session.call("Shop.show", 1)


@pytest.mark.parametrize("value", [Signal, Signal[float]])
def test_signal_was_not_made(value: object) -> None:
    """A signal without its parentheses is refused."""
    with pytest.raises(DeclarationError) as caught:
        read(body(ticked=value))

    assert caught.value.number == Rule.SIGNAL_WITHOUT_VALUE


def test_private_signal() -> None:
    """A signal with a private name is refused."""
    with pytest.raises(DeclarationError) as caught:
        read(body(_ticked=Signal[float]()))

    assert caught.value.number == Rule.PRIVATE_MEMBER
    assert caught.value.fix.startswith("Rename it to ticked")


def test_field_that_holds_a_signal() -> None:
    """A field with a signal as its default is refused, whatever its annotation."""

    @dataclass
    class Market:
        ticked: Any = Signal[float]()  # noqa: RUF009  # the mistake

    with pytest.raises(DeclarationError) as caught:
        read(Market)

    assert caught.value.number == Rule.SIGNAL_IS_FIELD


async def with_argument(self: object, seconds: float) -> None: ...


async def with_result(self: object) -> int:
    return 1


async def with_status(self: object, *, task_status: trio.TaskStatus[None]) -> None: ...


async def tick(self: object) -> None: ...


def plain_tick(self: object) -> None: ...


@pytest.mark.parametrize("function", [with_argument, with_result, with_status, plain_tick])
def test_no_background(function: Any) -> None:
    """A background task must be async, without parameters and a result."""
    with pytest.raises(DeclarationError) as caught:
        read(body(tick=background(function)))

    assert caught.value.number == Rule.BAD_BACKGROUND


def test_background() -> None:
    """A background task is a member, but not on the wire."""
    assert read(body(tick=background(tick))) == ["tick"]


class Closed(ApplicationError): ...


def test_marks_are_inherited() -> None:
    """An override without a decorator has the marks of the member that it overrides."""

    class Base:
        @method(raises=[Closed])
        async def quote(self, symbol: str) -> float:
            return 1.0

    class Market(Base):
        async def quote(self, symbol: str) -> float:
            return 2.0

    (reading,) = read_body(Market, Scope({}), Mistakes()).values()

    assert getattr(reading, "marks").raises == (Closed,)  # noqa: B009  # a signal has none
