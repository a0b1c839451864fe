"""Objects with fields."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NamedTuple, NewType, NotRequired, TypedDict, TypeVar

import attrs
import pytest

from farcall._codec import OMIT, Unknown
from farcall._codec.faults import MAX_FAULTS, mismatch
from tests.unit.codec.through import faults, read, refusal, same, write

T = TypeVar("T")


@attrs.frozen
class Line:
    sku: str
    quantity: int = 1


@attrs.frozen
class Order:
    id: int
    lines: list[Line]
    note: str | None = attrs.field(default=None, kw_only=True)


@attrs.define
class Special(Order):
    secret: str = "s"


@attrs.define
class Private:
    _key: str = attrs.field(alias="key")
    seen: int = attrs.field(init=False, default=7)
    kind: ClassVar[str] = "private"


@dataclass
class Point:
    x: int
    y: int = 2


class Pair(NamedTuple):
    a: int
    b: str = "b"


Table = TypedDict("Table", {"id": int, "a-b": NotRequired[int], "class": NotRequired[str]})


@attrs.define
class Tree:
    value: int
    left: Tree | None = None
    children: list[Tree] = attrs.field(factory=list)


@attrs.define
class Box(Generic[T]):
    item: T
    more: list[Box[T]] = attrs.field(factory=list)


@attrs.define
class BoxOfInt(Box[int]):
    pass


@attrs.define
class Checked:
    n: int = attrs.field(validator=attrs.validators.ge(0))
    kind: str = "a"

    def __attrs_post_init__(self) -> None:
        if self.kind == "long":
            raise ValueError("x" * 500)
        if self.kind == "secret":
            raise LookupError("the password is 1234")
        if self.kind == "odd":
            raise ValueError({"a": 1})


def twice(n: int) -> int:
    return n * 2


@attrs.define
class Doubled:
    n: int = attrs.field(converter=twice)


OrderId = NewType("OrderId", Order)


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (Line, Line("a"), '{"sku":"a","quantity":1}'),
        (
            Order,
            Order(1, [Line("a", 2)], note="n"),
            '{"id":1,"lines":[{"sku":"a","quantity":2}],"note":"n"}',
        ),
        (Private, Private("k"), '{"key":"k"}'),
        (Point, Point(1, 3), '{"x":1,"y":3}'),
        (Pair, Pair(1, "x"), '{"a":1,"b":"x"}'),
        (Table, {"id": 1, "a-b": 2, "class": "c"}, '{"id":1,"a-b":2,"class":"c"}'),
        (Table, {"id": 1}, '{"id":1}'),
        (
            Tree,
            Tree(1, Tree(2), [Tree(3)]),
            '{"value":1,"left":{"value":2,"left":null,"children":[]},'
            '"children":[{"value":3,"left":null,"children":[]}]}',
        ),
        (Box[str], Box("a", [Box("b")]), '{"item":"a","more":[{"item":"b","more":[]}]}'),
        (BoxOfInt, BoxOfInt(1), '{"item":1,"more":[]}'),
        (OrderId, Order(1, []), '{"id":1,"lines":[],"note":null}'),
    ],
)
def test_round_trip(annotation: Any, value: object, text: str) -> None:
    """A record of any kind crosses as an object of its fields."""
    assert write(annotation, value) == text
    assert same(read(annotation, text), value)


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (Line, '{"sku":"a"}', Line("a")),
        (Line, '{"quantity":2,"sku":"a"}', Line("a", 2)),
        (Point, '{"x":1}', Point(1)),
        (Pair, '{"a":1}', Pair(1)),
        (Doubled, '{"n":2}', Doubled(2)),
    ],
)
def test_defaults_apply(annotation: Any, text: str, value: object) -> None:
    """A field that is left out gets the default of its class."""
    assert read(annotation, text) == value


def test_many_unknown_fields() -> None:
    """Of many unknown fields at most 16 are reported."""
    text = json.dumps({f"x{i}": i for i in range(1000)})

    assert len(faults(Point, text)) == MAX_FAULTS


def test_subclass_crosses_as_declared() -> None:
    """An instance of a subclass is written with the declared fields alone."""
    assert write(Order, Special(1, [])) == '{"id":1,"lines":[],"note":null}'


def test_omit() -> None:
    """A field that is `OMIT` is not sent; a required one is reported as missing."""
    assert write(Line, Line("a", OMIT)) == '{"sku":"a"}'
    assert write(Table, {"id": 1, "class": OMIT}) == '{"id":1}'
    assert refusal(Line, Line(OMIT)) == "missing @ value.sku"


@pytest.mark.parametrize(
    ("annotation", "text", "expected"),
    [
        (Line, "[]", ["expected Line @ value"]),
        (Line, "null", ["expected Line @ value"]),
        (Table, "[]", ["expected Table @ value"]),
        (Line, "{}", ["missing @ value.sku"]),
        (Table, "{}", ["missing @ value.id"]),
        (
            Order,
            '{"id":"1","lines":[{"sku":"a"},{"sku":1,"quantity":null}],"x":1}',
            [
                "expected int @ value.id",
                "expected str @ value.lines[1].sku",
                "expected int @ value.lines[1].quantity",
                "unknown field @ value.x",
            ],
        ),
        (
            Table,
            '{"id":1,"a-b":"x","z z":1}',
            ["expected int @ value['a-b']", "unknown field @ value['z z']"],
        ),
        (Private, '{"_key":"k"}', ["missing @ value.key", "unknown field @ value._key"]),
        (Private, '{"key":"k","seen":1}', ["unknown field @ value.seen"]),
        (Tree, '{"value":1,"left":{"value":2,"left":{}}}', ["missing @ value.left.left.value"]),
        (Box[str], '{"item":"a","more":[{"item":1}]}', ["expected str @ value.more[0].item"]),
        (Checked, '{"n":-1}', ["'n' must be >= 0: -1 @ value.n"]),
        (Checked, '{"n":1,"kind":"long"}', ["x" * 200 + " @ value"]),
        (Checked, '{"n":1,"kind":"secret"}', ["refused by Checked @ value"]),
        (Checked, '{"n":1,"kind":"odd"}', ["refused by Checked @ value"]),
    ],
)
def test_refuses_to_read(annotation: Any, text: str, expected: list[str]) -> None:
    """All faults of a record are reported at once, each with its path."""
    assert faults(annotation, text) == expected


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (Line, '{"sku":"a","x":1}', Line("a")),
        (Order, '{"id":1,"lines":[{"sku":"a","y":[]}],"x":1}', Order(1, [Line("a")])),
        (Table, '{"id":1,"x":2}', {"id": 1}),
        (dict[str, list[Tree]], '{"a":[{"value":1,"x":1}]}', {"a": [Tree(1)]}),
        (Line | Order | None, '{"type":"Line","sku":"a","z":1}', Line("a")),
    ],
)
def test_ignores_unknown(annotation: Any, text: str, value: object) -> None:
    """If unknown fields are ignored, they are at every depth."""
    assert read(annotation, text, "ignore") == value


@pytest.mark.parametrize(
    ("annotation", "value", "error"),
    [
        (Line, {"sku": "a"}, "expected Line, got dict @ value"),
        (Line, Point(1), "expected Line, got Point @ value"),
        (Line, Line(1), "expected str, got int @ value.sku"),  # type: ignore[arg-type]
        (
            Order,
            Order(1, [Line("a"), Line("b", True)]),
            "expected int, got bool @ value.lines[1].quantity",
        ),
        (Pair, (1, "b"), "expected Pair, got tuple @ value"),
        (Table, Line("a"), "expected Table, got Line @ value"),
        (Table, {"a-b": 1}, "missing @ value.id"),
        (Table, {"id": 1, "z": 1}, "unknown field @ value.z"),
        (Table, {"id": 1, 2: 3}, "unknown field @ value['2']"),
        (Box[str], Box(1), "expected str, got int @ value.item"),
    ],
)
def test_refuses_to_write(annotation: Any, value: object, error: str) -> None:
    """A value that is not such a record, or has a wrong field, is refused with its path."""
    assert refusal(annotation, value) == error


@attrs.define
class Loose:
    a: int = 1
    b: list[int] = attrs.field(factory=list)


class LooseTable(TypedDict, total=False):
    a: int


class Nothing(TypedDict):
    pass


@pytest.mark.parametrize("annotation", [Loose, LooseTable, Nothing])
@pytest.mark.parametrize("unknown", ["refuse", "ignore"])
@pytest.mark.parametrize("text", ["[]", '""', '"a"', "1", "null", "true"])
def test_only_objects_are_records(annotation: type, unknown: Unknown, text: str) -> None:
    """Only an object is read as a record without required fields."""
    assert faults(annotation, text, unknown) == [f"expected {annotation.__name__} @ value"]


@attrs.frozen
class Stubbed:
    """As a stub has it, where the service's defaults have no literals."""

    since: int = OMIT
    tags: list[str] = OMIT
    name: str = "n"


