"""Shapes of the types of a contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import pytest

from farcall._codec.hooks import Hooks
from farcall._codec.scalars import SCALAR_SHAPES
from farcall._codec.shape import Shape
from farcall._contract.definitions import Definitions
from farcall._contract.describe import describe
from farcall._contract.spec import Parameter


@attrs.define
class Tree:
    children: Sequence[Tree]


def shape_of(annotation: Any) -> Shape:
    definitions = Definitions()
    spec = describe(annotation, definitions)
    return Hooks(definitions, refuses_unknown=True, is_detailed=False).shape(spec)


def test_scalars_are_shared() -> None:
    """The shape of a scalar is made once."""
    assert shape_of(int) is SCALAR_SHAPES["int"]


def test_recursive_record() -> None:
    """A record that contains itself has a shape that contains itself."""
    assert shape_of(Tree).read({"children": [{"children": []}]}) == Tree([Tree([])])


def test_one_shape_for_each_record() -> None:
    """A record that is in a type twice has one shape."""
    definitions = Definitions()
    spec = describe(Tree, definitions)
    hooks = Hooks(definitions, refuses_unknown=False, is_detailed=False)

    assert hooks.shape(spec) is hooks.shape(spec)


@pytest.mark.parametrize(
    ("annotation", "label"),
    [
        (int, "int"),
        (list[int], "list"),
        (tuple[int, str], "tuple"),
        (dict[str, int], "dict"),
        (Tree | list[int] | None, "list | null | Tree"),
        (float | int | None, "float | int | null"),
    ],
)
def test_label(annotation: Any, label: str) -> None:
    """A shape has the label of its type; in a union the records come last."""
    assert shape_of(annotation).label == label


def test_union_fits() -> None:
    """A union fits the values that one of its members fits."""
    union = shape_of(int | Tree | None)

    assert all(map(union.fits, (1, None, Tree([]))))
    assert not union.fits("a")


def test_variable() -> None:
    """A type variable has no shape."""
    with pytest.raises(AssertionError, match="has no argument"):
        Hooks(Definitions(), refuses_unknown=True, is_detailed=False).shape(Parameter("T"))
