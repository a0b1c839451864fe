"""A mirror does what the codec does, or leaves it to the codec."""

from __future__ import annotations

import enum
import json
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict
from uuid import UUID

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farcall._codec import Argument, Arguments, Codec, Faults, Json, codec_of
from farcall._codec.mirror import NoMirror, find_mirror
from farcall._codec.text import decoded, encoded
from farcall.errors import EncodeError
from tests.unit.codec.cases import JSON, Case, cases
from tests.unit.codec.test_properties import mutated

EXAMPLES = settings(max_examples=150)

FAILED = object()


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Fraction(float):
    pass


class Letter(enum.StrEnum):
    A = "a"


class Digit(enum.IntEnum):
    ONE = 1


class Many(list[Any]):
    pass


class Pairs(dict[str, Any]):
    pass


def write_carefully(codec: Codec[Any], value: object) -> object:
    """Write without a mirror."""
    try:
        return encoded(codec.writing, value, "value")
    except EncodeError:
        return FAILED


def read_carefully(codec: Codec[Any], text: bytes, *, is_strict: bool) -> object:
    """Read without a mirror."""
    try:
        return decoded(codec.strict if is_strict else codec.tolerant, text, "value")
    except Faults:
        return FAILED


def write_by_mirror(codec: Codec[Any], value: object) -> object:
    return _tried(lambda: codec.mirror_writing().encoder(), value)


def read_by_mirror(codec: Codec[Any], text: bytes, *, is_strict: bool) -> object:
    unknown: Literal["refuse", "ignore"] = "refuse" if is_strict else "ignore"
    return _tried(lambda: codec.mirror_reading(unknown).decoder(), text)


def _tried(make: Callable[[], Callable[[Any], object]], given: object) -> object:
    mirror = find_mirror(make)
    if mirror is None:
        return FAILED
    try:
        return mirror(given)
    except Exception:  # noqa: BLE001  # a mirror may fail in any way
        return FAILED


def classes(value: object) -> object:
    """Tell the classes of all that a value is made of, which ``==`` does not compare."""
    if isinstance(value, Mapping):
        return type(value), [(key, classes(each)) for key, each in sorted(value.items())]
    if isinstance(value, list | tuple):
        return type(value), [classes(each) for each in value]
    if hasattr(value, "__dict__") and not isinstance(value, enum.Enum):
        return type(value), [(key, classes(each)) for key, each in vars(value).items()]
    return type(value), repr(value) if isinstance(value, float) else None


def check_reading(codec: Codec[Any], text: bytes) -> None:
    for is_strict in (True, False):
        mirrored = read_by_mirror(codec, text, is_strict=is_strict)
        if mirrored is not FAILED:
            careful = read_carefully(codec, text, is_strict=is_strict)
            assert mirrored == careful
            assert classes(mirrored) == classes(careful)


def check_writing(codec: Codec[Any], value: object) -> None:
    mirrored = write_by_mirror(codec, value)
    if mirrored is not FAILED:
        assert mirrored == write_carefully(codec, value)


def twisted(value: Any, data: st.DataObject) -> Any:
    """Exchange one part for another that looks alike to some, somewhere."""
    inside = data.draw(st.integers(0, 3)) > 0
    if inside and isinstance(value, list | tuple) and value:
        parts = [*value]
        place = data.draw(st.integers(0, len(parts) - 1))
        parts[place] = twisted(parts[place], data)
        return type(value)(parts) if type(value) in (list, tuple) else parts
    if inside and isinstance(value, dict) and value:
        name = data.draw(st.sampled_from(list(value)))
        return value | {name: twisted(value[name], data)}
    if inside and hasattr(value, "__dict__") and vars(value) and not isinstance(value, enum.Enum):
        name = data.draw(st.sampled_from(list(vars(value))))
        other = object.__new__(type(value))
        vars(other).update(vars(value) | {name: twisted(vars(value)[name], data)})
        return other
    return data.draw(st.sampled_from(alike(value)))


