"""Numbers, texts and times."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from io import BytesIO
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from farcall._codec.scalars import SCALAR_SHAPES
from farcall._contract.scalars import SCALARS
from tests.unit.codec.through import faults, read, refusal, same, write

BIGGEST = 10**4299 - 1
INDIA = timezone(timedelta(hours=5, minutes=30))
ODD = timezone(timedelta(seconds=30))
EMPTY_ZONE = b"TZif" + bytes(32) + b"\0\0\0\1\0\0\0\4" + bytes(6) + b"UTC\0"


class Level(enum.IntEnum):
    LOW = 1


class Side(enum.StrEnum):
    BUY = "buy"


class Huge(int):
    pass


class Half(float):
    pass


def test_every_type_has_a_shape() -> None:
    """Each type in the contract's table can be read and written, and no other."""
    assert SCALAR_SHAPES.keys() == SCALARS.keys()


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (None, None, "null"),
        (bool, True, "true"),
        (int, -5, "-5"),
        (int, BIGGEST, "9" * 4299),
        (int, -BIGGEST, "-" + "9" * 4299),
        (int, 2**64 + 1, "18446744073709551617"),
        (float, 1.5, "1.5"),
        (float, 1.0, "1.0"),
        (float, 5e-324, "5e-324"),
        (str, "ü\u2028\0", '"ü\u2028\\u0000"'),
        (bytes, b"\xff\0", '"/wA="'),
        (bytes, b"", '""'),
        (datetime, datetime(2024, 2, 29, 1, 2, 3), '"2024-02-29T01:02:03"'),
        (datetime, datetime(2024, 2, 29, 1, 2, 3, 4, UTC), '"2024-02-29T01:02:03.000004+00:00"'),
        (datetime, datetime(1, 1, 1, tzinfo=INDIA), '"0001-01-01T00:00:00+05:30"'),
        (date, date(2024, 2, 29), '"2024-02-29"'),
        (time, time(23, 59, 59, 5), '"23:59:59.000005"'),
        (time, time(1, tzinfo=INDIA), '"01:00:00+05:30"'),
        (timedelta, timedelta(seconds=90), "90"),
        (timedelta, timedelta(microseconds=-1), "-1e-6"),
        (timedelta, timedelta(days=1, microseconds=1), "86400.000001"),
        (timedelta, timedelta(seconds=2**32 - 1, microseconds=999999), "4294967295.999999"),
        (timedelta, timedelta(seconds=1 - 2**32, microseconds=1), "-4294967294.999999"),
        (timedelta, timedelta(days=-999999999), "-86399999913600"),
        (UUID, UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Decimal, Decimal("1.10"), '"1.10"'),
        (Decimal, Decimal("-1E+6144"), '"-1E+6144"'),
        (Fraction, Fraction(-1, 3), '"-1/3"'),
        (Fraction, Fraction(2), '"2/1"'),
        (Fraction, Fraction(1, BIGGEST), '"1/' + "9" * 4299 + '"'),
        (PurePosixPath, PurePosixPath("/a b/../ü"), '"/a b/../ü"'),
        (PurePosixPath, PurePosixPath(), '"."'),
        (IPv4Address, IPv4Address("10.0.0.1"), '"10.0.0.1"'),
        (IPv6Address, IPv6Address("2001:db8::1"), '"2001:db8::1"'),
        (IPv6Address, IPv6Address("fe80::1%eth0"), '"fe80::1%eth0"'),
        (IPv4Network, IPv4Network("10.0.0.0/8"), '"10.0.0.0/8"'),
        (IPv6Network, IPv6Network("2001:db8::/32"), '"2001:db8::/32"'),
        (IPv4Interface, IPv4Interface("10.1.2.3/8"), '"10.1.2.3/8"'),
        (IPv6Interface, IPv6Interface("2001:db8::1/0"), '"2001:db8::1/0"'),
        (ZoneInfo, ZoneInfo("Europe/Berlin"), '"Europe/Berlin"'),
        (Any, {"a": [1, None, 1.5, "x", True]}, '{"a":[1,null,1.5,"x",true]}'),
    ],
)
def test_round_trip(annotation: Any, value: object, text: str) -> None:
    """Each value has one text, and comes back with its class."""
    assert write(annotation, value) == text
    assert same(read(annotation, text), value)


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (float, "1", 1.0),
        (float, str(2**53), float(2**53)),
        (float, "1E2", 100.0),
        (timedelta, "1.5", timedelta(seconds=1.5)),
        (timedelta, "0.30000000000000004", timedelta(seconds=0.3)),
        (datetime, '"2024-02-29T01:02:03Z"', datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC)),
        (datetime, '"2024-02-29T01:02:03.5-00:00"', datetime(2024, 2, 29, 1, 2, 3, 500000, UTC)),
        (time, '"01:02:03.123Z"', time(1, 2, 3, 123000, UTC)),
        (UUID, '"ABCDEF00-0000-0000-0000-000000000001"', UUID(int=0xABCDEF << 104 | 1)),
        (Decimal, '"1e2"', Decimal("1E+2")),
        (Fraction, '"2/4"', Fraction(1, 2)),
        (Fraction, '"-0/07"', Fraction(0)),
        (PurePosixPath, '"a//./b/"', PurePosixPath("a/b")),
        (IPv6Address, '"2001:DB8:0::1"', IPv6Address("2001:db8::1")),
        (IPv6Address, '"::ffff:1.2.3.4"', IPv6Address("::ffff:102:304")),
        (str, r'"\ud83d\ude00"', "😀"),
    ],
)
def test_reads_more(annotation: Any, text: str, value: object) -> None:
    """Other texts that peers write for a value are read."""
    assert same(read(annotation, text), value)


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (int, Level.LOW, "1"),
        (float, 1, "1.0"),
        (float, Half(0.5), "0.5"),
        (float, Level.LOW, "1.0"),
        (str, Side.BUY, '"buy"'),
    ],
)
def test_writes_what_python_takes_for_it(annotation: Any, value: object, text: str) -> None:
    """An instance of a subclass, or an int for a float, crosses as the declared type."""
    assert write(annotation, value) == text


