"""What a server holds while peers attack its memory, in each way that is known.

The server is a process of its own with small limits, fresh for each attack, and the attackers are
another. Each attack asks for much more than the limits allow, reads nothing, and stays; meanwhile
a good client must get its answers. Printed are the bound that `docs/limits.md` states for these
limits, and how much the server has grown: at rest, and at most.

    python -m tests.benchmarks.memory [NAME ...]
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import psutil
import trio

import farcall
from farcall import Credentials, Json, Limits, Principal, Signal, service, stream
from tests.unit.transport.websocket.sockets import TEXT, Raw, frame

MIB = 1024 * 1024
LIMITS = Limits(
    process_bytes=32 * MIB,
    process_calls=2000,
    process_call_bytes=8 * MIB,
    call_bytes=4 * MIB,
    queued_bytes=4 * MIB,
    subscription_bytes=2 * MIB,
)
LARGEST = 16 * MIB
"""Of what this server answers, in one message."""

COPIES = 2
"""A message that is being sent is in memory twice: as it was said, and as it goes out."""
DECODED = 32
"""Times its size that a text may take as objects."""
CONNECTION = 64 * 1024
"""Bytes that one costs with nothing to do."""
CALL = 8 * 1024
"""Bytes that one costs in flight, with its task."""


@attrs.frozen
class Key:
    """A value that is filtered by what a peer chooses."""

    name: str


@service(name="")
class Target:
    """What a service may well have."""

    keyed: Signal[Key] = Signal(key="name")
    loud: Signal[str] = Signal()

    async def add(self, left: int, right: int) -> int:
        """Do the least."""
        return left + right

    async def measure(self, text: str) -> int:
        """Take much."""
        return len(text)

    async def fetch(self, size: int) -> str:
        """Give much."""
        return "x" * size

    async def keep(self, value: Json) -> None:
        """Take its time."""
        await trio.sleep_forever()

    async def take(self, items: AsyncIterable[str]) -> None:
        """Take its time, with an upload."""
        await trio.sleep_forever()

    async def shout(self, size: int) -> None:
        """Emit to everybody."""
        self.loud.emit("x" * size)

    @stream
    async def flood(self, size: int) -> AsyncIterator[str]:
        """Wait for nothing but the reader."""
        while True:
            yield "x" * size

    @stream
    async def collect(self, count: int, size: int) -> AsyncIterator[str]:
        """Take its time before the end."""
        for _ in range(count):
            yield "x" * size
        await trio.sleep_forever()


async def authenticate(credentials: Credentials) -> Principal | None:
    """Take its time."""
    if credentials.login is not None:
        await trio.sleep_forever()
    return None


# The attackers


def request(id: int | None, method: str, params: Any, **more: Any) -> bytes:
    """Write a frame with a request, or a notification."""
    message = {"jsonrpc": "2.0", "method": method, "params": params, **more}
    if id is not None:
        message["id"] = id
    return frame(TEXT, json.dumps(message).encode())


def hello(**members: Any) -> bytes:
    """Write a greeting that promises to take anything."""
    limits = {"message": 2**53, "calls": 2**53, "subscriptions": 2**53, "bundle": 1}
    return request(0, "rpc.hello", {"v": 1, "limits": limits, **members})


BIG = "x" * (MIB - 300)
"""What fits into a message that a server takes."""
LARGE = "x" * 600_000
"""What a good client sends at the end."""
ENDLESS = {"credit": [2**53, 2**53]}
NESTED = "[" + ",".join(["[]"] * (MIB // 3 - 100)) + "]"


def unread_results() -> list[bytes]:
    """Large results that nobody reads."""
    return [request(number, "fetch", [10_000_000]) for number in range(1, 6)]


def unread_small_results() -> list[bytes]:
    """So many that only what is beside the text counts."""
    return [request(number, "fetch", [1]) for number in range(1, 2000)]


def endless_credit() -> list[bytes]:
    """Streams that may send as much as there is."""
    return [hello(), *[request(n, "flood", [100_000], meta=ENDLESS) for n in range(1, 101)]]


def plain_streams() -> list[bytes]:
    """Streams of a peer that gets each as one array."""
    return [request(number, "collect", [9, 1_000_000]) for number in range(1, 21)]


def unread_uploads() -> list[bytes]:
    """Uploads whose first item is as large as a message."""
    frames = [hello()]
    for number in range(1, 41):
        items = {"upload": f"u{number}", "seq": 0, "values": [BIG]}
        frames += [
            request(number, "take", {"items": {"$stream": f"u{number}"}}),
            request(None, "rpc.items", items),
        ]
    return frames


def keys() -> list[bytes]:
    """Subscriptions that are filtered by large keys."""
    return [
        hello(),
        *[request(n, "rpc.subscribe", {"signal": "keyed", "key": BIG}) for n in range(1, 129)],
    ]


def unread_values() -> list[bytes]:
    """Many subscriptions to one signal, without credit for more than one value."""
    meta = {"credit": [1, 1]}
    return [
        hello(),
        *[request(n, "rpc.subscribe", {"signal": "loud"}, meta=meta) for n in range(1, 129)],
        *[request(1000 + n, "shout", [50_000]) for n in range(20)],
    ]


def unread_events() -> list[bytes]:
    """The same of a plain peer, which has one subscription to a signal."""
    return [
        request(1, "rpc.on", ["loud"]),
        *[request(1000 + n, "shout", [50_000]) for n in range(20)],
    ]


def logins() -> list[bytes]:
    """Logins that take their time."""
    return [request(number, "rpc.login", [BIG]) for number in range(1, 6)]


def greetings() -> list[bytes]:
    """Greetings that say as much as there may be."""
    return [hello(contracts={f"{n:0256}": f"{n:0256}" for n in range(1024)})]


def large_greetings() -> list[bytes]:
    """Greetings that say more."""
    return [hello(contracts={f"{number}": "" for number in range(60_000)})]


def incomplete_messages() -> list[bytes]:
    """Messages without their end."""
    return [frame(TEXT, BIG.encode(), fin=False)]


def small_incomplete_messages() -> list[bytes]:
    """Many, each smaller than what a good client sends, just within the limit together."""
    return [frame(TEXT, BIG[:300_000].encode())[:170_000]]


def params() -> list[bytes]:
    """Calls whose params are as large as objects as can be."""
    text = '{"jsonrpc":"2.0","id":%d,"method":"keep","params":[%s]}'
    return [frame(TEXT, (text % (number, NESTED)).encode()) for number in range(1, 17)]


def quotes() -> list[bytes]:
    """Requests that have their errors quote what they say."""
    return [hello(), *[request(n, "rpc.subscribe", {"signal": BIG}) for n in range(1, 41)]]


def unfinished_batches() -> list[bytes]:
    """Batches of which one call does not end, and all others have answers that are large."""
    head = {"jsonrpc": "2.0", "method": "keep", "params": [0]}
    return [
        frame(TEXT, json.dumps([{**head, "id": number}, *["?"] * 999]).encode())
        for number in range(1, 200)
    ]


@attrs.frozen
class Attack:
    """What each of some peers sends."""

    frames: Callable[[], list[bytes]]
    peers: int

    @property
    def name(self) -> str:
        """That of the function."""
        return self.frames.__name__


ATTACKS = {
    attack.name: attack
    for attack in (
        Attack(unread_results, 30),
        Attack(unread_small_results, 20),
        Attack(endless_credit, 10),
        Attack(plain_streams, 10),
        Attack(unread_uploads, 10),
        Attack(keys, 5),
        Attack(unread_values, 20),
        Attack(unread_events, 50),
        Attack(logins, 50),
        Attack(greetings, 300),
        Attack(large_greetings, 60),
        Attack(incomplete_messages, 300),
        Attack(small_incomplete_messages, 196),
        Attack(params, 10),
        Attack(quotes, 10),
        Attack(unfinished_batches, 10),
    )
}


async def attack_from_here(attack: Attack, port: int) -> None:
    """Send all, read nothing but the handshake, and stay until standard input ends."""
    frames = attack.frames()
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(8):
            async with trio.open_nursery() as senders:
                for _ in range(attack.peers):
                    senders.start_soon(send_all, port, frames, nursery)
        print("sent", flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()


REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


async def send_all(port: int, frames: list[bytes], stay: trio.Nursery) -> None:
    """Be one peer; the server may hang up on it at any time."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    raw = Raw(stream)
    await raw.send(REQUEST)
    await raw.read_head()
    stay.start_soon(keep_open, stream)
    try:
        for each in frames:
            await raw.send(each)
    except trio.BrokenResourceError:
        pass