def alike(value: Any) -> list[Any]:
    """List what stands near a value, but is of another class."""
    match value:
        case bool():
            return [int(value), str(value)]
        case int():
            return [
                bool(value),
                Whole(value),
                Digit.ONE,
                float(value % 2**50),
                str(value),
                10**4300,
            ]
        case float():
            return [Fraction(value), math.nan, math.inf, 10**400, 3, True]
        case str():
            return [Text(value), Letter.A, value.encode(), "\ud800", 1, None, list(value)]
        case list() | tuple():
            return [Many(value), tuple(value), [*value, None], value[:-1], dict(enumerate(value))]
        case dict():
            some = {key: each for key, each in value.items() if isinstance(key, str)}
            return [Pairs(value), OrderedDict(value), SimpleNamespace(**some), {**value, 1: 2}]
        case _ if hasattr(value, "__dict__"):
            return [vars(value), SimpleNamespace(**vars(value)), type(value), [value]]
        case _:
            return [str(value), repr(value), 0, None, date(2026, 1, 2), datetime(2026, 1, 2, 3)]


@EXAMPLES
@given(cases(), st.data())
def test_values(case: Case, data: st.DataObject) -> None:
    """A value of the type has the same text, and the text gives the same value."""
    codec, value = codec_of(case.annotation), data.draw(case.values)
    careful = write_carefully(codec, value)
    assert isinstance(careful, bytes)

    assert write_by_mirror(codec, value) in (FAILED, careful)
    check_reading(codec, careful)


@EXAMPLES
@given(cases(), st.data())
def test_values_that_look_alike(case: Case, data: st.DataObject) -> None:
    """A mirror writes nothing that the codec refuses, and nothing in another way."""
    check_writing(codec_of(case.annotation), twisted(data.draw(case.values), data))


@EXAMPLES
@given(cases(), cases(), st.data())
def test_values_of_another_type(case: Case, other: Case, data: st.DataObject) -> None:
    """The same holds for values of any other type."""
    check_writing(codec_of(case.annotation), data.draw(other.values))


@EXAMPLES
@given(cases(), st.data())
def test_changed_texts(case: Case, data: st.DataObject) -> None:
    """A mirror reads nothing that the codec refuses, and nothing in another way."""
    codec = codec_of(case.annotation)
    plain = json.loads(codec.encode(data.draw(case.values)))

    check_reading(codec, json.dumps(mutated(plain, data)).encode())


@EXAMPLES
@given(cases(), JSON)
def test_any_text(case: Case, plain: object) -> None:
    """The same holds for any JSON."""
    check_reading(codec_of(case.annotation), json.dumps(plain).encode())


@EXAMPLES
@given(st.lists(cases(depth=2), max_size=4), st.data())
def test_arguments(drawn: list[Case], data: st.DataObject) -> None:
    """The arguments of a call have the same text, and are read alike, by name and by position."""
    roles = sorted(
        data.draw(st.lists(st.sampled_from([0, 1, 2]), min_size=len(drawn), max_size=len(drawn)))
    )
    parameters = [
        Argument(f"a{place}", case.annotation, ("positional", "either", "keyword")[role])
        for place, (case, role) in enumerate(zip(drawn, roles, strict=True))
    ]
    arguments = Arguments(parameters)
    bound = {
        each.name: data.draw(case.values) for each, case in zip(parameters, drawn, strict=True)
    }

    text = arguments.write(bound)
    careful = Arguments(parameters)
    vars(careful).update(_quick_write=None, _quick_read=None)

    assert text == careful.write(bound)
    assert arguments.read(text) == careful.read(text)
    as_array = b"[%b]" % b",".join(
        codec_of(each.annotation).encode(bound[each.name]) for each in parameters
    )
    assert read_or_faults(arguments, as_array) == read_or_faults(careful, as_array)
    broken = json.dumps(mutated(json.loads(text or b"{}"), data)).encode()
    assert read_or_faults(arguments, broken) == read_or_faults(careful, broken)


def read_or_faults(arguments: Arguments, params: bytes) -> object:
    try:
        return arguments.read(params)
    except Faults as faults:
        return faults.errors


