"""The shapes of scalar types: strict both ways, and exact: a value that is written is read back."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import PurePosixPath
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any, Final
from uuid import UUID

from farcall._codec.anything import ANYTHING, MAX_DIGITS, check_digits, check_text, finite
from farcall._codec.faults import mismatch, refused
from farcall._codec.shape import Plain, Read, Write, instance_of
from farcall._contract.scalars import SCALARS, ScalarName

_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?"
_OFFSET = r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
DATETIME: Final = f"{_DATE}T{_TIME}{_OFFSET}?"
"""RFC 3339 with a capital T and Z, and with an offset or none."""
_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_DECIMAL = r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,9})?"

_BYTE = "(0|[1-9][0-9]{0,2})"
_IPV4 = rf"{_BYTE}(\.{_BYTE}){{3}}"
_IPV6 = r"[0-9a-fA-F:]{2,39}([0-9.]{7,15})?(%[0-9A-Za-z._-]{1,15})?"
"""With the zone of a link-local address; Linux allows 15 characters in the name of an interface."""
_PREFIX = r"/(0|[1-9][0-9]{0,2})"

_ZONE = r"[A-Z][A-Za-z0-9_+-]{0,31}(/[A-Za-z0-9_+-]{1,32}){0,3}"
"""Names in the database of time zones. `ZoneInfo` looks for a file of that name, so it must name no
other directory, and none of the tables beside the zones, such as ``posixrules``."""

_FRACTION = rf"(-?[0-9]{{1,{MAX_DIGITS}}})/([0-9]{{1,{MAX_DIGITS}}})"
"""`Fraction` also takes exponents: ``1e2000000`` keeps it busy for half a second."""

MAX_PATH = 4096
"""Characters of a path, as in Linux."""

MAX_EXPONENT = 6144
"""The range of IEEE 754 decimal128. A handler that rounds ``1E+999999999`` makes a number of a
billion digits."""

MAX_SPLIT_SECONDS = 2**32
"""A float that JavaScript can read has microseconds below it, and not above."""

_MICROSECOND = timedelta(microseconds=1)


def _matching(pattern: str, parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """Narrow a parser of the standard library, which takes more than ISO 8601 and the like."""
    compiled = re.compile(pattern)

    def parse_strictly(text: str) -> Any:
        if compiled.fullmatch(text) is None:
            raise ValueError(text)
        return parse(text)

    return parse_strictly


def _read_none(data: Any, _: object = None) -> None:
    if data is not None:
        raise mismatch("expected null")


def _write_none(value: Any) -> None:
    if value is not None:
        raise refused("None", value)


def _read_bool(data: Any, _: object = None) -> bool:
    if data is True or data is False:
        return data
    raise mismatch("expected bool")


def _write_bool(value: Any) -> bool:
    if value is True or value is False:
        return value
    raise refused("bool", value)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _read_int(data: Any, _: object = None) -> int:
    if type(data) is int:
        return check_digits(data)
    raise mismatch("expected int")


def _write_int(value: Any) -> int:
    if type(value) is int:
        return check_digits(value)
    if _is_int(value):
        return check_digits(int(value))
    raise refused("int", value)


def _is_number(value: object) -> bool:
    return isinstance(value, float) or _is_int(value)


def _read_float(data: Any, _: object = None) -> float:
    if type(data) is float:
        return data
    if type(data) is int:
        return _as_float(data)
    raise mismatch("expected float")


def _write_float(value: Any) -> float:
    if type(value) is float:
        return finite(value)
    if _is_number(value):
        return finite(_as_float(value))
    raise refused("float", value)


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise mismatch("expected float: too large") from error


def _read_str(data: Any, _: object = None) -> str:
    if type(data) is str:
        return data
    raise mismatch("expected str")


def _write_str(value: Any) -> str:
    if type(value) is str and value.isascii():
        return value
    if isinstance(value, str):
        return check_text(value)
    raise refused("str", value)


def _parse_base64(text: str) -> bytes:
    value = b64decode(text)
    # Python ignores other characters, and the unused bits of the last one.
    if _base64(value) != text:
        raise ValueError(text)
    return value


def _base64(value: bytes) -> str:
    return b64encode(value).decode()


def _iso_text(value: datetime | time) -> str:
    offset = value.utcoffset()
    if offset is not None and (offset.seconds % 60 or offset.microseconds):
        raise ValueError("its UTC offset must be whole minutes")
    return value.isoformat()


def _parse_decimal(text: str) -> Decimal:
    return _check_exponent(Decimal(text))


def _decimal_text(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError("it is not finite")
    return str(_check_exponent(value))


def _check_exponent(value: Decimal) -> Decimal:
    if abs(value.adjusted()) > MAX_EXPONENT:
        raise ValueError(f"its exponent is beyond {MAX_EXPONENT}")
    return value


def _parse_fraction(text: str) -> Fraction:
    found = _match_fraction(text)
    if found is None:
        raise ValueError(text)
    numerator, denominator = int(found[1]), int(found[2])
    if denominator == 0:
        raise ValueError(text)
    return Fraction(numerator, denominator)


_match_fraction = re.compile(_FRACTION).fullmatch


def _fraction_text(value: Fraction) -> str:
    return f"{check_digits(value.numerator)}/{check_digits(value.denominator)}"


def _parse_path(text: str) -> PurePosixPath:
    if len(text) > MAX_PATH or "\0" in text:
        raise ValueError(text)
    return PurePosixPath(text)


def _path_text(value: PurePosixPath) -> str:
    text = str(value)
    if len(text) > MAX_PATH:
        raise ValueError(f"it is longer than {MAX_PATH} characters")
    if "\0" in text:
        raise ValueError("it contains the character 0")
    return check_text(text)


@lru_cache(maxsize=1024)
def _parse_zone(name: str) -> Any:
    """Load a zone once: a peer can name all 600 of them in turn."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415  # loads slowly

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(name) from error


