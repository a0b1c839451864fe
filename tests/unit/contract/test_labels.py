"""What types are called in messages."""

from __future__ import annotations

import pytest

from farcall._contract.labels import label
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
