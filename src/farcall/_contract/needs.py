"""The needs of a stub: which of its members a server would fail.

`diff` reports every change, and whether it breaks any kind of caller. A stub is a caller that sends
arguments in one known form and reads values in one known way, so changes that it does not notice
are left out here.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from farcall._contract.algebra import reachable
from farcall._contract.compatibility import definitions_of
from farcall._contract.diff import Change, diff, types_received, types_sent, types_uploaded
from farcall._contract.spec import (
    ArgumentSpec,
    Definition,
    MethodSpec,
    RecordSpec,
    ServiceSpec,
    SignalSpec,
)


class Unmet(Struct, frozen=True):
    """A member of a stub whose use can fail."""

    member: str
    """Its name on the wire."""
    changes: tuple[Change, ...]
    """The changes of the server that break it."""

    def __str__(self) -> str:
        changes = "; ".join(f"{each.path} {each.message}" for each in self.changes)
        return changes if changes.startswith(self.member) else f"{self.member}: {changes}"


def unmet_needs(stub: ServiceSpec, server: ServiceSpec) -> tuple[Unmet, ...]:
    """Compare the contract of a stub with that of a server, whatever their names are.

    Returns:
        The members of the stub that can fail, in their order; empty if the server understands
        every call and the stub can read every response.
    """
    methods = {each.wire_name: each for each in server.methods}
    signals = {each.wire_name: each for each in server.signals}
    pairs: list[tuple[MethodSpec | SignalSpec, MethodSpec | SignalSpec | None]] = [
        *(_as_sent(each, methods.get(each.wire_name)) for each in stub.methods),
        *(_as_read(each, signals.get(each.wire_name)) for each in stub.signals),
    ]
    unmet: list[Unmet] = []
    for needed, offered in pairs:
        # A stub has the type on the wire for a class that it cannot import.
        changes = diff(_only(stub, needed), _only(server, offered, stub), takes_wire=True)
        if breaking := tuple(change for change in changes if change.breaking):
            unmet.append(Unmet(needed.wire_name, breaking))
    return tuple(unmet)


def _only(
    spec: ServiceSpec, member: MethodSpec | SignalSpec | None, stub: ServiceSpec | None = None
) -> ServiceSpec:
    """Reduce a contract to one member and its types.

    Args:
        spec: The contract.
        member: The member.
        stub: The codes of its errors replace those in `spec`: a stub knows an error by its name.
    """
    methods = (member,) if isinstance(member, MethodSpec) else ()
    signals = (member,) if isinstance(member, SignalSpec) else ()
    only = ServiceSpec("", "", methods, signals, definitions=())
    types = (*types_sent(only), *types_uploaded(only), *types_received(only))
    named = reachable(types, definitions_of(spec))
    known = dict[str, Definition]() if stub is None else definitions_of(stub)
    definitions = (
        _with_code_of(each, known.get(each.name)) for each in spec.definitions if each.name in named
    )
    return replace(only, definitions=tuple(definitions))


def _with_code_of(definition: Definition, other: Definition | None) -> Definition:
    if isinstance(definition, RecordSpec) and isinstance(other, RecordSpec):
        return replace(definition, code=other.code)
    return definition


def _as_read(stub: SignalSpec, server: SignalSpec | None) -> tuple[SignalSpec, SignalSpec | None]:
    """Take the delivery of the server for that of the stub: no change of it fails a subscriber."""
    if server is None:
        return stub, None
    return stub, replace(server, **stub.flags())


def _as_sent(stub: MethodSpec, server: MethodSpec | None) -> tuple[MethodSpec, MethodSpec | None]:
    """Prepare the arguments of two methods for a comparison by the form that the stub sends.

    It sends an array if all arguments are positional only: then their names do not matter.
    Otherwise it sends an object: then their places do not. A server takes both forms for an
    argument with a name and a place.
    """
    if server is None:
        return stub, None
    arguments, offered = stub.arguments, server.arguments
    if arguments and all(each.role == "positional" for each in arguments):
        offered = _named_alike(arguments, offered)
    return (
        replace(stub, arguments=tuple(map(_by_name, arguments))),
        replace(server, arguments=tuple(map(_by_name, offered))),
    )


def _named_alike(
    stub: tuple[ArgumentSpec, ...], server: tuple[ArgumentSpec, ...]
) -> tuple[ArgumentSpec, ...]:
    """Rename the arguments of the server to those of the stub in the same places."""
    positional = [each for each in server if each.role != "keyword"]
    renamed = {each.name: other.name for each, other in zip(positional, stub, strict=False)}
    # An argument in another place must not match one of the stub by its name.
    return tuple(
        replace(each, name=renamed.get(each.name, f"the server's {each.name}")) for each in server
    )


def _by_name(argument: ArgumentSpec) -> ArgumentSpec:
    return replace(argument, role="keyword")
