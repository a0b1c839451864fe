"""Default values as source text, which a stub can repeat."""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import Enum, Flag

_CONSTANTS = (bool, int, str, bytes)


def literal_source(value: object) -> str | None:
    """Write `value` as a Python literal, or give None where there is none.

    There is one for None, bool, int, finite float, str, bytes, members of enums (as
    ``Color.RED``), and for tuples, lists, dicts and sets of these. The text is the same in every
    process: sets are sorted.
    """
    if isinstance(value, Enum):
        return _member(value)
    if value is None or type(value) in _CONSTANTS:
        return _quoted(repr(value))
    if type(value) is float:
        return repr(value) if math.isfinite(value) else None
    return _container(value)


def _member(value: Enum) -> str | None:
    is_single = not isinstance(value, Flag) and value.name in type(value).__members__
    return f"{type(value).__name__}.{value.name}" if is_single else None


def _quoted(source: str) -> str:
    # Python's own choice is the apostrophe; the one of formatters is the quotation mark.
    if '"' in source or not source.endswith("'"):
        return source
    start = source.index("'")
    return f'{source[:start]}"{source[start + 1 : -1]}"'


def _container(value: object) -> str | None:
    match value:
        case tuple() if type(value) is tuple:
            return _joined(value, "(", ",)" if len(value) == 1 else ")")
        case list() if type(value) is list:
            return _joined(value, "[", "]")
        case dict() if type(value) is dict:
            return _table(value)
        case set() if type(value) is set:
            return _joined(value, "{", "}", is_sorted=True) if value else "set()"
        case frozenset() if type(value) is frozenset:
            return _joined(value, "frozenset({", "})", is_sorted=True) if value else "frozenset()"
        case _:
            return None


def _joined(
    items: Iterable[object], start: str, end: str, *, is_sorted: bool = False
) -> str | None:
    sources = [literal_source(item) for item in items]
    known = [source for source in sources if source is not None]
    if len(known) < len(sources):
        return None
    return f"{start}{', '.join(sorted(known) if is_sorted else known)}{end}"


def _table(table: dict[object, object]) -> str | None:
    pairs = [(literal_source(key), literal_source(value)) for key, value in table.items()]
    known = [f"{key}: {value}" for key, value in pairs if key is not None and value is not None]
    return f"{{{', '.join(known)}}}" if len(known) == len(pairs) else None
