"""Who may use a member: what its declaration says, and what its class says for the rest."""

from __future__ import annotations

import inspect
from collections.abc import Set
from typing import cast

import attrs

from farcall._contract.spec import Access
from farcall._declare.rules import Rule
from farcall._declare.sites import Site


@attrs.frozen
class DeclaredAccess:
    """What the parentheses of a member say about who may use it."""

    protected: bool | None = None
    """None where they say nothing, so that the class decides."""
    roles: frozenset[str] = frozenset()

    @property
    def is_said(self) -> bool:
        """Whether they say anything."""
        return self.protected is not None or bool(self.roles)

    def within(self, *, protected: bool) -> Access:
        """Give the access to the member of a class that is protected, or is not."""
        if self.roles:
            return Access(protected=True, roles=self.roles)
        return Access(protected=protected if self.protected is None else self.protected)


UNSAID = DeclaredAccess()


def read_access(site: Site, protected: bool | None, roles: object) -> DeclaredAccess:
    """Check what was written as ``protected=`` and ``roles=``.

    Raises:
        DeclarationError: the roles are no set of names, or the member is opened and has roles.
    """
    if not _is_set_of_names(roles):
        fix = f"Write roles={{{roles!r}}}" if isinstance(roles, str) else 'Write roles={"trader"}'
        raise site.error(Rule.BAD_ROLES, "roles= takes a set of names, and this is none", fix)
    names = frozenset(cast("Set[str]", roles))
    if names and protected is False:
        raise site.error(
            Rule.ROLES_IN_THE_OPEN,
            "protected=False opens it to everybody, and roles= to those who have one",
            "Leave out one of the two",
        )
    return DeclaredAccess(protected, names)


def check_allow(site: Site, allow: object) -> None:
    """Refuse an ``allow=`` that could not decide on a subscription.

    Raises:
        DeclarationError: it is no plain function of the call and the key.
    """
    problem = _problem_of_allow(allow)
    if problem is not None:
        fix = "Write `def may_hear(call: farcall.CallContext, key: str | None) -> bool`"
        raise site.error(Rule.BAD_ALLOW, f"allow= takes a function, and this {problem}", fix)


def check_broadcast(site: Site, access: Access, allow: object) -> None:
    """Refuse a signal that is sent to everybody who is connected, and not for everybody.

    Raises:
        DeclarationError: it is one.
    """
    if access.protected or allow is not None:
        raise site.error(
            Rule.PROTECTED_BROADCAST,
            "broadcast=True sends it to everybody, and protected=, roles= or allow= to some",
            "Leave out one of the two; in a protected class, protected=False opens the signal",
        )


def _is_set_of_names(roles: object) -> bool:
    return isinstance(roles, Set) and all(
        isinstance(role, str) and role for role in cast("Set[object]", roles)
    )


def _problem_of_allow(allow: object) -> str | None:
    if not callable(allow):
        return "is none"
    if inspect.iscoroutinefunction(allow):
        return "is async, while subscribing waits for nobody"
    try:
        inspect.signature(allow).bind("call", "key")
    except TypeError:
        return "cannot be called with a call and a key"
    except ValueError:  # some functions written in C do not tell
        return None
    return None
