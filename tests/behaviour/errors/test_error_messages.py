"""The messages of declared errors, refused arguments and refused records."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from uuid import UUID

import attrs
import pytest

import farcall
from farcall import ApplicationError, EncodeError, InvalidArguments, RpcError, method, service
from farcall.testing import open_pair

JOB = UUID("bedb9a3e-13f4-4f5c-9a2e-0d1f5b1d7c11")


class Color(enum.Enum):
    RED = "red"


class Pair(NamedTuple):
    x: int
    y: str


@attrs.frozen
class Login:
    user: str
    password: str = attrs.field(repr=False)


@dataclass
class Session:
    user: str
    token: str = field(repr=False)


@attrs.define
class NoSuchJob(ApplicationError):
    job: UUID


@attrs.define
class Refused(ApplicationError):
    login: Login
    secret: str = attrs.field(repr=False)
    masked: str = attrs.field(repr=lambda _: "***")


@attrs.define
class Holds(ApplicationError):
    value: Any


@attrs.define
class Spoken(ApplicationError):
    job: UUID

    def __str__(self) -> str:
        return "There is no such job."


class Closed(ApplicationError): ...


@service
class Jobs:
    @method(raises=[NoSuchJob, Refused, Spoken, Closed])
    async def fail(self, how: str) -> None:
        errors = {
            "job": NoSuchJob(JOB),
            "login": Refused(Login("ada", "s3cret"), "s3cret", "s3cret"),
            "spoken": Spoken(JOB),
            "closed": Closed(),
        }
        raise errors[how]


@pytest.mark.parametrize(
    ("how", "code", "message"),
    [
        ("job", "NoSuchJob", f"NoSuchJob: job={JOB}"),
        ("login", "Refused", 'Refused: login={"user": "ada"}, masked=***'),
        ("spoken", "Spoken", "There is no such job."),
        ("closed", "Closed", "Closed"),
    ],
)
async def test_message_of_a_declared_error(how: str, code: str, message: str) -> None:
    """The message of a declared error is its name and shown fields, or its own `__str__`."""
    async with open_pair(Jobs()) as (session, _):
        with pytest.raises(RpcError) as caught:
            await session.call("Jobs.fail", how)

    assert caught.value.message == message
    assert caught.value.data["code"] == code


async def test_message_is_the_same_on_both_sides() -> None:
    """A declared error has the same message on both sides."""
    async with open_pair(Jobs(), Jobs) as (jobs, _):
        with pytest.raises(NoSuchJob) as caught:
            await jobs.fail("job")

    assert str(caught.value) == str(NoSuchJob(JOB)) == f"NoSuchJob: job={JOB}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ACME", "ACME"),
        ("a b", '"a b"'),
        ("", '""'),
        ("1", '"1"'),
        ("null", '"null"'),
        ("x=1, y=2", '"x=1, y=2"'),
        ('say "hi"', r'"say \"hi\""'),
        ("é日", "é日"),
        (1, "1"),
        (1.5, "1.5"),
        (True, "true"),
        (None, "null"),
        (Color.RED, "red"),
        (b"ab", '"YWI="'),
        (JOB, str(JOB)),
        (Decimal("1.5"), '"1.5"'),
        (date(2024, 1, 2), "2024-01-02"),
        (datetime(2024, 1, 2, 3, 4), "2024-01-02T03:04:00"),
        (time(3, 4), "03:04:00"),
        (timedelta(minutes=1), "60.0"),
        ([JOB, Color.RED], f'["{JOB}", "red"]'),
        ({1: {"a": (1, 2)}}, '{"1": {"a": [1, 2]}}'),
        (Pair(1, "a"), '{"x": 1, "y": "a"}'),
        (Login("ada", "s3cret"), '{"user": "ada"}'),
        (Session("ada", "s3cret"), '{"user": "ada"}'),
        ("x" * 500, "x" * 200 + "…"),
    ],
)
def test_values_in_a_message(value: object, text: str) -> None:
    """A value in a message looks as in JSON, and a simple text has no quotes."""
    assert str(Holds(value)) == f"Holds: value={text}"


def test_a_message_does_not_fail() -> None:
    """The message of an error can be made whatever its fields hold."""
    circle: list[Any] = []
    circle.append(circle)

    assert "object at" in str(Holds(object()))
    assert str(Holds(circle)).startswith("Holds: value=[[[")


def tenth(size: int) -> int:
    return 10 // size


@attrs.frozen
class Line:
    sku: str
    count: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    _size: int = attrs.field(default=1, converter=tenth, alias="size")
    kind: str = attrs.field(default="a", validator=[attrs.validators.in_(["a", "b"])])
    other: str = attrs.field(default="a", validator=attrs.validators.instance_of(str))


@attrs.define
class Order:
    lines: list[Line]
    by_name: dict[str, Line] = attrs.field(factory=dict)
    side: Literal["buy", "sell"] = "buy"

    def __attrs_post_init__(self) -> None:
        if len(self.lines) > 2:
            raise ValueError("at most two lines")


@service
class Shop:
    async def order(self, order: Order, *, note: str = "") -> Order:
        return order


@pytest.mark.parametrize(
    ("order", "path", "message"),
    [
        ({"lines": [{"sku": "a", "count": 0}]}, ".lines[0].count", "'count' must be >= 1: 0"),
        ({"lines": [{"sku": "a", "size": 0}]}, ".lines[0].size", "refused by Line"),
        (
            {"lines": [], "by_name": {"x": {"sku": "a", "kind": "z"}}},
            ".by_name.x.kind",
            "'kind' must be in ['a', 'b'] (got 'z')",
        ),
        ({"lines": [{"sku": "a"}] * 3}, "", "at most two lines"),
    ],
)
async def test_a_validator_refuses_a_field(order: Any, path: str, message: str) -> None:
    """A refused field is named by its path, with the reason of its validator or converter."""
    async with open_pair(Shop()) as (session, _):
        with pytest.raises(InvalidArguments) as caught:
            await session.call("Shop.order", order=order)

    assert caught.value.errors == [{"path": f"params.order{path}", "message": message}]


async def test_refused_arguments_read_as_a_sentence() -> None:
    """The message of InvalidArguments names each fault with its path."""
    async with open_pair(Shop()) as (session, _):
        with pytest.raises(InvalidArguments) as caught:
            await session.call("Shop.order", order={"lines": 1, "x": 2}, note=3)

    assert str(caught.value) == (
        "Shop.order: Invalid params: expected list @ params.order.lines;"
        " unknown field @ params.order.x; expected str @ params.note (-32602)"
    )


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, "Invalid params (-32602)"),
        ({"hint": "no"}, 'Invalid params (-32602) {"hint": "no"}'),
        ({"errors": ["no"]}, 'Invalid params (-32602) {"errors": ["no"]}'),
        ({"errors": [{"path": 1}]}, 'Invalid params (-32602) {"errors": [{"path": 1}]}'),
        ({"errors": "no"}, 'Invalid params (-32602) {"errors": "no"}'),
        ("no", "Invalid params (-32602) no"),
    ],
)
def test_refusals_of_other_peers(data: object, text: str) -> None:
    """InvalidArguments shows the data of any other server as JSON."""
    assert str(InvalidArguments(-32602, "Invalid params", data)) == text


async def test_a_wrong_literal_is_told_the_right_ones() -> None:
    """The error of a wrong Literal lists the allowed values."""
    async with open_pair(Shop(), Shop) as (shop, _):
        with pytest.raises(EncodeError) as caught:
            await shop.order(Order([], side="hold"))  # type: ignore[arg-type]  # on purpose

    assert str(caught.value).endswith(
        'expected "buy" | "sell", got another str @ params.order.side'
    )


def test_a_fault_of_an_interceptor_reads_alike() -> None:
    """`InvalidArguments.at` has a message of the same form."""
    error = farcall.InvalidArguments.at("params.symbol", "unknown symbol")

    assert str(error) == "Invalid params: unknown symbol @ params.symbol (-32602)"
