"""What is wrong with a value, and where in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

MAX_FAULTS = 16
"""Reported for one value. More help nobody, and a peer decides how many there are."""

MAX_NAME = 64
"""Characters of a key that a path repeats; the key may be the peer's."""


@attrs.frozen
class Fault:
    """One thing that is wrong."""

    path: str
    """Such as ``params[0].id``."""
    message: str
    """Such as ``expected int``."""

    def __str__(self) -> str:
        return f"{self.message} @ {self.path}"

    def within(self, path: str) -> Fault:
        """Put a path in front."""
        return Fault(path + self.path, self.message)


class Faults(Exception):
    """Say that a text is not of the type it should be.

    Args:
        errors: What is wrong, at most `MAX_FAULTS`, of each list or table the first.
    """

    def __init__(self, errors: Iterable[Fault]) -> None:
        self.errors: Sequence[Fault] = tuple(errors)[:MAX_FAULTS]
        super().__init__(self.errors)

    @staticmethod
    def one(path: str, message: str) -> Faults:
        """Make it of one fault."""
        return Faults([Fault(path, message)])

    def __str__(self) -> str:
        return "; ".join(map(str, self.errors))


class Mismatch(Exception):
    """Say that a value is not of a type, to whoever knows where the value stands."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__()
        self.faults: list[Fault] = list(faults)

    def within(self, path: str) -> Mismatch:
        """Tell where the value stands in the one around it."""
        self.faults = [fault.within(path) for fault in self.faults[:MAX_FAULTS]]
        return self


def mismatch(message: str, path: str = "") -> Mismatch:
    """Make the `Mismatch` of one fault."""
    return Mismatch([Fault(path, message)])


def refused(expected: str, value: object) -> Mismatch:
    """Make the `Mismatch` of a Python value: what it should be, and what it is."""
    return mismatch(f"expected {expected}, got {type(value).__name__}")


def item(index: int) -> str:
    """Name an item of an array."""
    return f"[{index}]"


def member(name: str) -> str:
    """Name a member of an object, or an entry of a table."""
    if name.isidentifier():
        return f".{name[:MAX_NAME]}"
    short = name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…"
    return f"[{short!r}]"
