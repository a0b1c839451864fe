"""Annotations as types of the contract."""

from __future__ import annotations

import collections
import datetime
import enum
import typing
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    TypedDict,
    TypeVar,
    Union,
)
from uuid import UUID

import attrs
import pytest
from typing_extensions import TypeAliasType

import farcall
from farcall._contract.definitions import Definitions
from farcall._contract.describe import describe
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
    Parameter,
    RecordSpec,
    Ref,
    Scalar,
    TupleOf,
    TypeSpec,
    UnionOf,
    UnsupportedType,
)
from farcall.errors import ApplicationError

T = TypeVar("T")
U = TypeVar("U")
INT, STR, NONE, JSON = Scalar("int"), Scalar("str"), Scalar("none"), Scalar("json")


class Color(enum.Enum):
    """What it looks like."""

    RED = "red"
    BLUE = "blue"
    CRIMSON = "red"  # noqa: PIE796  # an alias


class Level(enum.IntEnum):
    LOW = 1


class Side(enum.StrEnum):
    BUY = "buy"


class Old(str, enum.Enum):  # noqa: UP042  # older code has it
    A = "a"


class Mixed(enum.Enum):
    A = "a"
    B = 2


UserId = NewType("UserId", str)


@attrs.frozen
class Quote:
    """A price.

    And more.
    """

    symbol: str
    price: float | None = None
    tags: list[str] = attrs.field(factory=list)
    seen: dict[str, int] = attrs.field(factory=dict)
    marks: set[int] = attrs.field(factory=set)
    at: tuple[int, ...] = attrs.field(factory=tuple)
    side: str = Side.BUY
    color: Color = attrs.field(default=Color.RED, kw_only=True)


@attrs.frozen
class Tree(Generic[T]):
    value: T
    children: list[Tree[T]]


@dataclass
class Pair(Generic[T, U]):
    first: T
    second: U


@attrs.define
class IntPair(Pair[int, T]):
    third: T


@attrs.define
class Base(Generic[T]):
    item: T


@attrs.define
class Named(Base[str]):
    pass


@attrs.define
class Again(Base[T]):
    pass


@attrs.define
class Twisted(Base[list[T]], Generic[T]):
    pass


@attrs.define
class Unbound(Base):  # type: ignore[type-arg]  # the mistake that is tested
    pass


class Table(TypedDict, total=False):
    a: int


class BoxTable(TypedDict, Generic[T]):
    item: T


class IntTable(BoxTable[int]):
    pass


class Point(NamedTuple):
    x: int


class BoxTuple(NamedTuple, Generic[T]):
    item: T


@attrs.define
class UnknownSymbol(ApplicationError):
    """There is no such symbol."""

    symbol: str


class Gone(ApplicationError):
    code = 7


def described(annotation: object) -> tuple[TypeSpec, Mapping[str, Definition]]:
    definitions = Definitions()
    return describe(annotation, definitions), definitions


def definition(annotation: object) -> Definition:
    spec, definitions = described(annotation)
    assert isinstance(spec, Ref)
    return definitions[spec.name]


