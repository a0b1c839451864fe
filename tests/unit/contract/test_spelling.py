"""Types as a reader would write them."""

from __future__ import annotations

import pytest

from farcall._contract.labels import spelled
from farcall._contract.spec import (
    ArrayOf,
    EnumMember,
    LiteralOf,
    MapOf,
    Parameter,
    Ref,
    TupleOf,
    TypeSpec,
    UnionOf,
)
from tests.unit.contract.specs import INT, NONE, STR


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (INT, "int"),
        (NONE, "None"),
        (LiteralOf((1, "a", EnumMember("Side", "BUY"))), "Literal[1, 'a', Side.BUY]"),
        (ArrayOf("list", INT), "list[int]"),
        (ArrayOf("tuple", INT), "tuple[int, ...]"),
        (TupleOf((INT, STR)), "tuple[int, str]"),
        (TupleOf(()), "tuple[()]"),
        (MapOf("dict", STR, INT), "dict[str, int]"),
        (UnionOf((INT, NONE)), "int | None"),
        (Ref("Quote"), "Quote"),
        (Ref("Page", (INT,)), "Page[int]"),
        (Parameter("T"), "T"),
    ],
)
def test_spelled(spec: TypeSpec, text: str) -> None:
    """A type is written in Python's own notation."""
    assert spelled(spec) == text
