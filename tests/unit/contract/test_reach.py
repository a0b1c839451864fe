"""The named types that a type is made of."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from farcall._contract.algebra import named_in, reachable
from farcall._contract.spec import (
    ArrayOf,
    Definition,
    EnumMember,
    EnumSpec,
    FieldSpec,
    LiteralOf,
    MapOf,
    NewTypeSpec,
    Parameter,
    Ref,
    TupleOf,
    TypeSpec,
    UnionOf,
)
from tests.unit.contract.specs import INT, NONE, STR, record

_NODE = FieldSpec("next", UnionOf((Ref("Node"), NONE))), FieldSpec("side", Ref("Side"))
NAMED: Mapping[str, Definition] = {
    "Node": record("Node", *_NODE),
    "Side": EnumSpec("Side", "Enum", (("BUY", "buy"),)),
    "Nodes": NewTypeSpec("Nodes", ArrayOf("list", Ref("Node"))),
    "Box": record("Box"),
}


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


def test_every_definition_in_a_type_is_named() -> None:
    """At any depth, enums of literals and arguments of generics included."""
    spec = UnionOf(
        (
            TupleOf((ArrayOf("list", Ref("A")), INT)),
            MapOf("dict", Ref("B"), LiteralOf((1, EnumMember("C", "X")))),
            Ref("D", (Ref("E"), Parameter("T"))),
        )
    )

    assert list(named_in(spec)) == ["A", "B", "C", "D", "E"]
