"""Check that the source of a default is a literal, and not other code."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping, Sequence
from typing import Final

from farcall._contract.scalars import SCALARS
from farcall._contract.spec import Definition, EnumSpec, RecordSpec

MAX_SOURCE: Final = 64 * 1024
"""Characters of the source of a default."""

_CALLS: Final = frozenset(each.source for each in SCALARS.values() if each.write_call)
"""Functions that make a value from constants, for types without literals."""


def is_default_source(source: str, definitions: Mapping[str, Definition]) -> bool:
    """Tell whether a text is one that `literals` writes.

    Args:
        source: The text.
        definitions: The enums and records that it can name.
    """
    if len(source) > MAX_SOURCE or source != source.strip():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # such as one about an invalid escape
            tree = ast.parse(source, mode="eval")
        return _is_value(tree.body, definitions)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False


def _is_value(node: ast.expr, definitions: Mapping[str, Definition]) -> bool:
    match node:
        case ast.Constant() | ast.UnaryOp():
            return _is_constant(node)
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
            return all(_is_value(each, definitions) for each in items)
        case ast.Dict(keys=keys, values=values):
            return all(
                each is not None and _is_value(each, definitions) for each in (*keys, *values)
            )
        case ast.Attribute(value=ast.Name(id=name), attr=member):
            enum = definitions.get(name)
            return isinstance(enum, EnumSpec) and member in {
                **dict(enum.members),
                **dict(enum.aliases),
            }
        case ast.Call(func=function, args=arguments, keywords=keywords):
            return _is_call(function, arguments, keywords, definitions)
        case _:
            return False


def _is_constant(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=value):
            return value is None or type(value) in (bool, int, float, str, bytes)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)):
            return type(value) in (int, float)
        case _:
            return False


def _is_call(
    function: ast.expr,
    arguments: Sequence[ast.expr],
    keywords: Sequence[ast.keyword],
    definitions: Mapping[str, Definition],
) -> bool:
    given = [*arguments, *(each.value for each in keywords)]
    if any(each.arg is None for each in keywords):
        return False
    match function:
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            return f"{module}.{name}" in _CALLS and all(map(_is_constant, given))
        case ast.Name(id=name) if isinstance(record := definitions.get(name), RecordSpec):
            names = {field.name for field in record.fields}
            is_known = not arguments and names.issuperset(each.arg or "" for each in keywords)
            return is_known and all(_is_value(each, definitions) for each in given)
        case ast.Name(id="set" | "frozenset" as name) if name not in definitions:
            return len(given) <= 1 and all(_is_value(each, definitions) for each in given)
        case _:
            return False
