"""Every defence of the threat model names a test."""

from __future__ import annotations

import re

from tests.named_tests import named_in, read_page

PAGE = read_page("threat-model.md")
DEFENCES = [
    row
    for row in re.findall(r"^\|.+\|$", PAGE, re.MULTILINE)
    if not row.startswith(("|---", "| attack |", "| trap |"))
]


def test_each_defence_names_a_test() -> None:
    """Every row of the threat model names a test."""
    assert len(DEFENCES) > 60
    assert [row for row in DEFENCES if not named_in(row)] == []
    assert [row for row in DEFENCES if row.count("|") != 4] == []
