"""Fitting defaults to their types."""

from __future__ import annotations

import pytest

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
    RecordSpec,
    Ref,
    Scalar,
    ServiceSpec,
    TupleOf,
    TypeSpec,
    UnionOf,
)
from farcall.stubgen._defaults import fitted
from farcall.stubgen._layout import flat
from farcall.stubgen._literals import expression
from farcall.stubgen._names import Names

INT, STR, NONE, JSON = Scalar("int"), Scalar("str"), Scalar("none"), Scalar("json")
USER, LEVEL = Ref("User"), Ref("Level")

DEFINITIONS = {
    each.name: each
    for each in (
        NewTypeSpec("User", INT),
        NewTypeSpec("Admin", USER),
        NewTypeSpec("Quotes", ArrayOf("list", Ref("Quote"))),
        NewTypeSpec("Page", ArrayOf("list", USER)),
        EnumSpec("Side", "Enum", (("BUY", "buy"),)),
        EnumSpec("Level", "IntEnum", (("LOW", 1),)),
        EnumSpec("Sky", "StrEnum", (("GREY", "grey"),)),
        RecordSpec("Quote", "attrs", (FieldSpec("by", INT, Default("0")),)),
        RecordSpec(
            "Options",
            "typeddict",
            (FieldSpec("by", USER), FieldSpec("note", STR, Default(None))),
        ),
        RecordSpec("Named", "namedtuple", (FieldSpec("by", USER),)),
        RecordSpec("Free", "typeddict", (FieldSpec("by", INT, Default(None)),)),
        RecordSpec("Box", "typeddict", (FieldSpec("item", Parameter("T")),), ("T",)),
    )
}

NAMES = Names(ServiceSpec("S", "S", (), (), tuple(DEFINITIONS.values())))


def written(source: str | None, spec: TypeSpec) -> str | None:
    node = fitted(Default(source), spec, DEFINITIONS)
    return None if node is None else flat(expression(node, NAMES))


@pytest.mark.parametrize(
    ("source", "spec"),
    [
        ("None", NONE),
        ("True", Scalar("bool")),
        ("-3", INT),
        ("3", Scalar("float")),
        ("-2.5", Scalar("float")),
        ('"a"', STR),
        ('b"a"', Scalar("bytes")),
        ("Side.BUY", Ref("Side")),
        ("Level.LOW", INT),
        ("Level.LOW", Scalar("float")),
        ("Sky.GREY", STR),
        ("-1", LiteralOf((-1, "a"))),
        ("Side.BUY", LiteralOf((1, EnumMember("Side", "BUY")))),
        ("None", LiteralOf((None,))),
        ("[1]", ArrayOf("list", INT)),
        ("(1, 2)", ArrayOf("tuple", INT)),
        ("(1, 2)", ArrayOf("sequence", INT)),
        ("{1}", ArrayOf("set", INT)),
        ("set()", ArrayOf("set", INT)),
        ("frozenset()", ArrayOf("frozenset", INT)),
        ("frozenset({1, 2})", ArrayOf("frozenset", INT)),
        ("()", TupleOf(())),
        ('(1, "a")', TupleOf((INT, STR))),
        ('{"a": 1}', MapOf("dict", STR, INT)),
        ("None", UnionOf((INT, NONE))),
        ('[1, {"a": (None, 2.5, True)}]', JSON),
    ],
)
def test_a_literal_of_its_type_is_kept(source: str, spec: TypeSpec) -> None:
    """A default whose literal is of its type stays as it is."""
    assert written(source, spec) == source


@pytest.mark.parametrize(
    ("source", "spec", "expected"),
    [
        ("3", USER, "User(3)"),
        ("3", Ref("Admin"), "Admin(User(3))"),
        ("3", UnionOf((NONE, USER)), "User(3)"),
        ("[]", Ref("Page"), "Page([])"),
        ("[1, 2]", Ref("Page"), "Page([User(1), User(2)])"),
        ("frozenset({1})", ArrayOf("frozenset", USER), "frozenset({User(1)})"),
        ("(1, 2)", TupleOf((INT, USER)), "(1, User(2))"),
        ("{1: 2}", MapOf("mapping", USER, INT), "{User(1): 2}"),
        ('{"by": 2}', Ref("Options"), '{"by": User(2)}'),
        ('{"item": 2}', Ref("Box", (USER,)), '{"item": User(2)}'),
        ("[]", Ref("Quotes"), "Quotes([])"),
        ("Quote(by=1)", Ref("Quote"), "Quote(by=1)"),
        ("[Quote()]", Ref("Quotes"), "Quotes([Quote()])"),
        ("Named(by=1)", Ref("Named"), "Named(by=User(1))"),
        ('decimal.Decimal("1")', Scalar("decimal"), 'Decimal("1")'),
        ("datetime.timedelta(days=-1)", Scalar("timedelta"), "timedelta(days=-1)"),
        ("datetime.date(2000, 1, 2)", Scalar("date"), "date(2000, 1, 2)"),
        ("datetime.time()", Scalar("time"), "time()"),
        ('uuid.UUID("a")', UnionOf((NONE, Scalar("uuid"))), 'UUID("a")'),
    ],
)
def test_a_new_type_is_named(source: str, spec: TypeSpec, expected: str) -> None:
    """The default of a new type becomes a call of it, as type checkers want."""
    assert written(source, spec) == expected


@pytest.mark.parametrize(
    ("source", "spec"),
    [
        (None, INT),
        ("1.5", INT),
        ("None", INT),
        ("1", Scalar("bool")),
        ('"2000-01-01"', Scalar("date")),
        ("Side.BUY", STR),
        ("Side.BUY", LEVEL),
        ("True", LiteralOf((1,))),
        ("()", LiteralOf((1,))),
        ("()", ArrayOf("list", INT)),
        ('[1, "a"]', ArrayOf("list", INT)),
        ('"ab"', ArrayOf("sequence", STR)),
        ("(1,)", TupleOf((INT, STR))),
        ("{1: 2}", MapOf("dict", STR, INT)),
        ("[]", MapOf("dict", STR, INT)),
        ('"a"', UnionOf((INT, NONE))),
        ("1", Parameter("T")),
        ("1", Ref("Quote")),
        ("Quote(1)", Ref("Quote")),
        ("Quote(of=1)", Ref("Quote")),
        ('Quote(by="a")', Ref("Quote")),
        ("Other(by=1)", Ref("Quote")),
        ("Named()", Ref("Named")),
        ('decimal.Decimal("1")', INT),
        ('decimal.Decimal("1")', Scalar("uuid")),
        ('{"by": 1}', Ref("Quote")),
        ("[1]", Ref("Options")),
        ("{}", Ref("Options")),
        ('{"by": 1, "with": 2}', Ref("Options")),
        ('{"by": 1, "note": 2}', Ref("Options")),
        ("{(): 1}", Ref("Options")),
        ("{(): 1}", Ref("Free")),
        ('{"item": 1}', Ref("Box", (STR,))),
        ('b"a"', JSON),
        ("{1: 2}", JSON),
        ("{1}", JSON),
    ],
)
def test_what_is_not_of_its_type_is_left_out(source: str | None, spec: TypeSpec) -> None:
    """A default that is not of its type is left out; the server's default applies."""
    assert written(source, spec) is None