@pytest.mark.parametrize(
    ("annotation", "spec"),
    [
        (None, NONE),
        (type(None), NONE),
        (bool, Scalar("bool")),
        (int, INT),
        (float, Scalar("float")),
        (str, STR),
        (bytes, Scalar("bytes")),
        (datetime.datetime, Scalar("datetime")),
        (datetime.date, Scalar("date")),
        (datetime.time, Scalar("time")),
        (datetime.timedelta, Scalar("timedelta")),
        (UUID, Scalar("uuid")),
        (Decimal, Scalar("decimal")),
        (Any, JSON),
        (object, JSON),
        (farcall.Json, JSON),
        (list[int], ArrayOf("list", INT)),
        (typing.List[int], ArrayOf("list", INT)),  # noqa: UP006  # old code has it
        (set[int], ArrayOf("set", INT)),
        (frozenset[int], ArrayOf("frozenset", INT)),
        (Sequence[int], ArrayOf("sequence", INT)),
        (typing.Sequence[int], ArrayOf("sequence", INT)),
        (tuple[int, ...], ArrayOf("tuple", INT)),
        (tuple[int, str], TupleOf((INT, STR))),
        (tuple[()], TupleOf(())),
        (dict[str, int], MapOf("dict", STR, INT)),
        (Mapping[str, int], MapOf("mapping", STR, INT)),
        (int | None, UnionOf((INT, NONE))),
        (Optional[int], UnionOf((INT, NONE))),  # noqa: UP045  # old code has it
        (Union[int, str], UnionOf((INT, STR))),  # noqa: UP007  # old code has it
        (Any | None, JSON),
        (list[Any | None], ArrayOf("list", JSON)),
        (Literal[1, "a", None, b"x"], LiteralOf((1, "a", None, b"x"))),
        (Literal[Color.RED], LiteralOf((EnumMember("Color", "RED"),))),
        (Annotated[int, []], INT),
        (list[Annotated[list[Annotated[int, "n"]], "m"]], ArrayOf("list", ArrayOf("list", INT))),
        (UserId, Ref("UserId")),
        (Color, Ref("Color")),
        (tuple[UserId, UserId], TupleOf((Ref("UserId"), Ref("UserId")))),
        (tuple[Color, Color], TupleOf((Ref("Color"), Ref("Color")))),
        (Quote, Ref("Quote")),
        (Tree[int], Ref("Tree", (INT,))),
        (Tree[Tree[int]], Ref("Tree", (Ref("Tree", (INT,)),))),
        (Pair[int, Any | None], Ref("Pair", (INT, JSON))),
    ],
)
def test_describe(annotation: object, spec: TypeSpec) -> None:
    """Each supported annotation is described."""
    assert described(annotation)[0] == spec


@pytest.mark.parametrize(
    ("enum", "spec"),
    [
        (
            Color,
            EnumSpec(
                "Color",
                "Enum",
                (("RED", "red"), ("BLUE", "blue")),
                "What it looks like.",
                (("CRIMSON", "RED"),),
            ),
        ),
        (Level, EnumSpec("Level", "IntEnum", (("LOW", 1),))),
        (Side, EnumSpec("Side", "StrEnum", (("BUY", "buy"),))),
        (Old, EnumSpec("Old", "StrEnum", (("A", "a"),), mixed=True)),
        (Mixed, EnumSpec("Mixed", "Enum", (("A", "a"), ("B", 2)))),
    ],
)
def test_enum(enum: type[enum.Enum], spec: EnumSpec) -> None:
    """An enum is defined by its members, and lists its aliases apart."""
    assert definition(enum) == spec


def test_literal_defines_its_enums() -> None:
    """An enum with a member in a literal is defined as well."""
    assert "Color" in described(Literal[Color.RED])[1]


def test_new_type() -> None:
    """A new type is defined by its target."""
    assert definition(UserId) == NewTypeSpec("UserId", STR)


def test_record() -> None:
    """A record is defined with its fields, defaults as source, and its docstring."""
    assert definition(Quote) == RecordSpec(
        "Quote",
        "attrs",
        (
            FieldSpec("symbol", STR),
            FieldSpec("price", UnionOf((Scalar("float"), NONE)), Default("None")),
            FieldSpec("tags", ArrayOf("list", STR), Default("[]")),
            FieldSpec("seen", MapOf("dict", STR, INT), Default("{}")),
            FieldSpec("marks", ArrayOf("set", INT), Default("set()")),
            FieldSpec("at", ArrayOf("tuple", INT), Default("()")),
            FieldSpec("side", STR, Default(None)),
            FieldSpec("color", Ref("Color"), Default("Color.RED"), keyword_only=True),
        ),
        frozen=True,
        doc="A price.\n\nAnd more.",
    )


def test_typeddict() -> None:
    """A key that is not required has a default without a value."""
    assert definition(Table) == RecordSpec(
        "Table", "typeddict", (FieldSpec("a", INT, Default(None)),)
    )


