"""All mistakes of a class in one error, so its author sees them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from msgspec import Struct, field

from farcall._contract.spec import UnsupportedType
from farcall.errors import DeclarationError

T = TypeVar("T")
R = TypeVar("R")


class Mistakes(Struct):
    """The mistakes found so far. After each one, reading goes on with the rest of the class."""

    _found: list[DeclarationError] = field(default_factory=list[DeclarationError])

    @property
    def count(self) -> int:
        return len(self._found)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Catch and keep the mistake that ends the block."""
        try:
            yield
        except DeclarationError as error:
            self._found += [error, *error.others]

    def each(self, make: Callable[[T], R], parts: Iterable[T]) -> list[R]:
        """Apply `make` to each part; return the results of those without a mistake."""
        made: list[R] = []
        for part in parts:
            with self.noted():
                made.append(make(part))
        return made

    def check(self) -> None:
        """Raise the mistakes, each once and in the order of the source.

        Raises:
            DeclarationError: There are some.
        """
        found: dict[tuple[str, ...], DeclarationError] = {}
        for each in self._found:
            found.setdefault(_identity(each), each)
        if found:
            first, *rest = sorted(found.values(), key=_line)
            for each in rest:
                each.others = ()
            first.others = tuple(rest)
            raise first


def _identity(error: DeclarationError) -> tuple[str, ...]:
    """Distinguish mistakes. One inside of a record is the same at each use of the record."""
    cause = error.__cause__
    if isinstance(cause, UnsupportedType) and cause.path:
        return cause.path, cause.problem
    return error.number, error.where, error.member, error.problem


def _line(error: DeclarationError) -> tuple[str, int]:
    file, _, line = error.where.rpartition(":")
    return file, int(line) if line.isdigit() else 0
