"""The code of the guide passes every type checker that users have, at its strictest."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import require

ROOT = Path(__file__).parent.parent.parent

BLOCK = re.compile(
    r"(?P<reason><!-- not run: [^\n]+ -->\n+)?^```python\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)

ELSEWHERE = {"declaring-errors.md", "tutorial.md"}
"""Pages with examples that are wrong on purpose, and with files, which `test_tutorial` checks."""


def is_async(statement: ast.stmt) -> bool:
    """Return whether a statement awaits outside of a nested function."""
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.AsyncFor | ast.AsyncWith | ast.Await):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            todo += ast.iter_child_nodes(node)
    return False


def parts_of(code: str) -> tuple[str, str]:
    """Split a block into statements of the module and statements of an async function."""
    first = next((each.lineno for each in ast.parse(code).body if is_async(each)), None)
    lines = code.splitlines(keepends=True)
    end = len(lines) if first is None else first - 1
    return "".join(lines[:end]), "".join(lines[end:])


def module_of(page: Path) -> str:
    """Write the blocks of a page as one module, as the guide tells its readers to."""
    pieces: list[str] = []
    for number, match in enumerate(BLOCK.finditer(page.read_text("utf-8"))):
        plain, asynchronous = parts_of(match["code"])
        pieces.append(plain)
        if asynchronous:
            body = textwrap.indent(asynchronous, "    ")
            pieces.append(f"\n\nasync def main_{number}() -> None:\n{body}\n\n")
    return "".join(pieces)


def pages() -> Iterator[Path]:
    for page in sorted((ROOT / "docs").glob("*.md")):
        if page.name not in ELSEWHERE and BLOCK.search(page.read_text("utf-8")):
            yield page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a module for each page of the guide."""
    folder = tmp_path_factory.mktemp("guide")
    for page in pages():
        name = f"page_{page.stem}".replace("-", "_")
        (folder / f"{name}.py").write_text(module_of(page), "utf-8")
    # The page on deploying serves the service of the tutorial.
    service = next(BLOCK.finditer((ROOT / "docs" / "tutorial.md").read_text("utf-8")))
    (folder / "market.py").write_text(service["code"], "utf-8")
    return folder


def said_by(command: Sequence[str], folder: Path) -> str:
    """Run a checker, whose status is 1 if it finds an error."""
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return result.stdout


def test_every_page_is_a_module(folder: Path) -> None:
    """Every page of the guide becomes a module with code."""
    assert len(list(folder.glob("page_*.py"))) >= 13


def test_mypy_finds_nothing(folder: Path) -> None:
    """`mypy --strict` finds no error in the guide."""
    paths = [str(ROOT / "src"), str(ROOT)]
    (folder / "mypy.ini").write_text(f"[mypy]\nstrict = true\nmypy_path = {':'.join(paths)}\n")
    modules = [str(path) for path in sorted(folder.glob("page_*.py"))]
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--no-incremental"]

    said = said_by([*command, *modules], folder)

    assert said.startswith("Success"), said


@pytest.mark.parametrize("checker", ["pyright", "basedpyright"])
def test_pyright_finds_nothing(checker: str, folder: Path) -> None:
    """The checkers pyright and basedpyright in strict mode find no error in the guide."""
    require(checker)
    settings = {
        "include": [str(folder)],
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": [str(ROOT / "src"), str(ROOT)],
    }
    project = folder / f"{checker}.json"
    project.write_text(json.dumps(settings))
    command = [checker, "--pythonpath", sys.executable, "--project", str(project)]

    said = said_by(command, folder)

    assert "0 errors" in said, said
