"""Each promise of the protocol names its test."""

from __future__ import annotations

import re

import pytest

from tests.named_tests import named_in, read_page

PAGES = {name: read_page(name) for name in ("promises.md", "protocol.md")}
PROMISE = re.compile(r"\*\*(must|may|should)( not)?\*\*", re.IGNORECASE)
POINT = re.compile(r"^- .+(?:\n  .+)*", re.MULTILINE)


def paragraphs(page: str) -> list[str]:
    """Give the points of its lists, and what stands between empty lines outside of them."""
    text = re.sub(r"^```.*?^```$", "", PAGES[page], flags=re.DOTALL | re.MULTILINE)
    return [*POINT.findall(text), *POINT.sub("", text).split("\n\n")]


def test_each_promise_says_must_and_names_a_test() -> None:
    """Nothing is promised that nobody looks at."""
    promises = POINT.findall(PAGES["promises.md"])

    assert len(promises) > 70
    assert [each for each in promises if not named_in(each)] == []
    assert [each for each in promises if not PROMISE.search(each)] == []


@pytest.mark.parametrize("page", PAGES)
def test_whatever_must_be_names_a_test(page: str) -> None:
    """On the page of the protocol as well, wherever it stands; but for what the words mean."""
    said = [each for each in paragraphs(page) if PROMISE.search(each) and "RFC 2119" not in each]

    assert len(said) > 10
    assert [each for each in said if not named_in(each)] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_promise_has_one_spelling(page: str) -> None:
    """A word that counts is written so that it is seen; it is not shouted."""
    assert re.findall(r"\b(?:MUST|SHOULD|MAY|SHALL|REQUIRED)\b", PAGES[page]) == []
    assert re.findall(r".*(?<!\*)\b[Mm]ust\b(?! not\*\*|\*\*).*", PAGES[page]) == []
