"""Errors of users' code, in one line."""

from __future__ import annotations

from farcall.stubgen._errors import in_one_line


def test_an_error_that_was_never_raised_has_no_place() -> None:
    """An error without a traceback is shown by its class and text."""
    assert in_one_line(ValueError("no good")) == "ValueError: no good"


def test_the_leaves_of_a_group_are_told() -> None:
    """A group is shown by the errors in it."""
    group = ExceptionGroup("several", [ValueError("one"), ExceptionGroup("", [KeyError()])])

    assert in_one_line(group) == "ValueError: one; KeyError"
