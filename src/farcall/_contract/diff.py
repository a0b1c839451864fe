"""The changes between two contracts, and which of them break callers of the old one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Generic, TypeVar

from msgspec import Struct

from farcall._contract.algebra import reachable
from farcall._contract.compatibility import Fit, definitions_of
from farcall._contract.digest import canonical_form, definition_form
from farcall._contract.forms import Form
from farcall._contract.labels import spelled
from farcall._contract.spec import (
    ArgumentSpec,
    Definition,
    EnumSpec,
    FieldSpec,
    MethodSpec,
    NewTypeSpec,
    RecordSpec,
    Ref,
    ServiceSpec,
    SignalSpec,
    TypeSpec,
)

S = TypeVar("S")


class Change(Struct, frozen=True):
    """A difference between two contracts."""

    path: str
    """The place, such as ``Market.buy(quantity)``, ``Market.quote`` or ``Quote.price``."""
    message: str
    breaking: bool
    """Whether callers of the old contract fail at a server with the new one."""

    def __str__(self) -> str:
        return f"{self.path} {self.message}{' (breaks callers)' if self.breaking else ''}"


def diff(old: ServiceSpec, new: ServiceSpec, *, takes_wire: bool = False) -> tuple[Change, ...]:
    """Compare two contracts of one service.

    Arguments can become more tolerant and results more precise; the reverse breaks callers. In
    doubt a change counts as breaking.

    Args:
        old: The contract of the callers.
        new: The contract of the server.
        takes_wire: Whether the callers may send the type by which a class crosses in place of it.

    Returns:
        All changes; empty if and only if both have the same digest.
    """
    return tuple(_Comparison.of(old, new, takes_wire).changes())


class _Sides(Struct, Generic[S], frozen=True):
    """Parts of one kind, matched by name."""

    removed: list[S]
    added: list[S]
    common: list[tuple[S, S]]


class _Comparison(Struct, frozen=True):
    old: ServiceSpec
    new: ServiceSpec
    sent: Fit
    """From old callers to the new server."""
    received: Fit
    """From the new server to old callers."""
    uploaded: Fit
    """From old callers to the new server, which ignores unknown fields of items."""
    is_sent: frozenset[str]
    """The named types that occur in arguments."""
    is_uploaded: frozenset[str]
    """Those in the items of uploads."""
    is_received: frozenset[str]
    """Those in results, values of signals and errors."""

    @staticmethod
    def of(old: ServiceSpec, new: ServiceSpec, takes_wire: bool) -> _Comparison:
        before, after = definitions_of(old), definitions_of(new)
        return _Comparison(
            old,
            new,
            Fit.of(old, new, reader_is_strict=True, takes_wire=takes_wire),
            Fit.of(new, old, reader_is_strict=False),
            Fit.of(old, new, reader_is_strict=False, takes_wire=takes_wire),
            *(
                reachable(types(old), before) | reachable(types(new), after)
                for types in (types_sent, types_uploaded, types_received)
            ),
        )

    def changes(self) -> Iterator[Change]:
        old, new = self.old, self.new
        if old.name != new.name:
            yield Change(old.name, f"is called {new.name!r} now", breaking=True)
        methods = _sides(old.methods, new.methods, "wire_name")
        yield from _presence(methods, "wire_name", removal_breaks=True)
        for method, other_method in methods.common:
            yield from self._method(method, other_method)
        signals = _sides(old.signals, new.signals, "wire_name")
        yield from _presence(signals, "wire_name", removal_breaks=True)
        for signal, other_signal in signals.common:
            yield from self._signal(signal, other_signal)
        definitions = _sides(old.definitions, new.definitions, "name")
        # A member that used a removed type has a change of its own, which breaks.
        yield from _presence(definitions, "name", removal_breaks=False)
        for definition, other_definition in definitions.common:
            if definition_form(definition) != definition_form(other_definition):
                yield from self._definition(definition, other_definition)

    def _method(self, old: MethodSpec, new: MethodSpec) -> Iterator[Change]:
        yield from self._arguments(old, new)
        if canonical_form(old.result) != canonical_form(new.result):
            fits = self.received.fits(new.result, old.result)
            part = "item" if new.stream else "result"
            yield _retyped(f"{old.wire_name} -> {part}", old.result, new.result, fits)
        for name in sorted({*old.raises} ^ {*new.raises}):
            verb = "raises" if name in new.raises else "does not raise"
            yield Change(old.wire_name, f"{verb} {name} now", breaking=False)
        if old.oneway != new.oneway:
            now = "is one-way" if new.oneway else "sends an answer"
            yield Change(old.wire_name, f"{now} now", breaking=new.oneway)
        if old.stream != new.stream:
            now = "is a stream" if new.stream else "answers once"
            yield Change(old.wire_name, f"{now} now", breaking=True)
        yield from self._started(old, new)

    def _started(self, old: MethodSpec, new: MethodSpec) -> Iterator[Change]:
        before, after = old.started, new.started
        if before is None or after is None:
            if before is not after:
                now = "is no remote task" if after is None else "is a remote task"
                yield Change(old.wire_name, f"{now} now", breaking=True)
        elif canonical_form(before) != canonical_form(after):
            fits = self.received.fits(after, before)
            yield _retyped(f"{old.wire_name} -> started", before, after, fits)

    def _arguments(self, old: MethodSpec, new: MethodSpec) -> Iterator[Change]:
        arguments = _sides(old.arguments, new.arguments, "name")
        for each in arguments.removed:
            yield Change(f"{old.wire_name}({each.name})", "was removed", breaking=True)
        for each in arguments.added:
            path = f"{old.wire_name}({each.name})"
            yield _added(path, breaking=each.default is None)
        for before, after in arguments.common:
            yield from self._argument(f"{old.wire_name}({before.name})", before, after)
        if _is_moved(_positions(old), _positions(new)):
            yield Change(old.wire_name, "takes its arguments in another order", breaking=True)

    def _argument(self, path: str, old: ArgumentSpec, new: ArgumentSpec) -> Iterator[Change]:
        if canonical_form(old.type) != canonical_form(new.type):
            fit = self.uploaded if old.upload and new.upload else self.sent
            yield _retyped(path, old.type, new.type, fit.fits(old.type, new.type))
        if old.upload != new.upload:
            now = "is an upload" if new.upload else "is no upload"
            yield Change(path, f"{now} now", breaking=True)
        if old.role != new.role:
            ways = {"positional": "by position", "keyword": "by name", "either": "either way"}
            yield Change(path, f"is passed {ways[new.role]} now", new.role != "either")
        if (old.default is None) != (new.default is None):
            yield _required(path, new, breaking=new.default is None)

    def _signal(self, old: SignalSpec, new: SignalSpec) -> Iterator[Change]:
        path = old.wire_name
        if canonical_form(old.value) != canonical_form(new.value):
            fits = self.received.fits(new.value, old.value)
            yield _retyped(path, old.value, new.value, fits)
        if _key_form(old) != _key_form(new):
            key = None if new.key_type is None else f"the key {new.key} ({spelled(new.key_type)})"
            yield Change(path, f"has {key or 'no key'} now", not self._key_fits(old, new))
        before = old.flags()
        for option, is_set in new.flags().items():
            if is_set != before[option]:
                now = "is" if is_set else "is not"
                yield Change(path, f"{now} declared {option} now", breaking=not is_set)

    def _key_fits(self, old: SignalSpec, new: SignalSpec) -> bool:
        if old.key is None or old.key_type is None:
            return True
        if old.key != new.key or new.key_type is None:
            return False
        return self.sent.fits(old.key_type, new.key_type)

    def _definition(self, old: Definition, new: Definition) -> Iterator[Change]:
        match old, new:
            case RecordSpec(), RecordSpec():
                yield from self._record(old, new)
            case EnumSpec(), EnumSpec():
                yield from self._enum(old, new)
            case NewTypeSpec(), NewTypeSpec():
                fits = self._fits_as_used(old.name, old.target, new.target)
                yield _retyped(old.name, old.target, new.target, fits)
            case _:
                yield Change(old.name, "is another kind of type now", breaking=True)

    def _record(self, old: RecordSpec, new: RecordSpec) -> Iterator[Change]:
        if old.kind != new.kind:
            yield Change(old.name, f"is of kind {new.kind} now", breaking=False)
        if old.parameters != new.parameters:
            yield Change(old.name, "has other type parameters now", breaking=True)
        if old.code != new.code:
            yield Change(old.name, f"has the code {new.code} now", breaking=True)
        broken = self._broken_fields(old, new)
        fields = _sides(old.fields, new.fields, "name")
        for each in fields.removed:
            yield Change(f"{old.name}.{each.name}", "was removed", each.name in broken)
        for each in fields.added:
            yield _added(f"{old.name}.{each.name}", each.name in broken)
        for before, after in fields.common:
            yield from _field(f"{old.name}.{before.name}", before, after, before.name in broken)

    def _broken_fields(self, old: RecordSpec, new: RecordSpec) -> set[str]:
        broken = set[str]()
        if old.name in self.is_sent:
            broken |= self.sent.broken_fields(old, new)
        if old.name in self.is_uploaded:
            broken |= self.uploaded.broken_fields(old, new)
        if old.name in self.is_received:
            broken |= self.received.broken_fields(new, old)
        return broken

    def _enum(self, old: EnumSpec, new: EnumSpec) -> Iterator[Change]:
        if old.base != new.base:
            yield Change(old.name, f"is an {new.base} now", breaking=False)
        before, after = dict(old.members), dict(new.members)
        lost, gained = (
            {*before.values()} - {*after.values()},
            {*after.values()} - {*before.values()},
        )
        for name in sorted(before.keys() | after.keys()):
            was, now = before.get(name), after.get(name)
            if was != now:
                breaking = (was in lost and old.name in self.is_sent | self.is_uploaded) or (
                    now in gained and old.name in self.is_received
                )
                path = f"{old.name}.{name}"
                if was is None or now is None:
                    yield Change(path, "was added" if was is None else "was removed", breaking)
                else:
                    yield Change(path, f"was {was!r} and is {now!r} now", breaking)

    def _fits_as_used(self, name: str, old: TypeSpec, new: TypeSpec) -> bool:
        return (
            (name not in self.is_sent or self.sent.fits(old, new))
            and (name not in self.is_uploaded or self.uploaded.fits(old, new))
            and (name not in self.is_received or self.received.fits(new, old))
        )


def _sides(old: Iterable[S], new: Iterable[S], key: str) -> _Sides[S]:
    name_of: Callable[[S], str] = attrgetter(key)
    before = {name_of(each): each for each in old}
    after = {name_of(each): each for each in new}
    return _Sides(
        [each for name, each in before.items() if name not in after],
        [each for name, each in after.items() if name not in before],
        [(each, after[name]) for name, each in before.items() if name in after],
    )


def _presence(sides: _Sides[S], key: str, *, removal_breaks: bool) -> Iterator[Change]:
    name: Callable[[S], str] = attrgetter(key)
    for each in sides.removed:
        yield Change(name(each), "was removed", removal_breaks)
    for each in sides.added:
        yield Change(name(each), "was added", breaking=False)


def _field(path: str, old: FieldSpec, new: FieldSpec, is_broken: bool) -> Iterator[Change]:
    if canonical_form(old.type) != canonical_form(new.type):
        yield _retyped(path, old.type, new.type, fits=not is_broken)
    if (old.default is None) != (new.default is None):
        yield _required(path, new, is_broken)


def _added(path: str, breaking: bool) -> Change:
    return Change(path, "was added and must be given" if breaking else "was added", breaking)


def _retyped(path: str, old: TypeSpec, new: TypeSpec, fits: bool) -> Change:
    return Change(path, f"was {spelled(old)} and is {spelled(new)} now", not fits)


def _required(path: str, new: ArgumentSpec | FieldSpec, breaking: bool) -> Change:
    now = "must be given" if new.default is None else "may be left out"
    return Change(path, f"{now} now", breaking)


def _key_form(spec: SignalSpec) -> tuple[str | None, Form]:
    return spec.key, None if spec.key_type is None else canonical_form(spec.key_type)


def _positions(spec: MethodSpec) -> list[str]:
    return [each.name for each in spec.arguments if each.role != "keyword"]


def _is_moved(old: list[str], new: list[str]) -> bool:
    """Tell whether arguments that still go by position have other positions."""
    common = [name for name in old if name in new]
    return new[: len(common)] != common


def types_sent(spec: ServiceSpec) -> Iterator[TypeSpec]:
    """Yield the types that callers send, other than in uploads."""
    for method in spec.methods:
        yield from (argument.type for argument in method.arguments if not argument.upload)
    yield from (signal.key_type for signal in spec.signals if signal.key_type is not None)


def types_uploaded(spec: ServiceSpec) -> Iterator[TypeSpec]:
    """Yield the types of items in uploads."""
    for method in spec.methods:
        yield from (argument.type for argument in method.arguments if argument.upload)


def types_received(spec: ServiceSpec) -> Iterator[TypeSpec]:
    """Yield the types that callers receive."""
    for method in spec.methods:
        yield method.result
        if method.started is not None:
            yield method.started
        yield from (Ref(name) for name in method.raises)
    yield from (signal.value for signal in spec.signals)
