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
from collections.abc import Iterator, Mapping
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

TITLES: Mapping[Rule, str] = {
    Rule.MISSING_ANNOTATION: "missing annotation",
    Rule.UNRESOLVED_ANNOTATION: "annotation that cannot be evaluated",
    Rule.UNSUPPORTED_TYPE: "unsupported type",
    Rule.VARIADIC: "`*args` and `**kwargs`",
    Rule.GENERATOR: "generator without `@stream`",
    Rule.NO_SELF: "method without self",
    Rule.BAD_DEFAULT: "default of the wrong type",
    Rule.NO_FUNCTION: "endpoint that is not a function",
    Rule.BAD_NAME: "invalid wire name",
    Rule.TAKEN_NAME: "duplicate wire name",
    Rule.BAD_ERROR: "error that cannot be declared",
    Rule.ONEWAY_ANSWERS: "one-way method with a result",
    Rule.BAD_BACKGROUND: "background task with arguments or a result",
    Rule.PRIVATE_MEMBER: "declaration of a private member",
    Rule.CONFLICTING_MARKS: "conflicting decorators",
    Rule.LOST_MEMBER: "declaration in an undecorated class",
    Rule.CHANGED_MEMBER: "incompatible override",
    Rule.THREAD_OF_ASYNC: "`thread=True` on an async method",
    Rule.BAD_TASK_STATUS: "wrong `task_status`",
    Rule.PRIVATE_FIELD: "private field of a record",
    Rule.SIGNAL_IS_FIELD: "signal that becomes a field",
    Rule.SIGNAL_WITHOUT_TYPE: "signal without a type",
    Rule.SIGNAL_WITHOUT_VALUE: "signal that is not assigned",
    Rule.BAD_KEY: "wrong key of a signal",
    Rule.NO_CLASS: "`@service` on something other than a class",
    Rule.NO_MEMBERS: "service without members",
    Rule.NO_SERVICE: "served object that is not a service",
    Rule.REPLACED_CLASS: "class changed after `@service`",
    Rule.SERVED_TWICE: "wire name served twice",
    Rule.SERVICE_IS_CONTAINER: "service that is a container",
    Rule.NO_PYTHON_NAME: "name that Python cannot use",
    Rule.BAD_ROLES: "wrong `roles`",
    Rule.ROLES_IN_THE_OPEN: "roles of an open member",
    Rule.PROTECTED_BROADCAST: "restricted broadcast",
    Rule.BAD_ALLOW: "wrong `allow`",
    Rule.NO_STREAM: "stream that is not an async generator",
    Rule.STREAM_OPTION: "option that streams do not take",
    Rule.NO_ITEM_TYPE: "stream or upload without item type",
    Rule.UPLOAD_DEFAULT: "upload with a default",
    Rule.ONEWAY_UPLOAD: "upload of a one-way method",
    Rule.UPLOAD_TO_DEF: "upload of a plain def",
    Rule.BAD_REGISTRATION: "type that cannot be registered",
    Rule.IDEMPOTENT_LATER: "`idempotent` is not supported yet",
    Rule.HISTORY_LATER: "`history` is not supported yet",
    Rule.CONSTRAINT_LATER: "constraints are not supported yet",
}
"""The headings of the page."""

_INTRODUCTION = """\
# Declaration errors

farcall refuses a wrong declaration when the class is made, or when it is served if it cannot know
earlier. The `farcall.DeclarationError` names file and line, the number of the rule, the member,
what is wrong, and what to write instead. This page shows each rule with an example that breaks it,
and the message.

The rules from FC201 on are about planned parts of farcall. Until these exist, farcall refuses
their options, so that no option is without effect.
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
    return f"\n({number.lower()})=\n\n## {number}: {TITLES[Rule(number)]}\n"


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
