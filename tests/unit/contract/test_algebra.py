"""Sums done with types."""

from __future__ import annotations

import pytest

from farcall._contract.algebra import fields_of, substitute, target, union_of
from farcall._contract.spec import (
    ArrayOf,
    Definition,
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

INT, STR, NONE, JSON = Scalar("int"), Scalar("str"), Scalar("none"), Scalar("json")
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
    """An argument is put for its variable wherever that stands."""
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
    """Nested unions are opened and doubles dropped; null is JSON as it is."""
    assert union_of(members) == union


def test_literals_differ_by_type() -> None:
    """``Literal[1]`` and ``Literal[True]`` stay two members, though Python calls them equal."""
    union = UnionOf((LiteralOf((1,)), LiteralOf((True,))))

    assert union_of(union.members) == union


def test_fields_of_generic() -> None:
    """The fields of a generic record have its arguments in them."""
    box = RecordSpec("Box", "attrs", (FieldSpec("item", T),), parameters=("T",))

    assert fields_of(box, (STR,)) == (FieldSpec("item", STR),)


def test_target() -> None:
    """New types are seen through, one behind the other; all else is itself."""
    definitions: dict[str, Definition] = {
        "Id": NewTypeSpec("Id", STR),
        "UserId": NewTypeSpec("UserId", Ref("Id")),
        "Box": RecordSpec("Box", "attrs", ()),
    }

    assert target(Ref("UserId"), definitions) == STR
    assert target(Ref("Box"), definitions) == Ref("Box")
    assert target(INT, definitions) == INT
