"""What the fuzzer finds."""

from __future__ import annotations


class Broken(AssertionError):
    """The server said what it may not, or did not say what it has to."""