@dataclass
class StubbedToo:
    name: str
    since: int = OMIT


def test_omit_by_default() -> None:
    """A field that is `OMIT` by default is left out if it is `OMIT`, and checked otherwise."""
    assert write(Stubbed, Stubbed()) == '{"name":"n"}'
    assert write(StubbedToo, StubbedToo("a")) == '{"name":"a"}'
    assert write(Stubbed, Stubbed(1, ["a"], OMIT)) == '{"since":1,"tags":["a"]}'
    assert refusal(Stubbed, Stubbed("1")) == "expected int, got str @ value.since"  # type: ignore[arg-type]


def test_what_was_never_set() -> None:
    """An attribute that an instance lacks is left out; a required one is reported as missing."""
    line = Line.__new__(Line)
    assert refusal(Line, line) == "missing @ value.sku"

    object.__setattr__(line, "sku", "a")
    assert write(Line, line) == '{"sku":"a"}'


@attrs.define(init=False)
class Backwards:
    """Its constructor has an order of its own, and a name that goes by keyword alone."""

    a: int
    b: int
    c: int
    d: int = 4

    def __init__(self, a: int, c: int, b: int, *, d: int = 4) -> None:
        self.a, self.b, self.c, self.d = a, b, c, d


@attrs.define(kw_only=True)
class Keywords:
    b: int = 2
    a: int


