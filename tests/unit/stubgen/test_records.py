"""Writing records of each kind."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from farcall._contract.spec import (
    ArrayOf,
    Default,
    FieldSpec,
    MapOf,
    NewTypeSpec,
    Parameter,
    RecordSpec,
    Ref,
    Scalar,
    ServiceSpec,
    TypeSpec,
    UnionOf,
)
from farcall.stubgen._names import Names
from farcall.stubgen._records import record

INT, STR, NONE = Scalar("int"), Scalar("str"), Scalar("none")
LIST, SET = ArrayOf("list", INT), ArrayOf("set", INT)
TABLE = MapOf("dict", STR, INT)
X = FieldSpec("x", INT)
PLAIN = RecordSpec("R", "attrs", (X,))
ZERO = FieldSpec("y", INT, Default("0"))


def lines(spec: RecordSpec) -> list[str]:
    return "\n".join(record(spec, Names(ServiceSpec("S", "S", (), (), (spec,))))).split("\n")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (PLAIN, ["@attrs.define", "class R:", "    x: int"]),
        (replace(PLAIN, frozen=True), ["@attrs.frozen", "class R:", "    x: int"]),
        (
            replace(PLAIN, slots=False, ordered=True),
            ["@attrs.define(order=True, slots=False)", "class R:", "    x: int"],
        ),
        (
            RecordSpec("R", "dataclass", (X,), slots=True, ordered=True),
            ["@dataclass(order=True, slots=True)", "class R:", "    x: int"],
        ),
        (RecordSpec("R", "dataclass", (X,)), ["@dataclass", "class R:", "    x: int"]),
        (
            RecordSpec("R", "dataclass", (X,), frozen=True),
            ["@dataclass(frozen=True)", "class R:", "    x: int"],
        ),
        (RecordSpec("R", "typeddict", (X,)), ["class R(TypedDict):", "    x: int"]),
        (RecordSpec("R", "namedtuple", (X,)), ["class R(NamedTuple):", "    x: int"]),
        (
            RecordSpec("R", "error", (X,), code=1),
            ["@attrs.define", "class R(farcall.ApplicationError):", "    x: int"],
        ),
        (
            RecordSpec("R", "error", (X,), code=7),
            ["@attrs.define", "class R(farcall.ApplicationError):", "    code = 7", "    x: int"],
        ),
    ],
)
def test_each_kind_has_its_form(spec: RecordSpec, expected: list[str]) -> None:
    """Each kind of record has its decorator or its base."""
    assert lines(spec) == expected


@pytest.mark.parametrize(
    ("derived", "expected"),
    [
        (RecordSpec("E", "error", (X,), code=7), ["    pass"]),
        (RecordSpec("E", "error", (X, ZERO), code=7), ["    y: int = 0"]),
        (RecordSpec("E", "error", (ZERO, X), code=7), ["    y: int = 0", "    x: int"]),
        (RecordSpec("E", "error", (X,), code=1), ["    code = 1"]),
    ],
)
def test_an_error_derives_from_one_that_is_declared(
    derived: RecordSpec, expected: list[str]
) -> None:
    """What it inherits is not repeated, unless its constructor would be another one."""
    base = RecordSpec("Base", "error", (X,), code=7)
    derived = replace(derived, base="Base")
    service = ServiceSpec("S", "S", (), (), (base, derived))

    (written,) = record(derived, Names(service))

    assert written.split("\n") == ["@attrs.define", "class E(Base):", *expected]


@pytest.mark.parametrize("kind", ["attrs", "dataclass", "typeddict", "namedtuple", "error"])
def test_a_generic_record_names_its_variables(kind: str) -> None:
    """A generic record has Generic after its other base."""
    field = FieldSpec("items", ArrayOf("list", Parameter("T")))
    header = next(
        line
        for line in lines(RecordSpec("R", kind, (field,), ("T",)))  # type: ignore[arg-type]
        if line.startswith("class")
    )

    assert header.endswith("Generic[T]):")


def test_docstring_and_fields_are_apart() -> None:
    """An empty line separates the docstring from the fields."""
    assert lines(RecordSpec("R", "namedtuple", (X,), doc="Where.")) == [
        "class R(NamedTuple):",
        '    """Where."""',
        "",
        "    x: int",
    ]


def test_a_body_is_never_empty() -> None:
    """A record without fields has a docstring or ``pass``."""
    assert lines(RecordSpec("R", "namedtuple", ()))[1:] == ["    pass"]
    assert lines(RecordSpec("R", "namedtuple", (), doc="Alone."))[1:] == ['    """Alone."""']


@pytest.mark.parametrize(
    ("kind", "typed", "default", "expected"),
    [
        ("attrs", INT, Default("0"), "x: int = 0"),
        ("attrs", INT, Default(None), "x: int = farcall.OMIT"),
        ("attrs", INT, Default('"0"'), "x: int = farcall.OMIT"),
        ("attrs", LIST, Default("[]"), "x: list[int] = attrs.field(factory=list[int])"),
        ("attrs", LIST, Default("[1]"), "x: list[int] = attrs.field(factory=lambda: [1])"),
        (
            "dataclass",
            TABLE,
            Default("{}"),
            "x: dict[str, int] = field(default_factory=dict[str, int])",
        ),
        ("dataclass", SET, Default("{1}"), "x: set[int] = field(default_factory=lambda: {1})"),
        ("namedtuple", LIST, Default("[]"), "x: list[int] = []"),
        ("namedtuple", INT, Default("None"), "x: int = farcall.OMIT"),
        ("typeddict", INT, Default(None), "x: NotRequired[int]"),
    ],
)
def test_defaults_are_copied(kind: str, typed: TypeSpec, default: Default, expected: str) -> None:
    """A default that can change has a factory; one without a literal is OMIT."""
    spec = RecordSpec("R", kind, (FieldSpec("x", typed, default),))  # type: ignore[arg-type]

    assert lines(spec)[-1] == f"    {expected}"


@pytest.mark.parametrize(
    ("name", "default", "expected"),
    [
        ("User", "-3", "x: User = User(-3)"),
        ("Admin", "-3", "x: Admin = attrs.field(factory=lambda: Admin(User(-3)))"),
        ("Users", "[]", "x: Users = attrs.field(factory=lambda: Users([]))"),
    ],
)
def test_a_new_type_is_named_in_a_default(name: str, default: str, expected: str) -> None:
    """A default of a new type calls it, in a factory if linters need one."""
    record_ = RecordSpec("R", "attrs", (FieldSpec("x", Ref(name), Default(default)),))
    new_types = (
        NewTypeSpec("User", INT),
        NewTypeSpec("Admin", Ref("User")),
        NewTypeSpec("Users", ArrayOf("list", Ref("User"))),
    )
    service = ServiceSpec("S", "S", (), (), (record_, *new_types))

    (written,) = record(record_, Names(service))

    assert written.split("\n")[-1] == f"    {expected}"


@pytest.mark.parametrize(("kind", "call"), [("attrs", "attrs.field"), ("dataclass", "field")])
def test_one_field_may_be_for_keywords_only(kind: str, call: str) -> None:
    """A keyword-only field among others has kw_only=True."""
    fields = (X, FieldSpec("z", INT, keyword_only=True), FieldSpec("w", INT, Default("1"), True))

    assert lines(RecordSpec("R", kind, fields))[-3:] == [  # type: ignore[arg-type]
        "    x: int",
        f"    z: int = {call}(kw_only=True)",
        f"    w: int = {call}(default=1, kw_only=True)",
    ]


def test_where_all_fields_are_for_keywords_the_class_says_so() -> None:
    """If all fields are keyword-only, the class has kw_only=True once."""
    fields = (FieldSpec("z", INT, keyword_only=True),)

    assert lines(RecordSpec("R", "dataclass", fields, frozen=True)) == [
        "@dataclass(frozen=True, kw_only=True)",
        "class R:",
        "    z: int",
    ]


def test_attrs_is_told_to_keep_an_underscore() -> None:
    """A field whose argument begins with an underscore gets an alias in attrs."""
    fields = (FieldSpec("_x", INT),)
    renamed = (FieldSpec("x", INT, attribute="y"),)

    assert lines(RecordSpec("R", "attrs", fields))[-1] == '    _x: int = attrs.field(alias="_x")'
    assert lines(RecordSpec("R", "attrs", renamed))[-1] == '    y: int = attrs.field(alias="x")'
    assert lines(RecordSpec("R", "dataclass", fields))[-1] == "    _x: int"


def test_an_optional_entry_may_be_a_union() -> None:
    """A union in NotRequired gets no parentheses."""
    union = UnionOf(tuple(ArrayOf("list", INT) for _ in range(9)))

    assert lines(RecordSpec("R", "typeddict", (FieldSpec("x", union, Default(None)),)))[1:] == [
        "    x: NotRequired[",
        "        list[int]",
        *["        | list[int]"] * 8,
        "    ]",
    ]


def test_keys_that_are_no_names_are_written_as_text() -> None:
    """A TypedDict with other keys than names is a call with quoted types."""
    fields = (FieldSpec("content-type", STR), FieldSpec("class", INT, Default(None)))

    assert lines(RecordSpec("Headers", "typeddict", fields)) == [
        'Headers = TypedDict("Headers", {"content-type": "str", "class": "NotRequired[int]"})'
    ]


def test_a_key_that_a_class_would_rename_is_written_as_text() -> None:
    """A key __x, which a class would mangle, is written as text."""
    spec = RecordSpec("R", "typeddict", (FieldSpec("__x", INT),))

    assert lines(spec) == ['R = TypedDict("R", {"__x": "int"})']


def test_a_key_that_python_would_normalise_is_written_as_text() -> None:
    """A key with a ligature, which Python would normalise, is written as text."""
    spec = RecordSpec("R", "typeddict", (FieldSpec("\ufb01", INT),))

    assert lines(spec) == ['R = TypedDict("R", {"\ufb01": "int"})']


def test_a_generic_record_may_have_keys_that_are_no_names() -> None:
    """A generic TypedDict has its odd keys in a base of their own."""
    fields = (FieldSpec("a b", STR), FieldSpec("item", Parameter("T")))

    assert lines(RecordSpec("R", "typeddict", fields, ("T",))) == [
        '_RKeys = TypedDict("_RKeys", {"a b": "str"})',
        "class R(_RKeys, Generic[T]):",
        "    item: T",
    ]


def test_the_builtin_that_makes_a_default_may_be_hidden() -> None:
    """The factory of a default is builtins.list if a field is called list."""
    spec = RecordSpec("R", "attrs", (FieldSpec("list", ArrayOf("list", INT), Default("[]")),))

    assert (
        lines(spec)[-1] == "    list: builtins.list[int] = attrs.field(factory=builtins.list[int])"
    )
