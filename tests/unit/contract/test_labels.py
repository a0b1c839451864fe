"""Names of types in messages."""

from __future__ import annotations

import pytest

from farcall._contract.labels import label, spelled
from farcall._contract.spec import (
    ArrayOf,
    EnumMember,
    LiteralOf,
    MapOf,
    Parameter,
    Ref,
    Scalar,
    TupleOf,
    TypeSpec,
    UnionOf,
)
from tests.unit.contract.specs import INT, NONE, STR


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (Scalar("none"), "null"),
        (Scalar("int"), "int"),
        (Scalar("uuid"), "UUID"),
        (Scalar("json"), "JSON"),
        (LiteralOf((None, True, 1, "a", b"a")), 'null | true | 1 | "a" | "YQ=="'),
        (LiteralOf((EnumMember("Side", "BUY"),)), "Side.BUY"),
        (ArrayOf("frozenset", Scalar("int")), "frozenset"),
        (TupleOf(()), "tuple"),
        (MapOf("mapping", Scalar("str"), Scalar("int")), "mapping"),
        (UnionOf((Scalar("int"), Scalar("none"))), "int | null"),
        (Ref("Quote"), "Quote"),
        (Parameter("T"), "T"),
    ],
)
def test_label(spec: TypeSpec, text: str) -> None:
    """Each type has a short name; a literal lists its values as JSON has them."""
    assert label(spec) == text


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
    """A type is written in Python's notation."""
    assert spelled(spec) == text