def test_generated_docstrings_are_none() -> None:
    """The signature that dataclass and NamedTuple write as docstring is left out."""
    assert definition(Point) == RecordSpec("Point", "namedtuple", (FieldSpec("x", INT),))
    pair = definition(Pair[int, int])
    assert isinstance(pair, RecordSpec)
    assert pair.doc is None


def test_errors() -> None:
    """A declared error is a record with a code."""
    assert definition(UnknownSymbol) == RecordSpec(
        "UnknownSymbol",
        "error",
        (FieldSpec("symbol", STR),),
        code=1,
        doc="There is no such symbol.",
    )
    assert definition(Gone) == RecordSpec("Gone", "error", (), code=7)


@pytest.mark.parametrize(
    ("annotation", "fields", "parameters"),
    [
        (
            Tree[int],
            {"value": Parameter("T"), "children": ArrayOf("list", Ref("Tree", (Parameter("T"),)))},
            ("T",),
        ),
        (Pair[int, str], {"first": Parameter("T"), "second": Parameter("U")}, ("T", "U")),
        (Named, {"item": STR}, ()),
        (Again[int], {"item": Parameter("T")}, ("T",)),
        (BoxTable[int], {"item": Parameter("T")}, ("T",)),
        (IntTable, {"item": INT}, ()),
        (BoxTuple[int], {"item": Parameter("T")}, ("T",)),
    ],
)
def test_generic(
    annotation: object, fields: dict[str, TypeSpec], parameters: tuple[str, ...]
) -> None:
    """A generic is defined once, with its variables; those of generic bases are replaced."""
    record = definition(annotation)

    assert isinstance(record, RecordSpec)
    assert {field.name: field.type for field in record.fields} == fields
    assert record.parameters == parameters


class Rights(enum.Flag):
    READ = 1


OTHER_CODE = (
    "choose an int other than 2, -32700, -32606 to -32600,"
    " -32001, -32002, -32003, -32006, -32008, -32010"
)


class Nobody(enum.Enum):
    pass


class Fraction(enum.Enum):
    HALF = 0.5


class Truth(enum.Enum):
    YES = True


class Reserved(ApplicationError):
    code = -32001


class Group(ApplicationError):
    code = 2


class Textual(ApplicationError):
    code = "x"  # type: ignore[assignment]  # the mistake that is tested


class TrueCode(ApplicationError):
    code = True


@attrs.define
class Untyped:
    a = attrs.field()  # type: ignore[var-annotated]  # the mistake that is tested


@attrs.define
class Holder:
    quote: Quote
    callback: Callable[[int], str]


@attrs.define
class Outer:
    holders: list[Holder | None]


