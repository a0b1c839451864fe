"""Tests that a page of the documentation names, as ``tests/test_x.py::TestY::test_z``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

DOCS: Final = Path(__file__).parent.parent / "docs"

_NAME: Final = re.compile(r"`(tests/[\w/]+\.py(?:::\w+)+)`")
_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def read_page(name: str) -> str:
    """Read a page of the documentation."""
    return (DOCS / name).read_text("utf-8")


def named_in(text: str) -> list[str]:
    """Return the tests that a text names, each once."""
    return sorted(set(_NAME.findall(text)))


def exists(test: str) -> bool:
    """Return whether a test exists."""
    path, *names = test.split("::")
    body: Iterable[ast.stmt] | None = _body(path)
    for name in names:
        body = None if body is None else _find(body, name)
    return body is not None


@cache
def _body(path: str) -> Sequence[ast.stmt] | None:
    file = DOCS.parent / path
    return ast.parse(file.read_text("utf-8")).body if file.is_file() else None


def _find(body: Iterable[ast.stmt], name: str) -> Iterable[ast.stmt] | None:
    """Return the body of a class or function; an alias of one has an empty body."""
    for node in body:
        if isinstance(node, _DEFINITIONS) and node.name == name:
            return node.body
        if isinstance(node, ast.Assign) and _name_of(node) == name:
            return ()
    return None


def _name_of(node: ast.Assign) -> str | None:
    target = node.targets[0]
    return target.id if isinstance(target, ast.Name) else None
