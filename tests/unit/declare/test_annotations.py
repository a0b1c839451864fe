"""Resolving the names in annotations."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from farcall import DeclarationError
from farcall._declare import resolved_hints
from farcall._declare.annotations import Scope, names_around, without_class_var
from farcall._declare.sites import site_of_function


class Quote: ...


class Stub:
    quotes: list[Quote]


class Derived(Stub):
    count: ClassVar[int]


def owner() -> None: ...


SITE = site_of_function(owner)


def test_resolved_hints() -> None:
    """The annotations of a class and its bases become types."""
    assert resolved_hints(Derived) == {"quotes": list[Quote], "count": ClassVar[int]}


def test_nearest_name_counts() -> None:
    """A name near the class hides the one of the module, as in Python."""
    assert Scope({}).resolve("Quote", owner, SITE, "it") is Quote
    assert Scope({"Quote": int}).resolve("Quote", owner, SITE, "it") is int


def test_types_are_taken_as_they_are() -> None:
    """An annotation that is not a str may still contain names to resolve."""
    assert Scope({}).resolve(list["Quote"], owner, SITE, "it") == list[Quote]
    assert Scope({}).resolve(None, owner, SITE, "it") is type(None)


@pytest.mark.parametrize("text", ["1 +", "Quote.price", "list[1/0]"])
def test_no_type(text: str) -> None:
    """Any exception in an annotation becomes a DeclarationError."""
    with pytest.raises(DeclarationError, match=r"the annotation of it cannot be evaluated"):
        Scope({}).resolve(text, owner, SITE, "it")


def test_module_has_nothing_around() -> None:
    """Annotations may use local names of the function around a class."""
    inside = 1

    assert names_around(0)["inside"] == inside
    namespace: dict[str, Any] = {"names_around": names_around}
    exec("found = names_around(0)", namespace)
    assert namespace["found"] == {}


def test_without_class_var() -> None:
    """`ClassVar[T]` and `Final[T]` stand for T."""
    assert without_class_var(ClassVar[int]) is int
    assert without_class_var(int) is int
