"""Find the types that several services use, and that one module defines for all of their stubs.

Services use the same type if they use one class. The shared module on disk says which of its types
the services that are not part of this run use; it knows a class by its full name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from itertools import count
from typing import Any, TypeAlias

import attrs
from msgspec.structs import replace

from farcall._contract.algebra import named_in
from farcall._contract.spec import (
    Definition,
    EnumSpec,
    NewTypeSpec,
    RecordSpec,
    ServiceSpec,
    TypeSpec,
)
from farcall.stubgen._aliases import aliases_of
from farcall.stubgen._errors import StubError
from farcall.stubgen._names import Names


@attrs.frozen
class Stub:
    """A service whose stub is to be written."""

    spec: ServiceSpec
    digest: str
    classes: Mapping[str, Any]
    """The class, enum or `NewType` of each definition, by name."""
    origins: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """The types that the stub imports from modules of the user, each with its module."""

    @property
    def service(self) -> str:
        return self.spec.class_name


@attrs.define(eq=False)
class UsedType:
    """A type, with the services that use it."""

    key: str
    """The full name of its class."""
    spec: Definition
    users: set[str]
    scope: Mapping[str, str]
    """The keys of the types that its definition names, by name."""
    origin: str | None = None
    """The module of the user that has it; None for a type that stubs define."""
    cls: Any = None
    """None for a type that only services outside of this run use."""
    bases: dict[str, str] = attrs.field(factory=dict[str, str])
    """The base class of an error in the stub of each user, by name, with its key."""

    @property
    def needs(self) -> Set[str]:
        """The keys of the types that its definition names."""
        return {self.scope[name] for name in _names_in(self.spec) if name in self.scope}


AliasKey: TypeAlias = tuple[str, TypeSpec, tuple[str, ...]]
"""An alias: its name, its target, and the keys of the types in its target."""


@attrs.frozen
class OnDisk:
    """What a shared module has."""

    types: Sequence[UsedType] = ()
    aliases: Mapping[AliasKey, Collection[str]] = attrs.field(
        factory=dict[AliasKey, Collection[str]]
    )
    """Its aliases, each with the services that use it."""


@attrs.frozen
class Sharing:
    """The types that go into the shared module."""

    module: str
    """The name of the shared module."""
    spec: ServiceSpec
    """A service without members, which has the types."""
    names: Names
    """The names in the shared module."""
    users: Mapping[str, Collection[str]]
    """The services that use each type, by its key; those of an alias by its name."""
    _scopes: Mapping[str, Mapping[str, str]]
    """The keys of the types of each service in this run, by name."""

    def imported_by(self, stub: Stub) -> Mapping[str, str]:
        """Return the types that a stub imports, each with its module."""
        keys = self._scopes[stub.service].items()
        shared = [name for name, key in keys if key in self.users]
        shared += [each for each in self.names.type_aliases if stub.service in self.users[each]]
        return {**dict.fromkeys(shared, f".{self.module}"), **stub.origins}


def share(stubs: Sequence[Stub], on_disk: OnDisk, module: str) -> Sharing:
    """Decide which types go into the shared module.

    Args:
        stubs: The stubs of this run.
        on_disk: The shared module of earlier runs.
        module: The name of the shared module.

    Raises:
        StubError: The shared types do not fit into one module.
    """
    table = _Table(frozenset(each.service for each in stubs), module)
    table.keep(on_disk)
    # The module does not depend on the order in which a command names the services.
    for stub in sorted(stubs, key=lambda each: each.service):
        table.add(stub)
    return table.sharing()


def full_name(cls: Any) -> str:
    """Write the module and the name of a class, such as ``shop.models.Order``."""
    outer = cls.__qualname__.split(".")[:-1]
    return re.sub(r"[^\w.<>]", "?", ".".join([cls.__module__, *outer, cls.__name__]))


def imported_key(module: str, name: str) -> str:
    """Return the key of a type that stubs import from a module of the user."""
    return f"import {module}.{name}"


def alias_key(name: str, target: TypeSpec, scope: Mapping[str, str]) -> AliasKey:
    """Return the key of an alias.

    Args:
        name: Its name.
        target: The type that it stands for.
        scope: The keys of the types in `target`, by name.
    """
    return name, target, tuple(scope[each] for each in named_in(target))


@attrs.define
class _Table:
    """The types of a run and of the shared module on disk, with their users."""

    run: frozenset[str]
    """The services of this run."""
    module: str
    types: dict[str, UsedType] = attrs.field(factory=dict[str, UsedType])
    aliases: dict[AliasKey, set[str]] = attrs.field(factory=dict[AliasKey, set[str]])
    """The services that use each alias."""
    needed_on_disk: set[str] = attrs.field(factory=set[str])
    """The types that those on disk name, which services outside of this run use."""
    scopes: dict[str, Mapping[str, str]] = attrs.field(factory=dict[str, Mapping[str, str]])

    def keep(self, on_disk: OnDisk) -> None:
        """Add the types on disk that services outside of this run use."""
        for each in on_disk.types:
            others = each.users - self.run
            if others or each.origin:
                self.types[each.key] = attrs.evolve(each, users=others)
            if others:
                self.needed_on_disk |= each.needs
        for key, users in on_disk.aliases.items():
            self.aliases[key] = {*users} - self.run

    def add(self, stub: Stub) -> None:
        """Add the types of a stub."""
        scope = {each.name: self._key_of(stub, each.name) for each in stub.spec.definitions}
        self.scopes[stub.service] = scope
        for spec in stub.spec.definitions:
            used = self._used(scope[spec.name], spec, stub, scope)
            used.users.add(stub.service)
            if isinstance(spec, RecordSpec) and spec.base is not None:
                used.bases[spec.base] = scope[spec.base]
        for name, target in aliases_of(stub.spec).items():
            self.aliases.setdefault(alias_key(name, target, scope), set()).add(stub.service)

    def sharing(self) -> Sharing:
        """Choose the shared types, and the names in their module."""
        for each in self.types.values():
            _choose_base(each)
        self._spread_users()
        shared = [
            each
            for each in self.types.values()
            if each.origin is None and self._are_several(each.users)
        ]
        imported = self._imported_for(shared)
        definitions = self._by_name([*shared, *imported])
        spec = ServiceSpec("", "", (), (), tuple(definitions.values()))
        aliases = self._shared_aliases(
            frozenset(each.key for each in [*shared, *imported]), definitions
        )
        origins = {each.spec.name: each.origin for each in imported if each.origin}
        names = Names(spec, origins, {name: key[1] for name, key in aliases.items()})
        self._check_aliases(names)
        users = {each.key: each.users for each in shared}
        users |= {name: self.aliases[aliases[name]] for name in names.type_aliases}
        return Sharing(self.module, spec, names, users, self.scopes)

    def _key_of(self, stub: Stub, name: str) -> str:
        cls = stub.classes[name]
        key = full_name(cls)
        if name in stub.origins:
            return imported_key(stub.origins[name], name)
        # A function that makes classes gives several of them one full name.
        for number in count(2):
            known = self.types.get(key)
            if known is None or known.cls is None or known.cls is cls:
                break
            key = f"{full_name(cls)} ({number})"
        return key

    def _used(self, key: str, spec: Definition, stub: Stub, scope: Mapping[str, str]) -> UsedType:
        """Return the entry of a type; a class of this run replaces a definition from disk."""
        known = self.types.get(key)
        if known is None or known.cls is None:
            origin, cls = stub.origins.get(spec.name), stub.classes[spec.name]
            users = set[str]() if known is None else known.users
            bases = dict[str, str]() if known is None else known.bases
            self.types[key] = UsedType(key, spec, users, scope, origin, cls, bases)
        return self.types[key]

    def _spread_users(self) -> None:
        """Let each service use the types that its types need."""
        waiting = list(self.types.values())
        while waiting:
            user = waiting.pop()
            for each in map(self.types.__getitem__, user.needs & self.types.keys()):
                if not user.users <= each.users:
                    each.users |= user.users
                    waiting.append(each)

    def _are_several(self, users: Collection[str]) -> bool:
        """Say whether a type needs the shared module: of two services, or of one on disk."""
        return len(users) > 1 or not self.run.issuperset(users)

    def _imported_for(self, shared: Iterable[UsedType]) -> list[UsedType]:
        """Collect the user's own types that shared types need, and those in their fields."""
        found = dict[str, UsedType]()
        waiting = self.needed_on_disk.union(*(each.needs for each in shared))
        while waiting:
            each = self.types.get(waiting.pop())
            if each is not None and each.origin is not None and each.key not in found:
                found[each.key] = each
                waiting |= each.needs
        return [found[key] for key in sorted(found)]

    def _by_name(self, types: Iterable[UsedType]) -> Mapping[str, Definition]:
        found = dict[str, UsedType]()
        for each in types:
            other = found.setdefault(each.spec.name, each)
            if other is not each:
                raise self._conflict(other, each)
        return {name: found[name].spec for name in sorted(found)}

    def _conflict(self, one: UsedType, other: UsedType) -> StubError:
        name, origin = one.spec.name, other.origin
        if origin is not None:
            return StubError(
                f"{self.module}.py imports {name} from {origin}, and would define another {name}"
                f" for {_listed(one.users)}: write all of these stubs with --types {origin}, or all"
                f" without"
            )
        old = {each for used in (one, other) if used.cls is None for each in used.users - self.run}
        rewritten = (
            f"write the stub of {_listed(old)} as well if it is out of date, or " if old else ""
        )
        return StubError(
            f"two types for {self.module}.py are called {name}: {_described(one)}, and"
            f" {_described(other)}: {rewritten}rename one of them, or write the stubs of these"
            f" services in separate runs, each with its own --shared"
        )

    def _shared_aliases(
        self, available: frozenset[str], taken: Collection[str]
    ) -> Mapping[str, AliasKey]:
        found = dict[str, AliasKey]()
        for each, users in self.aliases.items():  # those on disk come first
            name, _, needs = each
            if self._are_several(users) and available.issuperset(needs) and name not in taken:
                found.setdefault(name, each)
        return found

    def _check_aliases(self, names: Names) -> None:
        for (name, target, _), users in self.aliases.items():
            others = users - self.run
            if others and names.type_aliases.get(name) != target:
                raise StubError(
                    f"{self.module}.py can no longer have the alias {name}: write the stub of"
                    f" {_listed(others)} as well"
                )


def _choose_base(used: UsedType) -> None:
    """Give an error the nearest base class that any of its services declares."""
    spec = used.spec
    if not isinstance(spec, RecordSpec) or used.cls is None:
        return
    names = [each.__name__ for each in used.cls.__mro__]
    bases = sorted(used.bases.keys() & set(names), key=names.index)
    if bases:
        used.spec = replace(spec, base=bases[0])
        used.scope = {**used.scope, bases[0]: used.bases[bases[0]]}


def _names_in(spec: Definition) -> Iterator[str]:
    """Yield the names of the types that a definition needs."""
    match spec:
        case NewTypeSpec(target=target):
            yield from named_in(target)
        case RecordSpec(fields=fields, base=base):
            yield from () if base is None else (base,)
            for field in fields:
                yield from named_in(field.type)
                source = field.default and field.default.source
                nodes = ast.walk(ast.parse(source, mode="eval")) if source else ()
                yield from (node.id for node in nodes if isinstance(node, ast.Name))
        case EnumSpec():
            pass


def _described(used: UsedType) -> str:
    return f"{used.key}, of {_listed(used.users)}"


def _listed(services: Iterable[str]) -> str:
    return " and ".join(sorted(services))
