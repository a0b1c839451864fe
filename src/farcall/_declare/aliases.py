"""The names of type aliases, which Python forgets: ``Symbol: TypeAlias = str`` is `str`.

They are found in the source of annotations, and in that of the modules that define them. Where
there is no source, or a name in it means nothing any more, the type has no alias.
"""

from __future__ import annotations

import ast
import copy
import inspect
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib.util import resolve_name
from types import ModuleType
from typing import Annotated, Any, get_origin

import attrs

from farcall._contract.notes import AliasName
from farcall._contract.records import resolve_hints
from farcall._declare.sites import function_node, parsed, source_of


def hints_of(cls: type[Any]) -> Mapping[str, Any]:
    """Read the annotations of a record class, in which aliases have an `AliasName`."""
    hints = resolve_hints(cls)
    for base in reversed(cls.__mro__):
        source = source_of(base)
        names = vars(sys.modules[base.__module__])
        for name, written in _fields_in(source.definition) if source else ():
            if name in hints:
                hints[name] = _marked(written, names, hints[name])
    return hints


def annotations_of(function: Callable[..., Any]) -> Mapping[str, Any]:
    """Read the annotations of a function likewise; ``return`` is that of its result."""
    node = function_node(function)
    if node is None:
        return {}
    parts = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    written = {each.arg: each.annotation for each in parts} | {"return": node.returns}
    names: dict[str, Any] = getattr(function, "__globals__", {})
    return {name: _marked(each, names, None) for name, each in written.items() if each is not None}


def annotation_of_attribute(cls: type[Any], attribute: str) -> Any:
    """Read what a class body says of the type of an attribute: ``x: T`` or ``x = T()``."""
    source = source_of(cls)
    for each in source.definition.body if source else ():
        match each:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=written) if name == attribute:
                return _marked(written, vars(sys.modules[cls.__module__]), None)
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=written)) if (
                name == attribute
            ):
                return _marked(written, vars(sys.modules[cls.__module__]), None)
            case _:
                pass
    return None


def _fields_in(definition: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for each in definition.body:
        match each:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=written):
                yield name, written
            case _:
                pass


def _marked(written: ast.expr, names: Mapping[str, Any], otherwise: Any) -> Any:
    """Evaluate an annotation with a note at each alias; `otherwise` is for one that cannot be."""
    marks = _Marks(names)
    try:
        if isinstance(written, ast.Constant) and isinstance(written.value, str):
            written = ast.parse(written.value, mode="eval").body
        # The source of a module is kept for others who read in it.
        expression = ast.Expression(marks.visit(copy.deepcopy(written)))
        ast.fix_missing_locations(expression)
        return eval(compile(expression, "<annotation>", "eval"), dict(names), marks.found)
    except Exception:  # noqa: BLE001 - an annotation is any expression and may raise anything
        return otherwise


@attrs.define
class _Marks(ast.NodeTransformer):
    """Puts other names for those of aliases, and keeps what they stand for."""

    names: Mapping[str, Any]
    found: dict[str, Any] = attrs.field(factory=dict[str, Any])

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Replace a name of the module itself."""
        return self._replaced(node, self.names.get("__name__"), node.id)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        """Replace a name of another module, such as ``types.Symbol``."""
        owner = self.names.get(node.value.id) if isinstance(node.value, ast.Name) else None
        name = owner.__name__ if isinstance(owner, ModuleType) else None
        return self._replaced(node, name, node.attr)

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        """Leave texts as they are: most are values of a `Literal`."""
        return node

    def _replaced(self, node: ast.expr, module: str | None, name: str) -> ast.expr:
        alias = _alias(sys.modules.get(module or ""), name)
        if alias is None:
            return node
        mark = f"__alias_{len(self.found)}"
        self.found[mark] = Annotated[alias.target, AliasName(alias.name)]
        return ast.Name(mark, ast.Load())


@attrs.frozen
class _Alias:
    name: str
    target: Any


def _alias(module: ModuleType | None, name: str) -> _Alias | None:
    """Look up an alias, also where it was imported from another module."""
    if module is None or _is_foreign(module):
        return None
    found = _bindings(module).get(name)
    if isinstance(found, ast.ImportFrom):
        imported = next(each for each in found.names if name in (each.asname, each.name))
        return _alias(_module_of(found, module), imported.name)
    if found is None:
        return None
    target = _marked(found, vars(module), None)
    # What the source says is what is there, unless a program has put something else there.
    return _Alias(name, target) if _is_type(target) else None


def _is_foreign(module: ModuleType) -> bool:
    """Say whether the aliases of a module are not those of the service's author."""
    package = module.__name__.partition(".")[0]
    return package in sys.stdlib_module_names or package == "farcall"


def _is_type(value: Any) -> bool:
    """Say whether a value is a type, but for generic ones, whose arguments are to come."""
    is_type = isinstance(value, type | types.UnionType) or get_origin(value) is not None
    return (is_type or value is None or value is Any) and not getattr(value, "__parameters__", ())


def _module_of(statement: ast.ImportFrom, module: ModuleType) -> ModuleType | None:
    relative = "." * statement.level + (statement.module or "")
    return sys.modules.get(resolve_name(relative, module.__package__ or ""))


def _bindings(module: ModuleType) -> Mapping[str, ast.expr | ast.ImportFrom]:
    try:
        return _read(inspect.getsource(module))
    except (OSError, TypeError):
        return {}


@lru_cache(maxsize=64)
def _read(source: str) -> Mapping[str, ast.expr | ast.ImportFrom]:
    """Give what stands for each alias that the source of a module defines, or imports."""
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
    """Read ``type X = ...``, which Python 3.11 has no class for."""
    is_alias = type(statement).__name__ == "TypeAlias"
    return {statement.name.id: statement.value} if is_alias else {}


def _target(value: ast.expr) -> ast.expr | None:
    """Give the type that an assignment may make an alias of."""
    match value:
        case ast.Name() | ast.Attribute() | ast.Subscript() | ast.BinOp():
            return value
        case ast.Call(args=[_, target], keywords=[]):
            return target if ast.unparse(value.func).endswith("TypeAliasType") else None
        case _:
            return None
