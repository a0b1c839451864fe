"""Telling the members of a union apart."""

from __future__ import annotations

import pytest

from farcall._contract.spec import (
    ArrayOf,
    Default,
    Definition,
    EnumMember,
    EnumSpec,
    FieldSpec,
    LiteralOf,
    MapOf,
    NewTypeSpec,
    RecordSpec,
    Ref,
    Scalar,
    TupleOf,
    TypeSpec,
    UnionOf,
    UnsupportedType,
)
from farcall._contract.unions import (
    Forms,
    RecordChoice,
    check_constants,
    choose,
    choose_record,
    json_forms,
)

INT, FLOAT, STR, NONE = Scalar("int"), Scalar("float"), Scalar("str"), Scalar("none")
COLOR = EnumSpec("Color", "Enum", (("RED", "red"), ("BLUE", "blue")))
LEVEL = EnumSpec("Level", "Enum", (("LOW", 1), ("HIGH", "high")))


def record(name: str, *fields: FieldSpec, kind: str = "attrs") -> RecordSpec:
    return RecordSpec(name, kind, fields)  # type: ignore[arg-type]  # a str for brevity


def field(name: str, spec: TypeSpec = INT, *, is_required: bool = True) -> FieldSpec:
    return FieldSpec(name, spec, None if is_required else Default("0"))


def tagged(text: str, source: str | None) -> FieldSpec:
    return FieldSpec("type", LiteralOf((text,)), Default(source))


DEFINITIONS: dict[str, Definition] = {
    each.name: each
    for each in (
        COLOR,
        LEVEL,
        NewTypeSpec("UserId", STR),
        record("Point", field("x"), field("y")),
        record("Circle", field("x"), field("r")),
        record("Spot", field("x")),
        record("Empty"),
        record("Nothing"),
        record("Maybe", field("m", is_required=False)),
        record("Typed", field("type", STR), field("t")),
        record("Typeless", field("type", STR)),
        record("Cat", field("type", LiteralOf(("kitten", "cat")))),
        record("Dog", field("type", LiteralOf((EnumMember("Color", "RED"),)))),
        record("Kitten", field("type", LiteralOf(("kitten",)))),
        record("Lion", tagged("lion", '"lion"')),
        record("Loose", tagged("loose", None)),
        record("LooseTable", tagged("loose", None), kind="typeddict"),
        record("Number", field("type", is_required=False)),
        record("Numbered", field("type", LiteralOf(("one", 1)))),
        record("TableA", field("x"), field("a"), kind="typeddict"),
        record("TableB", field("x"), kind="typeddict"),
        record("TableC", field("x"), kind="typeddict"),
        RecordSpec("Box", "attrs", (), parameters=("T",)),
    )
}


@pytest.mark.parametrize(
    ("spec", "forms"),
    [
        (NONE, {"null": None}),
        (Scalar("bool"), {"boolean": None}),
        (INT, {"integer": None}),
        (FLOAT, {"integer": None, "fraction": None}),
        (Scalar("timedelta"), {"integer": None, "fraction": None}),
        (Scalar("uuid"), {"string": None}),
        (LiteralOf((1, 2)), {"integer": frozenset({1, 2})}),
        (LiteralOf((b"a",)), {"string": frozenset({"YQ=="})}),
        (LiteralOf((EnumMember("Color", "RED"),)), {"string": frozenset({"red"})}),
        (Ref("Level"), {"integer": frozenset({1}), "string": frozenset({"high"})}),
        (ArrayOf("set", INT), {"array": None}),
        (TupleOf((INT,)), {"array": None}),
        (MapOf("dict", STR, INT), {"object": None}),
        (Ref("Point"), {"object": None}),
        (Ref("UserId"), {"string": None}),
        (UnionOf((INT, LiteralOf((1, "a")))), {"integer": None, "string": frozenset({"a"})}),
        (
            UnionOf((LiteralOf((1,)), LiteralOf((2,)))),
            {"integer": frozenset({1, 2})},
        ),
    ],
)
def test_json_forms(spec: TypeSpec, forms: Forms) -> None:
    """A type claims the forms of its values; a literal claims its values alone."""
    assert json_forms(spec, DEFINITIONS) == forms


def test_json_claims_all() -> None:
    """Any JSON value has any form."""
    assert len(json_forms(Scalar("json"), DEFINITIONS)) == 7


@pytest.mark.parametrize(
    "members",
    [
        (INT, NONE),
        (INT, FLOAT),
        (FLOAT, INT, STR, NONE),
        (Ref("Color"), INT),
        (Ref("Color"), LiteralOf(("green",))),
        (LiteralOf((1,)), LiteralOf((True,))),
        (Ref("Point"), STR, ArrayOf("list", INT)),
        (Ref("UserId"), NONE),
    ],
)
def test_told_apart(members: tuple[TypeSpec, ...]) -> None:
    """Members with different forms, or different values of a form, are told apart."""
    choice = choose(UnionOf(members), DEFINITIONS)

    assert set(choice.others) | set(choice.records) == set(members)


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ((STR, Scalar("datetime")), "str and datetime look the same in JSON"),
        ((ArrayOf("list", INT), TupleOf((INT,))), "list and tuple look the same in JSON"),
        ((Scalar("date"), Scalar("uuid")), "date and UUID look the same in JSON"),
        ((Ref("UserId"), STR), "UserId and str look the same in JSON"),
        ((INT, Scalar("timedelta")), "int and timedelta look the same in JSON"),
        ((FLOAT, LiteralOf((1,))), "float and 1 look the same in JSON"),
        ((Ref("Color"), LiteralOf(("red",))), 'Color and "red" look the same in JSON'),
        ((MapOf("dict", STR, INT), Ref("Point")), "dict and Point look the same in JSON"),
        ((Scalar("json"), INT), "JSON and int look the same in JSON"),
    ],
)
def test_ambiguous(members: tuple[TypeSpec, ...], problem: str) -> None:
    """Two members that share a form are refused, and named."""
    with pytest.raises(UnsupportedType) as caught:
        choose(UnionOf(members), DEFINITIONS)

    assert caught.value.problem == problem


