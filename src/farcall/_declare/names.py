"""Names on the wire: none is reserved, and no two members share one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from farcall._contract.identifiers import has_lone_surrogate, is_python_name, python_name
from farcall._declare.mistakes import Mistakes
from farcall._declare.rules import Rule
from farcall._declare.sites import Site

_RESERVED_PREFIXES = ("rpc.", "$/")
"""JSON-RPC 2.0, section 4: "Method names that begin with the word rpc followed by a period
character are reserved for rpc-internal methods"; ``$/`` is what language servers use likewise."""

MAX_SERVICE_NAME = 256
"""Characters of the name of a service. A hello lists the services of its side. Peers refuse a hello
with a longer name, and both ends would then speak the plain dialect."""

_RESERVED = frozenset({"__listMethods"})
"""An internal method of rpc-websockets."""


def checked_service_name(name: object, site: Site, mistakes: Mistakes) -> str:
    """Check that the name of a service can begin the names of its members.

    Args:
        name: The name.
        site: The place of the service.
        mistakes: Notes a name that is reserved, too long, or not a text without spaces.

    Returns:
        The name. If it is wrong, another one, so that the names of members can be checked as well.
    """
    if name == "":
        return ""
    before = mistakes.count
    with mistakes.noted():
        _check(name, site)
        _check(f"{name}.", site)
        if len(str(name)) > MAX_SERVICE_NAME:
            raise site.error(
                Rule.BAD_NAME,
                f"the name has {len(str(name))} characters; at most {MAX_SERVICE_NAME} are allowed",
                "Choose a shorter name",
            )
    return str(name) if mistakes.count == before else "Service"


class Named(Protocol):
    """A member of a service that gets a name on the wire."""

    @property
    def chosen_name(self) -> str | None:
        """The whole name that its declaration asks for; None for the usual one."""
        ...

    @property
    def site(self) -> Site: ...


def wire_names(service: str, members: Mapping[str, Named], mistakes: Mistakes) -> dict[str, str]:
    """Give each member its name on the wire: the one chosen for it, or ``Service.member``.

    Args:
        service: The name of the service; empty for bare names.
        members: By attribute.
        mistakes: Notes reserved names, and names of two members.

    Returns:
        The names by attribute, without the members whose names are wrong.
    """
    taken = dict[str, str]()

    def take(attribute: str) -> None:
        member = members[attribute]
        name = member.chosen_name
        if name is None:
            name = f"{service}.{attribute}" if service else attribute
        _check(name, member.site)
        if name in taken:
            raise member.site.error(
                Rule.TAKEN_NAME,
                f"{taken[name]} already has the wire name {name!r}",
                "Give one of them another name",
            )
        taken[name] = attribute

    mistakes.each(take, members)
    return {attribute: name for name, attribute in taken.items()}


def check_python_name(name: str, site: Site, kind: str, keeps: str = "") -> None:
    """Check that a name can stand in the source of a stub.

    Args:
        name: The name of a class, a member or a parameter.
        site: Its place.
        kind: The kind of thing that has the name, for the message.
        keeps: The option that keeps the name on the wire under another Python name.

    Raises:
        DeclarationError: Python code cannot use the name.
    """
    if not is_python_name(name):
        other = f"Rename it to {python_name(name)}"
        raise site.error(
            Rule.NO_PYTHON_NAME,
            f"Python code cannot use {name!r} as the name of {kind}",
            f"{other}; {keeps} keeps the wire name" if keeps else other,
        )


def _check(name: object, site: Site) -> None:
    if not isinstance(name, str) or not name or any(map(str.isspace, name)):
        fix = "Use a non-empty string without spaces"
        raise site.error(Rule.BAD_NAME, f"{name!r} is not a valid wire name", fix)
    if has_lone_surrogate(name):
        problem = f"{name!r} contains a lone surrogate, which UTF-8 cannot encode"
        raise site.error(Rule.BAD_NAME, problem, "Choose another name")
    if name in _RESERVED or name.startswith(_RESERVED_PREFIXES):
        fix = "Choose another name"
        raise site.error(Rule.BAD_NAME, f"names like {name!r} are reserved", fix)
