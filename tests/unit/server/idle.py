"""The bytes that an idle connection costs a server: ``python -m tests.unit.server.idle``.

Raw clients shake hands over socket pairs, say hello, make a call, and stay. What Python has
allocated meanwhile is counted by tracemalloc, so neither noise nor the clients are in the figure.
"""

from __future__ import annotations

import gc
import json
import socket
import sys
import tracemalloc

import trio
import trio.testing

from farcall import functions
from farcall._server.acceptor import Acceptor
from farcall._server.host import Host
from farcall._server.options import ServerOptions
from tests.unit.transport.websocket.sockets import PONG, REQUEST, TEXT, frame

WARM = 20
"""Connections that are opened before: they fill the caches of the process."""

MEASURED = 100


def request(id: int, method: str, params: object) -> bytes:
    message = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
    return frame(TEXT, json.dumps(message).encode())


LIMITS = {"message": 2**20, "calls": 1000, "subscriptions": 100, "bundle": 64}
UPGRADE = REQUEST.replace(b"example.com", b"localhost").replace(b"/chat?token=1", b"/")
SAID = (UPGRADE, request(1, "rpc.hello", {"v": 1, "limits": LIMITS}), request(2, "add", [2, 3]))


def add(left: int, right: int) -> int:
    """Do the least."""
    return left + right


async def open_one(nursery: trio.Nursery, acceptor: Acceptor) -> socket.socket:
    """Connect; return the socket of the client."""
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(far))
    nursery.start_soon(acceptor.handle, stream)
    heard = b""
    for said in (*SAID, frame(PONG, b"1")):
        near.send(said)
        if said[:1] != frame(PONG)[:1]:
            await trio.lowlevel.wait_readable(near)
            heard = near.recv(65536)
    assert b'"result":5' in heard, heard
    return near


async def measure() -> float:
    """Return the bytes of one connection."""
    options = ServerOptions()
    acceptor = Acceptor.of(Host(functions(add, name=""), options), options)
    async with trio.open_nursery() as nursery:
        clients = [await open_one(nursery, acceptor) for _ in range(WARM)]
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        clients += [await open_one(nursery, acceptor) for _ in range(MEASURED)]
        await trio.testing.wait_all_tasks_blocked()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        nursery.cancel_scope.cancel()
    for each in clients:
        each.close()
    return (after - before) / MEASURED


if __name__ == "__main__":
    sys.stdout.write(f"{trio.run(measure):.0f} bytes for each idle connection\n")
