"""Random types, each with its values."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from functools import partial
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from itertools import count
from pathlib import PurePosixPath
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    TypedDict,
    TypeVar,
)
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
from hypothesis import strategies as st

import farcall

# Called with what type checkers cannot know.
make_enum: Any = enum.Enum
make_namedtuple: Any = NamedTuple
make_typeddict: Any = TypedDict
make_default: Any = attrs.Factory

T = TypeVar("T")
Values = st.SearchStrategy[Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]


@attrs.frozen
class Case:
    """A type and its values."""

    annotation: Any
    values: Values
    form: str = "string"
    """What its values look like in JSON, to make unions that are told apart."""
    is_hashable: bool = True


@attrs.frozen
class Box(Generic[T]):
    item: T


@attrs.frozen
class Tree(Generic[T]):
    item: T
    children: list[Tree[T]] = attrs.field(factory=list)


@attrs.frozen
class Code:
    text: str


def _code(text: str) -> Code:
    if not text.startswith("!"):
        raise ValueError("expected a text that begins with !")
    return Code(text[1:])


farcall.register_type(Code, str, encode=lambda code: f"!{code.text}", decode=_code)


@attrs.frozen
class Pair:
    x: int
    y: int


PAIR = Annotated[
    Pair, farcall.Via(tuple[int, int], encode=lambda p: (p.x, p.y), decode=lambda xy: Pair(*xy))
]

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
OFFSETS = st.sampled_from([None, UTC, timezone(timedelta(hours=5, minutes=30))])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(TEXTS, inside, max_size=3),
    max_leaves=6,
)

IPV4 = st.ip_addresses(v=4)
IPV6 = st.ip_addresses(v=6)
PATHS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=9)


def _networks(made: Any, addresses: Values, bits: int) -> Values:
    """Make networks or interfaces of addresses and the lengths of prefixes."""
    several = st.tuples(addresses, st.integers(0, bits))
    return several.map(lambda pair: made(f"{pair[0]}/{pair[1]}", *_LENIENT.get(made, ())))


_LENIENT: Mapping[Any, tuple[bool]] = {IPv4Network: (False,), IPv6Network: (False,)}
"""An address within a network stands for the network."""

SCALARS = [
    Case(type(None), st.none(), "null"),
    Case(bool, st.booleans(), "boolean"),
    Case(int, st.integers(), "number"),
    Case(float, st.floats(allow_nan=False, allow_infinity=False), "number"),
    Case(str, TEXTS),
    Case(bytes, st.binary(max_size=5)),
    Case(datetime, st.datetimes(timezones=OFFSETS)),
    Case(date, st.dates()),
    Case(time, st.times(timezones=OFFSETS)),
    Case(timedelta, st.timedeltas(timedelta(days=-40_000), timedelta(days=40_000)), "number"),
    Case(UUID, st.uuids()),
    Case(Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    Case(Fraction, st.fractions()),
    Case(PurePosixPath, PATHS.map(PurePosixPath)),
    Case(IPv4Address, IPV4),
    Case(IPv6Address, IPV6),
    Case(IPv4Network, _networks(IPv4Network, IPV4, 32)),
    Case(IPv6Network, _networks(IPv6Network, IPV6, 128)),
    Case(IPv4Interface, _networks(IPv4Interface, IPV4, 32)),
    Case(IPv6Interface, _networks(IPv6Interface, IPV6, 128)),
    Case(ZoneInfo, st.sampled_from(["UTC", "Europe/Berlin", "Etc/GMT+10"]).map(ZoneInfo)),
    Case(Code, TEXTS.map(Code)),
    Case(PAIR, st.builds(Pair, st.integers(), st.integers()), "array"),
    Case(Any, JSON, "any", is_hashable=False),
    Case(Literal[1, "a", None, True], st.sampled_from([1, "a", None, True]), "any"),
    Case(Literal["x", b"y"], st.sampled_from(["x", b"y"])),
]
TEXT_LIKE = [case for case in SCALARS if case.form == "string"]


@st.composite
def cases(draw: Draw, depth: int = 3) -> Case:
    """Draw a type, at most so deep."""
    names = (f"R{i}" for i in count())
    return _case(draw, depth, names.__next__)


def _case(draw: Draw, depth: int, name: Callable[[], str]) -> Case:
    if depth == 0 or draw(st.integers(0, 3)) == 0:
        return _leaf(draw, name)
    makers = [_array, _tuple, _table, _optional, _union, _record, _typed_table, _generic, _renamed]
    maker = draw(st.sampled_from(makers))
    case: Case = maker(draw, lambda: _case(draw, depth - 1, name), name)
    return case


def of(generic: Any, *arguments: Any) -> Any:
    """Write ``generic[arguments]``, which type checkers take for an annotation."""
    return generic[arguments if len(arguments) != 1 else arguments[0]]


Inside = Callable[[], Case]
Name = Callable[[], str]


def _leaf(draw: Draw, name: Name) -> Case:
    return draw(st.sampled_from(SCALARS)) if draw(st.integers(0, 4)) else _enum(draw, name)


def _enum(draw: Draw, name: Name) -> Case:
    values = draw(st.lists(st.integers() | TEXTS, min_size=1, max_size=3, unique=True))
    made = make_enum(name(), {f"M{i}": value for i, value in enumerate(values)})
    return Case(made, st.sampled_from(list(made)), "any")


def _array(draw: Draw, inside: Inside, name: Name) -> Case:
    item = inside()
    lists = st.lists(item.values, max_size=3)
    kinds: list[tuple[Any, Callable[[list[Any]], Any], bool]] = [
        (of(list, item.annotation), list, False),
        (of(Sequence, item.annotation), list, False),
        (of(tuple, item.annotation, ...), tuple, item.is_hashable),
    ]
    if item.is_hashable:
        kinds.append((of(set, item.annotation), set, False))
        kinds.append((of(frozenset, item.annotation), frozenset, True))
    annotation, make, is_hashable = draw(st.sampled_from(kinds))
    return Case(annotation, lists.map(make), "array", is_hashable)


def _tuple(draw: Draw, inside: Inside, name: Name) -> Case:
    items = [inside() for _ in range(draw(st.integers(0, 3)))]
    return Case(
        of(tuple, *(item.annotation for item in items)),
        st.tuples(*(item.values for item in items)),
        "array",
        all(item.is_hashable for item in items),
    )


def _table(draw: Draw, inside: Inside, name: Name) -> Case:
    key, value = _key(draw, name), inside()
    kind = draw(st.sampled_from([dict, Mapping]))
    values = st.dictionaries(key.values, value.values, max_size=3)
    return Case(of(kind, key.annotation, value.annotation), values, "object", is_hashable=False)


def _key(draw: Draw, name: Name) -> Case:
    texts, numbers = st.sampled_from(TEXT_LIKE), Case(int, st.integers(), "number")
    values = draw(st.lists(st.integers(), min_size=1, max_size=3, unique=True))
    made = make_enum(name(), {f"M{i}": value for i, value in enumerate(values)})
    levels = Case(made, st.sampled_from(list(made)), "any")
    key: Case = draw(texts | st.sampled_from([numbers, levels]))
    return key


def _optional(draw: Draw, inside: Inside, name: Name) -> Case:
    case = inside()
    if case.form in ("any", "null"):
        return case
    return Case(case.annotation | None, case.values | st.none(), "any", case.is_hashable)


def _union(draw: Draw, inside: Inside, name: Name) -> Case:
    members: dict[str, Case] = {}
    for case in (inside() for _ in range(3)):
        if case.form != "any":
            members.setdefault(case.form, case)
    if not members:
        return inside()
    annotation: Any = None
    for case in members.values():
        annotation = case.annotation if annotation is None else annotation | case.annotation
    is_hashable = all(case.is_hashable for case in members.values())
    return Case(
        annotation, st.one_of(*(case.values for case in members.values())), "any", is_hashable
    )


def _record(draw: Draw, inside: Inside, name: Name) -> Case:
    fields = {f"f{i}": inside() for i in range(draw(st.integers(0, 3)))}
    annotations = {field: case.annotation for field, case in fields.items()}
    make = draw(st.sampled_from([_attrs, _dataclass, make_namedtuple]))
    if make is make_namedtuple:
        made = make(name(), annotations.items())
    else:
        optional = list(fields)[draw(st.integers(0, 3)) :]
        made = make(
            name(), annotations.items(), {field: draw(fields[field].values) for field in optional}
        )
    values = st.fixed_dictionaries({field: case.values for field, case in fields.items()})
    is_hashable = all(case.is_hashable for case in fields.values())
    return Case(made, values.map(lambda each: made(**each)), "object", is_hashable)


def _attrs(name: str, fields: Iterable[tuple[str, Any]], defaults: Mapping[str, object]) -> Any:
    members = {
        f"_{field}": attrs.field(
            type=annotation,
            alias=field,
            default=(
                make_default(partial(copy, defaults[field])) if field in defaults else attrs.NOTHING
            ),
        )
        for field, annotation in fields
    }
    return attrs.make_class(name, members, frozen=True)


def _dataclass(name: str, fields: Iterable[tuple[str, Any]], defaults: Mapping[str, object]) -> Any:
    members: list[Any] = [
        (field, annotation, dataclasses.field(default_factory=partial(copy, defaults[field])))
        if field in defaults
        else (field, annotation)
        for field, annotation in fields
    ]
    return dataclasses.make_dataclass(name, members, frozen=True)


def _typed_table(draw: Draw, inside: Inside, name: Name) -> Case:
    must = {f"a-{i}": inside() for i in range(draw(st.integers(0, 2)))}
    may = {f"class{i}": inside() for i in range(draw(st.integers(0, 2)))}
    annotations = {key: case.annotation for key, case in must.items()}
    annotations |= {key: of(NotRequired, case.annotation) for key, case in may.items()}
    made = make_typeddict(name(), annotations)
    values = st.fixed_dictionaries(
        {key: case.values for key, case in must.items()},
        optional={key: case.values for key, case in may.items()},
    )
    return Case(made, values, "object", is_hashable=False)


def _generic(draw: Draw, inside: Inside, name: Name) -> Case:
    item = inside()
    if draw(st.booleans()):
        return Case(of(Box, item.annotation), item.values.map(Box), "object", item.is_hashable)
    values = st.recursive(
        item.values.map(Tree),
        lambda trees: st.builds(Tree, item.values, st.lists(trees, max_size=2)),
        max_leaves=3,
    )
    return Case(of(Tree, item.annotation), values, "object", is_hashable=False)


def _renamed(draw: Draw, inside: Inside, name: Name) -> Case:
    case = inside()
    if draw(st.booleans()):
        return attrs.evolve(case, annotation=of(Annotated, case.annotation, "a note"))
    return attrs.evolve(case, annotation=NewType(name(), case.annotation))
