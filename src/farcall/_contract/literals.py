"""Default values as source text, which a stub can repeat."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final

from farcall._contract.definitions import Definitions
from farcall._contract.identifiers import has_lone_surrogate, is_attribute_name

_CONSTANTS = (type(None), bool, int, str, bytes)
_BRACKETS: Final[Mapping[type, tuple[str, str]]] = {
    tuple: ("(", ")"),
    list: ("[", "]"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}


def literal_source(value: object, definitions: Definitions | None = None) -> str | None:
    """Write `value` as a Python literal, or give None where there is none.

    There is one for None, bool, int, finite float, str, bytes, members of enums (as
    ``Color.RED``), and for tuples, lists, dicts and sets of these. The text is the same in every
    process: sets are sorted.

    Args:
        value: Anything.
        definitions: The enums that may be named; any, if left out.
    """
    kind = type(value)
    if isinstance(value, Enum):
        return _member(value, definitions)
    if isinstance(value, str) and has_lone_surrogate(value):
        return None  # it cannot cross, so a client must not send it
    if kind in _CONSTANTS:
        return _quoted(repr(value))
    if isinstance(value, float):
        return repr(value) if kind is float and math.isfinite(value) else None
    return _container(kind, value, definitions)


def _container(kind: type, value: Any, definitions: Definitions | None) -> str | None:
    if kind is dict:
        return _table(value, definitions)
    return _collection(kind, value, definitions) if kind in _BRACKETS else None


def _member(value: Enum, definitions: Definitions | None) -> str | None:
    cls = type(value)
    is_known = definitions is None or definitions.claimed(cls.__name__) is cls
    # A combination of flags has no name of its own, and some names cannot stand behind a dot.
    is_named = value.name in cls.__members__ and is_attribute_name(value.name)
    return f"{cls.__name__}.{value.name}" if is_known and is_named else None


def _quoted(source: str) -> str:
    # Python's own choice is the apostrophe; the one of formatters is the quotation mark.
    if '"' in source or not source.endswith("'"):
        return source
    start = source.index("'")
    return f'{source[:start]}"{source[start + 1 : -1]}"'


def _collection(kind: type, items: Iterable[Any], definitions: Definitions | None) -> str | None:
    sources = _sources(items, definitions)
    if sources is None:
        return None
    if kind in (set, frozenset):
        sources.sort()
        if not sources:
            return f"{kind.__name__}()"
    opening, closing = _BRACKETS[kind]
    comma = "," if kind is tuple and len(sources) == 1 else ""
    return f"{opening}{', '.join(sources)}{comma}{closing}"


def _table(table: Mapping[Any, Any], definitions: Definitions | None) -> str | None:
    keys, values = _sources(table, definitions), _sources(table.values(), definitions)
    if keys is None or values is None:
        return None
    pairs = zip(keys, values, strict=True)
    return f"{{{', '.join(f'{key}: {value}' for key, value in pairs)}}}"


def _sources(items: Iterable[Any], definitions: Definitions | None) -> list[str] | None:
    sources = [literal_source(item, definitions) for item in items]
    known = [source for source in sources if source is not None]
    return known if len(known) == len(sources) else None
