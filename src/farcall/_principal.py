"""Authentication and access: credentials, principals, and what a principal may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

import attrs

from farcall._contract.spec import Access
from farcall._usage.options import (
    check_async,
    check_instance,
    check_seconds,
    check_text,
    check_text_mapping,
    check_texts,
    optional,
    validator,
)


def _names(given: Iterable[str]) -> frozenset[str]:
    check_texts("roles=", given, "a set of names", '{"trader"}', brackets="{}")
    return frozenset(given)


@attrs.frozen
class Principal:
    """A logged-in user, as ``authenticate`` returns it.

    Args:
        name: With which `farcall.user` addresses values to it.
        roles: Of which ``roles=`` of methods and signals asks for one.
        expires_after: Seconds after which the login expires, unless there is another one; None for
            the life of the connection.
        claims: Anything else that the application wants to know of it.

    >>> Principal("ada", roles={"trader"}).roles
    frozenset({'trader'})
    """

    name: str = attrs.field(validator=validator(check_text, may_be_empty=True))
    roles: frozenset[str] = attrs.field(default=frozenset[str](), converter=_names)
    expires_after: float | None = attrs.field(
        default=None, validator=validator(optional(check_seconds))
    )
    claims: Mapping[str, Any] = attrs.field(
        factory=dict[str, Any],
        repr=False,
        hash=False,
        validator=validator(
            check_instance, kind=Mapping, takes="a mapping", write='claims={"plan": "free"}'
        ),
    )


def _texts() -> Any:
    # Any: as for `attrs.field`, whose type is that of the default.
    checked = validator(check_text_mapping, write='{"name": "value"}')
    return attrs.field(factory=dict[str, str], repr=False, hash=False, validator=checked)


@attrs.frozen
class Credentials:
    """The credentials of a peer, from its handshake or ``rpc.login``.

    Their ``repr``, which may end up in a log, shows none of them.
    """

    headers: Mapping[str, str] = _texts()
    """Of the handshake, names in lower case."""
    query: Mapping[str, str] = _texts()
    """Of the URL; the first value of each name."""
    cookies: Mapping[str, str] = _texts()
    """As for `query`."""
    login: Any = attrs.field(default=None, repr=False, hash=False)
    """The parameters of ``rpc.login``, a list or a dict; None in the handshake."""


def read_credentials(headers: Mapping[str, str], query: str, login: object = None) -> Credentials:
    """Read the credentials of a handshake.

    Args:
        headers: Names in lower case.
        query: Of the URL, without the ``?``.
        login: The parameters of ``rpc.login``, decoded.
    """
    pairs = parse_qsl(query, keep_blank_values=True, errors="replace")
    cookies = _cookies(headers.get("cookie", ""))
    return Credentials(headers, _first(pairs), _first(cookies), login)


Authenticate: TypeAlias = Callable[[Credentials], Awaitable[Principal | None]]
"""``async def f(credentials)`` returns the principal, or None if they match nobody."""


def check_authenticate(name: str, authenticate: object) -> None:
    """Check an ``authenticate`` function.

    Raises:
        TypeError: it is not an async function with one parameter.
    """
    check_async(
        name,
        authenticate,
        ["credentials"],
        "async def f(credentials: farcall.Credentials) -> farcall.Principal | None",
    )


async def authenticated(
    authenticate: Callable[[Credentials], Awaitable[object]], credentials: Credentials
) -> Principal | None:
    """Authenticate a peer.

    Raises:
        Unauthorized: `authenticate` refuses the peer.
        TypeError: it returned neither a principal nor None.
    """
    found = await authenticate(credentials)
    if found is None or isinstance(found, Principal):
        return found
    raise TypeError(
        "authenticate must return a farcall.Principal or None; it returned"
        f" a value of type {type(found).__name__}"
    )


def may(principal: Principal | None, access: Access) -> bool:
    """Tell whether a principal has the access that a member needs."""
    if not access.protected:
        return True
    if principal is None:
        return False
    return not access.roles or not access.roles.isdisjoint(principal.roles)


def why_not(principal: Principal | None, access: Access) -> str:
    """Say what a principal lacks to use a member."""
    roles = sorted(access.roles)
    wanted = f"the role {roles[0]}" if len(roles) == 1 else f"one of the roles {', '.join(roles)}"
    if principal is None:
        return f"it needs a login with {wanted}" if roles else "it needs a login"
    return f"it needs {wanted}, which this login does not have"


def _first(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def _cookies(header: str) -> Iterable[tuple[str, str]]:
    """Take a Cookie header apart (RFC 6265, section 4.2.1).

    `http.cookies` refuses the whole header because of one malformed cookie, which some other page
    of the same host may have set.
    """
    for pair in header.split(";"):
        # `str.strip` removes more than what is white space to browsers. To them "\xa0__Host-id" is
        # another name than "__Host-id", and one that a page of another host may set.
        name, is_there, value = pair.strip(" \t").partition("=")
        if is_there:
            is_quoted = len(value) > 1 and value[0] == value[-1] == '"'
            yield name, value[1:-1] if is_quoted else value
