"""The digest of a contract."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from farcall._contract.digest import digest
from farcall._contract.spec import (
    ArrayOf,
    Default,
    EnumMember,
    EnumSpec,
    FieldSpec,
    LiteralOf,
    MapOf,
    NewTypeSpec,
    Parameter,
    Ref,
    Scalar,
    ServiceSpec,
    TupleOf,
    TypeSpec,
    UnionOf,
)
from tests.unit.contract.specs import (
    FLOAT,
    GIVEN,
    INT,
    NONE,
    STR,
    argument,
    market,
    method,
    record,
    signal,
)

QUOTE = record("Quote", FieldSpec("symbol", STR), FieldSpec("price", FLOAT))
SIDE = EnumSpec("Side", "Enum", (("BUY", "buy"), ("SELL", "sell")))
SYMBOL = NewTypeSpec("Symbol", STR)
BUY = method(
    "buy", argument("symbol", STR), argument("limit", FLOAT, role="keyword", default=GIVEN)
)
TICKED = signal("ticked", Ref("Quote"))
MARKET = market(BUY, method("close"), TICKED, QUOTE, SIDE, SYMBOL)


def test_digest_is_stable() -> None:
    """The digest of a contract is the same in every process and release."""
    assert digest(MARKET) == "d34e7f2e9cdef4bda3fc310869d26559"


def with_method(**changes: Any) -> ServiceSpec:
    return market(replace(BUY, **changes), *MARKET.methods[1:], TICKED, QUOTE, SIDE, SYMBOL)


def with_argument(**changes: Any) -> ServiceSpec:
    changed = replace(BUY.arguments[1], **changes)
    return with_method(arguments=(BUY.arguments[0], changed))


def with_signal(**changes: Any) -> ServiceSpec:
    return replace(MARKET, signals=(replace(TICKED, **changes),))


def with_record(**changes: Any) -> ServiceSpec:
    return replace(MARKET, definitions=(replace(QUOTE, **changes), SIDE, SYMBOL))


def with_field(**changes: Any) -> ServiceSpec:
    return with_record(fields=(QUOTE.fields[0], replace(QUOTE.fields[1], **changes)))


def with_enum(**changes: Any) -> ServiceSpec:
    return replace(MARKET, definitions=(QUOTE, replace(SIDE, **changes), SYMBOL))


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(replace(MARKET, doc="Quotes."), id="docstring of the service"),
        pytest.param(replace(MARKET, class_name="Bazaar"), id="name of the class"),
        pytest.param(replace(MARKET, methods=MARKET.methods[::-1]), id="order of methods"),
        pytest.param(
            replace(MARKET, definitions=MARKET.definitions[::-1]), id="order of definitions"
        ),
        pytest.param(with_method(doc="Buy."), id="docstring of a method"),
        pytest.param(with_method(name="purchase"), id="Python name of a method"),
        pytest.param(with_method(inline=True), id="plain def"),
        pytest.param(with_method(max_seconds=5.0, max_concurrent=2), id="limits"),
        pytest.param(with_argument(default=Default("2")), id="value of a default"),
        pytest.param(with_argument(default=Default(None)), id="default without a literal"),
        pytest.param(with_signal(doc="Ticks."), id="docstring of a signal"),
        pytest.param(with_record(doc="A quote."), id="docstring of a record"),
        pytest.param(with_record(frozen=True), id="frozen record"),
        pytest.param(with_record(base="Trouble"), id="base of an error"),
        pytest.param(with_record(ordered=True, slots=False), id="options of a record"),
        pytest.param(with_field(attribute="other"), id="attribute of a field"),
        pytest.param(with_enum(aliases=(("OTHER", "BUY"),)), id="second name of a member"),
        pytest.param(with_record(fields=QUOTE.fields[::-1]), id="order of fields"),
        pytest.param(with_field(keyword_only=True), id="keyword-only field"),
        pytest.param(with_enum(members=SIDE.members[::-1]), id="order of members of an enum"),
    ],
)
def test_digest_leaves_out(same: ServiceSpec) -> None:
    """A change that callers cannot notice keeps the digest."""
    assert digest(same) == digest(MARKET)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(MARKET, name="Shop"), id="name of the service"),
        pytest.param(replace(MARKET, methods=()), id="methods"),
        pytest.param(replace(MARKET, signals=()), id="signals"),
        pytest.param(replace(MARKET, definitions=()), id="definitions"),
        pytest.param(with_method(wire_name="Market.purchase"), id="wire name of a method"),
        pytest.param(with_method(arguments=BUY.arguments[:1]), id="arguments"),
        pytest.param(with_method(result=STR), id="result"),
        pytest.param(with_method(raises=("Closed",)), id="errors"),
        pytest.param(with_method(oneway=True), id="one-way"),
        pytest.param(with_method(started=STR), id="start of a task"),
        pytest.param(with_method(stream=True), id="stream"),
        pytest.param(with_argument(upload=True), id="upload"),
        pytest.param(with_argument(name="maximum"), id="name of an argument"),
        pytest.param(with_argument(type=INT), id="type of an argument"),
        pytest.param(with_argument(role="either"), id="role of an argument"),
        pytest.param(with_argument(default=None), id="required argument"),
        pytest.param(with_signal(wire_name="Market.tick"), id="wire name of a signal"),
        pytest.param(with_signal(value=INT), id="values of a signal"),
        pytest.param(with_signal(key="symbol", key_type=STR), id="key of a signal"),
        pytest.param(with_signal(retain=True), id="retained signal"),
        pytest.param(with_signal(broadcast=True), id="broadcast signal"),
        pytest.param(with_record(kind="dataclass"), id="kind of a record"),
        pytest.param(with_record(parameters=("T",)), id="type parameters"),
        pytest.param(with_record(code=7), id="code of an error"),
        pytest.param(with_field(name="value"), id="name of a field"),
        pytest.param(with_field(type=INT), id="type of a field"),
        pytest.param(with_field(default=GIVEN), id="optional field"),
        pytest.param(with_enum(base="StrEnum"), id="base of an enum"),
        pytest.param(with_enum(members=SIDE.members[:1]), id="members of an enum"),
    ],
)
def test_digest_covers(other: ServiceSpec) -> None:
    """A change that a caller can notice changes the digest."""
    assert digest(other) != digest(MARKET)


def test_positions_count() -> None:
    """The order of positional arguments is part of the digest, that of keyword arguments is not."""
    first, second = argument("a"), argument("b")
    named = argument("a", role="keyword"), argument("b", role="keyword")

    assert digest(market(method("f", first, second))) != digest(market(method("f", second, first)))
    assert digest(market(method("f", *named))) == digest(market(method("f", *named[::-1])))


TYPES: list[TypeSpec] = [
    *(Scalar(name) for name in ("none", "bool", "int", "str", "bytes", "json")),
    *(LiteralOf((value,)) for value in (None, True, 1, "1", b"1", EnumMember("Side", "BUY"))),
    LiteralOf((True, 1)),
    ArrayOf("list", INT),
    ArrayOf("tuple", INT),
    TupleOf(()),
    TupleOf((INT,)),
    TupleOf((INT, INT)),
    MapOf("dict", STR, INT),
    MapOf("mapping", STR, INT),
    MapOf("dict", STR, STR),
    UnionOf((INT, NONE)),
    Ref("Quote"),
    Ref("Quote", (INT,)),
    Parameter("T"),
    Ref("T"),
]


def test_types_differ() -> None:
    """No two types have the same digest."""
    digests = {digest(market(method("f", result=each))) for each in TYPES}

    assert len(digests) == len(TYPES)


@pytest.mark.parametrize("swap", [UnionOf, LiteralOf])
def test_alternatives_have_no_order(swap: Callable[[tuple[object, ...]], TypeSpec]) -> None:
    """The order of the members of a union, or of a Literal, is not part of the digest."""
    parts = (INT, STR) if swap is UnionOf else (1, "1")
    there, back = swap(parts), swap(parts[::-1])

    assert digest(market(method("f", result=there))) == digest(market(method("f", result=back)))
