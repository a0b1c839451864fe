"""Places in the source of a service, to which errors point, and the docstrings there.

A place is looked up only when an error or a stub needs it, because that parses the whole module.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from types import FunctionType
from typing import Any

from msgspec import Struct

from farcall._contract.spec import TypeRule, UnsupportedType
from farcall._declare.rules import Rule
from farcall.errors import DeclarationError


class ClassSource(Struct, frozen=True):
    """The ``class`` statement of a class."""

    file: str
    definition: ast.ClassDef

    @property
    def first_line(self) -> int:
        """The line of the first decorator, or of ``class``."""
        return _first_line(self.definition)

    def line_of(self, attribute: str) -> int:
        """Return the line that assigns, annotates or defines a member, or that of the class."""
        lines = {name: each.lineno for each in self.definition.body for name in _names_in(each)}
        return lines.get(attribute, self.first_line)

    def doc_of(self, attribute: str) -> str | None:
        """Return the docstring below an attribute, which does not exist at run time."""
        for statement, below in pairwise(self.definition.body):
            match below:
                case ast.Expr(ast.Constant(str(doc))) if attribute in _names_in(statement):
                    return inspect.cleandoc(doc)
                case _:
                    pass
        return None


def source_of(cls: type[Any]) -> ClassSource | None:
    """Find the source of a class; None in a console, or if a program made the class."""
    try:
        file = inspect.getsourcefile(cls) or ""
        _, line = inspect.getsourcelines(cls)
    except (OSError, TypeError, SyntaxError):
        return None
    module = parsed("".join(linecache.getlines(file)))
    classes = (each for each in _nodes(module) if isinstance(each, ast.ClassDef))
    return next((ClassSource(file, each) for each in classes if _first_line(each) == line), None)


def function_node(function: Any) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """Find the source of a function; None if there is none."""
    try:
        file, line = inspect.getsourcefile(function) or "", function.__code__.co_firstlineno
    except (AttributeError, TypeError):
        return None
    for each in _nodes(parsed("".join(linecache.getlines(file)))):
        match each:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if _first_line(each) == line and name == function.__code__.co_name:
                    return each
            case _:
                pass
    return None


@lru_cache(maxsize=16)
def parsed(source: str) -> ast.Module | None:
    """Parse the source of a module, and cache the tree; None if it is not valid Python."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return None


def _nodes(module: ast.Module | None) -> Iterator[ast.AST]:
    return iter(()) if module is None else ast.walk(module)


def _first_line(definition: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    decorators = [each.lineno for each in definition.decorator_list]
    return min([definition.lineno, *decorators])


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


_BETWEEN = ("farcall.", "trio.", "outcome.", "contextlib")
"""Modules whose frames lie between a user's line and the check that finds its mistake."""

_RULES: Mapping[TypeRule, Rule] = {
    "private": Rule.PRIVATE_FIELD,
    "constraint": Rule.CONSTRAINT_LATER,
    "name": Rule.NO_PYTHON_NAME,
}
"""Rules that a type breaks at any place where it is used."""


class Site(Struct, frozen=True, eq=False):
    """A place to which an error can point."""

    member: str
    """Such as ``Market.quote``."""
    find: Callable[[], str]
    """Gives ``file:line``."""

    def error(self, rule: Rule, problem: str, fix: str) -> DeclarationError:
        """Make the error that `rule` is broken here."""
        shown = _printable(self.member), _printable(problem), _printable(fix)
        return DeclarationError(str(rule), self.find(), *shown)

    def unsupported(self, exc: UnsupportedType, rule: Rule, part: str) -> DeclarationError:
        """Make the error about a type that is used here.

        Args:
            exc: What is wrong with the type.
            rule: The rule that it breaks, unless `exc` has one of its own.
            part: The part that has this type, for the message.
        """
        place = f"{part}, at {exc.path}" if "." in exc.path else part
        fix = exc.fix[:1].upper() + exc.fix[1:]
        error = self.error(_RULES.get(exc.rule, rule), f"{place}: {exc.problem}", fix)
        error.__cause__ = exc
        error.others = tuple(self.unsupported(each, rule, part) for each in exc.others)
        return error


def site_of_function(function: Callable[..., Any]) -> Site:
    """Return the place of a function, called as it is written: ``Market.quote``."""
    member = function.__qualname__.rpartition("<locals>.")[2]
    code = getattr(inspect.unwrap(function), "__code__", function.__code__)
    return Site(member, lambda: f"{code.co_filename}:{code.co_firstlineno}")


def site_of_class(cls: type[Any]) -> Site:
    return Site(cls.__name__, lambda: _place_of(cls))


def site_of_attribute(cls: type[Any], attribute: str) -> Site:
    """Return the line of a class body that assigns, annotates or defines `attribute`."""
    return Site(f"{cls.__name__}.{attribute}", lambda: _place_of(cls, attribute))


def site_of_caller(member: str) -> Site:
    """Return the line outside of farcall from which it was called."""
    where = _calling_line()
    return Site(member, lambda: where)


def site_of_object(thing: object) -> Site:
    """Return the place of a class or a function, or of the call that passes another object."""
    if isinstance(thing, type):
        return site_of_class(thing)
    if isinstance(thing, FunctionType):
        return site_of_function(thing)
    return site_of_caller(getattr(thing, "__name__", repr(thing)))


def _printable(text: str) -> str:
    """Escape characters that would break a line of a log: names may be any text."""
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
