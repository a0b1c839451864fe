"""Errors on their way: an exception of a handler into an error, an error into an exception.

Both ways make the same tree. An error may have a cause, and a group has errors, each an error
object itself; `bounds` says how much of that crosses.
"""

from __future__ import annotations

from farcall._failures.arriving import decoded, error_of
from farcall._failures.leaving import (
    describe,
    invalid_arguments,
    redacted,
    unanswered,
    without,
)

__all__ = [
    "decoded",
    "describe",
    "error_of",
    "invalid_arguments",
    "redacted",
    "unanswered",
    "without",
]
