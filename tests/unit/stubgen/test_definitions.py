"""Writing definitions, in an order that Python can run."""

from __future__ import annotations

from msgspec.structs import replace

from farcall._contract.spec import (
    ArrayOf,
    Default,
    Definition,
    EnumSpec,
    FieldSpec,
    MethodSpec,
    NewTypeSpec,
    RecordSpec,
    Ref,
    Scalar,
    ServiceSpec,
)
from farcall.stubgen._definitions import define, in_order
from farcall.stubgen._names import Names

INT = Scalar("int")


def order(*definitions: Definition) -> list[str]:
    return [each.name for each in in_order(definitions)]


def written(definition: Definition, *methods: str) -> list[str]:
    members = tuple(MethodSpec(each, each, (), INT) for each in methods)
    return list(define(definition, Names(ServiceSpec("S", "S", members, (), (definition,)))))


def test_enums_new_types_records_errors() -> None:
    """Definitions are sorted by kind and then by name."""
    definitions = (
        RecordSpec("A", "error", ()),
        RecordSpec("C", "attrs", ()),
        RecordSpec("B", "attrs", ()),
        NewTypeSpec("D", INT),
        EnumSpec("E", "Enum", ()),
    )

    assert order(*definitions) == order(*reversed(definitions)) == ["E", "D", "B", "C", "A"]


def test_a_new_type_stands_below_its_target() -> None:
    """A new type follows its target, which it needs at import."""
    page = RecordSpec("Page", "attrs", (FieldSpec("owner", Ref("User")),))
    new_types = (
        NewTypeSpec("Goods", ArrayOf("list", Ref("Things"))),
        NewTypeSpec("Things", Ref("Page")),
        NewTypeSpec("User", INT),
    )

    assert order(page, *new_types) == ["Page", "Things", "Goods", "User"]


def test_an_enum_stands_above_a_record_with_its_member() -> None:
    """An enum precedes a record with a default of it."""
    side = FieldSpec("side", Ref("Side"), Default("(Side.BUY,)"))
    deal = RecordSpec("Deal", "attrs", (side, FieldSpec("at", INT, Default(None))))

    assert order(deal, EnumSpec("Side", "Enum", ()), NewTypeSpec("A", Ref("Deal"))) == [
        "Side",
        "Deal",
        "A",
    ]


def test_a_new_type_stands_above_a_record_with_a_default_of_it() -> None:
    """A new type precedes a record with a default of it, unless it needs that record."""
    by = FieldSpec("by", Ref("User"), Default("3"))
    goods = FieldSpec("goods", Ref("Goods"), Default("[]"))
    deal = RecordSpec("Deal", "namedtuple", (by, goods))
    new_types = NewTypeSpec("Goods", ArrayOf("list", Ref("Deal"))), NewTypeSpec("User", INT)

    assert order(deal, *new_types) == ["User", "Deal", "Goods"]


def test_an_error_stands_below_its_base() -> None:
    """An error follows its base, whatever their names are."""
    base, derived = RecordSpec("Z", "error", ()), RecordSpec("A", "error", (), base="Z")

    assert order(derived, base) == ["Z", "A"]


def test_records_may_name_each_other() -> None:
    """Records may refer to each other in any order."""
    one = RecordSpec("A", "attrs", (FieldSpec("b", Ref("B")),))
    other = RecordSpec("B", "attrs", (FieldSpec("a", Ref("A")),))

    assert order(one, other) == ["A", "B"]


def test_a_new_type() -> None:
    """A new type is written as a call with its own name."""
    assert written(NewTypeSpec("Symbol", Scalar("str"))) == ['Symbol = NewType("Symbol", str)']


def test_an_enum() -> None:
    """An enum is written with its docstring and members."""
    spec = EnumSpec("Side", "StrEnum", (("BUY", "buy"), ("SELL", "sell")), "Which way.")

    assert written(spec) == [
        'class Side(StrEnum):\n    """Which way."""\n\n    BUY = "buy"\n    SELL = "sell"'
    ]


def test_an_enum_has_its_second_names() -> None:
    """The aliases of enum members follow the members."""
    members, aliases = (("LOW", 1), ("HIGH", 2)), (("TOP", "HIGH"),)
    spec = EnumSpec("Level", "IntEnum", members, aliases=aliases)
    odd = replace(spec, aliases=(("the top", "HIGH"),))

    assert written(spec)[0].endswith("    HIGH = 2\n    TOP = HIGH")
    assert written(odd) == ['Level = IntEnum("Level", {"LOW": 1, "HIGH": 2, "the top": 2})']


def test_an_enum_without_text() -> None:
    """An enum without a docstring begins with its members."""
    assert written(EnumSpec("Level", "IntEnum", (("LOW", -1),))) == [
        "class Level(IntEnum):\n    LOW = -1"
    ]


def test_an_enum_whose_members_are_no_names() -> None:
    """An enum with members that are not Python names is written as a call."""
    assert written(EnumSpec("Shade", "Enum", (("dark red", 1), ("class", 2)))) == [
        'Shade = Enum("Shade", {"dark red": 1, "class": 2})'
    ]


def test_a_hidden_definition_gets_its_second_name() -> None:
    """The second name of a definition stands right below it."""
    assert written(NewTypeSpec("Symbol", INT), "Symbol")[1:] == ["Symbol_ = Symbol"]
