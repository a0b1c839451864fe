"""What goes wrong on the way to a stub."""

from __future__ import annotations

import traceback
from typing import cast

from farcall.errors import FarcallError


class StubError(FarcallError):
    """Say in one line why no stub can be written."""


def in_one_line(error: BaseException) -> str:
    """Tell an error of a user's own code: its place, its class, and what it says.

    Args:
        error: Whatever was raised; of a group, each of its leaves is told.
    """
    if isinstance(error, BaseExceptionGroup):
        parts = cast("BaseExceptionGroup[BaseException]", error).exceptions
        return "; ".join(map(in_one_line, parts))
    # The text of a syntax error names the place once more.
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    line = " ".join(said.split())
    name = type(error).__name__
    return f"{_place(error)}{name}: {line}" if line else f"{_place(error)}{name}"


def _place(error: BaseException) -> str:
    """Tell the line that raised; below it is only the machinery of imports."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: "
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename[0] != "<"]
    return f"{frames[-1].filename}:{frames[-1].lineno}: " if frames else ""
