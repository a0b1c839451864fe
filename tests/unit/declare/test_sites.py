"""The places that errors name."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from farcall._declare.rules import Rule
from farcall._declare.sites import (
    site_of_attribute,
    site_of_caller,
    site_of_class,
    site_of_function,
    site_of_object,
)

FIRST = 26  # the line of the decorator below


def unchanged(cls: type) -> type:
    return cls


@unchanged
class Market:
    first: int
    second = third = 3
    a, b = 1, 2

    def quote(self) -> None: ...

    async def buy(self) -> None: ...

    class Side: ...


def line_of(where: str) -> int:
    file, _, line = where.rpartition(":")
    assert file == __file__
    return int(line)


@pytest.mark.parametrize(
    ("attribute", "line"),
    [
        ("first", FIRST + 2),
        ("second", FIRST + 3),
        ("third", FIRST + 3),
        ("quote", FIRST + 6),
        ("buy", FIRST + 8),
        ("a", FIRST),
        ("missing", FIRST),
    ],
)
def test_attribute(attribute: str, line: int) -> None:
    """The place of a member is its line in the class, or else that of the class."""
    site = site_of_attribute(Market, attribute)

    assert site.member == f"Market.{attribute}"
    assert line_of(site.find()) == line


def test_class() -> None:
    """A class begins with its first decorator."""
    assert line_of(site_of_class(Market).find()) == FIRST


def test_local_class() -> None:
    """A class inside of a function is found as well."""

    class Inner:
        value = 1

    first = line_of(site_of_class(Inner).find())

    assert line_of(site_of_attribute(Inner, "value").find()) == first + 1


def test_function() -> None:
    """The place of a function is its own, wrapped or not."""

    @functools.wraps(Market.quote)
    def wrapper(*args: Any) -> None: ...

    for function in (Market.quote, wrapper):
        site = site_of_function(function)
        assert site.member == "Market.quote"
        assert line_of(site.find()) == FIRST + 6


def test_class_without_source() -> None:
    """The place of a class made by a program is the line that called farcall."""
    made = type("Made", (), {})
    made.__module__ = "nowhere"

    assert line_of(site_of_attribute(made, "value").find()) > FIRST


def test_object() -> None:
    """Classes, functions and other objects are called by their names in errors."""
    assert site_of_object(Market).member == "Market"
    assert site_of_object(Market.quote).member == "Market.quote"
    assert site_of_object(3).member == "3"
    assert site_of_object(print).member == "print"


def test_error() -> None:
    """An error has number, place, member, problem and fix."""
    error = site_of_caller("Market").error(Rule.NO_MEMBERS, "it is empty", "Fill it")

    assert str(error) == f"{error.where}: FC132 Market: it is empty. Fill it."
    assert line_of(error.where) > FIRST
