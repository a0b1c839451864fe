"""One error lists all mistakes of a class, each with its place."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import attrs
import pytest

import farcall
from farcall import (
    ApplicationError,
    DeclarationError,
    Signal,
    background,
    method,
    service,
    stream,
    stubgen,
)


@attrs.define
class Quote:
    symbol: str
    _secret: str
    at: slice
    either: str | datetime


@dataclass
class Order:
    symbol: str
    _secret: str
    _note: str


@attrs.define
class Closed(ApplicationError):
    at: slice


def declare() -> Any:  # noqa: C901  # as many mistakes as there are rules
    @service
    class Market:
        ticked: Signal[slice] = Signal()
        opened = Signal()  # type: ignore[var-annotated]  # the mistake
        closed: Signal[bool]

        async def no_types(self, symbol, at, /):  # type: ignore[no-untyped-def]  # the mistake
            pass

        async def odd_types(self, one: slice, two: list, three: Nothing) -> Iterable[int]:  # type: ignore[type-arg,name-defined]  # noqa: F821
            raise NotImplementedError

        async def quote(self, quote: Quote) -> Quote:
            return quote

        async def order(self, order: Order) -> None: ...

        @method(raises=[Closed], name="rpc.buy")
        async def buy(self, count: int = "1") -> None: ...  # type: ignore[assignment]  # the mistake

        @method(name="Market.quote")
        async def other(self) -> None: ...

        async def several(self, *names: str, **more: str) -> None: ...

        @stream
        async def ticks(self, at: slice) -> AsyncIterator:  # type: ignore[type-arg]  # the mistake
            yield 1

        def upload(self, lines: AsyncIterable[str], others: AsyncIterable[slice]) -> None: ...

        @background
        def tick(self) -> None: ...

        lines = lambda self: 1  # noqa: E731  # the mistake

        async def right(self) -> int:
            return 1

    return Market


def test_all_mistakes_are_told_at_once() -> None:
    """One error lists every mistake, in the order of the source, and each once."""
    with pytest.raises(DeclarationError) as caught:
        declare()

    error = caught.value
    found = [(each.number, each.member.rpartition(".")[2]) for each in (error, *error.others)]
    assert found == [
        ("FC103", "ticked"),
        ("FC122", "opened"),
        ("FC123", "closed"),
        ("FC101", "no_types"),
        ("FC101", "no_types"),
        ("FC101", "no_types"),
        ("FC102", "odd_types"),
        ("FC103", "odd_types"),
        ("FC103", "odd_types"),
        ("FC103", "odd_types"),
        ("FC120", "quote"),
        ("FC103", "quote"),
        ("FC120", "order"),
        ("FC120", "order"),
        ("FC109", "buy"),
        ("FC110", "other"),
        ("FC104", "several"),
        ("FC104", "several"),
        ("FC153", "ticks"),
        ("FC103", "ticks"),
        ("FC103", "upload"),
        ("FC156", "upload"),
        ("FC156", "upload"),
        ("FC113", "tick"),
        ("FC108", "lines"),
    ]


def test_each_mistake_has_a_line() -> None:
    """The message has a line for each mistake, which says where it is."""
    with pytest.raises(DeclarationError) as caught:
        declare()

    error = caught.value
    lines = str(error).splitlines()
    assert len(lines) == 1 + len(error.others)
    assert [line.partition(": FC")[0] for line in lines] == [
        error.where,
        *(each.where for each in error.others),
    ]
    assert "at Quote._secret: its name begins with an underscore" in str(error)
    assert "at Quote.at: slice cannot cross" in str(error)


def test_a_record_is_told_once() -> None:
    """A mistake in a record is listed once, even if the record is used in several places."""
    with pytest.raises(DeclarationError) as caught:

        @service
        class Market:
            async def first(self, quote: Order) -> Order: ...  # type: ignore[empty-body]

            async def second(self, quotes: list[Order]) -> dict[str, Order]: ...  # type: ignore[empty-body]

    assert [caught.value.number, *(each.number for each in caught.value.others)] == [
        "FC120",
        "FC120",
    ]


def test_one_mistake_has_no_others() -> None:
    """A single mistake has the message of that mistake."""
    with pytest.raises(DeclarationError) as caught:

        @service
        class Market:
            async def quote(self, symbol: slice) -> None: ...

    assert caught.value.others == ()
    assert "\n" not in str(caught.value)


def test_mistakes_of_functions() -> None:
    """functions() lists all mistakes as well."""

    async def first(a: slice) -> None: ...

    async def second(b):  # type: ignore[no-untyped-def]  # the mistake
        pass

    with pytest.raises(DeclarationError) as caught:
        farcall.functions(first, second, first, name="rpc")

    found = {each.number for each in (caught.value, *caught.value.others)}
    assert found == {"FC101", "FC103", "FC109", "FC110"}


def test_a_wrong_name_of_a_service_is_told_once() -> None:
    """A wrong service name is one mistake, not one for each member."""
    with pytest.raises(DeclarationError) as caught:

        @service(name="rpc")
        class Market:
            async def first(self) -> None: ...

            async def second(self) -> None: ...

    assert caught.value.others == ()


def test_mistakes_of_a_subclass() -> None:
    """All wrong overrides of an undecorated subclass are listed when it is served."""

    @service
    class Market:
        ticked: Signal[int] = Signal()

        async def quote(self, symbol: str) -> float:
            return 1.0

        async def buy(self, symbol: str) -> None: ...

    class Fake(Market):
        ticked = None  # type: ignore[assignment]  # the mistake

        async def quote(self) -> float:  # type: ignore[override]  # the mistake
            return 1.0

        def buy(self, symbol: str) -> None: ...  # type: ignore[override]  # the mistake

    with pytest.raises(DeclarationError) as caught:
        stubgen.render(Fake())

    assert sorted(each.member for each in (caught.value, *caught.value.others)) == [
        "Fake.buy",
        "Fake.quote",
        "Fake.ticked",
    ]


def test_the_error_survives_a_pickle() -> None:
    """A pickled error keeps all of its mistakes."""
    with pytest.raises(DeclarationError) as caught:
        declare()

    again = pickle.loads(pickle.dumps(caught.value))

    assert str(again) == str(caught.value)


def test_a_class_with_mistakes_is_no_service() -> None:
    """A class with mistakes can be mended and decorated again."""

    class Market:
        async def quote(self, symbol: slice) -> None: ...

    with pytest.raises(DeclarationError):
        service(Market)
    with pytest.raises(DeclarationError, match="FC133"):
        stubgen.render(Market)
