"""Functions that cattrs generates."""

from __future__ import annotations

import attrs
import pytest

from farcall._codec import OMIT
from farcall._codec.faults import Mismatch
from farcall._codec.generated import (
    Field,
    converter_of,
    structure_class,
    structure_table,
    unstructure_class,
    unstructure_table,
)
from farcall._codec.scalars import SCALAR_SHAPES

CONVERTER = converter_of(
    lambda name: SCALAR_SHAPES[name].read, lambda name: SCALAR_SHAPES[name].write, is_detailed=False
)


@attrs.frozen
class Sample:
    _a: int
    b: str = OMIT


FIELDS = [Field("a", "_a", "int", is_required=True), Field("b", "b", "str", is_required=False)]


def test_hooks_are_ours() -> None:
    """The converter returns the hooks that it was given, for any key."""
    assert CONVERTER.get_structure_hook("int") == SCALAR_SHAPES["int"].read
    assert CONVERTER.get_unstructure_hook("int") == SCALAR_SHAPES["int"].write
    with pytest.raises(KeyError):
        CONVERTER.get_structure_hook("complex")


def test_class() -> None:
    """A class is called with the members by their wire names, and written with these."""
    read = structure_class(Sample, FIELDS, CONVERTER, refuses_unknown=False)
    write = unstructure_class(Sample, FIELDS, CONVERTER)

    assert read({"a": 1, "b": "b"}) == Sample(1, "b")
    assert read({"a": 1, "c": "c"}) == Sample(1)
    assert write(Sample(1, "b")) == {"a": 1, "b": "b"}
    with pytest.raises(Mismatch):
        read({"a": "1"})


def test_omit_by_default_is_quick() -> None:
    """A field that is `OMIT` by default is left out in the first pass."""
    write = unstructure_class(Sample, FIELDS, CONVERTER)

    assert write(Sample(1)) == {"a": 1}
    with pytest.raises(Mismatch):
        write(Sample(OMIT))


def test_table() -> None:
    """A table is copied, and its members are converted."""
    read = structure_table(FIELDS, CONVERTER, refuses_unknown=False)
    write = unstructure_table(FIELDS, CONVERTER)
    table = {"a": 1}

    assert read(table, None) == write(table) == table
    assert read(table, None) is not table
    assert write(table) is not table
    with pytest.raises(Mismatch):
        read({"a": 1, "b": 2}, None)
    with pytest.raises(Mismatch):
        write({"a": 1, "b": OMIT})
