"""The scalar types, one row each.

The contract, its comparison, the stub generator and the codec read this table, so a new type needs
a row here, and the functions that read and write its values in `_codec/scalars`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from importlib import import_module
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import PurePosixPath
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

ScalarName: TypeAlias = Literal[
    "none",
    "bool",
    "int",
    "float",
    "str",
    "bytes",
    "datetime",
    "date",
    "time",
    "timedelta",
    "uuid",
    "decimal",
    "fraction",
    "pureposixpath",
    "ipv4address",
    "ipv6address",
    "ipv4network",
    "ipv6network",
    "ipv4interface",
    "ipv6interface",
    "zoneinfo",
    "json",
]
"""The name of a scalar type in a contract."""

JsonForm: TypeAlias = Literal["null", "boolean", "integer", "fraction", "string", "array", "object"]
"""What a JSON value is, by a look at it."""

_NUMBER: tuple[JsonForm, ...] = ("integer", "fraction")
"""JavaScript writes 1.0 as 1."""

_ANYTHING: tuple[JsonForm, ...] = ("null", "boolean", *_NUMBER, "string", "array", "object")


class ScalarType(Struct, frozen=True):
    """A type without parts."""

    name: ScalarName
    loaded: type | None
    """Its class; None if farcall imports the module only for a program that uses the type."""
    source: str
    """Its name in Python source, after that of the module to import: ``uuid.UUID``."""
    label: str
    """Its name in messages on both sides of the wire."""
    forms: tuple[JsonForm, ...] = ("string",)
    """What its values are in JSON."""
    read_by: frozenset[ScalarName] = frozenset({"str"})
    """Other types that read every value of this one."""
    write_call: Callable[[Any], str | None] | None = None
    """Writes the call that makes a value, for the defaults in stubs; returns None for a value
    without one. Builtins have literals instead."""

    @property
    def cls(self) -> type:
        """Its class."""
        if self.loaded is not None:
            return self.loaded
        found: type = getattr(import_module(self.module), self.python_name)
        return found

    @property
    def module(self) -> str:
        """The module to import; empty for a builtin."""
        return self.source.rpartition(".")[0]

    @property
    def python_name(self) -> str:
        """Its name in Python source, without the module."""
        return self.source.rpartition(".")[2]


def _timedelta(value: timedelta) -> str:
    return _call("datetime.timedelta", value, "days", "seconds", "microseconds")


def _date(value: date) -> str:
    return f"datetime.date({value.year}, {value.month}, {value.day})"


def _time(value: time) -> str | None:
    if value.tzinfo is not None:
        return None
    return _call("datetime.time", value, "hour", "minute", "second", "microsecond", "fold")


def _call(function: str, value: object, *names: str) -> str:
    """Write a call with those arguments that are not 0."""
    parts = [(name, getattr(value, name)) for name in names]
    return f"{function}({', '.join(f'{name}={part}' for name, part in parts if part)})"


def _uuid(value: UUID) -> str:
    return f'uuid.UUID("{value}")'


def _decimal(value: Decimal) -> str | None:
    return f'decimal.Decimal("{value}")' if value.is_finite() else None


def _fraction(value: Fraction) -> str:
    return f"fractions.Fraction({value.numerator}, {value.denominator})"


def _path(value: PurePosixPath) -> str | None:
    text = str(value)
    return f"pathlib.PurePosixPath({text!r})" if text.isprintable() else None


def _address(value: object) -> str | None:
    text = str(value)
    return f"ipaddress.{type(value).__name__}({text!r})" if text.isprintable() else None


_NOTHING: frozenset[ScalarName] = frozenset()

_ADDRESSES: tuple[tuple[ScalarName, type], ...] = (
    ("ipv4address", IPv4Address),
    ("ipv6address", IPv6Address),
    ("ipv4network", IPv4Network),
    ("ipv6network", IPv6Network),
    ("ipv4interface", IPv4Interface),
    ("ipv6interface", IPv6Interface),
)

SCALARS: Final[Mapping[str, ScalarType]] = {
    each.name: each
    for each in (
        ScalarType("none", type(None), "None", "null", ("null",), _NOTHING),
        ScalarType("bool", bool, "bool", "bool", ("boolean",), _NOTHING),
        ScalarType("int", int, "int", "int", ("integer",), frozenset({"float"})),
        ScalarType("float", float, "float", "float", _NUMBER, _NOTHING),
        ScalarType("str", str, "str", "str", read_by=_NOTHING),
        ScalarType("bytes", bytes, "bytes", "bytes"),
        # A datetime has no call: most defaults of that type are the time a program began.
        ScalarType("datetime", datetime, "datetime.datetime", "datetime"),
        ScalarType("date", date, "datetime.date", "date", write_call=_date),
        ScalarType("time", time, "datetime.time", "time", write_call=_time),
        ScalarType(
            "timedelta",
            timedelta,
            "datetime.timedelta",
            "timedelta",
            _NUMBER,
            _NOTHING,
            _timedelta,
        ),
        ScalarType("uuid", UUID, "uuid.UUID", "UUID", write_call=_uuid),
        ScalarType("decimal", Decimal, "decimal.Decimal", "Decimal", write_call=_decimal),
        ScalarType("fraction", Fraction, "fractions.Fraction", "Fraction", write_call=_fraction),
        ScalarType(
            "pureposixpath",
            PurePosixPath,
            "pathlib.PurePosixPath",
            "PurePosixPath",
            write_call=_path,
        ),
        *(
            ScalarType(name, cls, f"ipaddress.{cls.__name__}", cls.__name__, write_call=_address)
            for name, cls in _ADDRESSES
        ),
        # A ZoneInfo has no call: a client without this zone could not import its stub.
        ScalarType("zoneinfo", None, "zoneinfo.ZoneInfo", "ZoneInfo"),
        ScalarType("json", object, "farcall.Json", "JSON", _ANYTHING, _NOTHING),
    )
}
"""By their names in a contract; ``json`` is any JSON value."""

_BY_CLASS: Final[Mapping[object, ScalarType]] = {
    each.loaded: each for each in SCALARS.values() if each.loaded is not None
}


def scalar_of(cls: object) -> ScalarType | None:
    """Return the row of a class; None for any other object."""
    zones = sys.modules.get("zoneinfo")
    if zones is not None and cls is zones.ZoneInfo:
        return SCALARS["zoneinfo"]
    return _BY_CLASS.get(cls)
