"""Qualifiers of types that have no effect on the wire: `Final`, `ReadOnly`."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, NotRequired, Required

import attrs
import pytest
import trio
from typing_extensions import ReadOnly, TypedDict

from farcall import DeclarationError, InvalidArguments, Signal, service, stream
from farcall.testing import open_pair


@attrs.define
class Point:
    x: Final[int]
    y: Final[int] = 2


@dataclass
class Size:
    width: Final[int]


class Table(TypedDict):
    id: ReadOnly[int]
    name: NotRequired[ReadOnly[str]]
    text: ReadOnly[NotRequired[str]]
    kind: ReadOnly[Annotated[Required[str], "a note"]]
    note: Annotated[ReadOnly[NotRequired[str]], "a note"]


@service
class Shapes:
    moved: Final[Signal[int]] = Signal()

    async def point(self, point: Point) -> Point:
        return point

    async def size(self, size: Size) -> Size:
        return size

    async def table(self, table: Table) -> Table:
        return table


async def test_final_field() -> None:
    """``Final[int]`` means int."""
    async with open_pair(Shapes(), Shapes) as (shapes, _):
        assert await shapes.point(Point(1)) == Point(1, 2)
        assert await shapes.size(Size(3)) == Size(3)


async def test_read_only_key() -> None:
    """``ReadOnly[int]`` means int, in any order with `NotRequired` and notes."""
    full: Table = {"id": 1, "name": "a", "text": "b", "kind": "c", "note": "d"}
    async with open_pair(Shapes(), Shapes) as (shapes, _):
        assert await shapes.table(full) == full
        small: Table = {"id": 1, "kind": "c"}
        assert await shapes.table(small) == small


async def test_final_signal() -> None:
    """A signal may be annotated as Final."""
    async with open_pair(Shapes(), Shapes) as (shapes, _), shapes.moved.subscribe():
        pass


@pytest.mark.parametrize("annotation", [Final, ReadOnly])
def test_bare_qualifier_is_refused(annotation: Any) -> None:
    """`Final` without a type is refused."""

    @attrs.define
    class Point:
        x: int

    Point.__annotations__["x"] = annotation
    with pytest.raises(DeclarationError, match=r"FC103 .* has no type. Write \w+\[\.\.\.\]"):

        @service
        class S:
            async def point(self, point: Point) -> None: ...


@service
class Nothing:
    changed: Signal[None] = Signal()

    @stream
    async def ticks(self, count: int) -> AsyncIterator[None]:
        for _ in range(count):
            yield None

    async def count(self, ticks: AsyncIterable[None]) -> int:
        return len([tick async for tick in ticks])

    async def run(self, *, task_status: trio.TaskStatus[None]) -> list[None]:
        task_status.started()
        return [None]


async def nothing() -> AsyncIterator[None]:
    for _ in range(3):
        yield None


async def test_none_is_a_type_of_items() -> None:
    """Streams, uploads, signals and tasks may be of None."""
    async with (
        open_pair(Nothing(), Nothing) as (proxy, _),
        trio.open_nursery() as nursery,
        proxy.changed.subscribe(),
    ):
        async with proxy.ticks(3) as ticks:
            assert [tick async for tick in ticks] == [None] * 3
        assert await proxy.count(nothing()) == 3
        assert await nursery.start(proxy.run) is None


@attrs.frozen
class Cat:
    type: Literal["cat"] = "cat"
    lives: int = 9


@attrs.frozen
class Dog:
    type: Literal["dog"] = "dog"
    lives: int = 1


@service
class Pets:
    async def echo(self, pet: Cat | Dog) -> Cat | Dog:
        return pet


async def test_tag_with_a_default() -> None:
    """``type: Literal["cat"] = "cat"`` tells the records of a union apart."""
    async with open_pair(Pets(), Pets) as (pets, _):
        assert await pets.echo(Dog(lives=2)) == Dog(lives=2)
        assert await pets.echo(Cat()) == Cat()


async def test_tag_with_a_default_is_needed() -> None:
    """Among others a record is named by its tag, so callers have to give it."""
    async with open_pair(Pets()) as (session, _):
        answer = await session.call("Pets.echo", {"type": "dog"})
        with pytest.raises(InvalidArguments) as caught:
            await session.call("Pets.echo", {"lives": 2})

    assert answer == {"type": "dog", "lives": 1}
    assert caught.value.errors == [{"path": "params[0].type", "message": "missing"}]


def test_tag_that_may_be_missing_is_refused() -> None:
    """A default that no stub can repeat is left out, so it cannot tell a record apart."""

    @attrs.frozen
    class Made:
        type: Literal["made"] = attrs.field(factory=lambda: "made")

    with pytest.raises(DeclarationError, match="'type' of Made may be left out"):

        @service
        class S:
            async def put(self, pet: Cat | Made) -> None: ...
