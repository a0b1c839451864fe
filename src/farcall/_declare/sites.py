"""Places in the source of a service, for the errors that point there.

A place is looked up when an error needs it, and not before: that reads the source.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any

import attrs

from farcall._declare.rules import Rule
from farcall.errors import DeclarationError


@attrs.frozen(eq=False)
class Site:
    """A place to which an error can point."""

    member: str
    """Such as ``Market.quote``."""
    find: Callable[[], str]
    """Gives ``file:line``."""

    def error(self, rule: Rule, problem: str, fix: str) -> DeclarationError:
        """Make the error that says: here `rule` is broken."""
        return DeclarationError(str(rule), self.find(), self.member, problem, fix)


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


def _place_of(cls: type[Any], attribute: str | None = None) -> str:
    try:
        file = inspect.getsourcefile(cls) or ""
        _, line = inspect.getsourcelines(cls)
        module = ast.parse("".join(linecache.getlines(file)))
    except (OSError, TypeError, SyntaxError):  # a console, or a class made by a program
        return _calling_line()
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef) and _first_line(node) == line:
            line = _lines_of(node).get(attribute, line)
    return f"{file}:{line}"


def _first_line(definition: ast.ClassDef) -> int:
    decorators = [each.lineno for each in definition.decorator_list]
    return min([definition.lineno, *decorators])


def _lines_of(definition: ast.ClassDef) -> dict[str | None, int]:
    return {
        name: statement.lineno for statement in definition.body for name in _names_in(statement)
    }


def _names_in(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return [name]
        case _:
            return []


def _calling_line() -> str:
    frame = sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").startswith("farcall."):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
