"""Sets and tables that a peer fills with values of one hash.

Python does not randomise the hashes of numbers, so a peer can choose numbers that a set compares
each with every other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from ipaddress import IPv6Network
from typing import Any, Literal, NewType
from uuid import UUID

import attrs
import pytest

from farcall import InvalidArguments, service
from farcall.testing import open_pair

MODULUS = 2**61 - 1
"""Of the hashes of numbers: its multiples all have the hash 0."""
MOST = 16


@attrs.frozen
class Point:
    x: int


@dataclass(frozen=True)
class Named:
    name: str
    x: int


@attrs.frozen
class Counted:
    x: int

    def __eq__(self, other: object) -> bool:
        assert isinstance(other, Counted)
        COMPARED.append(other)
        return self.x == other.x

    def __hash__(self) -> int:
        return 0


Number = NewType("Number", int)

COMPARED: list[Counted] = []


def number(i: int) -> Any:
    return i * MODULUS


def power(i: int) -> Any:
    return 2.0 ** (61 * (i - 15))


def decimal(i: int) -> Any:
    return str(i * MODULUS)


def fraction(i: int) -> Any:
    return f"{i * MODULUS}/1"


def network(i: int) -> Any:
    return str(IPv6Network((i * MODULUS, 128)))


def uuid(i: int) -> Any:
    return str(UUID(int=i * MODULUS))


def point(i: int) -> Any:
    return {"x": i * MODULUS}


def named(i: int) -> Any:
    return {"name": "a", "x": i * MODULUS}


def pair(i: int) -> Any:
    return [1, i * MODULUS]


def echo_of(annotation: Any) -> Any:
    async def echo(self: object, values: Any) -> int:
        return len(values)

    echo.__annotations__["values"] = annotation
    return service(type("S", (), {"echo": echo, "__module__": __name__}))()


SETS: list[tuple[Any, Any]] = [
    (set[int], number),
    (frozenset[int], number),
    (set[float], power),
    (set[Decimal], decimal),
    (set[Fraction], fraction),
    (set[IPv6Network], network),
    (set[UUID], uuid),
    (set[Point], point),
    (frozenset[Named], named),
    (set[tuple[int, int]], pair),
    (set[tuple[int, ...]], pair),
    (set[frozenset[int]], pair),
    (set[int | str], number),
]
TABLES: list[tuple[Any, Any]] = [
    (dict[UUID, int], uuid),
    (dict[int, int], number),
    (dict[Number, int], number),
    (dict[Decimal, int], decimal),
    (Mapping[UUID, int], uuid),
    (dict[Decimal, list[int]] | None, decimal),
]


@pytest.mark.parametrize(("annotation", "make"), SETS)
async def test_values_of_one_hash_are_refused(annotation: Any, make: Any) -> None:
    """A set takes 16 different values of one hash, and refuses more."""
    async with open_pair(echo_of(annotation)) as (session, _):
        few = [make(i) for i in range(MOST)]
        assert await session.call("S.echo", few * 2) == MOST
        with pytest.raises(InvalidArguments) as caught:
            await session.call("S.echo", [make(i) for i in range(MOST + 1)])

    message = "expected at most 16 values that have the same hash"
    assert caught.value.errors == [{"path": "params[0]", "message": message}]


@pytest.mark.parametrize(("annotation", "make"), TABLES)
async def test_keys_of_one_hash_are_refused(annotation: Any, make: Any) -> None:
    """A table takes 16 different keys of one hash, and refuses more."""
    value = [1] if "list" in str(annotation) else 1
    async with open_pair(echo_of(annotation)) as (session, _):
        assert await session.call("S.echo", {make(i): value for i in range(MOST)}) == MOST
        with pytest.raises(InvalidArguments, match="16 values that have the same hash"):
            await session.call("S.echo", {make(i): value for i in range(MOST + 1)})


async def test_many_values_of_one_hash_are_named() -> None:
    """A text that is too long to report the path still gets the reason."""
    async with open_pair(echo_of(set[int])) as (session, _):
        with pytest.raises(InvalidArguments, match="that have the same hash somewhere inside"):
            await session.call("S.echo", [number(i) for i in range(2000)])


async def test_few_comparisons_are_made() -> None:
    """The time for a set does not grow with the square of its size, whatever its items are."""
    COMPARED.clear()
    async with open_pair(echo_of(set[Counted])) as (session, _):
        with pytest.raises(InvalidArguments):
            await session.call("S.echo", [{"x": i} for i in range(500)])

    assert len(COMPARED) <= 2 * MOST * MOST


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (set[int], [*range(-2000, 2000)]),
        (set[int], [2**k for k in range(900)]),
        (set[int], [1] * 1000),
        (set[float], [k / 8 for k in range(4000)]),
        (set[str], [str(k) for k in range(4000)]),
        (set[Literal["a", "b"]], ["a", "b"] * 1000),
        (set[timedelta], [*range(2000)]),
        (set[Point], [{"x": k} for k in range(2000)]),
    ],
)
async def test_honest_values_are_taken(annotation: Any, values: list[Any]) -> None:
    """Honest data fits, with doubles as well."""
    async with open_pair(echo_of(annotation)) as (session, _):
        assert await session.call("S.echo", values) == len({*map(json.dumps, values)})
