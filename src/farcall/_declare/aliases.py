"""The names of type aliases, which do not exist at run time: ``Symbol: TypeAlias = str`` is `str`.

They are found in the source: in that of the annotations, and in the modules that define them.
Without a source, or if a name in it is no longer defined, the type has no alias.
"""

from __future__ import annotations

import ast
import copy
import inspect
import sys
import types
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.util import resolve_name
from types import ModuleType
from typing import Annotated, Any, get_origin

import attrs
from msgspec import Struct

from farcall._contract.notes import AliasName
from farcall._contract.records import resolve_hints
from farcall._declare.sites import function_node, parsed, source_of


def hints_of(cls: type[Any]) -> Mapping[str, Any]:
    """Resolve the annotations of a record class, with an `AliasName` at each alias."""
    hints = resolve_hints(cls)
    for base in reversed(cls.__mro__):
        source = source_of(base)
        names = vars(sys.modules[base.__module__])
        for each in source.definition.body if source else ():
            match each:
                case ast.AnnAssign(target=ast.Name(id=name), annotation=written) if name in hints:
                    hints[name] = _evaluated(written, names, hints[name])
                case _:
                    pass
    return hints


def annotations_of(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Resolve the annotations of a function likewise; that of its result is called ``return``."""
    node = function_node(function)
    if node is None:
        return {}
    parts = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    written = {each.arg: each.annotation for each in parts} | {"return": node.returns}
    names: dict[str, Any] = getattr(function, "__globals__", {})
    return {name: _evaluated(each, names) for name, each in written.items() if each is not None}


def annotation_of_attribute(cls: type[Any], attribute: str) -> Any:
    """Resolve the type of an attribute in a class body: ``x: T`` or ``x = T()``."""
    source = source_of(cls)
    for each in source.definition.body if source else ():
        match each:
            case (
                ast.AnnAssign(target=ast.Name(id=name), annotation=written)
                | ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=written))
            ) if name == attribute:
                return _evaluated(written, vars(sys.modules[cls.__module__]))
            case _:
                pass
    return None


def alias_in(module: ModuleType, name: str) -> Any:
    """Return the type that an alias of a module stands for, with an `AliasName` at each alias."""
    found = _alias(module, name)
    return None if found is None else Annotated[found.target, AliasName(name)]


def _evaluated(written: ast.expr, names: Mapping[str, Any], otherwise: Any = None) -> Any:
    """Evaluate an annotation, with a note at each alias; return `otherwise` if that fails."""
    marks = _Marker(names)
    try:
        if isinstance(written, ast.Constant) and isinstance(written.value, str):
            written = ast.parse(written.value, mode="eval").body
        # `parsed` caches the tree of a module, so change a copy.
        expression = ast.Expression(marks.visit(copy.deepcopy(written)))
        ast.fix_missing_locations(expression)
        return eval(compile(expression, "<annotation>", "eval"), dict(names), marks.found)
    except Exception:  # noqa: BLE001 - an annotation is any expression and may raise anything
        return otherwise


@attrs.define
class _Marker(ast.NodeTransformer):
    """Replaces the names of aliases by names of annotated types, collected in `found`."""

    names: Mapping[str, Any]
    found: dict[str, Any] = attrs.field(factory=dict[str, Any])

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._replaced(node, self.names.get("__name__"), node.id)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Replace a name of another module, such as ``types.Symbol``."""
        owner = self.names.get(node.value.id) if isinstance(node.value, ast.Name) else None
        name = owner.__name__ if isinstance(owner, ModuleType) else None
        return self._replaced(node, name, node.attr)

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        """Leave texts alone: most are values of a `Literal`."""
        return node

    def _replaced(self, node: ast.expr, module: str | None, name: str) -> ast.expr:
        alias = _alias(sys.modules.get(module or ""), name)
        if alias is None:
            return node
        mark = f"__alias_{len(self.found)}"
        self.found[mark] = Annotated[alias.target, AliasName(alias.name)]
        return ast.Name(mark, ast.Load())


class _Alias(Struct, frozen=True):
    name: str
    target: Any


def _alias(module: ModuleType | None, name: str) -> _Alias | None:
    """Look up an alias in a module, or in the one from which that imports it."""
    if module is None:
        return None
    package = module.__name__.partition(".")[0]
    if package in sys.stdlib_module_names or package == "farcall":
        return None  # not an alias of the service's author
    try:
        found = _definitions(inspect.getsource(module)).get(name)
    except (OSError, TypeError):
        return None
    if isinstance(found, ast.ImportFrom):
        imported = next(each for each in found.names if name in (each.asname, each.name))
        path = "." * found.level + (found.module or "")
        origin = sys.modules.get(resolve_name(path, module.__package__ or ""))
        return _alias(origin, imported.name)
    if found is None:
        return None
    target = _evaluated(found, vars(module))
    return _Alias(name, target) if _is_type(target) else None


def _is_type(value: Any) -> bool:
    """Say whether a value is a type; a generic one does not count without its arguments."""
    is_type = isinstance(value, type | types.UnionType) or get_origin(value) is not None
    return (is_type or value is None or value is Any) and not getattr(value, "__parameters__", ())


@lru_cache(maxsize=64)
def _definitions(source: str) -> Mapping[str, ast.expr | ast.ImportFrom]:
    """Find the aliases that a module defines or imports."""
    tree = parsed(source)
    found: dict[str, ast.expr | ast.ImportFrom] = {}
    for statement in tree.body if tree else ():
        match statement:
            case ast.ImportFrom(names=names):
                found |= dict.fromkeys((each.asname or each.name for each in names), statement)
            case ast.AnnAssign(
                target=ast.Name(id=name), annotation=written, value=ast.expr() as value
            ):
                if ast.unparse(written).endswith("TypeAlias"):
                    found[name] = value
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if (target := _target(value)) is not None:
                    found[name] = target
            case _:
                found |= _since_312(statement)
    return found


def _since_312(statement: Any) -> Mapping[str, ast.expr]:
    """Read ``type X = ...``, for which the `ast` of Python 3.11 has no class."""
    is_alias = type(statement).__name__ == "TypeAlias"
    return {statement.name.id: statement.value} if is_alias else {}


def _target(value: ast.expr) -> ast.expr | None:
    """Return the expression of which an assignment may make an alias."""
    match value:
        case ast.Name() | ast.Attribute() | ast.Subscript() | ast.BinOp():
            return value
        case ast.Call(args=[_, target], keywords=[]):
            return target if ast.unparse(value.func).endswith("TypeAliasType") else None
        case _:
            return None
