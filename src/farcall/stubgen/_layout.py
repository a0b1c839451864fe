"""Break long statements over lines, exactly as ``ruff format`` would.

A statement is a small tree of parts, some of which can be broken. From left to right, each part
stays on its line if it fits there together with the text that must follow it on that line;
otherwise it is broken. Broken brackets get a comma after the last item, which ruff takes as a
request to keep them broken. So no decision depends on more than one part.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Literal, TypeAlias, assert_never

import attrs

WIDTH = 100
"""Columns in a line, as in farcall's own code."""

INDENT = 4


LastComma: TypeAlias = Literal["never", "broken", "always"]
"""When a comma follows the last item: in ``list[int]`` never, in ``(1,)`` always."""


@attrs.frozen
class Brackets:
    """Items between brackets: on one line, or each on its own."""

    opening: str
    items: tuple[Layout, ...]
    closing: str
    last_comma: LastComma = "broken"
    breaks_first: bool = False
    """Whether they break before the text that follows: parameters, before the result type."""


@attrs.frozen
class Union:
    """Alternatives: ``A | B`` on one line, or each on its own."""

    members: tuple[Layout, ...]


@attrs.frozen
class Parenthesized:
    """A part that gets parentheses if it does not fit on the line."""

    inner: Layout


@attrs.frozen
class Value:
    """The right side of an assignment: broken at its own brackets if they begin on the line."""

    inner: Layout


@attrs.frozen
class Joined:
    """Parts in a row, each laid out by itself."""

    parts: tuple[Layout, ...]


Layout: TypeAlias = str | Brackets | Union | Parenthesized | Value | Joined


def joined(*parts: Layout) -> Joined:
    return Joined(parts)


def call(function: Layout, arguments: Iterable[Layout]) -> Joined:
    return joined(function, Brackets("(", tuple(arguments), ")"))


def subscript(generic: str, arguments: Iterable[Layout]) -> Layout:
    """Write a generic type with its arguments, or alone if there are none."""
    items = tuple(arguments)
    last_comma: LastComma = "broken" if len(items) > 1 else "never"
    return joined(generic, Brackets("[", items, "]", last_comma)) if items else generic


def statement(layout: Layout, indent: int = 0) -> str:
    """Lay out one statement, with its indentation."""
    return " " * indent + _lay(layout, indent, indent, 0)


def flat(layout: Layout) -> str:
    """Write everything on one line."""
    match layout:
        case str():
            return layout
        case Brackets(opening, items, closing, last_comma):
            comma = "," if last_comma == "always" else ""
            return opening + ", ".join(map(flat, items)) + comma + closing
        case Union(members):
            return " | ".join(map(flat, members))
        case Parenthesized(inner) | Value(inner):
            return flat(inner)
        case Joined(parts):
            return "".join(map(flat, parts))
        case _:
            assert_never(layout)


def _lay(layout: Layout, indent: int, column: int, after: int) -> str:
    """Lay out from `column` on, with room for `after` more columns on the last line."""
    if isinstance(layout, Joined):
        return _lay_joined(layout.parts, indent, column, after)
    whole = flat(layout)
    if column + width(whole) + after <= WIDTH:
        return whole
    if isinstance(layout, Value):
        columns, breaks = _head(layout.inner)
        if breaks and column + columns <= WIDTH:
            return _lay(layout.inner, indent, column, after)
    return _broken(layout, indent, column, after)


def _lay_joined(parts: tuple[Layout, ...], indent: int, column: int, after: int) -> str:
    text = ""
    for number, part in enumerate(parts, 1):
        last_line = text.rpartition("\n")[2]
        start = width(last_line) if "\n" in text else column + width(text)
        text += _lay(part, indent, start, _columns_after(part, Joined(parts[number:]), after))
    return text


def _columns_after(part: Layout, rest: Joined, after: int) -> int:
    """Return how many columns `part` must leave free on its last line."""
    if isinstance(part, Brackets) and part.breaks_first:
        return width(flat(rest)) + after
    columns, breaks = _head(rest)
    return columns if breaks else columns + after


def _broken(layout: Layout, indent: int, column: int, after: int) -> str:
    match layout:
        case Brackets(items=items) if items:
            return _broken_brackets(layout, indent)
        case Union(members):
            return _broken_union(members, indent, column, after)
        case Parenthesized(inner) | Value(inner) if _gains_from_parentheses(inner, indent):
            return _broken_brackets(Brackets("(", (inner,), ")", "never"), indent)
        case _:
            return flat(layout)


def _broken_brackets(brackets: Brackets, indent: int) -> str:
    inside = indent + INDENT
    comma = "" if brackets.last_comma == "never" else ","
    items = [_lay(item, inside, inside, 1) for item in brackets.items[:-1]]
    items.append(_lay(brackets.items[-1], inside, inside, len(comma)))
    lines = f",\n{' ' * inside}".join(items)
    return f"{brackets.opening}\n{' ' * inside}{lines}{comma}\n{' ' * indent}{brackets.closing}"


def _broken_union(members: tuple[Layout, ...], indent: int, column: int, after: int) -> str:
    first, *middle, last = members
    inside = indent + len("| ")
    laid = [
        _lay(first, indent, column, 0),
        *(_lay(member, indent, inside, 0) for member in middle),
        _lay(last, indent, inside, after),
    ]
    return f"\n{' ' * indent}| ".join(laid)


def _head(layout: Layout) -> tuple[int, bool]:
    """Return the columns before the first possible line break, and whether there is one."""
    match layout:
        case Brackets(opening, items) if items:
            return width(opening), True
        case Joined(parts):
            return _head_of_all(parts)
        case Union(members):
            columns, breaks = _head(members[0])
            return (columns, True) if breaks else (columns + 1, True)
        case Value(inner) if not _is_empty(inner):
            return width("("), True
        case _:
            return width(flat(layout)), False


def _head_of_all(parts: tuple[Layout, ...]) -> tuple[int, bool]:
    total = 0
    for part in parts:
        columns, breaks = _head(part)
        total += columns
        if breaks:
            return total, True
    return total, False


def _gains_from_parentheses(layout: Layout, indent: int) -> bool:
    """Say whether a part fits on a line of its own, or can be broken there."""
    if _is_empty(layout):
        return False
    return _head(layout)[1] or indent + INDENT + width(flat(layout)) <= WIDTH


def _is_empty(layout: Layout) -> bool:
    return isinstance(layout, Brackets) and not layout.items


def width(text: str) -> int:
    """Count columns: East Asian wide characters take two, combining ones none."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
