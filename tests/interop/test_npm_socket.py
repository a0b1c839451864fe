"""The npm package's WebSocket against a farcall server, with messages its client never sends."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

import farcall
from farcall import service
from tests.interop.peers import VERSIONS, Peer, run_peer

pytestmark = pytest.mark.requires("node")


@service(name="")
class Calculator:
    def add(self, a: int, b: int) -> int:
        return a + b


@asynccontextmanager
async def open_socket() -> AsyncIterator[Peer]:
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, Calculator(), 0)
        async with run_peer("raw.cjs", VERSIONS[-1], server.url) as peer:
            assert await peer.hear() == {"open": True}
            yield peer
        nursery.cancel_scope.cancel()


async def ask(peer: Peer, said: Any, kind: str = "text") -> Any:
    line = await peer.ask({kind: json.dumps(said)})
    assert line["isBinary"] is False
    return json.loads(line["frame"])


def add(a: int, b: int, id: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "add", "params": [a, b], "id": id}


def result(value: Any, id: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "result": value, "id": id}


async def test_a_batch() -> None:
    """A batch is answered by an array in the order of its requests."""
    async with open_socket() as peer:
        answers = await ask(peer, [add(1, 2, 1), add(3, 4, "two"), add(5, 6, None)])

    assert answers == [result(3, 1), result(7, "two"), result(11, None)]


@pytest.mark.parametrize("id", [0, "", None, -1, 1.5, "1", 2**53 - 1, "\U0001f600"])
async def test_an_odd_id(id: Any) -> None:
    """Ids that the package's own server ignores are answered."""
    async with open_socket() as peer:
        assert await ask(peer, add(1, 2, id)) == result(3, id)


@pytest.mark.parametrize("id", [True, [], {"a": 1}])
async def test_an_invalid_id(id: Any) -> None:
    """An id of another type is an invalid request, answered with the id null."""
    async with open_socket() as peer:
        answer = await ask(peer, add(1, 2, id))

    assert (answer["error"]["code"], answer["id"]) == (-32600, None)


async def test_binary_is_answered_in_text() -> None:
    """A binary message is answered in text, as the package's server does."""
    async with open_socket() as peer:
        assert await ask(peer, add(1, 2, 1), "binary") == result(3, 1)
