"""Writing values as Python source."""

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
    """A string is double-quoted unless it contains more double quotes than single ones."""
    assert string(value) == source


@pytest.mark.parametrize(
    ("value", "source"), [(b"a'", 'b"a\'"'), (b'"', "b'\"'"), (b"\xff\n", 'b"\\xff\\n"')]
)
def test_bytes_follow_the_rules_of_strings(value: bytes, source: str) -> None:
    """Bytes are quoted like strings, with escapes for all that is not ASCII."""
    assert bytestring(value) == source


@pytest.mark.parametrize(
    ("value", "source"), [(1e16, "1e16"), (1e-7, "1e-07"), (True, "True"), (None, "None")]
)
def test_constants_are_written_as_ruff_writes_them(value: float | None, source: str) -> None:
    """The exponent of a float has no plus sign."""
    assert constant(value) == source


@given(values)
@settings(max_examples=50)
def test_a_default_is_repeated(value: object) -> None:
    """A default in a stub has the value of that in the contract."""
    source = literal_source(value)
    assert source is not None

    assert eval(flat(expression(parsed(source), NAMES))) == value


def test_a_default_names_things_as_the_module_does() -> None:
    """A default uses the module's name for a builtin that a member hides."""
    spec = ServiceSpec("S", "S", (), (), ())
    names = Names(spec)
    names._taken.add("set")

    assert flat(expression(parsed("(Side.BUY, set())"), names)) == "(Side.BUY, builtins.set())"


def test_an_unknown_expression_is_kept() -> None:
    """An expression that no contract has is written unchanged."""
    assert flat(expression(parsed("1 + 2"), NAMES)) == "1 + 2"


@pytest.mark.parametrize(
    ("source", "mutable"),
    [("(1, 'a')", False), ("frozenset()", False), ("([],)", True), ("set()", True), ("{}", True)],
)
def test_what_can_change_is_found_at_any_depth(source: str, mutable: bool) -> None:
    """A mutable value is found at any depth of a default."""
    assert is_mutable(parsed(source), NAMES) is mutable


def test_empty_containers_are_made_by_their_class() -> None:
    """An empty container has its class as factory."""
    assert [empty_factory(parsed(each)) for each in ("[]", "{}", "set()", "[1]")] == [
        "list",
        "dict",
        "set",
        None,
    ]


def test_a_short_docstring_takes_one_line() -> None:
    """A one-line docstring stands on the line of its quotes."""
    assert docstring("Do it.", 4) == ['    """Do it."""']


def test_a_long_docstring_is_indented() -> None:
    """A longer docstring is indented, without spaces at the ends of lines."""
    assert docstring("Do it.  \n\nMore:\n  a\n", 4) == [
        '    """Do it.',
        "",
        "    More:",
        "      a",
        '    """',
    ]


def test_lines_that_are_all_indented_stay_so() -> None:
    """A docstring whose other lines are all indented starts below its quotes."""
    assert docstring("Example::\n    code", 4) == [
        '    """',
        "    Example::",
        "        code",
        '    """',
    ]


@pytest.mark.parametrize("text", [None, "", " \n\t\n"])
def test_nothing_to_say_is_no_docstring(text: str | None) -> None:
    """An empty docstring is left out."""
    assert docstring(text) == []


def test_backslashes_alone_make_a_raw_docstring() -> None:
    """A docstring with backslashes is written as a raw string."""
    assert docstring(r"A path: C:\new") == [r'r"""A path: C:\new"""']


@pytest.mark.parametrize("text", ["\\", 'ends\\"', '"\\', '\\"""', "\\\x00"])
def test_what_cannot_be_raw_is_escaped(text: str) -> None:
    """A docstring that cannot be raw is escaped."""
    assert docstring(text)[0].startswith('"""')


@given(texts.map(cleandoc))
def test_a_docstring_says_the_same(text: str) -> None:
    """Any docstring reads back unchanged, but for spaces at the ends of lines."""
    lines = docstring(text, 4)
    body = ast.parse("def f():\n" + "\n".join(lines or ["    pass"])).body[0]
    assert isinstance(body, ast.FunctionDef)

    assert shown(cleandoc(ast.get_docstring(body, clean=False) or "")) == shown(text)


def parsed(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body


def shown(text: str | None) -> str:
    return "\n".join(line.rstrip() for line in (text or "").strip().split("\n"))
