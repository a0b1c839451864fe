"""Notes of `Annotated`: those that limit values are refused, descriptions are ignored."""

from __future__ import annotations

import math
from collections.abc import AsyncIterable, AsyncIterator
from typing import Annotated, Any, NamedTuple, NewType, NotRequired, TypedDict

import annotated_types as at
import attrs
import msgspec
import pydantic
import pytest
import trio
from typing_extensions import Doc

from farcall import DeclarationError, Signal, service, stream
from farcall.testing import open_pair


def checked(value: int) -> int:
    return value


LIMITS: list[Any] = [
    Annotated[int, at.Gt(0)],
    Annotated[int, at.Ge(0)],
    Annotated[int, at.Lt(9)],
    Annotated[int, at.Le(9)],
    Annotated[int, at.Interval(gt=0)],
    Annotated[int, at.MultipleOf(2)],
    Annotated[str, at.MinLen(1)],
    Annotated[str, at.MaxLen(9)],
    Annotated[str, at.Len(1, 9)],
    Annotated[str, at.Predicate(str.islower)],
    Annotated[float, at.Predicate(math.isfinite)],
    at.LowerCase[str],
    Annotated[list[int], 1:9],
    Annotated[int, msgspec.Meta(gt=0)],
    Annotated[int, msgspec.Meta(ge=0)],
    Annotated[int, msgspec.Meta(lt=9)],
    Annotated[int, msgspec.Meta(le=9)],
    Annotated[int, msgspec.Meta(multiple_of=2)],
    Annotated[str, msgspec.Meta(min_length=0, description="text")],
    Annotated[str, msgspec.Meta(max_length=9)],
    Annotated[str, msgspec.Meta(pattern="a")],
    Annotated[int, pydantic.Field(gt=0)],
    Annotated[str, pydantic.Field(pattern="a")],
    Annotated[list[str], pydantic.Field(min_length=1, description="some")],
    Annotated[str, pydantic.StringConstraints(min_length=1)],
    Annotated[int, pydantic.AfterValidator(checked)],
    pydantic.PositiveInt,
    pydantic.UUID4,
    Annotated[int, attrs.validators.gt(0)],
    Annotated[int, attrs.validators.and_(attrs.validators.gt(0), attrs.validators.lt(9))],
    Annotated[int, "a note", at.Gt(0)],
    Annotated[Annotated[int, at.Gt(0)], "a note"],
    list[Annotated[int, at.Gt(0)]],
    dict[str, Annotated[int, at.Gt(0)]] | None,
    tuple[int, Annotated[int, at.Gt(0)]],
    NewType("Positive", Annotated[int, at.Gt(0)]),
]

NOTES: list[Any] = [
    Annotated[int, "a note"],
    Annotated[int, Doc("How many.")],
    Annotated[int, at.doc("How many.")],
    Annotated[int, at.Unit("m")],
    Annotated[int, None],
    Annotated[int, ["no", "hash"]],
    Annotated[int, msgspec.Meta(title="Count", description="How many.", examples=[1])],
    Annotated[int, pydantic.Field(description="How many.", examples=[1])],
    Annotated[int, pydantic.Field(strict=True)],
    Annotated[int, attrs],
]


def declared(annotation: Any) -> type[Any]:
    async def put(self: object, value: Any) -> None: ...

    put.__annotations__["value"] = annotation
    return service(type("S", (), {"put": put, "__module__": __name__}))


@pytest.mark.parametrize("annotation", LIMITS)
def test_limit_is_refused(annotation: Any) -> None:
    """An `Annotated` note that limits values is refused: farcall would not enforce it."""
    with pytest.raises(DeclarationError, match="limits the values") as caught:
        declared(annotation)

    assert caught.value.number == "FC207"
    assert " at 0x" not in str(caught.value)


@pytest.mark.parametrize("annotation", NOTES)
async def test_note_is_ignored(annotation: Any) -> None:
    """An `Annotated` note that only describes values is ignored."""
    async with open_pair(declared(annotation)()) as (session, _):
        assert await session.call("S.put", 1) is None


@attrs.frozen
class Attrs:
    count: Annotated[int, at.Gt(0)]


class Tuple(NamedTuple):
    number: Annotated[int, at.Gt(0)]


class Table(TypedDict):
    count: Annotated[NotRequired[int], at.Gt(0)]


class InsideTable(TypedDict):
    count: NotRequired[Annotated[int, at.Gt(0)]]


@pytest.mark.parametrize(
    ("record", "place"),
    [
        (Attrs, "Attrs.count"),
        (Tuple, "Tuple.number"),
        (Table, "Table.count"),
        (InsideTable, "InsideTable.count"),
    ],
)
def test_limit_in_a_record_is_refused(record: Any, place: str) -> None:
    """The error for a note names its place."""
    with pytest.raises(DeclarationError, match=f"FC207 put: parameter 'value', at {place}: Gt"):
        declared(record)


def test_limit_is_refused_wherever_values_cross() -> None:
    """Notes are checked in results, items, uploads, signals, keys and task statuses."""
    positive = Annotated[int, at.Gt(0)]

    with pytest.raises(DeclarationError, match=r"FC207 A.get: the result"):

        @service
        class A:
            async def get(self) -> positive:
                return 1

    with pytest.raises(DeclarationError, match=r"FC207 B.get: an item"):

        @service
        class B:
            @stream
            async def get(self) -> AsyncIterator[positive]:
                yield 1

    with pytest.raises(DeclarationError, match=r"FC207 C.put: an item of parameter 'values'"):

        @service
        class C:
            async def put(self, values: AsyncIterable[positive]) -> None: ...

    with pytest.raises(DeclarationError, match=r"FC207 D.changed"):

        @service
        class D:
            changed: Signal[positive] = Signal()

    with pytest.raises(DeclarationError, match=r"FC207 E.run: the value of task_status"):

        @service
        class E:
            async def run(self, *, task_status: trio.TaskStatus[positive]) -> None: ...


def test_limit_on_the_number_of_items_is_refused() -> None:
    """A note around a stream or an upload counts as well."""
    with pytest.raises(DeclarationError, match=r"FC207 A.put: the upload 'values'"):

        @service
        class A:
            async def put(self, values: Annotated[AsyncIterable[int], at.MinLen(1)]) -> None: ...

    with pytest.raises(DeclarationError, match=r"FC207 B.get: the result"):

        @service
        class B:
            @stream
            async def get(self) -> Annotated[AsyncIterator[int], at.MaxLen(9)]:
                yield 1
