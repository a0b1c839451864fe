"""Faults of a value, each with its path."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

MAX_FAULTS = 16
"""Faults that one report names. A peer decides how many a value has."""

MAX_NAME = 64
"""Characters of a key in a path; the key may be the peer's."""


class Fault(Struct, frozen=True):
    """One thing that is wrong."""

    path: str
    """Such as ``params[0].id``."""
    message: str
    """Such as ``expected int``."""

    def __str__(self) -> str:
        return f"{self.message} @ {self.path}"

    def within(self, path: str) -> Fault:
        return Fault(path + self.path, self.message)


class Faults(Exception):
    """A text is not of the expected type.

    Args:
        errors: At most `MAX_FAULTS` are kept. A list or a table has one fault, its first.
    """

    def __init__(self, errors: Iterable[Fault]) -> None:
        self.errors: Sequence[Fault] = tuple(errors)[:MAX_FAULTS]
        super().__init__(self.errors)

    @staticmethod
    def one(path: str, message: str) -> Faults:
        return Faults([Fault(path, message)])

    def __str__(self) -> str:
        return "; ".join(map(str, self.errors))


class Mismatch(Exception):
    """A value is not of a type. Each container around it adds its part of the path."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__()
        self.faults: list[Fault] = list(faults)

    def within(self, path: str) -> Mismatch:
        """Put a path in front of each fault."""
        self.faults = [fault.within(path) for fault in self.faults[:MAX_FAULTS]]
        return self


def mismatch(message: str, path: str = "") -> Mismatch:
    return Mismatch([Fault(path, message)])


def refused(expected: str, value: object, classes: Iterable[type] = ()) -> Mismatch:
    """Name the expected type, and the class of the Python value that is not of it.

    Args:
        expected: The name of the type, or the names in a union.
        value: The value.
        classes: The classes in the type. If one has the same name as that of the value, the message
            also names the modules of both.
    """
    got: type = type(value)
    names = expected.split(" | ")
    namesake = next((each for each in classes if each.__name__ == got.__name__), None)
    if namesake is None or got.__name__ not in names:
        return mismatch(f"expected {expected}, got {got.__name__}")
    written = " | ".join(_home(namesake) if each == got.__name__ else each for each in names)
    another = "another " if _home(got) == _home(namesake) else ""
    return mismatch(f"expected {written}, got {another}{_home(got)}")


def _home(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def item(index: int) -> str:
    return f"[{index}]"


def member(name: str) -> str:
    """Name a member of an object, or an entry of a table."""
    if name.isidentifier():
        return f".{name[:MAX_NAME]}"
    short = name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…"
    return f"[{short!r}]"
