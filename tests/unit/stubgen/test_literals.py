"""Values come back from the source that is written for them."""

from __future__ import annotations

import ast
from inspect import cleandoc

import pytest
from hypothesis import given, settings

from farcall._contract.literals import literal_source
from farcall._contract.spec import ServiceSpec
from farcall.stubgen._layout import flat
from farcall.stubgen._literals import (
    bytestring,
    constant,
    docstring,
    empty_factory,
    expression,
    is_mutable,
    string,
)
from farcall.stubgen._names import Names
from tests.unit.stubgen.strategies import texts, values

NAMES = Names(ServiceSpec("S", "S", (), (), ()))


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("plain", '"plain"'),
        ('say "hi"', "'say \"hi\"'"),
        ("it's \"both\"'s", '"it\'s \\"both\\"\'s"'),
        ("é日\t\\", '"é日\\t\\\\"'),
        ("\ud800", '"\\ud800"'),
    ],
)
def test_strings_have_the_quotes_that_need_fewer_escapes(value: str, source: str) -> None:
    """Double quotes unless there are more of them inside."""
    assert string(value) == source


@pytest.mark.parametrize(
    ("value", "source"), [(b"a'", 'b"a\'"'), (b'"', "b'\"'"), (b"\xff\n", 'b"\\xff\\n"')]
)
def test_bytes_follow_the_rules_of_strings(value: bytes, source: str) -> None:
    """What is not ASCII is escaped."""
    assert bytestring(value) == source


@pytest.mark.parametrize(
    ("value", "source"), [(1e16, "1e16"), (1e-7, "1e-07"), (True, "True"), (None, "None")]
)
def test_constants_are_written_as_ruff_writes_them(value: float | None, source: str) -> None:
    """An exponent has no plus."""
    assert constant(value) == source


@given(values)
@settings(max_examples=50)
def test_a_default_is_repeated(value: object) -> None:
    """The expression in a stub has the value of the one in the contract."""
    source = literal_source(value)
    assert source is not None

    assert eval(flat(expression(parsed(source), NAMES))) == value


def test_a_default_names_things_as_the_module_does() -> None:
    """Where a member hides a builtin, the builtin goes by another name."""
    spec = ServiceSpec("S", "S", (), (), ())
    names = Names(spec)
    names._taken.add("set")

    assert flat(expression(parsed("(Side.BUY, set())"), names)) == "(Side.BUY, builtins.set())"


def test_an_unknown_expression_is_kept() -> None:
    """A contract has none, but nothing is lost if it had."""
    assert flat(expression(parsed("1 + 2"), NAMES)) == "1 + 2"


@pytest.mark.parametrize(
    ("source", "mutable"),
    [("(1, 'a')", False), ("frozenset()", False), ("([],)", True), ("set()", True), ("{}", True)],
)
def test_what_can_change_is_found_at_any_depth(source: str, mutable: bool) -> None:
    """Such a default must be made anew for each record."""
    assert is_mutable(parsed(source), NAMES) is mutable


def test_empty_containers_are_made_by_their_class() -> None:
    """There is no need for a function that does."""
    assert [empty_factory(parsed(each)) for each in ("[]", "{}", "set()", "[1]")] == [
        "list",
        "dict",
        "set",
        None,
    ]


def test_a_short_docstring_takes_one_line() -> None:
    """The quotes stand on the same line."""
    assert docstring("Do it.", 4) == ['    """Do it."""']


def test_a_long_docstring_is_indented() -> None:
    """Empty lines have no spaces, and neither has the end of any other."""
    assert docstring("Do it.  \n\nMore:\n  a\n", 4) == [
        '    """Do it.',
        "",
        "    More:",
        "      a",
        '    """',
    ]


def test_lines_that_are_all_indented_stay_so() -> None:
    """The first line does not stand beside the quotes then, where it would have no indentation."""
    assert docstring("Example::\n    code", 4) == [
        '    """',
        "    Example::",
        "        code",
        '    """',
    ]


@pytest.mark.parametrize("text", [None, "", " \n\t\n"])
def test_nothing_to_say_is_no_docstring(text: str | None) -> None:
    """An empty one would only hide that there is none."""
    assert docstring(text) == []


def test_backslashes_alone_make_a_raw_docstring() -> None:
    """It reads as it was written."""
    assert docstring(r"A path: C:\new") == [r'r"""A path: C:\new"""']


@pytest.mark.parametrize("text", ["\\", 'ends\\"', '"\\', '\\"""', "\\\x00"])
def test_what_cannot_be_raw_is_escaped(text: str) -> None:
    """A raw string cannot hold its own quotes, nor end in a backslash."""
    assert docstring(text)[0].startswith('"""')


@given(texts.map(cleandoc))
def test_a_docstring_says_the_same(text: str) -> None:
    """Whatever is in it, but for spaces at the ends of its lines."""
    lines = docstring(text, 4)
    body = ast.parse("def f():\n" + "\n".join(lines or ["    pass"])).body[0]
    assert isinstance(body, ast.FunctionDef)

    assert shown(cleandoc(ast.get_docstring(body, clean=False) or "")) == shown(text)


def parsed(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body


def shown(text: str | None) -> str:
    return "\n".join(line.rstrip() for line in (text or "").strip().split("\n"))
