"""All mistakes of a class in one error, so that its author does not meet them one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import attrs

from farcall._contract.spec import UnsupportedType
from farcall.errors import DeclarationError

T = TypeVar("T")
R = TypeVar("R")


@attrs.define
class Mistakes:
    """What was found wrong so far; reading goes on after each, with what is right."""

    _found: list[DeclarationError] = attrs.field(factory=list[DeclarationError], init=False)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._found)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note the mistake that ends a block, and go on after it."""
        try:
            yield
        except DeclarationError as error:
            self._found += [error, *error.others]

    def each(self, make: Callable[[T], R], parts: Iterable[T]) -> list[R]:
        """Make something of each part; give what was made of those without a mistake."""
        made: list[R] = []
        for part in parts:
            with self.noted():
                made.append(make(part))
        return made

    def check(self) -> None:
        """Raise what was noted, in the order of the source.

        Raises:
            DeclarationError: there is something.
        """
        found: dict[tuple[str, ...], DeclarationError] = {}
        for each in self._found:
            found.setdefault(_identity(each), each)
        if errors := sorted(found.values(), key=_place):
            for each in errors:
                each.others = ()
            first = errors[0]
            first.others = tuple(errors[1:])
            raise first


def _identity(error: DeclarationError) -> tuple[str, ...]:
    """Tell mistakes apart; one inside of a record is the same wherever that is used."""
    cause = error.__cause__
    if isinstance(cause, UnsupportedType) and cause.path:
        return cause.path, cause.problem
    return error.number, error.where, error.member, error.problem


def _place(error: DeclarationError) -> tuple[str, int]:
    file, _, line = error.where.rpartition(":")
    return file, int(line) if line.isdigit() else 0
