"""Helpers of shapes, and `OMIT`."""

from __future__ import annotations

import copy
import pickle
from collections import UserDict, UserList
from types import MappingProxyType

from farcall import OMIT
from farcall._codec.shape import (
    is_sequence,
    is_table,
)


def test_what_python_has() -> None:
    """Any sequence and mapping of Python is one here, but for texts and bytes."""
    assert all(map(is_sequence, ([], (), UserList(()), range(3))))
    assert not any(map(is_sequence, ("a", b"a", bytearray(), memoryview(b""), {}, {1})))
    assert all(map(is_table, ({}, UserDict(), MappingProxyType({}))))
    assert not is_table([])


def test_is_one() -> None:
    """Copies of `OMIT` are `OMIT` itself."""
    assert copy.deepcopy([OMIT])[0] is OMIT
    assert pickle.loads(pickle.dumps(OMIT)) is OMIT


def test_repr() -> None:
    """The repr of `OMIT` is the name that users write."""
    assert repr(OMIT) == "farcall.OMIT"