async def keep_open(stream: trio.SocketStream) -> None:
    """Have the garbage collector leave it alone."""
    async with stream:
        await trio.sleep_forever()


# The server, and who watches it


async def serve() -> None:
    """Serve until standard input ends."""
    start = functools.partial(farcall.serve, Target(), 0, authenticate=authenticate, limits=LIMITS)
    async with trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(start)
        print(server.port, flush=True)
        await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()


def child(*arguments: str) -> subprocess.Popen[str]:
    """Run this command in another process."""
    command = [sys.executable, "-m", "tests.benchmarks.memory", *arguments]
    pipe = subprocess.PIPE
    # glibc would keep what was freed once for the next time; what is held is to be seen.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    return subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment, text=True
    )


def line_of(process: subprocess.Popen[str]) -> str:
    """Read a line that a child says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def bound(attack: Attack) -> float:
    """Give what the server may have grown by, in MiB."""
    waiting = COPIES * LIMITS.process_bytes
    calls = DECODED * LIMITS.process_call_bytes + CALL * LIMITS.process_calls
    # What is made, or read, and not counted yet: an answer as objects, text and frame.
    passing = 3 * LARGEST
    return (waiting + calls + passing + attack.peers * CONNECTION) / MIB


def show(attack: Attack) -> None:
    """Attack a fresh server, and print what it held."""
    with child("--serve") as server:
        port = line_of(server)
        watched = psutil.Process(server.pid)
        before = watched.memory_info().rss
        with child("--attack", attack.name, port) as attackers:
            slowest = trio.run(be_good, int(port), attackers)
            after = watched.memory_info().rss
            most = most_resident(server.pid)
            attackers.communicate()
        server.communicate()
    grown = ((size - before) / MIB for size in (after, most))
    columns = (bound(attack), *grown, slowest * 1000)
    print(f"{attack.name:26}", "".join(f"{column:10.0f}" for column in columns), flush=True)


async def be_good(port: int, attackers: subprocess.Popen[str]) -> float:
    """Make calls until the attack is at rest, and tell the seconds of the slowest."""
    times: list[float] = []

    async def call_on() -> None:
        while True:
            began = time.perf_counter()
            # Where the attackers have all calls of the process that is an answer as well.
            with suppress(farcall.Busy):
                assert await session.call("add", 1, 2) == 3
            times.append(time.perf_counter() - began)
            await trio.sleep(0.01)

    async with farcall.connect(f"ws://127.0.0.1:{port}") as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call_on)
            assert await trio.to_thread.run_sync(line_of, attackers) == "sent"
            await trio.sleep(1)
            nursery.cancel_scope.cancel()
        # A large message comes through as well.
        with suppress(farcall.Busy):
            assert await session.call("measure", LARGE) == len(LARGE)
    return max(times)


def most_resident(pid: int) -> int:
    """Tell how many bytes of memory a process has had at most."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    (kib,) = re.findall(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(kib) * 1024


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.memory")
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[[], *ATTACKS])
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--attack", nargs=2, help=argparse.SUPPRESS)
    options: Any = parser.parse_args()
    if options.serve:
        trio.run(serve)
    elif options.attack:
        name, port = options.attack
        trio.run(attack_from_here, ATTACKS[name], int(port))
    else:
        print(f"{'MiB':26} {'bound':>10}{'at rest':>10}{'at most':>10}{'a call, ms':>12}")
        for name in options.names or ATTACKS:
            show(ATTACKS[name])


if __name__ == "__main__":
    main()
