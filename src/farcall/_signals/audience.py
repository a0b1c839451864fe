"""For whom a value is: users and rooms, and who is reached by them.

A user is the name of a principal, a room is one that the application made. They never meet: who
may choose the name of a room would else become whoever has that name.
"""

from __future__ import annotations

from collections.abc import Set
from typing import TypeAlias, cast

import attrs

from farcall._usage.options import check_text, validator


@attrs.frozen
class User:
    """Whoever has logged in under this name, on any number of connections; see `farcall.user`."""

    name: str = attrs.field(validator=validator(check_text, may_be_empty=True))


@attrs.frozen
class Room:
    """The connections that have joined a room; see `farcall.room`."""

    name: str = attrs.field(validator=validator(check_text, may_be_empty=True))


Address: TypeAlias = User | Room


def user(name: str) -> User:
    """Address a value to a user: ``signal.emit(value, to={farcall.user("ada")})``.

    Args:
        name: Of a `farcall.Principal`.

    Raises:
        TypeError: the name is no text.

    >>> user("ada")
    User(name='ada')
    """
    return User(name)


def room(name: str) -> Room:
    """Address a value to those who are in a room: ``signal.emit(value, to={farcall.room("7")})``.

    Args:
        name: What was given to `farcall.Connection.join`.

    Raises:
        TypeError: the name is no text.

    >>> room("room-7")
    Room(name='room-7')
    """
    return Room(name)


def read_audience(to: object) -> frozenset[Address]:
    """Check what was given as ``to=``.

    Raises:
        TypeError: it is no set of users and rooms.
    """
    if not isinstance(to, Set):
        raise TypeError(f"to= takes a set, such as {{farcall.user('ada')}}, and got {to!r}")
    for address in cast("Set[object]", to):
        if not isinstance(address, User | Room):
            raise TypeError(
                f"to= takes users and rooms, and {address!r} is neither:"
                f" write farcall.user(...) or farcall.room(...)"
            )
    return frozenset(cast("Set[Address]", to))


class Membership:
    """By which addresses the peer of one connection is reached."""

    def __init__(self) -> None:
        self._addresses: set[Address] = set()

    def __repr__(self) -> str:
        return f"<Membership of {len(self._addresses)} addresses>"

    def add(self, address: Address) -> None:
        """Reach it by this address, too."""
        self._addresses.add(address)

    def discard(self, address: Address) -> None:
        """Reach it by this address no more."""
        self._addresses.discard(address)

    def reaches(self, audience: Set[Address] | None) -> bool:
        """Say whether a value is for the peer; None is for everybody."""
        return audience is None or self.is_in(audience)

    def is_in(self, audience: Set[Address]) -> bool:
        """Say whether one of these addresses is its own."""
        return not self._addresses.isdisjoint(audience)
