"""Compatibility of a writer with a reader."""

from __future__ import annotations

import pytest

from farcall._contract.compatibility import Fit
from farcall._contract.spec import (
    ArrayOf,
    EnumMember,
    EnumSpec,
    FieldSpec,
    LiteralOf,
    MapOf,
    NewTypeSpec,
    Parameter,
    Ref,
    Scalar,
    TupleOf,
    TypeSpec,
    UnionOf,
)
from tests.unit.contract.specs import FLOAT, GIVEN, INT, NONE, STR, market, record

JSON, BOOL = Scalar("json"), Scalar("bool")
SIDE = EnumSpec("Side", "Enum", (("BUY", "buy"), ("SELL", "sell")))
LEVEL = EnumSpec("Level", "IntEnum", (("LOW", 1),))
NAMED = market(
    SIDE,
    LEVEL,
    NewTypeSpec("Price", INT),
    NewTypeSpec("Maybe", UnionOf((INT, NONE))),
    record("Quote", FieldSpec("price", INT)),
    record("Renamed", FieldSpec("price", INT)),
    record("Dated", FieldSpec("price", INT), FieldSpec("at", STR)),
    record("Trade", FieldSpec("quantity", INT)),
    record("Note", FieldSpec("text", STR, GIVEN)),
    record("Node", FieldSpec("next", UnionOf((Ref("Node"), NONE)))),
    record("Link", FieldSpec("next", UnionOf((Ref("Link"), NONE)))),
    record("Box", FieldSpec("content", Parameter("T")), parameters=("T",)),
)
STRICT = Fit.of(NAMED, NAMED, reader_is_strict=True)
LAX = Fit.of(NAMED, NAMED, reader_is_strict=False)
BUY = LiteralOf((EnumMember("Side", "BUY"),))
QUOTE_OR_TRADE = UnionOf((Ref("Quote"), Ref("Trade")))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (INT, INT),
        (INT, FLOAT),
        (INT, JSON),
        (JSON, JSON),
        (NONE, UnionOf((INT, NONE))),
        (INT, UnionOf((STR, FLOAT))),
        (UnionOf((INT, FLOAT)), FLOAT),
        (UnionOf((INT, NONE)), UnionOf((NONE, STR, INT))),
        *((Scalar(name), STR) for name in ("uuid", "bytes", "datetime", "decimal")),
        (LiteralOf((1,)), LiteralOf((2, 1))),
        (LiteralOf((1,)), INT),
        (LiteralOf((1, "1")), UnionOf((INT, STR))),
        (LiteralOf((True,)), BOOL),
        (BOOL, LiteralOf((False, True))),
        (LiteralOf((None,)), NONE),
        (BUY, Ref("Side")),
        (BUY, LiteralOf(("buy",))),
        (Ref("Side"), LiteralOf(("sell", "buy"))),
        (Ref("Side"), STR),
        (Ref("Level"), FLOAT),
        (Ref("Price"), INT),
        (INT, Ref("Price")),
        (INT, Ref("Maybe")),
        (ArrayOf("list", INT), ArrayOf("set", FLOAT)),
        (TupleOf((INT, FLOAT)), ArrayOf("list", FLOAT)),
        (TupleOf((INT, STR)), TupleOf((FLOAT, STR))),
        (MapOf("dict", STR, INT), MapOf("mapping", STR, FLOAT)),
        (MapOf("dict", INT, INT), MapOf("dict", STR, INT)),
        (MapOf("dict", Ref("Level"), INT), MapOf("dict", INT, INT)),
        (Ref("Quote"), Ref("Quote")),
        (Ref("Quote"), Ref("Renamed")),
        (Ref("Node"), Ref("Link")),
        (Ref("Box", (INT,)), Ref("Box", (FLOAT,))),
        (Parameter("T"), Parameter("T")),
        (Ref("Quote"), QUOTE_OR_TRADE),
        (QUOTE_OR_TRADE, UnionOf((Ref("Trade"), Ref("Quote"), NONE))),
    ],
)
def test_fits(written: TypeSpec, read: TypeSpec) -> None:
    """Types fit if the reader accepts every value of the writer."""
    assert STRICT.fits(written, read)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (FLOAT, INT),
        (BOOL, INT),
        (STR, Scalar("uuid")),
        (JSON, STR),
        (UnionOf((INT, NONE)), INT),
        (LiteralOf((1, 2)), LiteralOf((1,))),
        (LiteralOf((1,)), LiteralOf((True,))),
        (LiteralOf((1,)), STR),
        (LiteralOf((1,)), ArrayOf("list", INT)),
        (INT, LiteralOf((1,))),
        (LiteralOf((EnumMember("Lost", "BUY"),)), Ref("Side")),
        (STR, Ref("Side")),
        (Ref("Side"), Ref("Level")),
        (ArrayOf("list", FLOAT), ArrayOf("list", INT)),
        (ArrayOf("list", INT), TupleOf((INT,))),
        (TupleOf((INT,)), TupleOf((INT, INT))),
        (TupleOf((INT, STR)), ArrayOf("list", INT)),
        (MapOf("dict", STR, INT), MapOf("dict", INT, INT)),
        (MapOf("dict", INT, INT), MapOf("dict", Ref("Level"), INT)),
        (MapOf("dict", STR, FLOAT), MapOf("dict", STR, INT)),
        (Ref("Quote"), Ref("Trade")),
        (Ref("Quote"), Ref("Dated")),
        (Ref("Quote"), Ref("Lost")),
        (Ref("Box", (FLOAT,)), Ref("Box", (INT,))),
        (Ref("Quote"), UnionOf((Ref("Trade"), Ref("Note")))),
        (Ref("Note"), UnionOf((Ref("Trade"), Ref("Note")))),
        (QUOTE_OR_TRADE, Ref("Quote")),
    ],
)
def test_does_not_fit(written: TypeSpec, read: TypeSpec) -> None:
    """Types do not fit if the reader refuses a value of the writer."""
    assert not STRICT.fits(written, read)


def test_unknown_fields() -> None:
    """Only a strict reader refuses unknown fields."""
    assert not STRICT.fits(Ref("Dated"), Ref("Quote"))
    assert LAX.fits(Ref("Dated"), Ref("Quote"))


def test_tag_is_a_field_more() -> None:
    """A record in a union has its name with it, which a lax reader of the plain record ignores."""
    written = UnionOf((Ref("Quote"), Ref("Dated")))

    assert not STRICT.fits(written, Ref("Quote"))
    assert LAX.fits(written, Ref("Quote"))


def test_broken_fields() -> None:
    """The fields that keep a record from being read are named."""
    written = record("Quote", FieldSpec("a", INT), FieldSpec("b", INT), FieldSpec("c", INT, GIVEN))
    read = record("Quote", FieldSpec("b", STR), FieldSpec("c", INT), FieldSpec("d", INT))

    assert STRICT.broken_fields(written, read) == {"a", "b", "c", "d"}
    assert LAX.broken_fields(written, read) == {"b", "d"}
