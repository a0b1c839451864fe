"""The error of the fuzzer."""

from __future__ import annotations


class Broken(AssertionError):
    """The server sent something wrong, or did not send something that was due."""
