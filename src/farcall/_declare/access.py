"""Access to a member: what its own declaration says, and its class where that says nothing."""

from __future__ import annotations

import inspect
from collections.abc import Set
from typing import cast

from msgspec import Struct

from farcall._contract.spec import Access
from farcall._declare.rules import Rule
from farcall._declare.sites import Site


class DeclaredAccess(Struct, frozen=True):
    """The options ``protected=`` and ``roles=`` of a member."""

    protected: bool | None = None
    """None if not given: the class decides."""
    roles: frozenset[str] = frozenset()

    @property
    def is_given(self) -> bool:
        return self.protected is not None or bool(self.roles)

    def within(self, *, protected: bool) -> Access:
        """Return the access to the member, in a class that is protected or not."""
        if self.roles:
            return Access(protected=True, roles=self.roles)
        return Access(protected=protected if self.protected is None else self.protected)


NOT_GIVEN = DeclaredAccess()


def read_access(site: Site, protected: bool | None, roles: object) -> DeclaredAccess:
    """Check ``protected=`` and ``roles=``.

    Raises:
        DeclarationError: The roles are not a set of names, or the member is open and has roles.
    """
    got = repr(roles) if isinstance(roles, str) else type(roles).__name__
    given = cast("Set[object]", roles) if isinstance(roles, Set) else None
    names = frozenset(each for each in given or () if isinstance(each, str) and each)
    if given is None or len(names) < len(given):
        if given is not None:
            got = f"a set with {next(each for each in given if each not in names)!r}"
        name = roles if isinstance(roles, str) and roles else "trader"
        problem = f"roles= takes a set of non-empty strings, got {got}"
        raise site.error(Rule.BAD_ROLES, problem, f'Write roles={{"{name}"}}')
    if names and protected is False:
        raise site.error(
            Rule.ROLES_IN_THE_OPEN,
            "protected=False opens the member to everyone, but roles= restricts it",
            "Remove one of them",
        )
    return DeclaredAccess(protected, names)


def check_allow(site: Site, allow: object) -> None:
    """Check ``allow=``.

    Raises:
        DeclarationError: It is not a plain function of the call and the key.
    """
    problem = _problem_of_allow(allow)
    if problem is not None:
        fix = "Write `def may_hear(call: farcall.CallContext, key: str | None) -> bool`"
        raise site.error(
            Rule.BAD_ALLOW, f"allow= takes a plain function of the call and the key; {problem}", fix
        )


def check_broadcast(site: Site, access: Access, allow: object) -> None:
    """Check that a broadcast, which is sent to all peers, has no rule about its subscribers.

    Raises:
        DeclarationError: It has one.
    """
    if access.protected or allow is not None:
        raise site.error(
            Rule.PROTECTED_BROADCAST,
            "broadcast=True sends it to everyone, but protected=, roles= or allow= restrict it",
            "Remove one of the two; in a protected class, protected=False opens the signal",
        )


def _problem_of_allow(allow: object) -> str | None:
    if not callable(allow):
        return f"got {type(allow).__name__}"
    if inspect.iscoroutinefunction(allow):
        return "this one is async, but subscribing does not wait"
    try:
        inspect.signature(allow).bind("call", "key")
    except TypeError:
        return "this one cannot be called with two arguments"
    except ValueError:  # some functions written in C have no signature
        return None
    return None