@pytest.mark.parametrize(
    ("annotation", "text", "fault"),
    [
        (None, "0", "expected null"),
        (bool, "1", "expected bool"),
        (bool, '"true"', "expected bool"),
        (int, '"3"', "expected int"),
        (int, "1.0", "expected int"),
        (int, "true", "expected int"),
        (int, "null", "expected int"),
        (int, "1" + "0" * 4299, "expected int of at most 4299 digits"),
        (float, "true", "expected float"),
        (float, '"1.5"', "expected float"),
        (float, "1" + "0" * 400, "expected float: too large"),
        (str, "1", "expected str"),
        (str, "null", "expected str"),
        (bytes, '"YQ"', "expected base64"),
        (bytes, '"YR=="', "expected base64"),
        (bytes, '"Y Q=="', "expected base64"),
        (bytes, '"YQ==YQ=="', "expected base64"),
        (bytes, '"é==="', "expected base64"),
        (bytes, '"_w=="', "expected base64"),
        (bytes, "[1]", "expected base64"),
        (datetime, '"2024-02-30T01:02:03Z"', "expected datetime"),
        (datetime, '"2024-02-29 01:02:03Z"', "expected datetime"),
        (datetime, '"2024-02-29"', "expected datetime"),
        (datetime, '"2024-02-29T01:02:03.1234567Z"', "expected datetime"),
        (datetime, '"2024-02-29T24:00:00Z"', "expected datetime"),
        (datetime, '"2024-02-29T01:02:03+24:00"', "expected datetime"),
        (datetime, '"2024-02-29T01:02:03Z\\n"', "expected datetime"),
        (datetime, '"٢٠٢٤-02-29T01:02:03Z"', "expected datetime"),
        (datetime, "1709168523", "expected datetime"),
        (date, '"2024-W09-4"', "expected date"),
        (date, '"20240229"', "expected date"),
        (date, '"2024-02-29T00:00:00"', "expected date"),
        (time, '"01:02"', "expected time"),
        (time, '"T01:02:03"', "expected time"),
        (time, "1", "expected time"),
        (timedelta, '"1"', "expected timedelta"),
        (timedelta, "true", "expected timedelta"),
        (timedelta, "1e300", "expected timedelta: too large"),
        (timedelta, "1" + "0" * 400, "expected timedelta: too large"),
        (UUID, '"{00000000-0000-0000-0000-000000000001}"', "expected UUID"),
        (UUID, '"00000000000000000000000000000001"', "expected UUID"),
        (UUID, "1", "expected UUID"),
        (Decimal, "1.5", "expected Decimal"),
        (Decimal, '"NaN"', "expected Decimal"),
        (Decimal, '"Infinity"', "expected Decimal"),
        (Decimal, '" 1"', "expected Decimal"),
        (Decimal, '"1_0"', "expected Decimal"),
        (Decimal, '".5"', "expected Decimal"),
        (Decimal, '"1E+6145"', "expected Decimal"),
        (Decimal, '"1E-999999999"', "expected Decimal"),
        (Decimal, '"1E9999999999999999999"', "expected Decimal"),
        (Fraction, '"3"', "expected Fraction"),
        (Fraction, '"1.5"', "expected Fraction"),
        (Fraction, '"1e2000000"', "expected Fraction"),
        (Fraction, '"1/0"', "expected Fraction"),
        (Fraction, '"1/-2"', "expected Fraction"),
        (Fraction, '"1_0/3"', "expected Fraction"),
        (Fraction, '"²/3"', "expected Fraction"),
        (Fraction, '"1' + "0" * 4299 + '/1"', "expected Fraction"),
        (Fraction, "0.5", "expected Fraction"),
        (PurePosixPath, '"a\\u0000"', "expected PurePosixPath"),
        (PurePosixPath, '"' + "a" * 4097 + '"', "expected PurePosixPath"),
        (PurePosixPath, '["a"]', "expected PurePosixPath"),
        (IPv4Address, "1", "expected IPv4Address"),
        (IPv4Address, '"1.2.3"', "expected IPv4Address"),
        (IPv4Address, '"01.2.3.4"', "expected IPv4Address"),
        (IPv4Address, '"1.2.3.256"', "expected IPv4Address"),
        (IPv4Address, '"².2.3.4"', "expected IPv4Address"),
        (IPv6Address, '"1.2.3.4"', "expected IPv6Address"),
        (IPv6Address, '"::1%"', "expected IPv6Address"),
        (IPv6Address, '"::1%' + "e" * 16 + '"', "expected IPv6Address"),
        (IPv4Network, '"10.1.0.0/8"', "expected IPv4Network"),
        (IPv4Network, '"10.0.0.0"', "expected IPv4Network"),
        (IPv4Network, '"10.0.0.0/255.0.0.0"', "expected IPv4Network"),
        (IPv4Network, '"10.0.0.0/08"', "expected IPv4Network"),
        (IPv4Interface, '"10.0.0.1"', "expected IPv4Interface"),
        (IPv6Network, '"::/129"', "expected IPv6Network"),
        (IPv6Interface, '"::1"', "expected IPv6Interface"),
        (ZoneInfo, '"Europe/Nowhere"', "expected ZoneInfo"),
        (ZoneInfo, '"Europe"', "expected ZoneInfo"),
        (ZoneInfo, '"../../../etc/passwd"', "expected ZoneInfo"),
        (ZoneInfo, '"/usr/share/zoneinfo/UTC"', "expected ZoneInfo"),
        (ZoneInfo, '"posixrules"', "expected ZoneInfo"),
        (ZoneInfo, '"localtime"', "expected ZoneInfo"),
        (ZoneInfo, '""', "expected ZoneInfo"),
    ],
)
def test_refuses_to_read(annotation: Any, text: str, fault: str) -> None:
    """JSON data of another type is refused, however close it is."""
    assert faults(annotation, text) == [f"{fault} @ value"]


