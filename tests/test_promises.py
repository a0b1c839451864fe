"""Each promise of the protocol names its test, and there is such a test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "promises.md").read_text("utf-8")
PROMISES = re.findall(r"^- .+(?:\n  .+)*", PAGE, re.MULTILINE)
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


def test_each_promise_says_must_and_names_a_test() -> None:
    """Nothing is promised that nobody looks at."""
    assert len(PROMISES) > 30
    assert [each for each in PROMISES if "::" not in each] == []
    assert [each for each in PROMISES if not re.search(r"\*\*(must|may|should)", each)] == []


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_each_named_test_exists(path: str, name: str) -> None:
    """A test that is renamed is renamed on the page as well."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))

    names = {node.name for node in tree.body if isinstance(node, FUNCTIONS)}
    aliases = {node.targets[0] for node in tree.body if isinstance(node, ast.Assign)}

    assert name in names | {each.id for each in aliases if isinstance(each, ast.Name)}


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
