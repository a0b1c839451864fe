"""The table of values by object identity."""

from __future__ import annotations

import gc

import attrs
import pytest

from farcall._signals.signal import IdentityTable


@attrs.define
class Equal:
    """All instances are equal, and none has a hash."""

    other: object = None


class Slotted:
    __slots__ = ()


def test_get() -> None:
    """An object finds its own value; another object that is equal finds none."""
    table: IdentityTable[str] = IdentityTable()
    owner, other = Equal(), Equal()

    assert table.setdefault(owner, "mine") == "mine"
    assert (table.get(owner), table.get(other)) == ("mine", None)


def test_first_one_counts() -> None:
    """If the object has a value already, that value stays and is returned."""
    table: IdentityTable[str] = IdentityTable()
    owner = Equal()
    table.setdefault(owner, "first")

    assert table.setdefault(owner, "second") == "first"
    assert table.get(owner) == "first"


def test_value_dies_with_its_owner() -> None:
    """The table does not keep an object alive, and forgets its value when it dies."""
    table: IdentityTable[str] = IdentityTable()
    owner = Equal()
    table.setdefault(owner, "first")
    table.setdefault(owner, "second")

    del owner

    assert len(table) == 0


def test_owner_in_a_cycle() -> None:
    """An owner that refers to itself is found by the garbage collector."""
    table: IdentityTable[str] = IdentityTable()
    owner = Equal()
    owner.other = owner
    table.setdefault(owner, "value")

    del owner
    gc.collect()

    assert len(table) == 0


def test_no_weak_references() -> None:
    """An object without weak references is refused."""
    with pytest.raises(TypeError, match="weak reference"):
        IdentityTable[str]().setdefault(Slotted(), "value")
