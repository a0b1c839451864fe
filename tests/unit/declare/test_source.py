"""The source of classes, and docstrings of attributes in it."""

from __future__ import annotations

import pytest

from farcall._declare.sites import source_of


class Market:
    """Its own docstring belongs to no attribute."""

    first: int
    """The first.

    Of many.
    """
    second = third = 3
    """Both of them."""
    fourth = 4
    _ = """Not about the fourth."""
    fifth: int

    def quote(self) -> None:
        """Stands inside."""


@pytest.mark.parametrize(
    ("attribute", "doc"),
    [
        ("first", "The first.\n\nOf many."),
        ("second", "Both of them."),
        ("third", "Both of them."),
        ("fourth", None),
        ("fifth", None),
        ("quote", None),
        ("missing", None),
    ],
)
def test_string_below_an_attribute(attribute: str, doc: str | None) -> None:
    """The docstring of an attribute is the string right below it."""
    source = source_of(Market)

    assert source is not None
    assert source.doc_of(attribute) == doc


@pytest.mark.parametrize("cls", [int, type("Made", (), {"__module__": "nowhere"})])
def test_class_without_source(cls: type) -> None:
    """Builtins, and classes made by a program, have no source."""
    assert source_of(cls) is None
