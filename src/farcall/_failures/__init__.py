"""Errors on their way: an exception of a handler into an error, an error into an exception.

Both ways make the same tree. An error may have a cause, and a group has errors, each an error
object itself; `bounds` says how much of that crosses.
"""

from __future__ import annotations

from farcall._failures.to_error import (
    describe,
    invalid_arguments,
    redacted,
    unanswered,
    without,
)
from farcall._failures.to_exception import decoded, error_of

__all__ = [
    "decoded",
    "describe",
    "error_of",
    "invalid_arguments",
    "redacted",
    "unanswered",
    "without",
]
