"""Checks of a type that need the definition of every name in it.

Records can be generic and recursive, so this walks all types that are reached from one, with
arguments in place of type variables.
"""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.structs import replace

from farcall._contract.algebra import fields_of, parts_of, target
from farcall._contract.definitions import Definitions
from farcall._contract.labels import label
from farcall._contract.spec import (
    ArrayOf,
    LiteralOf,
    MapOf,
    RecordSpec,
    Ref,
    Scalar,
    TupleOf,
    TypeSpec,
    UnionOf,
    UnsupportedType,
    ViaOf,
    check_faults,
)
from farcall._contract.traits import hashed_fields
from farcall._contract.unions import check_constants, choose, key_form

MAX_NESTING = 8
"""Levels of arguments of a generic. People write at most three; ``Box[Box[T]]`` in the fields of
``Box[T]`` would nest for ever."""


def check(spec: TypeSpec, definitions: Definitions) -> None:
    """Check all types that are reached from one.

    Raises:
        UnsupportedType: the members of a union look the same in JSON, keys have no text, items of
            a set have no hash, or a generic grows without end.
    """
    walk = _Walk(definitions)
    walk.visit(spec, "")
    check_faults(walk.faults)


class _Walk(Struct, frozen=True):
    definitions: Definitions
    visited: set[Ref] = field(default_factory=set[Ref])
    faults: list[UnsupportedType] = field(default_factory=list[UnsupportedType])
    taken_as_hashable: frozenset[Ref] = frozenset()
    """Records whose fields are being checked further out: they can contain themselves."""

    def visit(self, spec: TypeSpec, path: str) -> None:
        try:
            self._check(spec)
        except UnsupportedType as fault:
            fault.path = path
            self.faults.append(fault)
            return
        if not isinstance(spec, Ref):
            for part in parts_of(spec):
                self.visit(part, path)
        elif spec not in self.visited:
            self.visited.add(spec)
            self._visit_named(spec, path)

    def _check(self, spec: TypeSpec) -> None:
        match spec:
            case UnionOf():
                choose(spec, self.definitions)
            case LiteralOf():
                check_constants(spec, self.definitions)
            case MapOf(kind, key) if key_form(key, self.definitions) is None:
                raise UnsupportedType(
                    f"the keys of a {kind} must be strings or integers,"
                    f" and {label(key)} is neither",
                    f"use {kind}[str, ...], or a list of pairs",
                )
            case ArrayOf("set" | "frozenset" as kind, item) if not self._is_hashable(item):
                raise UnsupportedType(
                    f"{label(item)} has no hash, so a {kind} cannot hold it", "use a list"
                )
            case MapOf(kind, key) if not self._is_hashable(key):
                raise UnsupportedType(
                    f"{label(key)} has no hash, so it cannot be the key of a {kind}",
                    "use a list of pairs",
                )
            case _:
                pass

    def _visit_named(self, ref: Ref, path: str) -> None:
        definition = self.definitions[ref.name]
        if isinstance(definition, RecordSpec):
            if _nesting(ref) > MAX_NESTING:
                problem = f"{ref.name} contains itself with ever longer arguments"
                self.faults.append(UnsupportedType(problem, "use the same arguments inside", path))
                return
            for field in fields_of(definition, ref.arguments):
                self.visit(field.type, f"{ref.name}.{field.name}")
        elif (plain := target(ref, self.definitions)) != ref:
            self.visit(plain, path)

    def _is_hashable(self, spec: TypeSpec) -> bool:
        match target(spec, self.definitions):
            case ArrayOf(kind, item):
                return kind in ("tuple", "frozenset") and self._is_hashable(item)
            case TupleOf(parts) | UnionOf(parts):
                return all(map(self._is_hashable, parts))
            case Ref() as ref:
                return self._is_named_hashable(ref)
            case ViaOf() as own:
                return self.definitions.own_type(own).cls.__hash__ is not None
            case MapOf() | Scalar("json"):
                return False
            case _:
                return True

    def _is_named_hashable(self, ref: Ref) -> bool:
        definition, cls = self.definitions[ref.name], self.definitions.class_of(ref.name)
        if cls.__hash__ is None or not isinstance(definition, RecordSpec):
            return cls.__hash__ is not None
        if ref in self.taken_as_hashable or _nesting(ref) > MAX_NESTING:
            return True  # visiting its fields reports one that grows without end
        inside = replace(self, taken_as_hashable=self.taken_as_hashable | {ref})
        hashed = hashed_fields(cls)
        fields = fields_of(definition, ref.arguments)
        return all(inside._is_hashable(each.type) for each in fields if each.name in hashed)


def _nesting(spec: TypeSpec) -> int:
    return max((1 + _nesting(part) for part in parts_of(spec)), default=0)
