"""Breaking long statements as ruff does."""

from __future__ import annotations

import pytest

from farcall.stubgen._layout import (
    WIDTH,
    Brackets,
    Joined,
    Layout,
    Parenthesized,
    Union,
    Value,
    call,
    flat,
    joined,
    statement,
    subscript,
    width,
)

LONG, LONGER = "A" * 60, "B" * 80


def lines(layout: Layout, indent: int = 0) -> list[str]:
    return statement(layout, indent).split("\n")


def test_what_fits_stays_on_one_line() -> None:
    """A statement of exactly the full width stays on one line."""
    fitting = call("f", ["a", "b" * (WIDTH - len("f(a, )"))])

    assert lines(fitting) == [flat(fitting)]
    assert len(lines(call("f", ["a", "b" * (WIDTH - len("f(a, )") + 1)]))) == 4


def test_indentation_takes_room() -> None:
    """The indentation counts as part of the line."""
    fitting = call("f", ["a", "b" * (WIDTH - len("f(a, )"))])

    assert lines(fitting, 4)[0] == "    f("


def test_what_follows_takes_room() -> None:
    """Brackets break if the text after them does not fit."""
    brackets = Brackets("(", ("a" * (WIDTH - 10),), ")")

    assert len(lines(brackets)) == 1
    assert len(lines(joined(brackets, " = 12345678"))) == 3


def test_brackets_are_broken_with_a_last_comma() -> None:
    """Broken brackets have one item a line, and a last comma."""
    assert lines(call("f", [LONG, LONGER])) == ["f(", f"    {LONG},", f"    {LONGER},", ")"]


def test_one_argument_of_a_type_has_no_comma() -> None:
    """A single type argument never gets a comma, which would make it a tuple."""
    assert lines(subscript("list", [LONG + LONGER])) == ["list[", f"    {LONG}{LONGER}", "]"]


def test_a_tuple_of_one_always_has_its_comma() -> None:
    """A tuple of one item always has its comma."""
    assert lines(Brackets("(", ("1",), ")", "always")) == ["(1,)"]


def test_empty_brackets_cannot_be_broken() -> None:
    """Empty brackets are never broken."""
    assert lines(joined("x" * WIDTH, Brackets("(", (), ")"))) == ["x" * WIDTH + "()"]


def test_a_type_without_arguments_has_no_brackets() -> None:
    """A type without arguments is written without brackets."""
    assert subscript("Quote", []) == "Quote"


def test_a_union_is_broken_before_its_operators() -> None:
    """A broken union in brackets gets no parentheses of its own."""
    union = Union((LONG, LONGER))

    assert lines(Brackets("[", (union,), "]", "never")) == [
        "[",
        f"    {LONG}",
        f"    | {LONGER}",
        "]",
    ]


def test_members_of_a_union_are_broken_as_well() -> None:
    """A member of a union is broken if it does not fit beside its operator."""
    union = Union((subscript("list", [LONGER]), "int", subscript("set", ["C" * 82, "int"])))

    assert lines(joined(" " * 16, union, " = None")) == [
        " " * 16 + "list[",
        f"    {LONGER}",
        "]",
        "| int",
        "| set[",
        f"    {'C' * 82},",
        "    int,",
        "] = None",
    ]


def test_a_union_begins_where_what_is_before_it_ends() -> None:
    """The text before a union counts for its first member."""
    laid = lines(joined("name: ", Union((subscript("list", ["A" * 90]), "None"))))

    assert laid == ["name: list[", f"    {'A' * 90}", "]", "| None"]


def test_parentheses_appear_only_where_they_are_needed() -> None:
    """A lone union gets parentheses only if it needs several lines."""
    assert lines(Parenthesized(Union(("int", "str")))) == ["int | str"]
    assert lines(joined("x: ", Parenthesized(Union((LONG, LONGER))))) == [
        "x: (",
        f"    {LONG}",
        f"    | {LONGER}",
        ")",
    ]


def test_a_value_is_broken_at_its_own_brackets() -> None:
    """A value is broken at its own brackets rather than put in parentheses."""
    assert lines(joined("x = ", Value(call("f", [LONG, LONG])))) == [
        "x = f(",
        f"    {LONG},",
        f"    {LONG},",
        ")",
    ]


def test_a_value_whose_brackets_begin_too_late_gets_parentheses() -> None:
    """A value whose brackets begin after the line's end gets parentheses."""
    assert lines(joined(f"{LONGER} = ", Value(call("f" * 30, ["1"])))) == [
        f"{LONGER} = (",
        f"    {'f' * 30}(1)",
        ")",
    ]


def test_an_empty_value_stays_where_it_is() -> None:
    """A value of empty brackets stays, and the part before it breaks."""
    typed = subscript("list", [LONG, LONG])

    assert lines(joined("x: ", typed, " = ", Value(Brackets("[", (), "]")))) == [
        "x: list[",
        f"    {LONG},",
        f"    {LONG},",
        "] = []",
    ]
    assert lines(joined(f"{LONG * 2} = ", Value(Brackets("[", (), "]")))) == [f"{LONG * 2} = []"]


def test_text_gets_parentheses_only_where_they_help() -> None:
    """Text too long for any line gets no parentheses."""
    assert lines(joined("x = ", Value("a" * 96))) == ["x = " + "a" * 96]
    assert lines(joined("xyz = ", Value("a" * 95))) == ["xyz = (", "    " + "a" * 95, ")"]
    assert lines(joined("x = ", Value("a" * 97))) == ["x = " + "a" * 97]


def test_parameters_are_broken_before_the_result() -> None:
    """If a signature does not fit, its parameters break first, one a line."""
    parameters = Brackets("(", ("self",), ")", breaks_first=True)

    assert lines(joined("def f", parameters, " -> ", subscript("list", [LONG + LONG]), ":")) == [
        "def f(",
        "    self,",
        ") -> list[",
        f"    {LONG + LONG}",
        "]:",
    ]


def test_nothing_joined_is_nothing() -> None:
    """An empty sequence of parts is empty text."""
    assert lines(Joined(())) == [""]


def test_a_broken_part_ends_where_its_last_line_ends() -> None:
    """After a broken part, columns count from its last line."""
    first = Brackets("[", (LONG, LONG), "]")

    assert lines(joined(first, Brackets("(", ("1" * 90,), ")"))) == [
        "[",
        f"    {LONG},",
        f"    {LONG},",
        f"]({'1' * 90})",
    ]


@pytest.mark.parametrize(
    ("text", "columns"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("é", 1), ("", 0)]
)
def test_columns_are_those_of_a_terminal(text: str, columns: int) -> None:
    """Wide characters count as two columns, combining ones as none."""
    assert width(text) == columns
