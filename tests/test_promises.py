"""Each promise of the protocol names its test, and there is such a test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = {name: (ROOT / "docs" / name).read_text("utf-8") for name in ("promises.md", "protocol.md")}
PROMISE = re.compile(r"\*\*(must|may|should)( not)?\*\*", re.IGNORECASE)
POINT = re.compile(r"^- .+(?:\n  .+)*", re.MULTILINE)
NAMED = sorted(
    {named for page in PAGES.values() for named in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)}
)


def paragraphs(page: str) -> list[str]:
    """Give the points of its lists, and what stands between empty lines outside of them."""
    text = re.sub(r"^```.*?^```$", "", PAGES[page], flags=re.DOTALL | re.MULTILINE)
    return [*POINT.findall(text), *POINT.sub("", text).split("\n\n")]


def test_each_promise_says_must_and_names_a_test() -> None:
    """Nothing is promised that nobody looks at."""
    promises = POINT.findall(PAGES["promises.md"])

    assert len(promises) > 70
    assert [each for each in promises if "::" not in each] == []
    assert [each for each in promises if not PROMISE.search(each)] == []


@pytest.mark.parametrize("page", PAGES)
def test_whatever_must_be_names_a_test(page: str) -> None:
    """On the page of the protocol as well, wherever it stands; but for what the words mean."""
    said = [each for each in paragraphs(page) if PROMISE.search(each) and "RFC 2119" not in each]

    assert len(said) > 10
    assert [each for each in said if "::" not in each] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_promise_has_one_spelling(page: str) -> None:
    """A word that counts is written so that it is seen; it is not shouted."""
    assert re.findall(r"\b(?:MUST|SHOULD|MAY|SHALL|REQUIRED)\b", PAGES[page]) == []
    assert re.findall(r".*(?<!\*)\b[Mm]ust\b(?! not\*\*|\*\*).*", PAGES[page]) == []


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_each_named_test_exists(path: str, name: str) -> None:
    """A test that is renamed is renamed on the page as well."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))

    names = {node.name for node in tree.body if isinstance(node, FUNCTIONS)}
    aliases = {node.targets[0] for node in tree.body if isinstance(node, ast.Assign)}

    assert name in names | {each.id for each in aliases if isinstance(each, ast.Name)}


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
