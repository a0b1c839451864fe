"""What a stub needs of a server, and which of its members the server would fail.

`diff` tells everything that changed, and whether it breaks a caller of whatever kind. Here the
caller is a stub, which sends arguments in one known form and reads values in one known way, so a
change that it cannot notice is none.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from farcall._contract.algebra import reachable
from farcall._contract.diff import Change, diff
from farcall._contract.spec import (
    ArgumentSpec,
    Definition,
    MethodSpec,
    RecordSpec,
    Ref,
    ServiceSpec,
    SignalSpec,
    TypeSpec,
)


@attrs.frozen
class Unmet:
    """A member of a stub whose use can fail, and why."""

    member: str
    """Its name on the wire."""
    changes: tuple[Change, ...]
    """What the server has changed since, each of which is enough."""

    def __str__(self) -> str:
        changes = "; ".join(f"{each.path} {each.message}" for each in self.changes)
        return changes if changes.startswith(self.member) else f"{self.member}: {changes}"


def unmet_needs(stub: ServiceSpec, server: ServiceSpec) -> tuple[Unmet, ...]:
    """Compare what a stub was made for with what a server offers.

    Args:
        stub: The contract of the stub.
        server: That of the server, by whatever name.

    Returns:
        The members of the stub that can fail, in their order; none where every call is understood
        and every answer can be read.
    """
    return tuple(_unmet(stub, server))


def _unmet(stub: ServiceSpec, server: ServiceSpec) -> Iterator[Unmet]:
    methods = {each.wire_name: each for each in server.methods}
    signals = {each.wire_name: each for each in server.signals}
    pairs: list[tuple[MethodSpec | SignalSpec, MethodSpec | SignalSpec | None]] = [
        *(_as_sent(each, methods.get(each.wire_name)) for each in stub.methods),
        *(_as_heard(each, signals.get(each.wire_name)) for each in stub.signals),
    ]
    for needed, offered in pairs:
        changes = diff(_only(stub, needed), _only(server, offered, stub))
        if breaking := tuple(change for change in changes if change.breaking):
            yield Unmet(needed.wire_name, breaking)


def _only(
    spec: ServiceSpec, member: MethodSpec | SignalSpec | None, stub: ServiceSpec | None = None
) -> ServiceSpec:
    """Leave one member, and the types that it is made of.

    Args:
        spec: The contract.
        member: The member.
        stub: Knows an error by its name, so its code for it counts where it is given.
    """
    named = reachable(_types_of(member), {each.name: each for each in spec.definitions})
    known = {} if stub is None else {each.name: each for each in stub.definitions}
    return ServiceSpec(
        name="",
        class_name="",
        methods=(member,) if isinstance(member, MethodSpec) else (),
        signals=(member,) if isinstance(member, SignalSpec) else (),
        definitions=tuple(
            _with_code_of(each, known.get(each.name))
            for each in spec.definitions
            if each.name in named
        ),
    )


def _with_code_of(definition: Definition, other: Definition | None) -> Definition:
    if isinstance(definition, RecordSpec) and isinstance(other, RecordSpec):
        return attrs.evolve(definition, code=other.code)
    return definition


def _types_of(member: MethodSpec | SignalSpec | None) -> Iterator[TypeSpec]:
    match member:
        case MethodSpec():
            yield from (each.type for each in member.arguments)
            yield member.result
            yield from (Ref(name) for name in member.raises)
            if member.started is not None:
                yield member.started
        case SignalSpec():
            yield member.value
            if member.key_type is not None:
                yield member.key_type
        case None:
            pass


def _as_heard(stub: SignalSpec, server: SignalSpec | None) -> tuple[SignalSpec, SignalSpec | None]:
    """Leave out what a subscriber gets beside the values: it fails nobody."""
    if server is None:
        return stub, None
    return stub, attrs.evolve(server, **stub.flags())


def _as_sent(stub: MethodSpec, server: MethodSpec | None) -> tuple[MethodSpec, MethodSpec | None]:
    """Let the arguments of two methods be compared by what a stub of the first one sends.

    It sends an array where all go by position alone, so their names do not matter; otherwise an
    object, so their places do not. A server takes both for whatever has a name and a place.
    """
    if server is None:
        return stub, None
    arguments, offered = stub.arguments, server.arguments
    if arguments and all(each.role == "positional" for each in arguments):
        offered = _named_alike(arguments, offered)
    return (
        attrs.evolve(stub, arguments=tuple(map(_by_name, arguments))),
        attrs.evolve(server, arguments=tuple(map(_by_name, offered))),
    )


def _named_alike(
    stub: tuple[ArgumentSpec, ...], server: tuple[ArgumentSpec, ...]
) -> tuple[ArgumentSpec, ...]:
    """Give what stands in the same place the name that the stub has for it."""
    positional = [each for each in server if each.role != "keyword"]
    renamed = {each.name: other.name for each, other in zip(positional, stub, strict=False)}
    # A name of another argument must not be taken for one of the stub's.
    return tuple(
        attrs.evolve(each, name=renamed.get(each.name, f"the server's {each.name}"))
        for each in server
    )


def _by_name(argument: ArgumentSpec) -> ArgumentSpec:
    return attrs.evolve(argument, role="keyword")
