"""Default values as source text."""

from __future__ import annotations

import enum

import pytest

from farcall._contract.definitions import Definitions
from farcall._contract.describe import describe
from farcall._contract.literals import literal_source

Shade = enum.Enum("Shade", {"dark red": 1, "class": 2})


class Side(enum.StrEnum):
    BUY = "buy"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Count(int):
    pass


@pytest.mark.parametrize(
    ("value", "source"),
    [
        (None, "None"),
        (True, "True"),
        (-7, "-7"),
        (1.5, "1.5"),
        (1e300, "1e+300"),
        ("it", '"it"'),
        ("it's", '"it\'s"'),
        ('say "it"', "'say \"it\"'"),
        ("é\n", '"é\\n"'),
        (b"a", 'b"a"'),
        ((), "()"),
        ((1,), "(1,)"),
        ((1, "a"), '(1, "a")'),
        ([1, [2]], "[1, [2]]"),
        ({"a": 1, 2: None}, '{"a": 1, 2: None}'),
        ({3, 1, 2}, "{1, 2, 3}"),
        ({9, 10}, "{10, 9}"),
        (set[int](), "set()"),
        (frozenset({2, 1}), "frozenset({1, 2})"),
        (frozenset[int](), "frozenset()"),
        (Side.BUY, "Side.BUY"),
        ([Side.BUY], "[Side.BUY]"),
        (Rights.READ, "Rights.READ"),
    ],
)
def test_literal(value: object, source: str) -> None:
    """A value with a literal is written as that."""
    assert literal_source(value) == source


@pytest.mark.parametrize("value", [[], {}, (1, [2.5]), {"a": {1, 2}}, frozenset({"x"}), "a'b\"c"])
def test_literal_is_python(value: object) -> None:
    """The literal evaluates to the value."""
    source = literal_source(value)

    assert source is not None
    assert eval(source) == value


@pytest.mark.parametrize(
    "value",
    [
        object(),
        float("inf"),
        float("nan"),
        Rights.READ | Rights.WRITE,
        Shade["dark red"],
        Shade["class"],
        Count(1),
        [object()],
        {"a": object()},
        {object(): 1},
        (1, (object(),)),
    ],
)
def test_no_literal(value: object) -> None:
    """A value without a literal, at any depth, has no source."""
    assert literal_source(value) is None


def test_enum_must_be_defined() -> None:
    """A member is written only if its enum is defined: a stub has no other enums."""
    definitions = Definitions()

    assert literal_source(Side.BUY, definitions) is None
    assert literal_source([Side.BUY], definitions) is None
    assert literal_source({1: Side.BUY}, definitions) is None

    describe(Side, definitions)

    assert literal_source((Side.BUY,), definitions) == "(Side.BUY,)"
