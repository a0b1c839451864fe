"""Default values as source text, which a stub can repeat."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, get_origin

import attrs

from farcall._contract.definitions import Definitions
from farcall._contract.identifiers import has_lone_surrogate, is_attribute_name
from farcall._contract.records import Field, kind_of, read_fields
from farcall._contract.scalars import scalar_of
from farcall._contract.traits import is_frozen

_CONSTANTS = (type(None), bool, int, str, bytes)
_BRACKETS: Final[Mapping[type, tuple[str, str]]] = {
    tuple: ("(", ")"),
    list: ("[", "]"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}
_FACTORIES: Final[frozenset[type[Any]]] = frozenset(
    {bool, int, float, str, bytes, Decimal, timedelta, dict, *_BRACKETS}
)
"""Classes whose call without arguments returns an equal value each time."""


def literal_source(value: object, definitions: Definitions | None = None) -> str | None:
    """Write a value as a Python literal; None for a value without one.

    There is one for None, bool, int, finite float, str, bytes, members of enums (as
    ``Color.RED``), and for tuples, lists, dicts and sets of these; for scalars with a
    `ScalarType.write_call` (as ``uuid.UUID("...")``); and for frozen records of all of these (as
    ``Point(x=1)``). The text is the same in every process: sets are sorted.

    Args:
        value: Any value.
        definitions: The enums and records that the literal can name; any enum, if left out.
    """
    kind = type(value)
    if isinstance(value, Enum):
        return _member(value, definitions)
    if isinstance(value, str) and has_lone_surrogate(value):
        return None  # it cannot cross
    if kind in _CONSTANTS:
        return _quoted(repr(value))
    scalar = scalar_of(kind)
    if scalar is not None and scalar.write_call is not None:
        return scalar.write_call(value)
    if isinstance(value, float):
        return repr(value) if kind is float and math.isfinite(value) else None
    if kind in _BRACKETS or kind is dict:
        return _container(kind, value, definitions)
    return None if definitions is None else _record(value, definitions)


def default_source(field: Field, definitions: Definitions) -> str | None:
    """Write the default of a field, or the value of its factory, if a literal can hold it.

    Args:
        field: A field with a default.
        definitions: The enums and records that the literal can name.
    """
    if field.default is attrs.NOTHING:
        return None
    factory = getattr(field.default, "factory", None)
    if factory is not None:
        return _made_by(factory, definitions)
    return literal_source(field.default, definitions)


def _made_by(factory: Any, definitions: Definitions) -> str | None:
    """Write the value of a factory that makes an equal value each time.

    Those are builtins, such as ``list`` or ``list[int]``, and records whose fields all have
    defaults. Other functions would have to be called to know.
    """
    kind: Any = get_origin(factory) or factory
    if isinstance(kind, type) and kind in _FACTORIES:
        made: object = kind()
        return literal_source(made)
    fields = _fields_of(kind, definitions)
    if fields is not None and not any(each.is_required for each in fields):
        return f"{kind.__name__}()"
    return _called(factory, definitions) if definitions.calls_factories else None


def _called(factory: Callable[[], object], definitions: Definitions) -> str | None:
    """Write what a factory makes: a literal, or the call of a record class without arguments."""
    made = factory()
    source = literal_source(made, definitions)
    if source is None and made == type(made)():
        return _made_by(type(made), definitions)
    return source


def _container(kind: type, value: Any, definitions: Definitions | None) -> str | None:
    if kind is dict:
        return _table(value, definitions)
    return _collection(kind, value, definitions)


def _member(value: Enum, definitions: Definitions | None) -> str | None:
    cls = type(value)
    is_known = definitions is None or definitions.claimed(cls.__name__) is cls
    # A combination of flags has no name, and some names cannot stand after a dot.
    is_named = value.name in cls.__members__ and is_attribute_name(value.name)
    return f"{cls.__name__}.{value.name}" if is_known and is_named else None


def _record(value: object, definitions: Definitions) -> str | None:
    cls: type[Any] = type(value)
    fields = _fields_of(cls, definitions)
    if fields is None or not (is_frozen(cls) or issubclass(cls, tuple)):
        return None
    parts = list[str]()
    for field in fields:
        held = getattr(value, field.attribute)
        source = literal_source(held, definitions)
        if held is field.default or (source and source == default_source(field, definitions)):
            continue
        if source is None:
            return None
        parts.append(f"{field.name}={source}")
    return f"{cls.__name__}({', '.join(parts)})"


def _fields_of(cls: Any, definitions: Definitions) -> tuple[Field, ...] | None:
    """Return the fields of a record that a literal can name; None for any other value."""
    is_known = isinstance(cls, type) and definitions.claimed(cls.__name__) is cls
    if not is_known or kind_of(cls) not in ("attrs", "dataclass", "namedtuple"):
        return None
    # In a literal these two names mean the builtins.
    return None if cls.__name__ in ("set", "frozenset") else read_fields(cls)


def _quoted(source: str) -> str:
    # Python writes apostrophes, formatters write quotation marks.
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
