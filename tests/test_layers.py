"""Each module of farcall imports only from the layers above its own, and no more than it needs."""

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

TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src"

LAYERS = (
    {"errors", "_limits", "_json", "_nursery", "_scopes", "_fifo", "_quota", "_usage", "_starting"},
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
"""The parts that may import a distribution that the rest of farcall must not know."""

EXTRAS = {"coredis", "cyclopts", "opentelemetry", "psutil", "rich", "websockets"}

LAZY = {"farcall.auth", "farcall.stubgen", "farcall.testing"}
"""Modules that `farcall` imports at their first use; type checkers see a plain import."""

INSIDERS = {"inside.py", "test_docs.py", "benchmarks/codec.py", "declarations/page.py"}
"""Tests outside of ``tests/unit`` that may import private modules."""

Imports = Mapping[str, frozenset[str]]


def module_name(path: Path) -> str:
    root = SOURCE if path.is_relative_to(SOURCE) else TESTS.parent
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def resolve(module: str, is_package: bool, node: ast.ImportFrom) -> str:
    """Return the absolute name of the module in a ``from`` statement."""
    if node.level == 0:
        return node.module or ""
    parts = module.split(".")
    base = parts[: len(parts) - node.level + is_package]
    return ".".join([*base, *([node.module] if node.module else [])])


def imported_names(path: Path) -> Iterator[str]:
    """Return every module that an import may mean: ``from a import b`` is ``a`` or ``a.b``."""
    module, is_package = module_name(path), path.name == "__init__.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve(module, is_package, node)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def read_imports() -> Imports:
    """Read the imports of every module, including those for type checking only."""
    paths = {module_name(path): path for path in SOURCE.rglob("*.py")}

    def known(name: str) -> str:
        return name if name in paths or "." not in name else known(name.rpartition(".")[0])

    return {
        module: frozenset(known(name) for name in imported_names(path)) - {module}
        for module, path in paths.items()
    }


IMPORTS = read_imports()


def part(module: str) -> str:
    """Return the part of a module: ``_protocol`` for ``_protocol.framing``."""
    return module.removeprefix("farcall").removeprefix(".").split(".")[0] or "__init__"


def rank(module: str) -> int:
    return next(row for row, parts in enumerate(LAYERS) if part(module) in parts)


def inside(names: frozenset[str]) -> list[str]:
    return sorted(name for name in names if name.split(".")[0] == "farcall")


def private_imports(path: Path) -> list[str]:
    names = imported_names(path)
    return [name for name in names if re.match(r"farcall(\.\w+)*\._", name)]


def test_only_unit_tests_import_private_modules() -> None:
    """Tests outside of ``tests/unit`` import private parts only from ``tests/inside.py``."""
    importers = {
        path.relative_to(TESTS).as_posix()
        for path in TESTS.rglob("*.py")
        if not path.is_relative_to(TESTS / "unit") and private_imports(path)
    }

    assert importers == INSIDERS


def test_every_module_has_its_place() -> None:
    """Every part of farcall is in a layer."""
    assert {part(module) for module in IMPORTS} <= set[str]().union(*LAYERS)


@pytest.mark.parametrize("module", sorted(IMPORTS))
def test_a_module_imports_only_from_above(module: str) -> None:
    """A module imports only from its own layer and those above."""
    lazily = LAZY if module == "farcall" else set[str]()
    names = [name for name in inside(IMPORTS[module]) if name not in lazily]
    below = [name for name in names if rank(name) > rank(module)]

    assert below == []


def test_the_page_on_architecture_shows_these_layers() -> None:
    """The table on the page of the architecture lists the layers in this order."""
    page = (SOURCE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## The parts")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]

    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == [set(row) for row in LAYERS]


def test_the_protocol_and_the_types_do_not_import_each_other() -> None:
    """The protocol imports neither contract nor codec, and these do not import the protocol."""
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
    """There are no import cycles."""
    graph = {module: inside(names) for module, names in IMPORTS.items()}

    order = list(TopologicalSorter(graph).static_order())

    assert set(order) >= set(IMPORTS)


def test_edges_are_imported_by_no_module() -> None:
    """No module imports the stub generator, the command, the demo or the testing package."""
    importers = {
        module
        for module, names in IMPORTS.items()
        if part(module) not in EDGES and any(part(name) in EDGES for name in inside(names))
    }
    importers -= {"farcall"}  # for type checkers; see the test of the modules that an import loads

    assert importers == set()


@pytest.mark.parametrize("distribution", OWNERS)
def test_a_distribution_stays_with_its_owner(distribution: str) -> None:
    """A third-party distribution is imported only by the parts that own it."""
    importers = {
        part(module)
        for module, names in IMPORTS.items()
        if distribution in {name.split(".")[0] for name in names}
    }

    assert importers <= OWNERS[distribution]


@pytest.mark.parametrize("pure", ["_protocol", "_contract"])
def test_the_protocol_and_the_contract_do_not_import_trio(pure: str) -> None:
    """The protocol and the contract do not import Trio."""
    importers = {
        module
        for module, names in IMPORTS.items()
        if part(module) == pure and any(name.split(".")[0] == "trio" for name in names)
    }

    assert importers == set()


@pytest.mark.parametrize("name", sorted(LAZY))
def test_a_module_is_there_when_it_is_asked_for(name: str) -> None:
    """`farcall.auth` and the like are loaded at their first use."""
    code = f"""
import sys, farcall
assert {name!r} not in sys.modules
assert {name!r}.partition(".")[2] in dir(farcall)
module = {name}
assert sys.modules[{name!r}] is module
assert module.__all__
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_public_name_comes_from_the_module_that_type_checkers_read() -> None:
    """The table by which `farcall` imports its names agrees with its imports, and `__all__`."""
    tree = ast.parse((SOURCE / "farcall" / "__init__.py").read_text(encoding="utf-8"))
    seen = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("farcall.")
        for alias in node.names
    }
    homes: dict[str, str] = vars(farcall)["_HOMES"]

    assert {name: f"farcall.{home}" for name, home in homes.items()} == seen
    assert sorted(farcall.__all__) == sorted(seen)
    assert set(farcall.__all__) <= set(dir(farcall))


def test_a_program_imports_the_parts_that_its_names_need() -> None:
    """Declarations load no connection, and ``from farcall import *`` gives every name."""
    code = """
import sys, farcall
assert not any(name.startswith("farcall._calling") for name in sys.modules)
from farcall import Signal, method, service
assert not any(name.startswith(("farcall._conn", "farcall._trans")) for name in sys.modules)
from farcall import *
assert serve is farcall.serve and set(farcall.__all__) <= set(globals())
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_another_name_is_no_attribute() -> None:
    """An unknown name of `farcall` raises AttributeError as for any module."""
    with pytest.raises(AttributeError, match="module 'farcall' has no attribute 'conect'"):
        _ = farcall.conect  # type: ignore[attr-defined]


def test_import_loads_no_extra() -> None:
    """`import farcall` loads no optional distribution."""
    code = "import sys, farcall; print(*sys.modules)"

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert {name.split(".")[0] for name in shown.stdout.split()} & EXTRAS == set()