def test_claims() -> None:
    """A form belongs to one member, or to several that each have some values of it."""
    green = LiteralOf(("green",))

    choice = choose(UnionOf((FLOAT, INT, Ref("Color"), green)), DEFINITIONS)

    assert choice.claims == {
        "fraction": (FLOAT,),
        "integer": (INT,),
        "string": (Ref("Color"), green),
    }
    assert choice.records == ()
    assert choice.among_records is None


def test_one_record_needs_no_choice() -> None:
    """One record beside members of other forms needs no name."""
    choice = choose(UnionOf((Ref("Point"), NONE)), DEFINITIONS)

    assert choice.records == (Ref("Point"),)
    assert choice.among_records is None


def test_records_beside_others() -> None:
    """Several records are told apart among themselves."""
    choice = choose(UnionOf((Ref("Point"), NONE, Ref("Circle"))), DEFINITIONS)

    assert choice.others == (NONE,)
    assert choice.among_records == choose_record(choice.records, DEFINITIONS)


@pytest.mark.parametrize(
    ("names", "choice"),
    [
        (
            ["Point", "Circle"],
            RecordChoice({"Point": 0, "Circle": 1}, True, {"y": 0, "r": 1}, None),
        ),
        (["Point", "Spot"], RecordChoice({"Point": 0, "Spot": 1}, True, {"y": 0}, 1)),
        (["Empty", "Nothing"], RecordChoice({"Empty": 0, "Nothing": 1}, True, {}, None)),
        (["Empty", "Maybe"], RecordChoice({"Empty": 0, "Maybe": 1}, True, {}, None)),
        (["Cat", "Dog"], RecordChoice({"cat": 0, "kitten": 0, "red": 1}, False, {}, None)),
        (["Cat", "Lion"], RecordChoice({"cat": 0, "kitten": 0, "lion": 1}, False, {}, None)),
        (["Typed", "Empty"], RecordChoice({}, False, {"type": 0, "t": 0}, 1)),
        (["Typed", "Typeless"], RecordChoice({}, False, {"t": 0}, 1)),
        (["TableA", "TableB"], RecordChoice({"TableA": 0, "TableB": 1}, True, {"a": 0}, 1)),
        (["TableB", "Spot"], RecordChoice({"TableB": 0, "Spot": 1}, True, {}, None)),
    ],
)
def test_records(names: list[str], choice: RecordChoice) -> None:
    """Records are told apart by their names, by texts of their own, or by unique fields."""
    assert choose_record([Ref(name) for name in names], DEFINITIONS) == choice


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        (
            [Ref("Box", (INT,)), Ref("Box", (STR,))],
            "Box is in the union more than once, with different arguments",
        ),
        (
            [Ref("Typeless"), Ref("Cat"), Ref("Kitten")],
            "Typeless and Cat and Kitten cannot be told apart by 'type', which is one of their"
            " fields",
        ),
        (
            [Ref("Cat"), Ref("Kitten")],
            "Cat and Kitten cannot be told apart by 'type', which is one of their fields",
        ),
        (
            [Ref("Cat"), Ref("Loose")],
            "Cat and Loose cannot be told apart: 'type' of Loose may be left out",
        ),
        (
            [Ref("LooseTable"), Ref("Cat")],
            "LooseTable and Cat cannot be told apart: 'type' of LooseTable may be left out",
        ),
        (
            [Ref("Cat"), Ref("Number")],
            "Cat and Number cannot be told apart by 'type', which is one of their fields",
        ),
        (
            [Ref("Cat"), Ref("Numbered")],
            "Cat and Numbered cannot be told apart by 'type', which is one of their fields",
        ),
        (
            [Ref("TableB"), Ref("TableC")],
            "TableB and TableC are plain dicts that cannot be told apart when they are written",
        ),
    ],
)
def test_records_alike(records: list[Ref], problem: str) -> None:
    """Records that cannot be told apart are refused."""
    with pytest.raises(UnsupportedType) as caught:
        choose_record(records, DEFINITIONS)

    assert caught.value.problem == problem


def test_constants_differ() -> None:
    """Values of a literal that are the same in JSON are refused."""
    check_constants(LiteralOf((1, True, "a", None)), DEFINITIONS)

    with pytest.raises(UnsupportedType, match=r"two of \"YQ==\" \| \"YQ==\" look the same"):
        check_constants(LiteralOf((b"a", "YQ==")), DEFINITIONS)