_match_zone = re.compile(_ZONE).fullmatch


def _zone_text(value: Any) -> str:
    if value.key is None or _match_zone(value.key) is None:
        raise ValueError("it has no name in the database of time zones")
    name: str = value.key
    return name


def _is_zone(value: object) -> bool:
    return isinstance(value, SCALARS["zoneinfo"].cls)


def _parse_address(made: Callable[[Any], Any], family: int) -> Callable[[str], Any]:
    """Read addresses, networks or interfaces in C: `ipaddress` takes ten times as long."""

    def parse(text: str) -> Any:
        if "%" in text or (family == AF_INET6 and "." in text):
            return made(text)
        address, _, prefix = text.partition("/")
        try:
            number = int.from_bytes(inet_pton(family, address), "big")
        except OSError as error:
            raise ValueError(text) from error
        return made((number, int(prefix))) if prefix else made(number)

    return parse


def _text_like(pattern: str) -> Callable[[object], str]:
    """Write a value by `str`, unless the text could not be read back."""
    matches = re.compile(pattern).fullmatch

    def text_of(value: object) -> str:
        text = str(value)
        if matches(text) is None:
            raise ValueError(f"farcall cannot read {text[:64]} back")
        return text

    return text_of


def _is_address(cls: type, interface: type) -> Callable[[object], bool]:
    # An interface is an address as well, and would lose its network.
    return lambda value: isinstance(value, cls) and not isinstance(value, interface)


def _read_timedelta(data: Any, _: object = None) -> timedelta:
    if type(data) is not int and type(data) is not float:
        raise mismatch("expected timedelta")
    try:
        return timedelta(seconds=data)
    except OverflowError as error:
        raise mismatch("expected timedelta: too large") from error


