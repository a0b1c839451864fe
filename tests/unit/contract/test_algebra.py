"""Computations on types."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from farcall._contract.algebra import fields_of, named_in, reachable, substitute, target, union_of
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
    RecordSpec,
    Ref,
    Scalar,
    TupleOf,
    TypeSpec,
    UnionOf,
)
from tests.unit.contract.specs import INT, NONE, STR, record

JSON = Scalar("json")
T = Parameter("T")


@pytest.mark.parametrize(
    ("generic", "concrete"),
    [
        (T, INT),
        (STR, STR),
        (ArrayOf("list", T), ArrayOf("list", INT)),
        (TupleOf((T, STR, T)), TupleOf((INT, STR, INT))),
        (MapOf("dict", STR, T), MapOf("dict", STR, INT)),
        (UnionOf((T, NONE)), UnionOf((INT, NONE))),
        (UnionOf((T, INT)), INT),
        (Ref("Box", (Ref("Box", (T,)),)), Ref("Box", (Ref("Box", (INT,)),))),
    ],
)
def test_substitute(generic: TypeSpec, concrete: TypeSpec) -> None:
    """Arguments replace their type variables at any depth."""
    assert substitute(generic, {"T": INT}) == concrete


@pytest.mark.parametrize(
    ("members", "union"),
    [
        ([INT], INT),
        ([INT, INT], INT),
        ([INT, STR], UnionOf((INT, STR))),
        ([UnionOf((INT, NONE)), STR, NONE], UnionOf((INT, NONE, STR))),
        ([JSON, NONE], JSON),
        ([NONE, JSON], JSON),
        ([JSON, INT], UnionOf((JSON, INT))),
    ],
)
def test_union_of(members: list[TypeSpec], union: TypeSpec) -> None:
    """Nested unions are flattened and doubles dropped; JSON includes null."""
    assert union_of(members) == union


def test_literals_differ_by_type() -> None:
    """``Literal[1]`` and ``Literal[True]`` stay two members, though Python calls them equal."""
    union = UnionOf((LiteralOf((1,)), LiteralOf((True,))))

    assert union_of(union.members) == union


def test_fields_of_generic() -> None:
    """The fields of a generic record have its arguments in place of its variables."""
    box = RecordSpec("Box", "attrs", (FieldSpec("item", T),), parameters=("T",))

    assert fields_of(box, (STR,)) == (FieldSpec("item", STR),)


def test_target() -> None:
    """A new type stands for its target, through several new types; any other type for itself."""
    definitions: dict[str, Definition] = {
        "Id": NewTypeSpec("Id", STR),
        "UserId": NewTypeSpec("UserId", Ref("Id")),
        "Box": RecordSpec("Box", "attrs", ()),
    }

    assert target(Ref("UserId"), definitions) == STR
    assert target(Ref("Box"), definitions) == Ref("Box")
    assert target(INT, definitions) == INT


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
    """All reachable names are found, those of recursive types too."""
    assert reachable([spec], NAMED) == names


def test_every_definition_in_a_type_is_named() -> None:
    """Names are found at any depth, with enums of literals and arguments of generics."""
    spec = UnionOf(
        (
            TupleOf((ArrayOf("list", Ref("A")), INT)),
            MapOf("dict", Ref("B"), LiteralOf((1, EnumMember("C", "X")))),
            Ref("D", (Ref("E"), Parameter("T"))),
        )
    )

    assert list(named_in(spec)) == ["A", "B", "C", "D", "E"]
