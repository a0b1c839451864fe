"""Places in the source of a service, for the errors that point there.

A place is looked up when an error needs it, and not before: that reads the source.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

import attrs

from farcall._contract.unsupported import Kind, UnsupportedType
from farcall._declare.rules import Rule
from farcall._declare.source import source_of
from farcall.errors import DeclarationError

_BETWEEN = ("farcall.", "trio.", "outcome.", "contextlib")
"""Modules that stand between a user's line and the place where its mistake is noticed."""

_RULES: Mapping[Kind, Rule] = {
    "private": Rule.PRIVATE_FIELD,
    "constraint": Rule.CONSTRAINT_LATER,
    "name": Rule.NO_PYTHON_NAME,
}
"""Rules that are broken inside of a type, wherever it stands."""


@attrs.frozen(eq=False)
class Site:
    """A place to which an error can point."""

    member: str
    """Such as ``Market.quote``."""
    find: Callable[[], str]
    """Gives ``file:line``."""

    def error(self, rule: Rule, problem: str, fix: str) -> DeclarationError:
        """Make the error that says: here `rule` is broken."""
        shown = _printable(self.member), _printable(problem), _printable(fix)
        return DeclarationError(str(rule), self.find(), *shown)

    def unsupported(self, exc: UnsupportedType, rule: Rule, what: str) -> DeclarationError:
        """Make the error about a type that stands here.

        Args:
            exc: What is wrong with it.
            rule: The rule that it breaks, unless it breaks one of its own.
            what: What it is the type of.
        """
        place = f"{what}, at {exc.path}" if "." in exc.path else what
        fix = exc.fix[:1].upper() + exc.fix[1:]
        error = self.error(_RULES.get(exc.kind, rule), f"{place}: {exc.problem}", fix)
        error.__cause__ = exc
        error.others = tuple(self.unsupported(each, rule, what) for each in exc.others)
        return error


def site_of_function(function: Callable[..., Any]) -> Site:
    """Point to a function, named as it is written: ``Market.quote``."""
    member = function.__qualname__.rpartition("<locals>.")[2]
    code = getattr(inspect.unwrap(function), "__code__", function.__code__)
    return Site(member, lambda: f"{code.co_filename}:{code.co_firstlineno}")


def site_of_class(cls: type[Any]) -> Site:
    """Point to a class."""
    return Site(cls.__name__, lambda: _place_of(cls))


def site_of_attribute(cls: type[Any], attribute: str) -> Site:
    """Point to the line of a class body that assigns, annotates or defines `attribute`."""
    return Site(f"{cls.__name__}.{attribute}", lambda: _place_of(cls, attribute))


def site_of_caller(member: str) -> Site:
    """Point to the line outside of farcall from which it was called."""
    where = _calling_line()
    return Site(member, lambda: where)


def site_of_object(thing: object) -> Site:
    """Point to whatever stands where a class or a function was expected."""
    if isinstance(thing, type):
        return site_of_class(thing)
    if isinstance(thing, FunctionType):
        return site_of_function(thing)
    return site_of_caller(getattr(thing, "__name__", repr(thing)))


def _printable(text: str) -> str:
    """Escape what a line of a log cannot hold: names may be any text."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def _place_of(cls: type[Any], attribute: str | None = None) -> str:
    source = source_of(cls)
    if source is None:
        return _calling_line()
    line = source.first_line if attribute is None else source.line_of(attribute)
    return f"{source.file}:{line}"


def _calling_line() -> str:
    frame = sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").startswith(_BETWEEN):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