OtherQuote = attrs.make_class("Quote", {"a": attrs.field(type=int)})


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (list, "list has no item type; write list[Any] if it can hold anything"),
        (typing.List, "list has no item type; write list[Any] if it can hold anything"),  # noqa: UP006
        (dict, "dict has no item type; write dict[str, Any] if it can hold anything"),
        (tuple, "tuple has no item type; write tuple[Any, ...] if it can hold anything"),
        (
            Callable[[int], str],
            "Callable[[int], str] cannot cross the wire; use an attrs class with fields that can",
        ),
        (any, "<built-in function any> cannot cross the wire; use Any"),
        (datetime, "datetime is a module; name a class in it"),
        (Literal[1.5], "1.5 cannot be used in a Literal; use None, bool, int, str, bytes or Enum"),
        (complex, "complex cannot cross the wire; use an attrs class with fields that can"),
        (bytearray, "bytearray cannot cross the wire; use bytes"),
        (
            Iterable[int],
            "collections.abc.Iterable[int] cannot cross the wire; use list[...]",
        ),
        (
            collections.deque[int],
            "collections.deque[int] cannot cross the wire; use list[...]",
        ),
        (
            collections.OrderedDict[str, int],
            "collections.OrderedDict[str, int] cannot cross the wire; use dict[...]",
        ),
        (
            AsyncIterator[int],
            "collections.abc.AsyncIterator[int] cannot cross the wire;"
            " use AsyncIterable[...] as the whole annotation of a parameter, or list[...]",
        ),
        ("Quote", "'Quote' cannot cross the wire; use an attrs class with fields that can"),
        (
            list["Quote"],
            "'Quote' cannot cross the wire; use an attrs class with fields that can",
        ),
        (3, "3 cannot cross the wire; use an attrs class with fields that can"),
        ({}, "{} cannot cross the wire; use an attrs class with fields that can"),
        (
            T,
            "the type variable T is not bound here;"
            " write a concrete type: a service cannot be generic",
        ),
        (Tree, "Tree is generic; write Tree[...] with types for T"),
        (Pair, "Pair is generic; write Pair[...] with types for T, U"),
        (Rights, "Rights is a Flag; use an Enum whose values are int or str"),
        (Nobody, "Nobody has no members; use an Enum whose values are int or str"),
        (
            Fraction,
            "Fraction.HALF has a value that is neither int nor str;"
            " use an Enum whose values are int or str",
        ),
        (
            Truth,
            "Truth.YES has a value that is neither int nor str;"
            " use an Enum whose values are int or str",
        ),
        (
            Reserved,
            f"Reserved.code is -32001; {OTHER_CODE}",
        ),
        (Group, f"Group.code is 2; {OTHER_CODE}"),
        (Textual, f"Textual.code is 'x'; {OTHER_CODE}"),
        (
            TrueCode,
            f"TrueCode.code is True; {OTHER_CODE}",
        ),
        (Untyped, "Untyped.a: it has no type; annotate it"),
        (
            Twisted[int],
            "Twisted: the type variable T has two meanings, one in a base class;"
            " use another name in one of them",
        ),
        (
            Unbound,
            "Unbound.item: the type variable T is not bound here; write a concrete type",
        ),
        (
            Outer,
            "Holder.callback: Callable[[int], str] cannot cross the wire;"
            " use an attrs class with fields that can",
        ),
        (
            str | datetime.date,
            "str and date look the same in JSON; keep one of them, or wrap each in a record",
        ),
    ],
)
def test_unsupported(annotation: object, text: str) -> None:
    """Any other annotation is refused, with the problem, the path and the fix."""
    with pytest.raises(UnsupportedType) as caught:
        described(annotation)

    assert str(caught.value) == text.replace("Callable[", "collections.abc.Callable[")


def test_two_types_of_one_name() -> None:
    """Two types of one name are refused: a contract knows types by their names."""
    with pytest.raises(UnsupportedType) as caught:
        described(tuple[Quote, OtherQuote])  # type: ignore[valid-type]

    here = Quote.__module__
    assert caught.value.problem == (
        f"two types are named Quote: {here}.Quote and {OtherQuote.__module__}.Quote"
    )


def test_type_alias() -> None:
    """``type X = ...`` is described as its value; an alias that contains itself is refused."""

    class TypeAliasType:  # Python 3.12 has it, and no name of it is ever taken back
        __name__ = "X"
        __value__: Any = int

    alias = TypeAliasType()
    assert described(list[alias])[0] == ArrayOf("list", INT)  # type: ignore[valid-type]

    for endless in (list[alias], alias):  # type: ignore[valid-type]
        alias.__value__ = endless
        with pytest.raises(UnsupportedType, match="a type alias contains itself; use a record"):
            described(alias)


def test_generic_type_alias() -> None:
    """The arguments of a generic alias replace its parameters, in order."""
    make: Any = TypeAliasType
    dicts: Any = dict
    lists: Any = list
    table = make("table", dicts[U, lists[T]], type_params=(T, U))
    same = make("same", T, type_params=(T,))

    assert described(table[int, str])[0] == MapOf("dict", STR, ArrayOf("list", INT))
    assert described(same[int])[0] == INT


def test_an_alias_is_no_part_of_a_type() -> None:
    """A type remembers its alias, which does not change the type; a union in a union as well."""
    number: Any = TypeAliasType("number", int | float)
    (one, _), (other, _) = described(number | None), described(int | float | None)

    assert one == other
    assert hash(one) == hash(other)
    assert isinstance(one, UnionOf)
    assert [each.alias for each in one.written] == ["number", None]
