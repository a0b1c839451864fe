"""A process of the benchmark: one end of one system, told what to do by lines of JSON.

    python -m tests.benchmarks.child MODULE serve [VARIANT [MESSAGE]]
    python -m tests.benchmarks.child MODULE connect PORT

A server says ``{"port"}``, and its CPU time and memory when it is asked. A client takes an `Order`,
says that it is ready, begins when it is told to, says what it found, and closes when it is told to.
Both end with their standard input.
"""

from __future__ import annotations

import functools
import gc
import importlib
import json
import os
import resource
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.loads import LOADS, Found, Order, Site
from tests.benchmarks.peer import Options, Peer


def usage() -> dict[str, float]:
    """Tell what this process has used: seconds of CPU, user and system, and bytes of memory.

    Collecting garbage is no part of what is measured: `cpu` is from before, `cpu_after` from after.
    """
    cpu = time.process_time()
    gc.collect()
    memory = _resident()
    return {"cpu": cpu, "memory": memory, "cpu_after": time.process_time()}


def _resident() -> int:
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def say(line: Mapping[str, Any]) -> None:
    """Say a line to the parent."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _answer_questions() -> None:
    """Answer from a thread, so that the event loop of the server has nothing to do with it."""
    for _ in sys.stdin:
        say(usage())
    os._exit(0)


async def _serve(peer: Peer, options: Options) -> None:
    threading.Thread(target=_answer_questions, daemon=True).start()
    await peer.serve(options, lambda port: say({"port": port}))


class Parent:
    """The process that has started this client; a load sees it as its `Stage`."""

    def __init__(self, peer: Peer) -> None:
        self._in_thread = peer.runtime.in_thread
        self._cpu = 0.0
        self._began = 0.0

    async def next_order(self) -> Order | None:
        """Wait for an order; None at the end."""
        line = await self._in_thread(sys.stdin.readline)
        return Order(**json.loads(line)) if line else None

    async def begin(self) -> None:
        """Tell that all is open, and wait for the signal to begin."""
        say({"ready": True})
        await self._in_thread(sys.stdin.readline)
        self._cpu, self._began = time.process_time(), time.perf_counter()

    async def end(self, found: Found) -> None:
        """Hand over what was found, and wait for the signal to close."""
        seconds = time.perf_counter() - self._began
        cpu = time.process_time() - self._cpu
        found.latencies.sort()
        say(
            {
                "operations": found.operations,
                "seconds": seconds,
                "cpu": cpu,
                "memory": usage()["memory"],
                "p50": _quantile(found.latencies, 0.5),
                "p99": _quantile(found.latencies, 0.99),
            }
        )
        await self._in_thread(sys.stdin.readline)


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


async def _work(peer: Peer, port: int) -> None:
    parent = Parent(peer)
    site = Site(peer.runtime, functools.partial(peer.connect, port), parent)
    while (order := await parent.next_order()) is not None:
        try:
            await LOADS[order.load](site, order)
        except Exception as error:  # noqa: BLE001 - the parent goes on with others
            traceback.print_exc()
            cause = _cause(error)
            say({"failed": f"{type(cause).__name__}: {cause}"[:300]})
            return
        say({"closed": True})


def _cause(error: Exception) -> Exception:
    """Give the first exception of a group."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _raise_descriptors() -> None:
    """Allow as many open sockets as the system lets a process have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main(module: str, role: str, *rest: str) -> None:
    """Run one end of a system."""
    _raise_descriptors()
    peer: Peer = importlib.import_module(f"tests.benchmarks.systems.{module}").PEER
    if role == "serve":
        variant, message, *_ = [*rest, "", ""]
        options = Options(variant, int(message or 0))
        peer.runtime.run(functools.partial(_serve, peer, options))
    else:
        peer.runtime.run(functools.partial(_work, peer, int(rest[0])))


if __name__ == "__main__":
    main(*sys.argv[1:])
