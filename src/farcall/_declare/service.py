"""A service: the members of decorated classes, assembled under one name.

Each decorated class reads its own body. Members that it inherits from other decorated classes were
read there, and get names of this service. Members of undecorated bases stay off the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from farcall._contract.definitions import Definitions
from farcall._contract.digest import digest
from farcall._contract.records import doc_of
from farcall._contract.spec import ServiceSpec
from farcall._declare.functions import ParsedFunction
from farcall._declare.marks import marks_of
from farcall._declare.members import Member
from farcall._declare.methods import Method, endpoint_of
from farcall._declare.mistakes import Mistakes
from farcall._declare.names import wire_names
from farcall._declare.rules import Rule
from farcall._declare.signals import ParsedSignal, SignalEntry, event_of
from farcall._declare.sites import Site, site_of_attribute, site_of_class
from farcall._signals import Signal

_ATTRIBUTE = "__farcall_service__"


@attrs.frozen(eq=False)
class Service:
    """A decorated class: its contract, its endpoints and its signals."""

    cls: type[Any]
    spec: ServiceSpec
    digest: str
    types: Mapping[str, Any] = attrs.field(repr=False)
    """The class, enum or `NewType` of each definition, by name."""
    methods: Mapping[str, Method]
    """By wire name."""
    signals: Mapping[str, SignalEntry]
    """By wire name."""
    background: tuple[str, ...]
    """The attributes of the methods that run while the service is served."""
    protected: bool
    """Whether its members need a login unless their own declarations say otherwise."""
    body: Mapping[str, Member] = attrs.field(repr=False)
    """The members written in the class itself, without those of its bases."""


def assemble(
    cls: type[Any],
    name: str,
    body: Mapping[str, Member],
    site: Site,
    mistakes: Mistakes,
    *,
    protected: bool | None = None,
) -> Service:
    """Make the service of a class whose body has been read.

    Args:
        cls: The class.
        name: The name of the service on the wire.
        body: The members written in the class.
        site: The place of the class.
        mistakes: Notes members that break a rule, and a class without members.
        protected: Whether its members need a login by default; None inherits that of its bases.

    Returns:
        The service, without the members that break a rule.
    """
    members = _inherited(cls) | dict(body)
    _check_lost(cls, mistakes)
    with mistakes.noted():
        if not members and mistakes.count == 0:
            raise site.error(
                Rule.NO_MEMBERS,
                "the service has no members",
                "Write a public method or a Signal in its body, or decorate the base that has them",
            )
    if protected is None:
        protected = any(base.protected for base in filter(None, map(declared_on, cls.__mro__)))
    return _assembled(cls, name, members, body, mistakes, protected)


def attach(service: Service) -> None:
    """Put a service on its class, and the codecs into its signals."""
    for entry in service.signals.values():
        entry.signal._configure(service.cls, entry.codecs)
    setattr(service.cls, _ATTRIBUTE, service)


def declared_on(cls: type[Any]) -> Service | None:
    """Return the service of this very class; None if it is not decorated.

    Raises:
        DeclarationError: Another decorator has replaced or changed the class since.
    """
    found = vars(cls).get(_ATTRIBUTE)
    if not isinstance(found, Service):
        return None
    signals = [each for each in found.body.values() if isinstance(each, ParsedSignal)]
    is_changed = any(vars(cls).get(each.attribute) is not each.signal for each in signals)
    if found.cls is not cls or is_changed:
        raise site_of_class(cls).error(
            Rule.REPLACED_CLASS,
            "another decorator changed the class after @service",
            "Put @service above attrs.define and similar decorators",
        )
    return found


def is_service(thing: object) -> bool:
    """Say whether this is a decorated class, a subclass of one, or an object of either."""
    cls = thing if isinstance(thing, type) else type(thing)
    return any(_ATTRIBUTE in vars(base) for base in cls.__mro__)


def _inherited(cls: type[Any]) -> dict[str, Member]:
    """Return the members of decorated bases, but those that a class between them overrides."""
    members = dict[str, Member]()
    for base in reversed(cls.__mro__):
        service = declared_on(base)
        if service is not None or base is cls:
            members = {name: each for name, each in members.items() if name not in vars(base)}
        if service is not None:
            members.update(service.body)
    return members


def _check_lost(cls: type[Any], mistakes: Mistakes) -> None:
    """Check that undecorated bases declare nothing, for that would have no effect."""
    decorated = [base for base in cls.__mro__ if base is cls or declared_on(base)]
    known = {name for base in decorated for name in vars(base)}
    others = [base for base in cls.__mro__ if base not in decorated]

    def check(base: type[Any], attribute: str, value: object) -> None:
        if attribute not in known and is_declaration(value):
            raise site_of_attribute(base, attribute).error(
                Rule.LOST_MEMBER,
                f"{base.__name__} is not decorated, so {cls.__name__} would not serve this member",
                f"Decorate {base.__name__} with @service",
            )

    members = [(base, *member) for base in others for member in vars(base).items()]
    mistakes.each(lambda each: check(*each), members)


def is_declaration(value: object) -> bool:
    """Say whether a value in the body of a class has an effect only in a service."""
    marks = marks_of(value)
    return isinstance(value, Signal) or (marks is not None and marks.kind != "local")


def _assembled(
    cls: type[Any],
    name: str,
    members: Mapping[str, Member],
    body: Mapping[str, Member],
    mistakes: Mistakes,
    protected: bool,
) -> Service:
    background = tuple(
        key
        for key, each in members.items()
        if isinstance(each, ParsedFunction) and each.marks.kind == "background"
    )
    on_wire = {key: each for key, each in members.items() if key not in background}
    names = wire_names(name, on_wire, mistakes)
    definitions = Definitions()

    def make_entry(key: str) -> Method | SignalEntry:
        member = on_wire[key]
        if isinstance(member, ParsedFunction):
            return endpoint_of(member, names[key], definitions, protected=protected)
        return event_of(member, names[key], definitions, protected=protected)

    entries = mistakes.each(make_entry, names)
    methods = {each.spec.wire_name: each for each in entries if isinstance(each, Method)}
    signals = {each.spec.wire_name: each for each in entries if isinstance(each, SignalEntry)}
    spec = ServiceSpec(
        name=name,
        class_name=cls.__name__,
        methods=tuple(each.spec for each in methods.values()),
        signals=tuple(each.spec for each in signals.values()),
        definitions=definitions.sorted(),
        doc=doc_of(cls),
    )
    return Service(
        cls,
        spec,
        digest(spec),
        definitions.classes(),
        methods,
        signals,
        background,
        protected,
        body,
    )
