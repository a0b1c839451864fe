"""JSON text to values and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import msgspec
import pytest

from farcall._codec import Faults, codec_of, decode_json, encode_untyped
from farcall._codec.text import MAX_DETAILED, MAX_VALUE_DEPTH, FastThenDetailed, decoded, encoded
from farcall._json import LooseText
from farcall._limits import MAX_DEPTH
from farcall.errors import EncodeError
from tests.unit.codec.through import faults, refusal, write


@attrs.define
class Node:
    children: list[Node] = attrs.field(factory=list)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def node(depth: int) -> Node:
    value = Node()
    for _ in range(depth - 1):
        value = Node([value])
    return value


@pytest.mark.parametrize(
    "text",
    [
        *("", "[", "nul", "NaN", "1.", "01", "{'a':1}", '"\x00"', "1 2", "1e400"),
        *('["\\ud800", NaN]', '["\\ud800", 1e400]', '"\\ud800' + "x" * 20_000 + '"'),
    ],
)
def test_no_json(text: str) -> None:
    """A text that is not JSON is a fault of the whole value."""
    (fault,) = faults(Any, text)

    assert fault.startswith("not JSON: ")
    assert fault.endswith(" @ value")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (r'"\ud800"', "value"),
        (r'["a",{"b":["\udfff"]}]', "value[1].b[0]"),
        (r'{"a":{"\udfff":1}}', r"value.a['\udfff']"),
        (r'["\ud83d\ude00","\\ud800","\ud800"]', "value[2]"),
    ],
)
def test_a_lone_surrogate_is_told_with_its_place(text: str, place: str) -> None:
    """A lone surrogate is refused in both directions."""
    assert faults(Any, text) == [f"expected str without lone surrogates @ {place}"]


def test_a_loose_text_may_hold_lone_surrogates() -> None:
    """A lone surrogate of a plain peer is read."""
    text = LooseText(rb'["\ud800",{"\udfff":1.5}]')

    value: object = codec_of(Any).decode(text, unknown="ignore", at="value")
    assert value == ["\ud800", {"\udfff": 1.5}]
    with pytest.raises(Faults, match="not JSON"):
        codec_of(Any).decode(LooseText(rb'["\ud800",NaN]'), unknown="ignore", at="value")


@pytest.mark.parametrize("text", [b"\xff", b'"\xed\xa0\x80"', b"[" * 100_000])
def test_no_text(text: bytes) -> None:
    """Bytes that are not UTF-8, and endless nesting, are faults."""
    with pytest.raises(Faults):
        decode_json(text)


def test_reading_too_deep() -> None:
    """A text that nests deeper than Python's stack is a fault rather than a RecursionError."""

    def read(data: object) -> object:
        return read(data)

    with pytest.raises(Faults, match="nested too deep @ result"):
        decoded(FastThenDetailed(lambda _: read), b"1", "result")


def test_raw() -> None:
    """A part of a larger text is read."""
    assert codec_of(int).decode(msgspec.Raw(b"1"), unknown="refuse", at="a") == 1


@pytest.mark.parametrize("annotation", [Any, object])
def test_depth(annotation: Any) -> None:
    """A value can nest as deep as a message allows, less the levels around it."""
    assert MAX_VALUE_DEPTH + len("[{{[") == MAX_DEPTH

    write(annotation, nested(MAX_VALUE_DEPTH))

    too_deep = nested(MAX_VALUE_DEPTH + 1)
    assert refusal(annotation, too_deep) == "nested deeper than 60 levels @ value"


