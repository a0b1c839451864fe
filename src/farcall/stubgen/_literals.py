"""Write values as Python source: strings, numbers, docstrings and defaults."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from farcall._contract.spec import NewTypeSpec, RecordSpec, Scalar
from farcall.stubgen._defaults import NewTypeCall, RecordCall
from farcall.stubgen._layout import Brackets, LastComma, Layout, call, joined
from farcall.stubgen._names import Names

_QUOTES = '"""'

_AMBIGUOUS_QUOTES = re.compile(r'\A"|"{3,}|"\Z')
"""Quotes that would merge with those around a docstring, or end it."""


_BUILTINS = ("bool", "int", "float", "str", "bytes")

_KNOWN_TO_LINTERS = ("Decimal", "date", "timedelta")
"""Functions of the standard library that linters know to make what cannot change."""

_SURROGATES = re.compile("[\ud800-\udfff]")


def string(value: str) -> str:
    """Write a string in the quotes that need fewer escapes, or else in double ones."""
    quote = "'" if value.count('"') > value.count("'") else '"'
    return quote + "".join(_escaped(each, quote) for each in value) + quote


def bytestring(value: bytes) -> str:
    """Write bytes, by the rules of `string`."""
    text = value.decode("latin-1")
    quote = "'" if text.count('"') > text.count("'") else '"'
    escaped = (_escaped(each, quote) if each.isascii() else f"\\x{ord(each):02x}" for each in text)
    return f"b{quote}{''.join(escaped)}{quote}"


def docstring(text: str | None, indent: int = 0) -> list[str]:
    """Write a docstring, so that `inspect.getdoc` returns the same text.

    Args:
        text: The text, cleaned by `inspect.cleandoc`.
        indent: The indentation of the quotes.

    Returns:
        Its lines; none if there is no text.
    """
    # Python cannot make a class whose docstring has half of a surrogate pair.
    written = _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text or "")
    lines = [line.rstrip() for line in written.strip().split("\n")]
    if lines == [""]:
        return []
    below = [line for line in lines[1:] if line]
    if below and all(line[0].isspace() for line in below):
        # Beside the quotes, the first line would not show that the text is indented.
        lines.insert(0, "")
    if len(lines) > 1:
        lines.append("")  # the closing quotes stand on their own line
    quoted = f"{_quotable(lines)}{_QUOTES}".split("\n")
    return [" " * indent + line if line else "" for line in quoted]


def constant(value: None | bool | int | float | str | bytes) -> str:
    """Write a value without parts, as ruff would."""
    match value:
        case str():
            return string(value)
        case bytes():
            return bytestring(value)
        case _:
            return repr(value).replace("e+", "e")


def is_mutable(node: ast.expr, names: Names) -> bool:
    """Say whether a literal contains a list, a dict, a set or a record that can change.

    The values inside of a frozen record do not count.
    """
    return _can_change(node, names) or any(is_mutable(each, names) for each in _parts(node))


def is_opaque(node: ast.expr, names: Names) -> bool:
    """Say whether linters would report a literal as the default of a field.

    They do unless they know that each call in it makes a value that cannot change. They know new
    types of builtins.
    """
    return any(_is_opaque(each, names) for each in ast.walk(node))


def empty_factory(node: ast.expr) -> str | None:
    """Return the builtin that makes the value of a literal, if that is an empty container."""
    match node:
        case ast.List(elts=[]):
            return "list"
        case ast.Dict(keys=[]):
            return "dict"
        case ast.Call(func=ast.Name(id="set")) if not isinstance(node, NewTypeCall):
            return "set"
        case _:
            return None


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the parts of a literal; of the set in a frozenset, its items."""
    if isinstance(node, RecordCall):
        return
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.Set) and type(node) is ast.Call:
            yield from each.elts
        elif isinstance(each, ast.expr):
            yield each


def _can_change(node: ast.AST, names: Names) -> bool:
    match node:
        case NewTypeCall():
            return False
        case RecordCall(func=ast.Name(id=record)):
            spec = names.definitions[record]
            return not (isinstance(spec, RecordSpec) and (spec.frozen or spec.kind == "namedtuple"))
        case ast.List() | ast.Dict() | ast.Set() | ast.Call(func=ast.Name(id="set")):
            return True
        case _:
            return False


def _is_opaque(node: ast.AST, names: Names) -> bool:
    match node:
        case NewTypeCall(func=ast.Name(id=new_type)):
            spec = names.definitions[new_type]
            target = spec.target if isinstance(spec, NewTypeSpec) else None
            if not isinstance(target, Scalar) or target.name not in _BUILTINS:
                return True
            return names.builtin(target.name) != target.name
        case RecordCall():
            return True
        case ast.Call(func=ast.Attribute(attr=function)):
            return function not in _KNOWN_TO_LINTERS
        case _:
            return False


def expression(node: ast.expr, names: Names) -> Layout:
    """Write the value of a default with the names of the module.

    Args:
        node: The result of `fitted`. Its only names are those of enums, new types, records and
            builtins, and of the modules that `literal_source` uses.
        names: The names of the module.
    """
    match node:
        case ast.Call():
            keywords = [joined(f"{e.arg}=", expression(e.value, names)) for e in node.keywords]
            return call(_function(node, names), [*_all(node.args, names), *keywords])
        case ast.Constant(value=None | bool() | int() | float() | str() | bytes() as value):
            return constant(value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return joined("-", expression(operand, names))
        case ast.Attribute(value=ast.Name(id=enum), attr=member):
            return f"{names.defined(enum)}.{member}"
        case ast.Dict(keys=keys, values=values):
            pairs = zip(_all([key for key in keys if key], names), _all(values, names), strict=True)
            return Brackets("{", tuple(joined(key, ": ", value) for key, value in pairs), "}")
        case ast.List(elts=items):
            return Brackets("[", _all(items, names), "]")
        case ast.Set(elts=items):
            return Brackets("{", _all(items, names), "}")
        case ast.Tuple(elts=items):
            last_comma: LastComma = "always" if len(items) == 1 else "broken"
            return Brackets("(", _all(items, names), ")", last_comma)
        case _:
            return ast.unparse(node)


def _function(node: ast.Call, names: Names) -> str:
    match node.func:
        case ast.Attribute(attr=name):
            return names.standard(name)
        case ast.Name(id=name) if isinstance(node, NewTypeCall | RecordCall):
            return names.defined(name)
        case ast.Name(id=name):
            return names.builtin(name)
        case _:
            return ast.unparse(node.func)


def _all(nodes: list[ast.expr], names: Names) -> tuple[Layout, ...]:
    return tuple(expression(node, names) for node in nodes)


def _escaped(character: str, quote: str) -> str:
    return f"\\{quote}" if character == quote else repr(character)[1:-1]


def _quotable(lines: list[str]) -> str:
    """Put opening quotes before a text, and escape it as far as necessary.

    A text with backslashes becomes a raw string if possible, which is easier to read.
    """
    text = "\n".join(lines)
    is_printable = all(each.isprintable() or each == "\n" for each in text)
    is_tame = _QUOTES not in text and text[0] != '"' and text[-1] not in '"\\'
    if "\\" in text and is_printable and is_tame:
        return f"r{_QUOTES}{text}"
    escaped = "".join(each if each in "\n'\"" else repr(each)[1:-1] for each in text)
    return _QUOTES + _AMBIGUOUS_QUOTES.sub(lambda found: '\\"' * len(found[0]), escaped)
