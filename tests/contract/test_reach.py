"""The named types that a type is made of."""

from __future__ import annotations

import pytest

from farcall._contract.reach import reachable
from farcall._contract.spec import (
    ArrayOf,
    EnumMember,
    EnumSpec,
    FieldSpec,
    LiteralOf,
    MapOf,
    NewTypeSpec,
    Ref,
    TupleOf,
    TypeSpec,
    UnionOf,
)
from tests.contract.specs import INT, NONE, STR, market, record

NAMED = market(
    record("Node", FieldSpec("next", UnionOf((Ref("Node"), NONE))), FieldSpec("side", Ref("Side"))),
    EnumSpec("Side", "Enum", (("BUY", "buy"),)),
    NewTypeSpec("Nodes", ArrayOf("list", Ref("Node"))),
    record("Box"),
)


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (INT, set()),
        (LiteralOf((1, EnumMember("Side", "BUY"))), {"Side"}),
        (Ref("Node"), {"Node", "Side"}),
        (Ref("Nodes"), {"Nodes", "Node", "Side"}),
        (Ref("Box", (Ref("Side"),)), {"Box", "Side"}),
        (TupleOf((INT, Ref("Side"))), {"Side"}),
        (MapOf("dict", STR, Ref("Box")), {"Box"}),
        (Ref("Lost"), {"Lost"}),
    ],
)
def test_reachable(spec: TypeSpec, names: set[str]) -> None:
    """All names are found, those of recursive types too."""
    assert reachable([spec], NAMED) == names
