"""Faults of a value, each with its path."""

from __future__ import annotations

from farcall._codec import Fault, Faults
from farcall._codec.faults import MAX_FAULTS, Mismatch, item, member, mismatch, refused


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
