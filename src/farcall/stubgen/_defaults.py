"""Fit the default values of a contract to their types, as type checkers want them.

In a contract the default ``UserId(3)`` is ``3``, as it is at run time; for a type checker, the stub
must name the new type. A default that is not of its type (``ids: list[int] = ()``, with an ignored
error) is left out of the stub, which others check.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Final, assert_never

import attrs

from farcall._contract.algebra import fields_of, reachable
from farcall._contract.scalars import SCALARS, ScalarName
from farcall._contract.spec import (
    ArrayOf,
    Default,
    Definition,
    EnumMember,
    EnumSpec,
    FieldSpec,
    LiteralOf,
    MapOf,
    NewTypeSpec,
    Parameter,
    RecordSpec,
    Ref,
    Scalar,
    TupleOf,
    TypeSpec,
    UnionOf,
    ViaOf,
)


class NewTypeCall(ast.Call):
    """A call of a `typing.NewType`, whose name may be that of a builtin."""


class RecordCall(ast.Call):
    """The call of a record class."""


def fitted(
    default: Default, spec: TypeSpec, definitions: Mapping[str, Definition]
) -> ast.expr | None:
    """Return the expression of a default, with calls of its new types.

    Args:
        default: The default of an argument or a field.
        spec: The type of the argument or field.
        definitions: The definitions to which `spec` refers.

    Returns:
        None if the default has no source, or is not of the type.
    """
    if default.source is None:
        return None
    return _Fit(definitions).value(ast.parse(default.source, mode="eval").body, spec)


def fitted_at_once(field: FieldSpec, definitions: Mapping[str, Definition]) -> ast.expr | None:
    """Return the default of a field that is evaluated when its class is made.

    A new type of records is defined after them, so these cannot name it.
    """
    node = None if field.default is None else fitted(field.default, field.type, definitions)
    calls = [] if node is None else list(ast.walk(node))
    needed = [Ref(ast.unparse(each.func)) for each in calls if isinstance(each, NewTypeCall)]
    reached = reachable(needed, definitions)
    return None if any(isinstance(definitions[each], RecordSpec) for each in reached) else node


def chosen(node: ast.expr, spec: TypeSpec, definitions: Mapping[str, Definition]) -> TypeSpec:
    """Return the member of a union to which an expression belongs; another type is returned."""
    if not isinstance(spec, UnionOf):
        return spec
    fit = _Fit(definitions)
    fitting = (each for each in spec.members if fit.value(node, each) is not None)
    return next(fitting, spec)


@attrs.frozen
class _Fit:
    definitions: Mapping[str, Definition]

    def value(self, node: ast.expr, spec: TypeSpec) -> ast.expr | None:
        match spec:
            case Scalar("json"):
                return self._json(node)
            case Scalar(name):
                return node if self._is_scalar(node, name) else None
            case LiteralOf(values):
                return node if _constant(node) in [*map(_typed, values)] else None
            case ArrayOf(kind, item):
                return self._items(node, _DISPLAYS.get(kind, (kind,)), item)
            case TupleOf(types):
                return self._tuple(node, types)
            case MapOf(_, key, value):
                return self._table(node, key, value)
            case UnionOf(members):
                fitting = (self.value(node, each) for each in members)
                return next((each for each in fitting if each is not None), None)
            case Ref(name, arguments):
                return self._named(node, self.definitions[name], arguments)
            case Parameter() | ViaOf():
                return None
            case _:
                assert_never(spec)

    def _named(
        self, node: ast.expr, definition: Definition, arguments: tuple[TypeSpec, ...]
    ) -> ast.expr | None:
        match definition:
            case EnumSpec(name):
                return node if _enum_of(node) == name else None
            case NewTypeSpec(name, target):
                inner = self.value(node, target)
                return None if inner is None else NewTypeCall(ast.Name(name), [inner], [])
            case RecordSpec(kind="typeddict"):
                return self._entries(node, fields_of(definition, arguments))
            case RecordSpec(name):
                return self._record(node, name, fields_of(definition, arguments))
            case _:
                assert_never(definition)

    def _record(self, node: ast.expr, name: str, fields: Sequence[FieldSpec]) -> ast.expr | None:
        match node:
            case ast.Call(func=ast.Name(id=called), args=[]) if called == name:
                names = [each.arg for each in node.keywords]
                values = self._values(names, [each.value for each in node.keywords], fields)
                return _if_all(
                    values,
                    lambda fitting: RecordCall(
                        node.func, [], list(map(ast.keyword, names, fitting))
                    ),
                )
            case _:
                return None

    def _entries(self, node: ast.expr, fields: Sequence[FieldSpec]) -> ast.expr | None:
        if not isinstance(node, ast.Dict):
            return None
        names = [each.value if isinstance(each, ast.Constant) else None for each in node.keys]
        values = self._values(names, node.values, fields)
        return _if_all(values, lambda fitting: ast.Dict(node.keys, fitting))

    def _values(
        self, names: Sequence[object], values: Sequence[ast.expr], fields: Sequence[FieldSpec]
    ) -> Sequence[ast.expr | None]:
        """Fit the values of a record. One is None if a name is unknown, or a field is missing."""
        types: dict[object, TypeSpec] = {field.name: field.type for field in fields}
        required = {field.name for field in fields if field.default is None}
        if not required <= {*names} <= types.keys():
            return [None]
        return [self.value(value, types[name]) for name, value in zip(names, values, strict=True)]

    def _is_scalar(self, node: ast.expr, name: ScalarName) -> bool:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=function)):
                return _MADE_BY_CALL.get(f"{module}.{function}") == name
            case _:
                pass
        enum = self.definitions.get(_enum_of(node) or "")
        # Members of an `IntEnum` are ints, those of a `StrEnum` are strs.
        kind = _MIXED_IN.get(enum.base) if isinstance(enum, EnumSpec) else _kind_of(node)
        return kind is not None and issubclass(kind, _KINDS.get(name, ()))

    def _json(self, node: ast.expr) -> ast.expr | None:
        json = Scalar("json")
        if isinstance(node, ast.Dict):
            return self._table(node, Scalar("str"), json)
        if any(self._is_scalar(node, name) for name in _IN_JSON):
            return node
        return self._items(node, _DISPLAYS["sequence"], json)

    def _items(self, node: ast.expr, kinds: Sequence[str], item: TypeSpec) -> ast.expr | None:
        kind, items = _taken_apart(node)
        if kind not in kinds:
            return None
        return _if_all([self.value(each, item) for each in items], _put_together(node))

    def _tuple(self, node: ast.expr, types: Sequence[TypeSpec]) -> ast.expr | None:
        kind, items = _taken_apart(node)
        if kind != "tuple" or len(items) != len(types):
            return None
        return _if_all(list(map(self.value, items, types)), _put_together(node))

    def _table(self, node: ast.expr, key: TypeSpec, value: TypeSpec) -> ast.expr | None:
        if not isinstance(node, ast.Dict):
            return None
        keys = [None if each is None else self.value(each, key) for each in node.keys]
        values = [self.value(each, value) for each in node.values]
        size = len(keys)
        return _if_all([*keys, *values], lambda all_: ast.Dict([*all_[:size]], all_[size:]))


_DISPLAYS: Final[Mapping[str, tuple[str, ...]]] = {"sequence": ("list", "tuple")}
"""The literals for an array of a kind, unless they are those of the kind itself."""

_KINDS: Final[Mapping[ScalarName, type | tuple[type, ...]]] = {
    "none": type(None),
    "bool": bool,
    "int": int,
    "float": (int, float),
    "str": str,
    "bytes": bytes,
}
"""The scalars that have literals; type checkers accept an int as a float."""

_MADE_BY_CALL: Final[Mapping[str, ScalarName]] = {
    each.source: each.name for each in SCALARS.values() if each.write_call
}
"""The scalars that are written as a call."""

_IN_JSON: Final[Sequence[ScalarName]] = ("none", "float", "str")
_MIXED_IN: Final[Mapping[str, type]] = {"IntEnum": int, "StrEnum": str}


def _enum_of(node: ast.expr) -> str | None:
    match node:
        case ast.Attribute(value=ast.Name(id=enum)):
            return enum
        case _:
            return None


def _kind_of(node: ast.expr) -> type | None:
    value = node.operand if isinstance(node, ast.UnaryOp) else node
    return type(value.value) if isinstance(value, ast.Constant) else None


def _constant(node: ast.expr) -> tuple[type, object] | None:
    """Return the value of a node with its type, to compare with those of a `Literal`."""
    match node:
        case ast.Attribute(value=ast.Name(id=enum), attr=member):
            return _typed(EnumMember(enum, member))
        case _:
            return None if _kind_of(node) is None else _typed(ast.literal_eval(node))


def _typed(value: object) -> tuple[type, object]:
    return type(value), value


def _taken_apart(node: ast.expr) -> tuple[str, list[ast.expr]]:
    """Return the kind and the items of a collection; an empty kind for another expression."""
    match node:
        case ast.List(elts=items):
            return "list", items
        case ast.Tuple(elts=items):
            return "tuple", items
        case ast.Set(elts=items):
            return "set", items
        case ast.Call(func=ast.Name(id=kind), args=[ast.Set(elts=items)]):
            return kind, items
        case ast.Call(func=ast.Name(id=kind), args=[]):
            return kind, []
        case _:
            return "", []


def _put_together(node: ast.expr) -> Callable[[list[ast.expr]], ast.expr]:
    """Return a function that makes a collection like `node` of other items."""
    match node:
        case ast.List():
            return ast.List
        case ast.Tuple():
            return ast.Tuple
        case ast.Call(func=function):
            return lambda items: ast.Call(function, [ast.Set(items)] if items else [], [])
        case _:
            return ast.Set


def _if_all(
    nodes: Sequence[ast.expr | None], make: Callable[[list[ast.expr]], ast.expr]
) -> ast.expr | None:
    """Make an expression of its parts; None if one of them does not fit."""
    fitting = [each for each in nodes if each is not None]
    return make(fitting) if len(fitting) == len(nodes) else None
