"""Errors of other people's code, told in one line."""

from __future__ import annotations

from farcall.stubgen._errors import in_one_line


def test_an_error_that_was_never_raised_has_no_place() -> None:
    """Then its class and text have to do."""
    assert in_one_line(ValueError("no good")) == "ValueError: no good"


def test_the_leaves_of_a_group_are_told() -> None:
    """The group itself says nothing."""
    group = ExceptionGroup("several", [ValueError("one"), ExceptionGroup("", [KeyError()])])

    assert in_one_line(group) == "ValueError: one; KeyError"
