"""A service: the members of decorated classes, put together under one name.

Each class reads its own body; what it inherits from other decorated classes is taken over as read
there, and gets its name. Members of bases that are not decorated stay off the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from farcall._contract.describe import Definitions
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
from farcall._declare.signals import SignalEntry, SignalReading, event_of
from farcall._declare.sites import Site, site_of_attribute, site_of_class
from farcall._signals import Signal

_ATTRIBUTE = "__farcall_service__"


@attrs.frozen(eq=False)
class Service:
    """A decorated class: its contract, and how its members are called and emitted."""

    cls: type[Any]
    spec: ServiceSpec
    digest: str
    methods: Mapping[str, Method]
    """By wire name."""
    signals: Mapping[str, SignalEntry]
    """By wire name."""
    background: tuple[str, ...]
    """The attributes of the methods to run while the service is served."""
    protected: bool
    """Whether its members are where their own declarations do not say."""
    body: Mapping[str, Member] = attrs.field(repr=False)
    """What is written in the class itself, without its bases."""


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
        name: Of the service, on the wire.
        body: What is written in the class.
        site: Where the class is.
        mistakes: Takes the rules that members break, or that there are none.
        protected: Whether its members are by default; None where it is so if a base's are.

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
    """Keep a service on its class, which has it from now on."""
    for entry in service.signals.values():
        entry.signal._configure(service.cls, entry.codecs)
    setattr(service.cls, _ATTRIBUTE, service)


def declared_on(cls: type[Any]) -> Service | None:
    """Give the service of this very class, or None where it is not decorated.

    Raises:
        DeclarationError: the class was made anew after it had been decorated.
    """
    found = vars(cls).get(_ATTRIBUTE)
    if not isinstance(found, Service):
        return None
    if found.cls is not cls or any(_is_gone(each, cls) for each in _signals_in(found.body)):
        raise site_of_class(cls).error(
            Rule.REPLACED_CLASS,
            "another decorator changed the class after @service had read it",
            "Put @service on top of attrs.define and the like",
        )
    return found


def is_service(thing: object) -> bool:
    """Tell whether an object, or a class, is one of a decorated class or of a subclass."""
    cls = thing if isinstance(thing, type) else type(thing)
    return any(_ATTRIBUTE in vars(base) for base in cls.__mro__)


def _inherited(cls: type[Any]) -> dict[str, Member]:
    """Collect the members of decorated bases, without those that the class has in its body."""
    members = dict[str, Member]()
    for base in reversed(cls.__mro__):
        service = declared_on(base)
        if service is not None or base is cls:
            members = {name: each for name, each in members.items() if name not in vars(base)}
        if service is not None:
            members.update(service.body)
    return members


def _check_lost(cls: type[Any], mistakes: Mistakes) -> None:
    """Refuse declarations in bases that are not decorated: they would be without effect."""
    decorated = [base for base in cls.__mro__ if base is cls or declared_on(base)]
    known = {name for base in decorated for name in vars(base)}
    others = [base for base in cls.__mro__ if base not in decorated]

    def check(base: type[Any], attribute: str, value: object) -> None:
        if attribute not in known and is_declaration(value):
            raise site_of_attribute(base, attribute).error(
                Rule.LOST_MEMBER,
                f"its class is not decorated, so the service {cls.__name__} would not have it",
                f"Decorate {base.__name__} with @service, too",
            )

    members = [(base, *member) for base in others for member in vars(base).items()]
    mistakes.each(lambda each: check(*each), members)


def is_declaration(value: object) -> bool:
    """Say whether a value in the body of a class only makes sense in that of a service."""
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
    on_wire = {key: each for key, each in members.items() if not _is_background(each)}
    names = wire_names(name, on_wire, mistakes)
    definitions = Definitions()

    def put_together(key: str) -> Method | SignalEntry:
        member = on_wire[key]
        if isinstance(member, ParsedFunction):
            return endpoint_of(member, names[key], definitions, protected=protected)
        return event_of(member, names[key], definitions, protected=protected)

    entries = mistakes.each(put_together, names)
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
    background = tuple(key for key, each in members.items() if _is_background(each))
    return Service(cls, spec, digest(spec), methods, signals, background, protected, body)


def _is_background(member: Member) -> bool:
    return isinstance(member, ParsedFunction) and member.marks.kind == "background"


def _signals_in(members: Mapping[str, Member]) -> list[SignalReading]:
    return [each for each in members.values() if isinstance(each, SignalReading)]


def _is_gone(reading: SignalReading, cls: type[Any]) -> bool:
    return vars(cls).get(reading.attribute) is not reading.signal