def test_order_of_constructor() -> None:
    """Members reach the constructor by their names, whatever its order is."""
    assert read(Backwards, '{"a":1,"b":2,"c":3}') == Backwards(a=1, b=2, c=3)
    assert read(Keywords, '{"a":1}') == Keywords(a=1)


@attrs.define
class Reserved:
    """Its fields are called like what cattrs takes."""

    cl: int
    converter: int
    attrs: int
    o: int
    res: int = 0
    self_: int = 0


Quoted = TypedDict("Quoted", {"a'b": int, 'c"d\\': NotRequired[int], "cl": int, "": int})
Odd: Any = attrs.make_class("Odd[int]", {"n": attrs.field(type=int)})


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Reserved, Reserved(1, 2, 3, 4, 5, 6)),
        (Quoted, {"a'b": 1, 'c"d\\': 2, "cl": 3, "": 4}),
        (Odd, Odd(1)),
    ],
)
def test_names_that_disturb_no_code(annotation: Any, value: object) -> None:
    """Fields and classes can have any name, though cattrs generates code with it."""
    assert same(read(annotation, write(annotation, value)), value)
    assert all(fault.startswith("missing @ value") for fault in faults(annotation, "{}"))


@attrs.define
class Moody:
    """Its constructor fails with an error that looks like one of ours."""

    kind: str

    def __attrs_post_init__(self) -> None:
        raise {
            "mismatch": mismatch("secret"),
            "key": KeyError("kind"),
            "depth": RecursionError("deep"),
        }[self.kind]


@pytest.mark.parametrize("kind", ["mismatch", "key", "depth"])
def test_errors_of_constructors_are_no_faults(kind: str) -> None:
    """Any exception of a constructor is reported as its refusal."""
    assert faults(Moody, json.dumps({"kind": kind})) == ["refused by Moody @ value"]
    assert faults(list[Moody], json.dumps([{"kind": kind}])) == ["refused by Moody @ value[0]"]


class Ordered(dict[str, int]):
    pass


def test_dicts_of_other_classes() -> None:
    """A TypedDict is written from any dict, and the data shares no container with it."""
    assert write(Table, Ordered(id=1)) == '{"id":1}'
