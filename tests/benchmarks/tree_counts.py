"""How large the source of farcall is, and how it hangs together."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles

import attrs

import farcall

SOURCE = Path(farcall.__file__).parent

Function = ast.FunctionDef | ast.AsyncFunctionDef
"""What a body is the body of; a lambda is none."""


@attrs.frozen
class TreeCounts:
    """Of all files below one folder."""

    modules: int
    packages: int
    private_root_modules: int
    """Files at the root whose name begins with an underscore."""
    import_edges: int
    """Pairs of modules of which one imports the other, or a name of it."""
    lines: int
    functions: int
    private_functions: int
    """Functions and methods whose name begins with one underscore."""
    used_once: int
    """Private ones whose name stands in one place beside its definition."""
    forwarders: int
    """Methods that pass their own arguments on to another object, and do nothing else."""
    median_lines: float
    """Of the body of a function, without its docstring."""
    p90_lines: float
    longest_lines: int
    longest: str
    """Which function that is."""


@attrs.frozen
class Body:
    """A function, and where it stands."""

    name: str
    """With its module, and its classes."""
    node: Function

    @property
    def statements(self) -> Sequence[ast.stmt]:
        """Give what it does, without its docstring."""
        has_docstring = ast.get_docstring(self.node) is not None
        return self.node.body[1:] if has_docstring else self.node.body

    @property
    def lines(self) -> int:
        """Count the lines of its body."""
        some = self.statements
        return (some[-1].end_lineno or 0) - some[0].lineno + 1 if some else 0

    @property
    def is_private(self) -> bool:
        """Whether its name begins with one underscore."""
        return self.node.name.startswith("_") and not self.node.name.startswith("__")

    def forwards(self) -> bool:
        """Tell whether it only passes its arguments on to something of its object."""
        match self.statements:
            case [ast.Return(value=value) | ast.Expr(value=value)]:
                call = value.value if isinstance(value, ast.Await) else value
            case _:
                return False
        own, *names = [each.arg for each in self.node.args.args] or [""]
        return (
            own == "self"
            and isinstance(call, ast.Call)
            and ast.unparse(call.func).startswith("self.")
            and ast.unparse(call.func).count(".") > 1
            and [ast.unparse(each) for each in call.args] == names
        )


def count_tree(folder: Path = SOURCE) -> TreeCounts:
    """Read all files below a folder that is a package."""
    paths = sorted(folder.rglob("*.py"))
    trees = {_module_of(path, folder): ast.parse(path.read_text("utf-8")) for path in paths}
    bodies = [body for name, tree in trees.items() for body in _bodies(name, tree)]
    private = [body for body in bodies if body.is_private]
    used = Counter(name for tree in trees.values() for name in _names(tree))
    lengths = [body.lines for body in bodies]
    longest = max(bodies, key=lambda body: body.lines)
    return TreeCounts(
        modules=len(paths),
        packages=sum(path.name == "__init__.py" for path in paths),
        private_root_modules=len([*folder.glob("_[!_]*.py")]),
        import_edges=sum(len(_imports(name, tree, trees)) for name, tree in trees.items()),
        lines=sum(len(path.read_text("utf-8").splitlines()) for path in paths),
        functions=len(bodies),
        private_functions=len(private),
        used_once=sum(used[body.node.name] == 1 for body in private),
        forwarders=sum(body.forwards() for body in bodies),
        median_lines=median(lengths),
        p90_lines=quantiles(lengths, n=10)[-1],
        longest_lines=longest.lines,
        longest=longest.name,
    )


def _module_of(path: Path, folder: Path) -> str:
    parts = path.relative_to(folder.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _bodies(name: str, tree: ast.AST) -> Iterator[Body]:
    for node in ast.iter_child_nodes(tree):
        inner = name
        if isinstance(node, Function | ast.ClassDef):
            inner = f"{name}.{node.name}"
        if isinstance(node, Function):
            yield Body(inner, node)
        yield from _bodies(inner, node)


def _names(tree: ast.Module) -> Iterator[str]:
    """Give each name that is used, as often as it is."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (each.name for each in node.names)


def _imports(name: str, tree: ast.Module, trees: Mapping[str, ast.Module]) -> set[str]:
    """Give the modules of the tree that a module imports."""
    found = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{each.name}" for each in node.names}
            found |= inner & trees.keys() or {node.module}
    return (found & trees.keys()) - {name}
