"""Each defence names its test, and there is such a test."""

from __future__ import annotations

import re

import pytest

from tests.named_tests import exists, named_in, read_page

PAGE = read_page("threat-model.md")
DEFENCES = [
    row
    for row in re.findall(r"^\|.+\|$", PAGE, re.MULTILINE)
    if not row.startswith(("|---", "| attack |", "| trap |"))
]


def test_each_defence_names_a_test() -> None:
    """Nothing is said to be defended that nobody attacks."""
    assert len(DEFENCES) > 60
    assert [row for row in DEFENCES if not named_in(row)] == []
    assert [row for row in DEFENCES if row.count("|") != 4] == []


@pytest.mark.parametrize("test", named_in(PAGE))
def test_each_named_test_exists(test: str) -> None:
    """A test that is renamed is renamed on the page as well."""
    assert exists(test)


@pytest.mark.parametrize(
    "test",
    [
        "tests/test_nowhere.py::test_a",
        "tests/test_threat_model.py::test_nothing",
        "tests/test_threat_model.py::TestNothing::test_a",
        "tests/test_threat_model.py::test_each_named_test_exists::test_a",
        "tests/test_dial.py::TestTls::test_nothing",
        "tests/test_dial.py::test_expired",
    ],
)
def test_what_is_no_test_is_found(test: str) -> None:
    """A file, a class or a function that is not there."""
    assert not exists(test)
