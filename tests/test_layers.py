"""The modules of farcall know only those that stand above them, and no more than they need."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import farcall

SOURCE = Path(__file__).parent.parent / "src"

LAYERS = (
    {"errors", "_limits", "_json", "_nursery", "_fifo", "_quota", "_usage", "_starting"},
    {"_protocol"},
    {"_contract"},
    {"_principal"},
    {"_codec"},
    {"_signals"},
    {"_declare"},
    {"_transport"},
    {"_connection"},
    {"_failures", "_identity"},
    {"_context"},
    {"_interceptors"},
    {"_calling"},
    {"_serving"},
    {"_client", "_server", "auth"},
    {"__init__"},
    {"stubgen", "testing", "_cli", "_demo", "__main__"},
)
"""The parts of farcall; one may import those of the rows above it, its own row and itself."""

EDGES = LAYERS[-1]

OWNERS = {
    "trio_websocket": {"_transport"},
    "wsproto": {"_transport"},
    "websockets": {"_transport"},
    "h11": {"_transport"},
    "cattrs": {"_codec"},
    "cyclopts": {"_cli"},
    "rich": {"_cli", "_demo"},
    "psutil": {"_demo"},
}
"""Who may import a distribution that the rest of farcall should not know."""

EXTRAS = {"coredis", "cyclopts", "opentelemetry", "psutil", "rich", "websockets"}

LAZY = {"farcall.auth", "farcall.stubgen", "farcall.testing"}
"""Modules that `farcall` imports at their first use; type checkers see an import."""

Imports = Mapping[str, frozenset[str]]


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def resolve(module: str, is_package: bool, node: ast.ImportFrom) -> str:
    """Tell the absolute name of what a ``from`` names, dots and all."""
    if node.level == 0:
        return node.module or ""
    parts = module.split(".")
    base = parts[: len(parts) - node.level + is_package]
    return ".".join([*base, *([node.module] if node.module else [])])


def imported_names(path: Path) -> Iterator[str]:
    """Tell every module that may be meant; ``from a import b`` may mean ``a`` or ``a.b``."""
    module, is_package = module_name(path), path.name == "__init__.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve(module, is_package, node)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def read_imports() -> Imports:
    """Read who imports what, type-checking imports included."""
    paths = {module_name(path): path for path in SOURCE.rglob("*.py")}

    def known(name: str) -> str:
        return name if name in paths or "." not in name else known(name.rpartition(".")[0])

    return {
        module: frozenset(known(name) for name in imported_names(path)) - {module}
        for module, path in paths.items()
    }


IMPORTS = read_imports()


def part(module: str) -> str:
    """Tell the part of a module: ``_protocol`` for ``_protocol.framing``."""
    return module.removeprefix("farcall").removeprefix(".").split(".")[0] or "__init__"


def rank(module: str) -> int:
    return next(row for row, parts in enumerate(LAYERS) if part(module) in parts)


def inside(names: frozenset[str]) -> list[str]:
    return sorted(name for name in names if name.split(".")[0] == "farcall")


def test_every_module_has_its_place() -> None:
    """A new part is put into a layer before it is used."""
    assert {part(module) for module in IMPORTS} <= set[str]().union(*LAYERS)


@pytest.mark.parametrize("module", sorted(IMPORTS))
def test_a_module_imports_only_from_above(module: str) -> None:
    """What stands below, or at the edges, is not known to a module."""
    lazily = LAZY if module == "farcall" else set[str]()
    names = [name for name in inside(IMPORTS[module]) if name not in lazily]
    below = [name for name in names if rank(name) > rank(module)]

    assert below == []


def test_the_page_on_architecture_shows_these_layers() -> None:
    """Its table names every part, in the order of the layers."""
    page = (SOURCE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## The parts")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]

    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == [set(row) for row in LAYERS]


def test_what_is_said_and_what_it_means_do_not_touch() -> None:
    """The protocol knows no types, and the codec no messages: both stand on the ground."""
    columns = {"_protocol": {"_contract", "_codec"}, "_contract": {"_protocol"}}
    columns["_codec"] = columns["_contract"]
    touching = [
        (module, name)
        for module, names in IMPORTS.items()
        for name in inside(names)
        if part(name) in columns.get(part(module), ())
    ]

    assert touching == []


def test_there_are_no_cycles() -> None:
    """The modules can be put into one order of reading."""
    graph = {module: inside(names) for module, names in IMPORTS.items()}

    order = list(TopologicalSorter(graph).static_order())

    assert set(order) >= set(IMPORTS)


def test_edges_are_imported_by_nobody() -> None:
    """Whoever only connects or serves never loads the generator, the command or the demo."""
    importers = {
        module
        for module, names in IMPORTS.items()
        if part(module) not in EDGES and any(part(name) in EDGES for name in inside(names))
    }
    importers -= {"farcall"}  # for type checkers; see the test of what an import loads

    assert importers == set()


@pytest.mark.parametrize("distribution", OWNERS)
def test_a_distribution_stays_with_its_owner(distribution: str) -> None:
    """The inside of a part below us is known in one place."""
    importers = {
        part(module)
        for module, names in IMPORTS.items()
        if distribution in {name.split(".")[0] for name in names}
    }

    assert importers <= OWNERS[distribution]


@pytest.mark.parametrize("pure", ["_protocol", "_contract"])
def test_what_is_said_and_meant_needs_no_trio(pure: str) -> None:
    """The protocol and the contract can be read, and run, without an event loop."""
    importers = {
        module
        for module, names in IMPORTS.items()
        if part(module) == pure and any(name.split(".")[0] == "trio" for name in names)
    }

    assert importers == set()


@pytest.mark.parametrize("name", sorted(LAZY))
def test_a_module_is_there_when_it_is_asked_for(name: str) -> None:
    """``import farcall`` gives ``farcall.auth`` and the like, and loads them at their first use."""
    code = f"""
import sys, farcall
assert {name!r} not in sys.modules
assert {name!r}.partition(".")[2] in dir(farcall)
module = {name}
assert sys.modules[{name!r}] is module
assert module.__all__
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_another_name_is_no_attribute() -> None:
    """The message is that of any module."""
    with pytest.raises(AttributeError, match="module 'farcall' has no attribute 'conect'"):
        _ = farcall.conect  # type: ignore[attr-defined]


def test_import_loads_no_extra() -> None:
    """``import farcall`` costs and needs none of the optional distributions."""
    code = "import sys, farcall; print(*sys.modules)"

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert {name.split(".")[0] for name in shown.stdout.split()} & EXTRAS == set()
