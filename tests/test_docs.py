"""The documentation matches the code, and its examples run."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import msgspec
import pytest

import farcall
from examples.hello import Market
from farcall import errors, stubgen
from farcall._protocol.messages import Cancel, Credit, Goaway, Hello, Items, Started, UploadEnd
from farcall._serving.subscriptions import SubscribeParams
from farcall.errors import CloseCode, ErrorCode

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"

BLOCK = re.compile(
    r"(?P<reason><!-- not run: [^\n]+ -->\n+)?^```python\n(?P<code>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)

# The tutorial has files and commands; `test_tutorial` follows it.
PAGES = sorted(
    page.name
    for page in (ROOT / "docs").glob("*.md")
    if "```python" in page.read_text("utf-8") and page.name != "tutorial.md"
)

MODULES = sorted(
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in SOURCE.rglob("*.py")
    if ">>> " in path.read_text("utf-8")
)


@attrs.frozen
class Block:
    """A block of Python code in a page."""

    page: Path
    line: int
    """The line before its first one."""
    code: str

    async def run(self, namespace: dict[str, object]) -> None:
        """Run the block as a part of its page's module, with `await` at the top level."""
        text = "\n" * self.line + self.code
        code = compile(text, self.page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        outcome = eval(code, namespace)
        if inspect.isawaitable(outcome):
            await outcome


def blocks(page: Path) -> Iterator[Block]:
    """Return the examples of a page, except those marked as not run."""
    text = page.read_text("utf-8")
    for match in BLOCK.finditer(text):
        if match["reason"] is None:
            yield Block(page, text.count("\n", 0, match.start("code")), match["code"])


@pytest.mark.parametrize("page", PAGES)
async def test_examples_of_a_page_run(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples of a page, from top to bottom, run as one program."""
    module = ModuleType(f"page_{Path(page).stem}".replace("-", "_"))
    monkeypatch.setitem(sys.modules, module.__name__, module)

    for block in blocks(ROOT / "docs" / page):
        await block.run(vars(module))


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    """The examples in docstrings print what is written below them."""
    outcome = doctest.testmod(importlib.import_module(name))

    assert outcome.attempted
    assert not outcome.failed


LINK = re.compile(r"\[[^\]]+\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", "docs/index.md"])
def test_links_of_a_page_lead_somewhere(page: str) -> None:
    """Every link of a page leads to a file, so that it works on a code host."""
    path = ROOT / page

    linked = [path.parent / each for each in LINK.findall(path.read_text("utf-8"))]

    assert [each for each in linked if not each.exists()] == []


def test_the_guide_can_be_read_where_nothing_is_built() -> None:
    """The index links every page of its tables of contents, for readers on a code host."""
    text = (ROOT / "docs" / "index.md").read_text("utf-8")
    tables = re.findall(r"^```{toctree}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    built = [line for table in tables for line in table.split("\n") if line and line[0] != ":"]

    assert [f"{name}.md" for name in built] == LINK.findall(text)


def test_example_of_readme_is_the_file() -> None:
    """The example of README is ``examples/hello.py``."""
    shown = [block.code for block in blocks(ROOT / "README.md")]

    assert shown == [(ROOT / "examples" / "hello.py").read_text("utf-8")]


def test_stub_of_readme_is_what_the_generator_writes() -> None:
    """README shows a part of the stub of its example."""
    readme = (ROOT / "README.md").read_text("utf-8")
    stub = stubgen.render(Market)

    assert [match["code"] for match in BLOCK.finditer(readme) if match["code"] in stub] != []


def test_example_of_readme_runs() -> None:
    """The example of README prints the output that README shows, apart from the prices."""
    command = [sys.executable, "examples/hello.py"]

    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    readme = (ROOT / "README.md").read_text("utf-8")
    assert f"```text\n{_unpriced(shown)}```" in _unpriced(readme)


def _unpriced(text: str) -> str:
    return re.sub(r"price=[\d.]+", "price", text)


def test_frames_of_the_protocol_page_have_the_members_that_are_read() -> None:
    """Every frame on the protocol page has only members that the code reads."""
    read = {method: set(shape.__struct_fields__) for method, shape in SHAPES.items()}

    shown = [each for each in messages_of_the_protocol_page() if each.get("method") in read]

    assert {each["method"] for each in shown} == set(read)
    assert [each for each in shown if not set(each["params"]) <= read[each["method"]]] == []


def messages_of_the_protocol_page() -> Iterator[dict[str, Any]]:
    text = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    for block in re.findall(r"^```json\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        frame = json.loads(block)
        yield from frame if isinstance(frame, list) else [frame]


SHAPES: Mapping[str, type[msgspec.Struct]] = {
    "rpc.hello": Hello,
    "rpc.subscribe": SubscribeParams,
    "rpc.started": Started,
    "rpc.items": Items,
    "rpc.credit": Credit,
    "rpc.cancel": Cancel,
    "rpc.end": UploadEnd,
    "rpc.goaway": Goaway,
}


@pytest.mark.parametrize("codes", [ErrorCode, CloseCode])
def test_the_protocol_page_has_every_code(codes: type[IntEnum]) -> None:
    """The protocol page has a row for every code."""
    page = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    rows = {int(code) for code in re.findall(r"^\| (-?\d+) \|", page, re.MULTILINE)}

    # Codes above 0 belong to errors that a method declares; they have no row.
    reserved = [code for code in codes if code < 0 or code >= 1000]
    assert [code.name for code in reserved if code not in rows] == []


def test_the_page_of_errors_has_every_error_of_a_call() -> None:
    """The page of errors has every error that a call can raise."""
    page = (ROOT / "docs" / "errors.md").read_text("utf-8")
    elsewhere = {"FarcallError", "RpcError", "DeclarationError", "Unauthorized"}

    every = {name for name in farcall.__all__ if name in vars(errors)} - elsewhere
    assert [name for name in sorted(every) if f"`{name}`" not in page] == []


def test_reference_is_complete() -> None:
    """The reference has every name of ``import farcall`` once."""
    pages = (ROOT / "docs" / "api").glob("*.md")
    reference = "".join(page.read_text("utf-8") for page in pages)

    documented = re.findall(
        r"^\.\. auto(?:function|class|data|exception):: (\w+)", reference, re.MULTILINE
    )

    assert sorted(documented) == sorted(farcall.__all__)
