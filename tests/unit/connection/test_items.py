"""Items of a stream: bytes in binary frames if both sides know the type, else JSON."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from farcall import InvalidResult, Json, Session, service, stream
from farcall._client.options import Dialect
from farcall._codec import codec_of
from farcall._connection.items import ItemCodec
from farcall._protocol.binary import Blob
from farcall.testing import open_pair

DIALECTS: list[Dialect] = ["farcall", "plain"]
BASE64 = "/wAB"


@service
class Bytes:
    @stream
    async def give(self) -> AsyncIterator[bytes]:
        yield b"\xff\x00\x01"

    async def take(self, chunks: AsyncIterable[bytes]) -> Json:
        return [byte async for chunk in chunks for byte in chunk]


@service(name="Bytes")
class Texts:
    """The same methods, as another version of the service declares them."""

    async def take(self, chunks: AsyncIterable[Json]) -> Json:
        return [chunk async for chunk in chunks]


async def chunks() -> AsyncIterator[bytes]:
    yield b"\xff\x00\x01"
    yield b"\x02"


async def items_of(session: Session, **options: Any) -> list[Any]:
    async with session.stream("Bytes.give", **options) as items:
        return [item async for item in items]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_bytes_without_a_type_are_base64(dialect: Dialect, autojump_clock: MockClock) -> None:
    """A caller without types gets base64, whether or not the item came in a binary frame."""
    async with open_pair(Bytes(), dialect=dialect) as (session, _):
        assert await items_of(session) == [BASE64]
        assert await items_of(session, returns=str) == [BASE64]
        assert await items_of(session, returns=bytes | None) == [b"\xff\x00\x01"]
        assert await items_of(session, returns=bytes) == [b"\xff\x00\x01"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_bytes_are_of_no_other_type(dialect: Dialect, autojump_clock: MockClock) -> None:
    """Bytes where another type is declared are refused like a wrong text."""
    async with open_pair(Bytes(), dialect=dialect) as (session, _):
        with pytest.raises(InvalidResult, match=r"Bytes\.give: expected int @ item"):
            await items_of(session, returns=int)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_handler_may_take_bytes_for_text(
    dialect: Dialect, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler that declares text gets the base64 of bytes."""
    async with open_pair(Texts(), Bytes, dialect=dialect, contract="warn") as (proxy, _):
        assert await proxy.take(chunks()) == [BASE64, "Ag=="]


async def test_bytes_are_bytes_and_nothing_else(autojump_clock: MockClock) -> None:
    """Handlers and callers get built-in `bytes`."""
    async with open_pair(Bytes(), Bytes) as (proxy, _):
        async with proxy.give() as items:
            assert [type(item) async for item in items] == [bytes]
        with trio.fail_after(1):
            assert await proxy.take(chunks()) == [255, 0, 1, 2]


def test_bytes_are_handed_out_as_they_came() -> None:
    """Items of bytes are not copied on their way to the reader."""
    data = b"\xff\x00\x01"
    item = ItemCodec(codec_of(bytes), is_binary=True)

    assert item.encode(data, at="item") is data
    assert item.decode(Blob(data), unknown="ignore", at="item") is data