def _write_timedelta(value: Any) -> float:
    if not isinstance(value, timedelta):
        raise refused("timedelta", value)
    seconds, rest = divmod(value // _MICROSECOND, 1_000_000)
    if rest == 0:
        return seconds
    if abs(seconds) < MAX_SPLIT_SECONDS:
        return value.total_seconds()
    raise mismatch("expected timedelta in whole seconds: it is longer than 136 years")


def _is_date(value: object) -> bool:
    # A datetime is a date as well, and would lose its time.
    return isinstance(value, date) and not isinstance(value, datetime)


def _plain(
    name: ScalarName,
    read: Read,
    write: Write,
    fits: Callable[[object], bool] | None = None,
) -> tuple[ScalarName, Plain]:
    """Make the shape of a type; `fits` asks for an instance of its class by default."""
    scalar = SCALARS[name]
    return name, Plain(scalar.label, read, write, fits or instance_of(scalar.cls))


def _text(
    name: ScalarName,
    parse: Callable[[str], Any],
    text_of: Callable[[Any], str],
    fits: Callable[[object], bool] | None = None,
    label: str | None = None,
) -> tuple[ScalarName, Plain]:
    """Make the shape of a type whose values are text in JSON.

    Args:
        name: Its name in a contract.
        parse: Makes a value. It raises ValueError, and nothing else, for any other text.
        text_of: Makes the text. It raises ValueError for a value that has none.
        fits: Tells whether something is such a value; an instance of the class by default.
        label: What is expected of the text, where that is not the label of the type.
    """
    scalar = SCALARS[name]
    cls, is_one = scalar.loaded, fits or instance_of(scalar.cls)
    expected = label or scalar.label

    def read(data: Any, _: object = None) -> Any:
        if type(data) is not str:
            raise mismatch(f"expected {expected}")
        try:
            return parse(data)
        except ValueError as error:
            raise mismatch(f"expected {expected}") from error

    def write(value: Any) -> str:
        if type(value) is not cls and not is_one(value):
            raise refused(expected, value)
        try:
            return text_of(value)
        except ValueError as error:
            raise mismatch(f"expected {expected}: {error}") from error

    return name, Plain(expected, read, write, is_one)


SCALAR_SHAPES: Final[Mapping[ScalarName, Plain]] = dict(
    (
        _plain("none", _read_none, _write_none),
        _plain("bool", _read_bool, _write_bool),
        _plain("int", _read_int, _write_int, _is_int),
        _plain("float", _read_float, _write_float, _is_number),
        _plain("str", _read_str, _write_str),
        _text("bytes", _parse_base64, _base64, label="base64"),
        _text("datetime", _matching(DATETIME, datetime.fromisoformat), _iso_text),
        _text("date", _matching(_DATE, date.fromisoformat), date.isoformat, _is_date),
        _text("time", _matching(f"{_TIME}{_OFFSET}?", time.fromisoformat), _iso_text),
        _plain("timedelta", _read_timedelta, _write_timedelta),
        _text("uuid", _matching(_UUID, UUID), str),
        _text("decimal", _matching(_DECIMAL, _parse_decimal), _decimal_text),
        _text("fraction", _parse_fraction, _fraction_text),
        _text("pureposixpath", _parse_path, _path_text),
        _text(
            "ipv4address",
            _matching(_IPV4, _parse_address(IPv4Address, AF_INET)),
            str,
            _is_address(IPv4Address, IPv4Interface),
        ),
        _text(
            "ipv6address",
            _matching(_IPV6, _parse_address(IPv6Address, AF_INET6)),
            _text_like(_IPV6),
            _is_address(IPv6Address, IPv6Interface),
        ),
        _text("ipv4network", _matching(_IPV4 + _PREFIX, _parse_address(IPv4Network, AF_INET)), str),
        _text(
            "ipv6network",
            _matching(_IPV6 + _PREFIX, _parse_address(IPv6Network, AF_INET6)),
            _text_like(_IPV6 + _PREFIX),
        ),
        _text(
            "ipv4interface", _matching(_IPV4 + _PREFIX, _parse_address(IPv4Interface, AF_INET)), str
        ),
        _text(
            "ipv6interface",
            _matching(_IPV6 + _PREFIX, _parse_address(IPv6Interface, AF_INET6)),
            _text_like(_IPV6 + _PREFIX),
        ),
        _text("zoneinfo", _matching(_ZONE, _parse_zone), _zone_text, _is_zone),
        ("json", ANYTHING),
    )
)
"""The shape of each row of the contract's table.

A datetime or a time may have an offset or none, and keeps what it has: RFC 3339 asks a datetime
for one, but Python has both and a type cannot say which.
"""
