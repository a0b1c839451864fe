"""Faults of a value, each with its path."""

from __future__ import annotations

from enum import Enum
from typing import Literal, NamedTuple

import attrs
import pytest

from farcall._codec import Fault, Faults
from farcall._codec.faults import MAX_FAULTS, Mismatch, item, member, mismatch, refused
from tests.unit.codec.through import refusal


@attrs.frozen
class Money:
    amount: int
    type: Literal["money"] = "money"


class Points(NamedTuple):
    points: int
    type: Literal["points"] = "points"


class Side(Enum):
    BUY = "buy"


def namesake(name: str, module: str = "stubs.shop") -> object:
    """Return an object of another class called `name`."""
    return type(name, (), {"__module__": module})()


def test_fault() -> None:
    """A fault is written with its message, then its path."""
    assert str(Fault("params[0].id", "expected int")) == "expected int @ params[0].id"


def test_faults() -> None:
    """All faults are reported, one after the other."""
    faults = Faults([Fault("a", "missing"), Fault("b", "expected int")])

    assert str(faults) == "missing @ a; expected int @ b"
    assert Faults.one("a", "missing").errors == (Fault("a", "missing"),)


def test_faults_are_few() -> None:
    """At most 16 faults are reported."""
    many = [Fault(str(i), "missing") for i in range(100)]

    assert len(Faults(many).errors) == MAX_FAULTS
    assert len(Mismatch(many).within("a").faults) == MAX_FAULTS


def test_path_grows_outwards() -> None:
    """Each value around adds its part of the path in front."""
    fault = mismatch("expected int").within(".id").within("[0]").within("params")

    assert fault.faults == [Fault("params[0].id", "expected int")]


def test_refused() -> None:
    """A message has the class of a Python value, and not the value, which can be a secret."""
    assert refused("int", "password").faults == [Fault("", "expected int, got str")]


def test_parts_of_paths() -> None:
    """Names that can be attributes are written as such; long names are cut."""
    assert item(3) == "[3]"
    assert member("id") == ".id"
    assert member("a-b") == "['a-b']"
    assert member("") == "['']"
    assert member("x" * 100) == "." + "x" * 64
    assert member("-" * 100) == "['" + "-" * 64 + "…']"


@pytest.mark.parametrize(
    ("annotation", "name", "expected"),
    [
        (Money, "Money", f"{__name__}.Money"),
        (Side, "Side", f"{__name__}.Side"),
        (Money | None, "Money", f"null | {__name__}.Money"),
        (Points | Money | None, "Money", f"null | Points | {__name__}.Money"),
    ],
)
def test_namesakes_are_named_with_their_modules(
    annotation: object, name: str, expected: str
) -> None:
    """A value of another class with the expected name is refused with the modules of both."""
    refused = refusal(annotation, namesake(name))

    assert refused == f"expected {expected}, got stubs.shop.{name} @ value"


def test_a_namesake_of_the_same_module_is_called_another() -> None:
    """If the modules of both classes are the same, the message says "another"."""
    assert refusal(Money, namesake("Money", __name__)) == (
        f"expected {__name__}.Money, got another {__name__}.Money @ value"
    )
