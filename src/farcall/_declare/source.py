"""The source of a class: where its members stand, and what is written below them.

Reading it takes the text of the whole module, so it is done for errors and stubs alone.
"""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any

import attrs


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
