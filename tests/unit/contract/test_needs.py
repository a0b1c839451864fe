"""The needs of a stub."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import replace

from farcall._contract.diff import diff
from farcall._contract.needs import unmet_needs
from farcall._contract.spec import (
    ArrayOf,
    Default,
    EnumSpec,
    FieldSpec,
    Ref,
    ServiceSpec,
    ViaOf,
)
from tests.unit.contract.specs import (
    FLOAT,
    GIVEN,
    INT,
    STR,
    argument,
    market,
    method,
    record,
    releases,
    services,
    signal,
)

SYMBOL = argument("symbol", STR)
CENTS = ViaOf("Price", INT)
QUOTE = record("Quote", FieldSpec("symbol", STR), FieldSpec("price", FLOAT))
SIDE = EnumSpec("Side", "Enum", (("BUY", "buy"), ("SELL", "sell")))
SIDES = EnumSpec("Side", "Enum", (("BUY", "buy"), ("SELL", "sell"), ("HOLD", "hold")))


def positional(name: str, type_: Any = STR, **changes: Any) -> Any:
    return argument(name, type_, role="positional", **changes)


def unmet(stub: ServiceSpec, server: ServiceSpec) -> list[str]:
    return [str(each) for each in unmet_needs(stub, server)]


@pytest.mark.parametrize(
    ("stub", "server"),
    [
        (market(method("quote", SYMBOL)), market(method("quote", SYMBOL), method("buy"))),
        (
            market(method("quote", SYMBOL)),
            market(method("quote", SYMBOL, argument("at", FLOAT, default=GIVEN))),
        ),
        # A stub sends by name, so a place does not matter ...
        (
            market(method("quote", SYMBOL, argument("at", FLOAT))),
            market(method("quote", argument("at", FLOAT), SYMBOL)),
        ),
        (market(method("quote", SYMBOL)), market(method("quote", positional("symbol")))),
        (
            market(method("quote", SYMBOL)),
            market(method("quote", argument("symbol", STR, role="keyword"))),
        ),
        # ... or an array, where a name does not.
        (
            market(method("quote", positional("symbol"))),
            market(method("quote", positional("name"))),
        ),
        (
            market(method("quote", positional("symbol"))),
            market(method("quote", SYMBOL, argument("at", FLOAT, default=GIVEN))),
        ),
        (
            market(QUOTE, method("quote", result=Ref("Quote"))),
            market(
                replace(QUOTE, fields=(*QUOTE.fields, FieldSpec("at", INT))),
                method("quote", result=Ref("Quote")),
            ),
        ),
        (
            market(SIDE, method("buy", argument("side", Ref("Side")))),
            market(SIDES, method("buy", argument("side", Ref("Side")))),
        ),
        (
            market(record("Closed", kind="error", code=1), method("buy", raises=("Closed",))),
            market(record("Closed", kind="error", code=7), method("buy", raises=("Closed",))),
        ),
        (market(method("buy")), market(method("buy"), name="Shop")),
        # A stub has the type on the wire for a class that it cannot import.
        (market(method("pay", argument("at", INT))), market(method("pay", argument("at", CENTS)))),
        (
            market(method("pay", argument("at", CENTS))),
            market(method("pay", argument("at", CENTS))),
        ),
        (market(method("cost", result=INT)), market(method("cost", result=CENTS))),
        (market(signal("ticked", retain=True)), market(signal("ticked", broadcast=True))),
        (market(method("buy")), market(QUOTE, method("buy"), method("sell", result=Ref("Quote")))),
    ],
)
def test_what_a_stub_does_not_notice(stub: ServiceSpec, server: ServiceSpec) -> None:
    """A change with which every call of the stub succeeds is not reported."""
    assert unmet(stub, server) == []


@pytest.mark.parametrize(
    ("stub", "server", "problems"),
    [
        (market(method("quote")), market(), ["Market.quote was removed"]),
        (
            market(method("pay", argument("at", STR))),
            market(method("pay", argument("at", CENTS))),
            ["Market.pay(at) was str and is Price as int now"],
        ),
        (market(signal("ticked")), market(), ["Market.ticked was removed"]),
        (
            market(method("quote", SYMBOL)),
            market(method("quote", SYMBOL, argument("at", FLOAT))),
            ["Market.quote(at) was added and must be given"],
        ),
        (
            market(method("quote", positional("symbol"), positional("at", FLOAT))),
            market(method("quote", positional("at", FLOAT), positional("symbol"))),
            [
                "Market.quote(symbol) was str and is float now;"
                " Market.quote(at) was float and is str now"
            ],
        ),
        (
            market(method("quote", positional("symbol"))),
            market(method("quote", argument("symbol", STR, role="keyword"))),
            [
                "Market.quote(symbol) was removed;"
                " Market.quote(the server's symbol) was added and must be given"
            ],
        ),
        (
            market(QUOTE, method("quote", result=ArrayOf("list", Ref("Quote"))), method("buy")),
            market(
                record("Quote", FieldSpec("symbol", STR)),
                method("quote", result=ArrayOf("list", Ref("Quote"))),
                method("buy"),
            ),
            ["Market.quote: Quote.price was removed"],
        ),
        (
            market(SIDE, method("side", result=Ref("Side")), signal("ticked", Ref("Side"))),
            market(SIDES, method("side", result=Ref("Side")), signal("ticked", Ref("Side"))),
            ["Market.side: Side.HOLD was added", "Market.ticked: Side.HOLD was added"],
        ),
        (
            market(method("buy")),
            market(method("buy", oneway=True)),
            ["Market.buy is one-way now"],
        ),
        (
            market(QUOTE, signal("ticked", Ref("Quote"), key="symbol", key_type=STR)),
            market(QUOTE, signal("ticked", Ref("Quote"))),
            ["Market.ticked has no key now"],
        ),
    ],
)
def test_what_fails_a_stub(stub: ServiceSpec, server: ServiceSpec, problems: list[str]) -> None:
    """The members that can fail are named, each with the changes that break it."""
    assert unmet(stub, server) == problems


def test_only_the_direction_counts_in_which_a_type_travels() -> None:
    """A new required field of a record breaks a stub that sends it, and none that receives it."""
    more = replace(QUOTE, fields=(*QUOTE.fields, FieldSpec("at", INT)))
    stub = market(
        QUOTE, method("get", result=Ref("Quote")), method("put", argument("quote", Ref("Quote")))
    )
    server = replace(stub, definitions=(more,))

    assert unmet(stub, server) == ["Market.put: Quote.at was added and must be given"]


@given(services)
def test_its_own_server_fails_no_stub(spec: ServiceSpec) -> None:
    """A server meets the needs of a stub of its own contract."""
    assert unmet_needs(spec, spec) == ()


@given(releases())
def test_only_what_breaks_is_unmet(both: tuple[ServiceSpec, ServiceSpec]) -> None:
    """If no change breaks callers, no stub fails; members that fail are members of the stub."""
    old, new = both
    found = unmet_needs(old, new)

    members = {*(each.wire_name for each in old.methods), *(each.wire_name for each in old.signals)}
    assert {each.member for each in found} <= members
    if not any(change.breaking for change in diff(old, new)):
        assert found == ()


def test_default() -> None:
    """An argument that becomes required breaks a stub that leaves it out."""
    stub = market(method("quote", argument("symbol", STR, default=Default(None))))

    assert unmet(stub, market(method("quote", SYMBOL))) == [
        "Market.quote(symbol) must be given now"
    ]
