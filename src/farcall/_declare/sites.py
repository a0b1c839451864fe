"""Places in the source of a service, for the errors that point there, and what stands below them.

A place is looked up when an error or a stub needs it, and not before: that reads the whole module.
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

import attrs

from farcall._contract.spec import Kind, UnsupportedType
from farcall._declare.rules import Rule
from farcall.errors import DeclarationError


@attrs.frozen
class ClassSource:
    """The statement that makes a class."""

    file: str
    definition: ast.ClassDef

    @property
    def first_line(self) -> int:
        """The line of the first decorator, or else of ``class``."""
        return _first_line(self.definition)

    def line_of(self, attribute: str) -> int:
        """Tell the line that assigns, annotates or defines a member, or else that of the class."""
        lines = {name: each.lineno for each in self.definition.body for name in _names_in(each)}
        return lines.get(attribute, self.first_line)

    def doc_of(self, attribute: str) -> str | None:
        """Give the string that stands below an attribute, which Python itself does not keep."""
        for statement, below in pairwise(self.definition.body):
            match below:
                case ast.Expr(ast.Constant(str(doc))) if attribute in _names_in(statement):
                    return inspect.cleandoc(doc)
                case _:
                    pass
        return None


def source_of(cls: type[Any]) -> ClassSource | None:
    """Read the source of a class; None in a console, or where a program made the class."""
    try:
        file = inspect.getsourcefile(cls) or ""
        _, line = inspect.getsourcelines(cls)
    except (OSError, TypeError, SyntaxError):
        return None
    module = parsed("".join(linecache.getlines(file)))
    classes = (each for each in _nodes(module) if isinstance(each, ast.ClassDef))
    return next((ClassSource(file, each) for each in classes if _first_line(each) == line), None)


def function_node(function: Any) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """Read the source of a function; None where there is none."""
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
    """Parse the source of a module, once for all that is read in it."""
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
