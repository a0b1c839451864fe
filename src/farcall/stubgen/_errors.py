"""Errors on the way to a stub."""

from __future__ import annotations

import traceback

from farcall._nursery import is_group
from farcall.errors import FarcallError


class StubError(FarcallError):
    """No stub can be written; the message says why in one line."""


def in_one_line(error: BaseException) -> str:
    """Write an error of a user's own code in one line: its place, its class and its message.

    Args:
        error: The error; of a group, each of its leaves is written.
    """
    if is_group(error):
        return "; ".join(map(in_one_line, error.exceptions))
    # The text of a syntax error repeats the place.
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    line = " ".join(text.split())
    name = type(error).__name__
    return f"{_place(error)}{name}: {line}" if line else f"{_place(error)}{name}"


def _place(error: BaseException) -> str:
    """Find the line that raised, above the frames of the import system."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: "
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename[0] != "<"]
    return f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
