"""The seam of the codec."""

from __future__ import annotations

from collections import UserDict, UserList
from types import MappingProxyType

import pytest

from farcall._codec.faults import Fault, Mismatch
from farcall._codec.shape import (
    as_text,
    class_of,
    instance_of,
    is_array,
    is_object,
    is_sequence,
    is_table,
)

HEX = as_text("hex", instance_of(int), lambda text: int(text, 16), hex)


class List(list[int]):
    pass


class Dict(dict[str, int]):
    pass


def test_what_was_read() -> None:
    """What msgspec reads is a list or a dict, and never of a class below."""
    assert is_array([])
    assert not is_array(List())
    assert is_object({})
    assert not is_object(Dict())
    assert class_of(True) is bool


def test_what_python_has() -> None:
    """Python has other sequences and tables; its texts are no sequences here."""
    assert all(map(is_sequence, ([], (), UserList(()), range(3))))
    assert not any(map(is_sequence, ("a", b"a", bytearray(), memoryview(b""), {}, {1})))
    assert all(map(is_table, ({}, UserDict(), MappingProxyType({}))))
    assert not is_table([])


def test_text() -> None:
    """A shape is made of a parser and its reverse."""
    assert HEX.read("0xff") == 255
    assert HEX.write(255) == "0xff"
    assert HEX.fits(1)
    assert not HEX.fits("1")


@pytest.mark.parametrize("data", [255, "zz", None])
def test_unreadable_text(data: object) -> None:
    """What is no text, or none of the right kind, is refused."""
    with pytest.raises(Mismatch) as caught:
        HEX.read(data)

    assert caught.value.faults == [Fault("", "expected hex")]


def test_unwritable_value() -> None:
    """A value is refused by its class, or by the reason it has no text."""

    def fail(value: object) -> str:
        raise ValueError("it is odd")

    shape = as_text("hex", instance_of(int), int, fail)

    with pytest.raises(Mismatch) as caught:
        shape.write("a")
    assert caught.value.faults == [Fault("", "expected hex, got str")]

    with pytest.raises(Mismatch) as caught:
        shape.write(1)
    assert caught.value.faults == [Fault("", "expected hex: it is odd")]