@pytest.mark.parametrize(
    ("annotation", "value", "error"),
    [
        (None, 0, "expected None, got int"),
        (bool, 1, "expected bool, got int"),
        (int, True, "expected int, got bool"),
        (int, 1.0, "expected int, got float"),
        (int, "1", "expected int, got str"),
        (int, BIGGEST + 1, "expected int of at most 4299 digits"),
        (int, -BIGGEST - 1, "expected int of at most 4299 digits"),
        (float, True, "expected float, got bool"),
        (float, "1", "expected float, got str"),
        (float, float("nan"), "expected finite float"),
        (float, float("-inf"), "expected finite float"),
        (int, Huge(10**4299), "expected int of at most 4299 digits"),
        (float, 10**400, "expected float: too large"),
        (str, b"a", "expected str, got bytes"),
        (str, "\ud800", "expected str without lone surrogates"),
        (bytes, "a", "expected base64, got str"),
        (bytes, bytearray(b"a"), "expected base64, got bytearray"),
        (datetime, date(2024, 1, 1), "expected datetime, got date"),
        (
            datetime,
            datetime(2024, 1, 1, tzinfo=ODD),
            "expected datetime: its UTC offset must be whole minutes",
        ),
        (date, datetime(2024, 1, 1), "expected date, got datetime"),
        (time, datetime(2024, 1, 1), "expected time, got datetime"),
        (time, time(1, tzinfo=ODD), "expected time: its UTC offset must be whole minutes"),
        (timedelta, 1.5, "expected timedelta, got float"),
        (
            timedelta,
            timedelta.max,
            "expected timedelta in whole seconds: it is longer than 136 years",
        ),
        (UUID, "a", "expected UUID, got str"),
        (Decimal, 1, "expected Decimal, got int"),
        (Decimal, Decimal("NaN"), "expected Decimal: it is not finite"),
        (Decimal, Decimal("-Infinity"), "expected Decimal: it is not finite"),
        (Fraction, 1, "expected Fraction, got int"),
        (Fraction, Fraction(1, BIGGEST + 1), "expected int of at most 4299 digits"),
        (PurePosixPath, "a", "expected PurePosixPath, got str"),
        (
            PurePosixPath,
            PurePosixPath("a\0"),
            "expected PurePosixPath: it contains the character 0",
        ),
        (
            PurePosixPath,
            PurePosixPath("a" * 4097),
            "expected PurePosixPath: it is longer than 4096 characters",
        ),
        (PurePosixPath, PurePosixPath("\udcff"), "expected str without lone surrogates"),
        (IPv4Address, IPv4Interface("1.2.3.4/8"), "expected IPv4Address, got IPv4Interface"),
        (IPv6Address, IPv6Interface("::/8"), "expected IPv6Address, got IPv6Interface"),
        (
            IPv6Address,
            IPv6Address("::1%a b"),
            "expected IPv6Address: farcall cannot read ::1%a b back",
        ),
        (ZoneInfo, UTC, "expected ZoneInfo, got timezone"),
        (
            ZoneInfo,
            ZoneInfo.from_file(BytesIO(EMPTY_ZONE)),
            "expected ZoneInfo: it has no name in the database of time zones",
        ),
        (Decimal, Decimal("1E-6145"), "expected Decimal: its exponent is beyond 6144"),
    ],
)
def test_refuses_to_write(annotation: Any, value: object, error: str) -> None:
    """A value that the other side would not read as the same value is refused."""
    assert refusal(annotation, value) == f"{error} @ value"


def test_a_zone_is_loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that names all zones in turn loads each once, though Python keeps only a few."""
    names = [f"Etc/GMT+{hours}" for hours in range(1, 13)]
    first = [id(read(ZoneInfo, f'"{name}"')) for name in names]

    ZoneInfo.clear_cache()

    assert [id(read(ZoneInfo, f'"{name}"')) for name in names] == first