@attrs.frozen
class Line:
    item: str
    quantity: int
    price: float = 1.5


@attrs.define
class Order:
    id: UUID
    at: datetime
    side: Literal["buy", "sell"]
    lines: list[Line]
    notes: dict[str, str | None] = attrs.field(factory=dict[str, "str | None"])
    parent: Line | None = None
    corners: tuple[tuple[int, int], ...] = ()


class Row(TypedDict):
    name: str
    age: NotRequired[int]


class Point(NamedTuple):
    x: int


@attrs.frozen
class Checked:
    size: int = attrs.field(validator=attrs.validators.gt(0))


@attrs.frozen
class Node:
    inner: Node | None = None


class Lenient(enum.Enum):
    A = "a"

    @classmethod
    def _missing_(cls, value: object) -> Lenient:
        return cls.A


class LenientBase(enum.Enum):
    @classmethod
    def _missing_(cls, value: object) -> LenientBase:
        return next(iter(cls))


class LenientByBase(LenientBase):
    A = "a"


ORDER = Order(
    UUID(int=1),
    datetime(2026, 1, 2, tzinfo=UTC),
    "buy",
    [Line("a", 1), Line("b", 2, 2.5)],
    {"a": None, "b": "c"},
    Line("c", 3),
    ((1, 2), (3, 4)),
)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, 3),
        (float, 3),
        (str | None, "a"),
        (list[str], ["a", "b"]),
        (list[Line], [Line("a", 1)]),
        (Order, ORDER),
        (dict[str, Order], {"a": ORDER}),
        (Letter, Letter.A),
        (Checked, Checked(1)),
        (Sequence[bytes], [b"a"]),
    ],
)
def test_has_a_mirror(annotation: Any, value: object) -> None:
    """What services mostly send is written and read by msgspec."""
    codec = codec_of(annotation)

    text = write_by_mirror(codec, value)

    assert isinstance(text, bytes)
    assert text == write_carefully(codec, value)
    for is_strict in (True, False):
        assert read_by_mirror(codec, text, is_strict=is_strict) == value


@pytest.mark.parametrize(
    "annotation",
    [
        set[int],
        dict[UUID, str],
        Node,
        Lenient,
        LenientByBase,
        Point,
        Row,
        Literal[True],
        Row | None,
        tuple[int, str] | int,
    ],
)
def test_has_none(annotation: Any) -> None:
    """Types on which msgspec differs are left to the codec, and so are records in themselves."""
    codec = codec_of(annotation)

    with pytest.raises(NoMirror):
        codec.mirror_writing()
    with pytest.raises(NoMirror):
        codec.mirror_reading("refuse")


def test_any_json_is_read_and_not_written() -> None:
    """Any JSON is what msgspec reads; it would write more than JSON."""
    codec = codec_of(Json)

    assert read_by_mirror(codec, b'[1,{"a":null}]', is_strict=True) == [1, {"a": None}]
    with pytest.raises(NoMirror):
        codec.mirror_writing()


def test_a_validator_has_its_say() -> None:
    """A validator runs also where a mirror reads, and its message reaches the caller."""
    with pytest.raises(Faults, match=r"'size' must be > 0: -1"):
        codec_of(Checked).decode(b'{"size":-1}', unknown="refuse", at="value")


def test_unknown_fields() -> None:
    """Unknown fields are refused in arguments, and ignored in results."""
    codec, text = codec_of(list[Line]), b'[{"item":"a","quantity":1,"more":2}]'

    assert read_by_mirror(codec, text, is_strict=True) is FAILED
    assert read_by_mirror(codec, text, is_strict=False) == [Line("a", 1)]


def test_wrong_values_are_worded_by_the_codec() -> None:
    """An error has its path, whichever way was tried first."""
    with pytest.raises(EncodeError, match=r"^expected int, got str @ value\[1\]\.quantity$"):
        codec_of(list[Line]).encode([Line("a", 1), Line("b", "2")])  # type: ignore[arg-type]  # the mistake
