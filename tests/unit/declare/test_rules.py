"""Each rule of declaration has a number, a bad example and the exact message beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from farcall._declare import Rule
from tests.declarations.page import EXAMPLES, PAGE, golden_of, message_of, number_of, render


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_bad_example_is_refused(example: Path) -> None:
    """A bad example ends with the error that stands beside it."""
    message = message_of(example)

    assert message == golden_of(example).read_text()
    assert f" {number_of(example)} " in message


def test_every_rule_has_an_example() -> None:
    """No rule is without an example, and no example without a rule."""
    assert {number_of(example) for example in EXAMPLES} == {str(rule) for rule in Rule}


def test_every_message_has_an_example() -> None:
    """No message is left of an example that is gone."""
    directory = EXAMPLES[0].parent

    assert sorted(directory.glob("*.txt")) == [golden_of(example) for example in EXAMPLES]


def test_page_is_current() -> None:
    """The page in the documentation is what the examples make."""
    assert PAGE.read_text() == render(), "write it anew: python -m tests.declarations.page"
