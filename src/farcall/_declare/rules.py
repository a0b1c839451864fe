"""The rules of declaring a service, each with the number that its error carries.

A number stays with its rule for ever: it is what people search for. Each has its place in
``docs/declaring-errors.md``, written from the bad examples in ``tests/declarations``.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
from collections.abc import Callable
from enum import StrEnum
from types import FunctionType
from typing import Any

import attrs

from farcall.errors import DeclarationError


class Rule(StrEnum):
    """What a declaration may break; FC1xx are mistakes, FC2xx are not there yet."""

    MISSING_ANNOTATION = "FC101"
    UNRESOLVED_ANNOTATION = "FC102"
    UNSUPPORTED_TYPE = "FC103"
    VARIADIC = "FC104"
    GENERATOR = "FC105"
    NO_SELF = "FC106"
    BAD_DEFAULT = "FC107"
    NO_FUNCTION = "FC108"
    BAD_NAME = "FC109"
    TAKEN_NAME = "FC110"
    BAD_ERROR = "FC111"
    ONEWAY_ANSWERS = "FC112"
    BAD_BACKGROUND = "FC113"
    PRIVATE_MEMBER = "FC114"
    CONFLICTING_MARKS = "FC115"
    LOST_MEMBER = "FC116"
    CHANGED_MEMBER = "FC117"

    SIGNAL_IS_FIELD = "FC121"
    SIGNAL_WITHOUT_TYPE = "FC122"
    SIGNAL_WITHOUT_VALUE = "FC123"
    BAD_KEY = "FC124"

    NO_CLASS = "FC131"
    NO_MEMBERS = "FC132"
    NO_SERVICE = "FC133"
    REPLACED_CLASS = "FC134"

    STREAM_LATER = "FC201"
    PROTECTED_LATER = "FC202"
    THREAD_LATER = "FC203"
    ORDERED_LATER = "FC204"
    IDEMPOTENT_LATER = "FC205"
    HISTORY_LATER = "FC206"
    UPLOAD_LATER = "FC207"
    TASK_STATUS_LATER = "FC208"


@attrs.frozen
class Site:
    """A place in the source of a service, to which an error can point."""

    where: str
    """``file:line``."""
    member: str
    """Such as ``Market.quote``."""

    def error(self, rule: Rule, problem: str, fix: str) -> DeclarationError:
        """Make the error that says: here `rule` is broken."""
        return DeclarationError(str(rule), self.where, self.member, problem, fix)


def site_of_function(function: Callable[..., Any]) -> Site:
    """Point to a function, named as it is written: ``Market.quote``."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    where = f"{code.co_filename}:{code.co_firstlineno}" if code else "<built-in>:0"
    return Site(where, _written_name(function))


def site_of_class(cls: type[Any]) -> Site:
    """Point to a class."""
    file, line, _ = _definition_of(cls)
    return Site(f"{file}:{line}", cls.__name__)


def site_of_attribute(cls: type[Any], attribute: str) -> Site:
    """Point to the line of a class body that assigns, annotates or defines `attribute`."""
    file, line, body = _definition_of(cls)
    lines = [each.lineno for each in body if attribute in _names_bound_by(each)]
    return Site(f"{file}:{lines[-1] if lines else line}", f"{cls.__name__}.{attribute}")


def site_of_call(depth: int, member: str) -> Site:
    """Point to the line that is running, `depth` frames above."""
    frame = sys._getframe(depth + 1)
    return Site(f"{frame.f_code.co_filename}:{frame.f_lineno}", member)


def site_of_object(thing: object) -> Site:
    """Point to whatever stands where a class or a function was expected."""
    if isinstance(thing, type):
        return site_of_class(thing)
    if isinstance(thing, FunctionType):
        return site_of_function(thing)
    return Site("<unknown>:0", type(thing).__name__)


def _written_name(function: Callable[..., Any]) -> str:
    return function.__qualname__.rpartition("<locals>.")[2]


def _definition_of(cls: type[Any]) -> tuple[str, int, list[ast.stmt]]:
    """Find file, first line and body of a class, as far as its source is there."""
    try:
        file = inspect.getsourcefile(cls) or ""
        _, first_line = inspect.getsourcelines(cls)
        module = ast.parse("".join(linecache.getlines(file)))
    except (OSError, TypeError, SyntaxError):  # a console, or a class made by a program
        return f"<{cls.__module__}>", 0, []
    classes = [node for node in ast.walk(module) if isinstance(node, ast.ClassDef)]
    bodies = [node.body for node in classes if _first_line(node) == first_line]
    return file, first_line, bodies[0] if bodies else []


def _first_line(definition: ast.ClassDef) -> int:
    decorators = [each.lineno for each in definition.decorator_list]
    return min([definition.lineno, *decorators])


def _names_bound_by(statement: ast.stmt) -> set[str]:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case ast.Assign(targets=targets):
            return {target.id for target in targets if isinstance(target, ast.Name)}
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return {name}
        case _:
            return set()
