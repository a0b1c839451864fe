"""The tests that the documentation names exist."""

from __future__ import annotations

import pytest

from tests.named_tests import DOCS, exists, named_in


def test_each_named_test_exists() -> None:
    """Every test that a page names exists."""
    named = {page.name: named_in(page.read_text("utf-8")) for page in DOCS.glob("*.md")}

    assert len(named["promises.md"]) > 100
    assert {
        page: missing
        for page, tests in named.items()
        if (missing := [test for test in tests if not exists(test)])
    } == {}


@pytest.mark.parametrize(
    "test",
    [
        "tests/test_nowhere.py::test_a",
        "tests/test_named_tests.py::test_nothing",
        "tests/test_named_tests.py::TestNothing::test_a",
        "tests/test_named_tests.py::test_each_named_test_exists::test_a",
        "tests/unit/transport/test_dial.py::TestTls::test_nothing",
        "tests/unit/transport/test_dial.py::test_expired",
    ],
)
def test_a_missing_test_is_found(test: str) -> None:
    """A name without a matching file, class or function is found."""
    assert not exists(test)
