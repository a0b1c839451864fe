"""Literals and enums."""

from __future__ import annotations

import enum
from typing import Any, Literal

import pytest

from tests.unit.codec.through import faults, read, refusal, same, write


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"
    CRIMSON = "red"  # noqa: PIE796  # an alias


class Mixed(enum.Enum):
    ONE = 1
    TEXT = "1"


class Level(enum.IntEnum):
    LOW = 1


class Side(enum.StrEnum):
    BUY = "buy"


Many = enum.IntEnum("Many", [f"M{i}" for i in range(10)])  # type: ignore[misc]  # many members


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (Color, Color.RED, '"red"'),
        (Color, Color.CRIMSON, '"red"'),
        (Mixed, Mixed.ONE, "1"),
        (Mixed, Mixed.TEXT, '"1"'),
        (Level, Level.LOW, "1"),
        (Side, Side.BUY, '"buy"'),
        (Literal[1, True, "1", None], 1, "1"),
        (Literal[1, True, "1", None], True, "true"),
        (Literal[1, True, "1", None], "1", '"1"'),
        (Literal[1, True, "1", None], None, "null"),
        (Literal[b"a"], b"a", '"YQ=="'),
        (Literal[Color.RED], Color.RED, '"red"'),
        (list[Literal[1]], [1], "[1]"),
        (list[Literal[True]], [True], "[true]"),
    ],
)
def test_round_trip(annotation: Any, value: object, text: str) -> None:
    """Values cross as themselves, members as their values."""
    assert write(annotation, value) == text
    assert same(read(annotation, text), value)


@pytest.mark.parametrize(
    ("annotation", "text", "fault"),
    [
        (Color, '"green"', 'expected "red" | "blue"'),
        (Color, '"RED"', 'expected "red" | "blue"'),
        (Color, "[]", 'expected "red" | "blue"'),
        (Level, "1.0", "expected 1"),
        (Level, "true", "expected 1"),
        (Literal[1], "true", "expected 1"),
        (Literal[True], "1", "expected true"),
        (Literal[0, None], "0.0", "expected 0 | null"),
        (Literal["a", "b"], "{}", 'expected "a" | "b"'),
        (Many, "0", "expected 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | ..."),
    ],
)
def test_refuses_to_read(annotation: Any, text: str, fault: str) -> None:
    """Both type and value must match; the message lists the values."""
    assert faults(annotation, text) == [f"{fault} @ value"]


@pytest.mark.parametrize(
    ("annotation", "value", "error"),
    [
        (Color, "red", "expected Color, got str"),
        (Color, Side.BUY, "expected Color, got Side"),
        (Level, 1, "expected Level, got int"),
        (Literal[1], True, "expected 1, got bool"),
        (Literal[1, 2], 3, "expected 1 | 2, got another int"),
        (Literal["a", "b"], "c", 'expected "a" | "b", got another str'),
        (Literal["a"], Side.BUY, 'expected "a", got Side'),
        (Literal[1, None, True], [], "expected 1 | None | True, got list"),
        (Literal[Color.RED, b"x"], Color.BLUE, "expected Color.RED | b'x', got another Color"),
        (
            Literal[0, 1, 2, 3, 4, 5, 6, 7, 8],
            "",
            "expected 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | ..., got str",
        ),
    ],
)
def test_refuses_to_write(annotation: Any, value: object, error: str) -> None:
    """A value that equals a member and has another type is refused."""
    assert refusal(annotation, value) == f"{error} @ value"
