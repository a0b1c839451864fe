"""Audiences: the users and rooms that a value is addressed to.

A user is the name of a principal, a room is made by the application. They are two types, so a peer
that chooses the name of a room cannot receive what is addressed to a user of that name.
"""

from __future__ import annotations

from collections.abc import Set
from typing import TypeAlias, cast

import attrs

from farcall._usage.options import check_text, validator, wrong_type


@attrs.frozen
class User:
    """All connections logged in under this name; see `farcall.user`."""

    name: str = attrs.field(validator=validator(check_text, may_be_empty=True))


@attrs.frozen
class Room:
    """The connections that have joined a room; see `farcall.room`."""

    name: str = attrs.field(validator=validator(check_text, may_be_empty=True))


Address: TypeAlias = User | Room


def user(name: str) -> User:
    """Address a value to a user: ``signal.emit(value, to={farcall.user("ada")})``.

    Args:
        name: The name of a `farcall.Principal`.

    Raises:
        TypeError: The name is not a str.

    >>> user("ada")
    User(name='ada')
    """
    return User(name)


def room(name: str) -> Room:
    """Address a value to the members of a room: ``signal.emit(value, to={farcall.room("7")})``.

    Args:
        name: As passed to `farcall.Connection.join`.

    Raises:
        TypeError: The name is not a str.

    >>> room("room-7")
    Room(name='room-7')
    """
    return Room(name)


def read_audience(to: object) -> frozenset[Address]:
    """Check the argument ``to=``.

    Raises:
        TypeError: It is not a set of users and rooms.
    """
    if not isinstance(to, Set):
        raise wrong_type("to=", "a set of users and rooms", to, '{farcall.user("ada")}')
    audience = set[Address]()
    for address in cast("Set[object]", to):
        if not isinstance(address, User | Room):
            write = "farcall.user(...) or farcall.room(...)"
            raise wrong_type("each element of to=", "a user or a room", address, write)
        audience.add(address)
    return frozenset(audience)


class Membership:
    """The addresses of the peer of one connection."""

    def __init__(self) -> None:
        # An empty set takes 216 bytes, and most peers have no addresses.
        self._addresses: set[Address] | tuple[()] = ()

    def __repr__(self) -> str:
        return f"<Membership of {len(self._addresses)} addresses>"

    def add(self, address: Address) -> None:
        if not self._addresses:
            self._addresses = set()
        self._addresses.add(address)

    def discard(self, address: Address) -> None:
        if self._addresses:
            self._addresses.discard(address)

    def reaches(self, audience: Set[Address] | None) -> bool:
        """Say whether a value for `audience` is for the peer; None means all peers."""
        return audience is None or self.is_in(audience)

    def is_in(self, audience: Set[Address]) -> bool:
        return bool(self._addresses) and not audience.isdisjoint(self._addresses)
