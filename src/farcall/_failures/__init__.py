"""Failures: from an exception of a handler to an error object, and back to an exception.

Both directions have the same tree: an error may have a cause, and a group has errors, each of which
is an error object itself. `MAX_LEVELS` and `MAX_LEAVES` bound it.
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
