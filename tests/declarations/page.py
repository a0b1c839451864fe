"""The page of declaration errors, made of the bad examples beside this file.

Each example is a module whose docstring says the rule. Its message stands beside it, in a file of
the same name. ``python -m tests.declarations.page`` writes messages and page anew; read what has
changed before you commit it.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from types import ModuleType

import trio

from farcall._declare import Rule
from farcall.errors import DeclarationError

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "declaring-errors.md"
EXAMPLES = sorted(HERE.glob("fc*.py"))

_INTRODUCTION = """\
# Errors of declaration

A service that is declared wrongly is refused when its class is made, or, where only that shows
it, when it is served. The `farcall.DeclarationError` names file and line, the number of the rule,
the member, what is wrong and what to write instead. Here is each rule with an example that breaks
it and what farcall says.

The numbers from FC201 on are no mistakes: they stand for parts of farcall that are planned. Until
they are there they are refused, for an option must not stand there without effect.
"""

_EXAMPLE = """
{rule}

<!-- not run: it is refused -->

```python
{code}```

```text
{message}```
"""


def message_of(example: Path) -> str:
    """Run an example and give the error that it ends with."""
    try:
        with _imported(example) as module:
            if hasattr(module, "main"):
                trio.run(module.main)
    except DeclarationError as error:
        return str(error).replace(f"{HERE}/", "") + "\n"
    raise AssertionError(f"{example.name} breaks no rule")


def golden_of(example: Path) -> Path:
    """Find the file that holds the message of an example."""
    return example.with_suffix(".txt")


def number_of(example: Path) -> str:
    """Give the number of the rule that an example breaks."""
    return example.name.partition("_")[0].upper()


def render() -> str:
    """Write the page."""
    groups = groupby(EXAMPLES, key=number_of)
    sections = (f"{_heading(number)}{''.join(map(_shown, group))}" for number, group in groups)
    return _INTRODUCTION + "".join(sections)


@contextmanager
def _imported(example: Path) -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location(example.stem, example)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[example.stem] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules[example.stem]


def _heading(number: str) -> str:
    title = Rule(number).name.replace("_", " ").lower()
    return f"\n({number.lower()})=\n\n## {number}: {title}\n"


def _shown(example: Path) -> str:
    source = example.read_text()
    docstring = ast.get_docstring(ast.parse(source)) or ""
    rule, code = source.split("\n\n", 1)
    skipped = rule.count("\n") + 2
    message = _on_page(golden_of(example).read_text(), skipped)
    shown = re.sub(r"  # noqa.*", "", code)
    return _EXAMPLE.format(rule=docstring, code=shown, message=message)


def _on_page(message: str, skipped: int) -> str:
    """Let a message point to the line that the page shows."""
    where, rest = message.split(": ", 1)
    line = int(where.rpartition(":")[2]) - skipped
    return f"market.py:{line}: {rest}"


if __name__ == "__main__":
    for each in EXAMPLES:
        golden_of(each).write_text(message_of(each))
    PAGE.write_text(render())
