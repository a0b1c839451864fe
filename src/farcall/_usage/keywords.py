"""Keyword arguments that several functions take, each declared once.

A `TypedDict` has their types: a function takes ``**keywords: Unpack[...]`` of it (PEP 692), so type
checkers know them in each overload. A frozen attrs class has their defaults and checks; everything
that the function calls takes its instance. help() and `inspect` show both, as if each keyword stood
in the signature.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter
from typing import Any, TypeVar

import attrs

from farcall._usage.nearest import nearest

F = TypeVar("F", bound=Callable[..., Any])


def takes(keywords: type, options: type) -> Callable[[F], F]:
    """Show each keyword in the signature of a function that has ``**keywords``.

    Args:
        keywords: The `TypedDict`.
        options: The attrs class with the defaults.
    """

    def show(function: F) -> F:
        signature = inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind != Parameter.VAR_KEYWORD]
        shown = signature.replace(parameters=[*own, *_parameters(keywords, options)])
        function.__signature__ = shown  # type: ignore[attr-defined]
        return function

    return show


def _parameters(keywords: type, options: type) -> Iterator[Parameter]:
    defaults = {field.alias: field.default for field in attrs.fields(options)}
    for name, hint in keywords.__annotations__.items():
        # A hint is a `ForwardRef`, for annotations are not evaluated in these modules.
        annotation = getattr(hint, "__forward_arg__", hint)
        kind = Parameter.KEYWORD_ONLY
        yield Parameter(name, kind, default=defaults[name], annotation=annotation)


def check_keywords(function: Callable[..., Any], given: Mapping[str, object]) -> None:
    """Raise Python's `TypeError` for a keyword that the function does not take."""
    known = inspect.signature(function).parameters
    for name in given:
        if name not in known:
            likely = nearest(name, known)
            write = f"; write {likely}=" if likely else ""
            problem = f"{function.__name__}() got an unexpected keyword argument {name!r}"
            raise TypeError(f"{problem}{write}")