def test_depth_of_records() -> None:
    """Each record and each list counts as a level."""
    write(Node, node(MAX_VALUE_DEPTH // 2))

    assert refusal(Node, node(MAX_VALUE_DEPTH // 2 + 1)) == "nested deeper than 60 levels @ value"


def test_many_are_not_deep() -> None:
    """Depth counts nesting, and not the number of lists or brackets."""
    write(list[list[str]], [["[{"]] * 200)


def test_endless_value() -> None:
    """A value that contains itself raises EncodeError."""
    value: list[Any] = []
    value.append(value)
    endless = Node()
    endless.children.append(endless)

    assert refusal(Any, value) == "nested deeper than 60 levels @ value"
    assert refusal(Node, endless) == "nested deeper than 60 levels @ value"


def test_errors_hide_the_inside() -> None:
    """An EncodeError has no context and no cause."""
    with pytest.raises(EncodeError) as caught:
        encoded(codec_of(int).writing, "a", "value")

    assert caught.value.__suppress_context__


def test_untyped_depth() -> None:
    """Values without a type have the same limit."""
    with pytest.raises(EncodeError, match="nested deeper than 60 levels @ params"):
        encode_untyped(nested(MAX_VALUE_DEPTH + 1), at="params")


@attrs.define
class Sized:
    size: int
    more: str = ""


def padded(size: object, length: int) -> bytes:
    text = b'{"size":%b,"more":""}' % str(size).encode()
    return text.replace(b'""', b'"%b"' % (b"x" * (length - len(text))))


def test_large_text_is_not_searched() -> None:
    """A fault has its path in texts up to a length, beyond which finding it takes too long."""
    codec = codec_of(Sized)

    with pytest.raises(Faults) as caught:
        codec.decode(padded("true", MAX_DETAILED), unknown="refuse", at="a")
    assert str(caught.value) == "expected int @ a.size"

    large = padded("true", MAX_DETAILED + 1)
    for text in (large, msgspec.Raw(large)):
        with pytest.raises(Faults) as caught:
            codec.decode(text, unknown="refuse", at="a")
        assert str(caught.value) == (
            "expected int somewhere inside; the path is reported for texts of at most 16384 bytes"
            " @ a"
        )

    assert codec.decode(padded(1, MAX_DETAILED + 1), unknown="refuse", at="a").size == 1


def test_second_pass_succeeds() -> None:
    """A value that only the second pass accepts is read."""

    def make(is_detailed: bool) -> Callable[[str], object]:
        return str if is_detailed else int

    passes = FastThenDetailed(make)
    assert decoded(passes, b'"a"', "a") == "a"
    assert encoded(passes, "a", "a") == b'"a"'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("\ud83d", rb'"\ud83d"'),
        (["\u00e9", "\udfff"], rb'["\u00e9","\udfff"]'),
        ({"\udfff": [1.5, None, True]}, rb'{"\udfff":[1.5,null,true]}'),
    ],
)
def test_a_plain_peer_may_get_lone_surrogates(value: Any, text: bytes) -> None:
    """A plain peer gets lone surrogates; for others the value is refused as before."""
    assert encode_untyped(value, is_plain=True) == text
    with pytest.raises(EncodeError, match="expected str without lone surrogates"):
        encode_untyped(value)
    with pytest.raises(EncodeError, match="expected str without lone surrogates"):
        encode_untyped(value)  # what was allowed once is not allowed from then on


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (["\ud83d", float("nan")], r"expected finite float @ value\[1\]"),
        (["\ud83d", object()], r"@ value\[1\]"),
        (["\ud83d", nested(MAX_VALUE_DEPTH)], "nested deeper"),
    ],
)
def test_what_a_plain_peer_may_not_get(value: Any, problem: str) -> None:
    """For a plain peer other faults are refused as ever."""
    with pytest.raises(EncodeError, match=problem):
        encode_untyped(value, is_plain=True)


def test_detailed_is_made_on_demand() -> None:
    """The function that reports paths is made at the first failure, and once."""
    made: list[bool] = []

    def make(is_detailed: bool) -> Callable[[object], object]:
        made.append(is_detailed)
        return str if is_detailed else repr

    passes = FastThenDetailed(make)
    assert (passes.quick("a"), made) == ("'a'", [False])

    assert passes.detailed("a") == "a"
    assert passes.detailed is passes.way(is_detailed=True)
    assert passes.way(is_detailed=False) is passes.quick
    assert made == [False, True]
