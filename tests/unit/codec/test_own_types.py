"""Values of classes that cross as another type."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, NewType

import attrs
import pytest

from farcall import Via, register_type
from farcall._codec import encode_untyped
from tests.unit.codec.through import faults, read, refusal, write


@attrs.frozen
class Money:
    cents: int


@attrs.frozen
class Fee(Money):
    """A subclass of a registered class."""


@attrs.frozen
class Order:
    price: Money
    fee: Money | None = None


class Id(str):
    """A class that is a text to Python."""

    __slots__ = ()


class Names(dict[str, int]):
    """A class that is a table to Python."""


def decode(text: str) -> Money:
    if text == "gold":
        raise LookupError("a secret")
    if not text.endswith(" c"):
        raise ValueError("expected cents, such as 12 c")
    return Money(int(text[:-2]))


def encode(money: Money) -> Any:
    if money.cents < 0:
        raise ValueError("a debt")
    return f"{money.cents} c" if money.cents else 0


register_type(Money, str, encode=encode, decode=decode)
register_type(Id, int, encode=int, decode=Id)
register_type(Names, list[str], encode=list, decode=lambda names: Names(dict.fromkeys(names, 0)))
Cents = Annotated[
    Decimal, Via(int, encode=lambda d: int(d * 100), decode=lambda c: Decimal(c) / 100)
]


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (Money, Money(5), '"5 c"'),
        (Cents, Decimal("1.5"), "150"),
        (list[Cents], [Decimal(1)], "[100]"),
        (tuple[Cents, Decimal], (Decimal(1), Decimal(1)), '[100,"1"]'),
        (Order, Order(Money(1)), '{"price":"1 c","fee":null}'),
        (Order, Order(Money(1), Money(2)), '{"price":"1 c","fee":"2 c"}'),
        (frozenset[Money], frozenset({Money(2), Money(1)}), '["1 c","2 c"]'),
        (dict[Money, int], {Money(1): 1}, '{"1 c":1}'),
        (Mapping[Cents, int], {Decimal("-0.5"): 1}, '{"-50":1}'),
        (NewType("Price", Money), Money(1), '"1 c"'),
        (str | Id, Id("7"), "7"),
        (Id | str, "7", '"7"'),
    ],
)
def test_round_trip(annotation: Any, value: object, text: str) -> None:
    """A value crosses as its type on the wire, wherever it stands."""
    assert write(annotation, value) == text
    assert read(annotation, text) == value


def test_subclass() -> None:
    """An instance of a subclass crosses as the registered class."""
    assert write(Money, Fee(1)) == '"1 c"'


@pytest.mark.parametrize(
    ("annotation", "text", "fault"),
    [
        (Money, "1", "expected str @ value"),
        (Money, '"1"', "expected cents, such as 12 c @ value"),
        (Money, '"gold"', "refused by Money @ value"),
        (Order, '{"price":"1"}', "expected cents, such as 12 c @ value.price"),
        (list[Order], '[{"price":"1 c","fee":"2"}]', "expected cents, such as 12 c @ value[0].fee"),
        (dict[Money, int], '{"x":1}', "expected cents, such as 12 c @ value.x"),
        (dict[Cents, int], '{"01":1}', "expected the digits of an int as a key @ value['01']"),
    ],
)
def test_refuses_to_read(annotation: Any, text: str, fault: str) -> None:
    """An error of decode is a fault with its path; only a ValueError tells a peer its message."""
    assert faults(annotation, text) == [fault]


@pytest.mark.parametrize(
    ("annotation", "value", "error"),
    [
        (Money, "1 c", "expected Money, got str @ value"),
        (Order, Order(Money(-1)), "expected Money: encode raised ValueError: a debt @ value.price"),
        (
            list[Money],
            [Money(0)],
            "expected Money: encode made another type: expected str, got int @ value[0]",
        ),
    ],
)
def test_refuses_to_write(annotation: Any, value: object, error: str) -> None:
    """A value of another class is refused; an error of encode says where it was."""
    assert refusal(annotation, value) == error


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [Money(1)]}, '{"a":["1 c"]}'),
        ({Money(1): 2}, '{"1 c":2}'),
        (Id("7"), "7"),
        ([Id("7"), "7"], '[7,"7"]'),
        (Names({"a": 1}), '["a"]'),
    ],
)
def test_untyped(value: object, text: str) -> None:
    """A value without a declared type crosses by its registration, though its base is JSON."""
    assert encode_untyped(value).decode() == text
