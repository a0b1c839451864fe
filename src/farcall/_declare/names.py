"""Names on the wire: which are reserved, and that none is taken twice."""

from __future__ import annotations

from collections.abc import Mapping

from farcall._contract.identifiers import has_lone_surrogate, is_python_name, python_name
from farcall._declare.mistakes import Mistakes
from farcall._declare.rules import Rule
from farcall._declare.sites import Site

_RESERVED_PREFIXES = ("rpc.", "$/")
"""JSON-RPC 2.0, section 4: "Method names that begin with the word rpc followed by a period
character are reserved for rpc-internal methods"; ``$/`` is what language servers use likewise."""

MAX_SERVICE_NAME = 256
"""Characters of the name of a service. A hello names the services of its side, and peers refuse one
with longer names; both ends would then speak the plain dialect."""

_RESERVED = frozenset({"__listMethods"})
"""An internal method of rpc-websockets."""


def checked_service_name(name: object, site: Site, mistakes: Mistakes) -> str:
    """Refuse a service name that no member could have a wire name with.

    Args:
        name: Of the service.
        site: Where it is.
        mistakes: Takes a name that is reserved, too long, or no text without spaces.

    Returns:
        The name; where it is wrong another one, so that the names of members are told apart from
        it.
    """
    before = mistakes.count
    with mistakes.noted():
        _check_service_name(name, site)
    return str(name) if mistakes.count == before else "Service"


def _check_service_name(name: object, site: Site) -> None:
    if name == "":
        return
    _check(name, site)
    _check(f"{name}.", site)
    if len(str(name)) > MAX_SERVICE_NAME:
        raise site.error(
            Rule.BAD_NAME,
            f"its name has {len(str(name))} characters, and peers are greeted with it",
            f"Choose one of at most {MAX_SERVICE_NAME}",
        )


def wire_names(
    service: str,
    chosen: Mapping[str, str | None],
    sites: Mapping[str, Site],
    mistakes: Mistakes,
) -> dict[str, str]:
    """Give each member its name on the wire: the one chosen for it, or ``Service.member``.

    Args:
        service: The name of the service; empty for bare names.
        chosen: By attribute, the whole name that its declaration asks for, or None.
        sites: By attribute, where it is declared.
        mistakes: Takes names that are reserved, and those that two members have.

    Returns:
        By attribute, without the members whose names are wrong.
    """
    taken = dict[str, str]()

    def take(attribute: str) -> None:
        site, choice = sites[attribute], chosen[attribute]
        name = _member_name(service, attribute) if choice is None else choice
        _check(name, site)
        if name in taken:
            raise site.error(
                Rule.TAKEN_NAME,
                f"{taken[name]} is called {name!r} on the wire already",
                "Give one of them another name",
            )
        taken[name] = attribute

    mistakes.each(take, chosen)
    return {attribute: name for name, attribute in taken.items()}


def check_python_name(name: str, site: Site, what: str, keeps: str = "") -> None:
    """Refuse a name that the source of a stub could not hold.

    Args:
        name: Of a class, a member or a parameter.
        site: Where it is.
        what: What has the name.
        keeps: What keeps the name on the wire nevertheless.

    Raises:
        DeclarationError: Python code cannot use the name.
    """
    if not is_python_name(name):
        other = f"Call it {python_name(name)}"
        raise site.error(
            Rule.NO_PYTHON_NAME,
            f"Python code cannot use {name!r} as the name of {what}",
            f"{other}; {keeps} keeps the name on the wire" if keeps else other,
        )


def _member_name(service: str, attribute: str) -> str:
    return f"{service}.{attribute}" if service else attribute


def _check(name: object, site: Site) -> None:
    if not isinstance(name, str) or not name or any(map(str.isspace, name)):
        fix = "Write some text without spaces"
        raise site.error(Rule.BAD_NAME, f"{name!r} is no name for the wire", fix)
    if has_lone_surrogate(name):
        problem = f"{name!r} holds half of a surrogate pair, which JSON in UTF-8 cannot hold"
        raise site.error(Rule.BAD_NAME, problem, "Choose another name")
    if name in _RESERVED or name.startswith(_RESERVED_PREFIXES):
        fix = "Choose another name"
        raise site.error(Rule.BAD_NAME, f"names like {name!r} belong to the protocol", fix)
