"""Every promise of the protocol names a test."""

from __future__ import annotations

import re

import pytest

from tests.named_tests import named_in, read_page

PAGES = {name: read_page(name) for name in ("promises.md", "protocol.md")}
PROMISE = re.compile(r"\*\*(must|may|should)( not)?\*\*", re.IGNORECASE)
POINT = re.compile(r"^- .+(?:\n  .+)*", re.MULTILINE)


def paragraphs(page: str) -> list[str]:
    """Return the list items of a page, and its paragraphs outside of lists."""
    text = re.sub(r"^```.*?^```$", "", PAGES[page], flags=re.DOTALL | re.MULTILINE)
    return [*POINT.findall(text), *POINT.sub("", text).split("\n\n")]


def test_each_promise_says_must_and_names_a_test() -> None:
    """Every promise says must, may or should, and names a test."""
    promises = POINT.findall(PAGES["promises.md"])

    assert len(promises) > 70
    assert [each for each in promises if not named_in(each)] == []
    assert [each for each in promises if not PROMISE.search(each)] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_rule_names_a_test(page: str) -> None:
    """Every sentence with a must, on either page, names a test."""
    said = [each for each in paragraphs(page) if PROMISE.search(each) and "RFC 2119" not in each]

    assert len(said) > 10
    assert [each for each in said if not named_in(each)] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_promise_has_one_spelling(page: str) -> None:
    """Every must is written in bold lower case."""
    assert re.findall(r"\b(?:MUST|SHOULD|MAY|SHALL|REQUIRED)\b", PAGES[page]) == []
    assert re.findall(r".*(?<!\*)\b[Mm]ust\b(?! not\*\*|\*\*).*", PAGES[page]) == []
