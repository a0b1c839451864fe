"""One deadline and one cancellation on their way through three services in a row.

Three servers listen on the loopback; each handler calls the next service, the last one sleeps. All
of it is in one process, so that one clock tells when each handler began, and when it ended.

    python -m tests.benchmarks.trace
"""

from __future__ import annotations

from contextlib import AsyncExitStack

import attrs
import trio

import farcall
from farcall import current_call, service

NAMES = ("first", "second", "third")
SECONDS = 0.25


@attrs.frozen
class Line:
    """What one service saw of one call."""

    name: str
    began: float
    ended: float
    left: float
    """Seconds until the deadline when it began."""
    reason: str | None


@attrs.define
class Trace:
    """What was seen, in the order in which the handlers ended."""

    began: float = attrs.field(factory=trio.current_time)
    lines: list[Line] = attrs.field(factory=list[Line])

    def since(self, at: float) -> float:
        """Give a time in milliseconds since the beginning."""
        return (at - self.began) * 1000

    def show(self, title: str, ended: float) -> None:
        """Print it, in the order in which the calls were made."""
        print(f"{title}\n  {'service':8} {'began':>9} {'left':>9} {'ended':>9}  reason   (ms)")
        for name in NAMES:
            for line in (each for each in self.lines if each.name == name):
                left = f"{line.left * 1000:9.3f}" if line.left < 1e6 else "     none"
                began, over = self.since(line.began), self.since(line.ended)
                print(f"  {name:8} {began:9.3f} {left} {over:9.3f}  {line.reason}")
        print(f"  {'caller':8} {0:9.3f} {'':9} {self.since(ended):9.3f}")


@service
class Step:
    """One of the services in the row."""

    def __init__(self, name: str, onward: Step | None, traces: list[Trace]) -> None:
        self._name = name
        self._onward = onward
        self._traces = traces

    async def go(self) -> None:
        """Call the next service, or sleep."""
        began = trio.current_time()
        left = current_call().deadline - began
        try:
            if self._onward is not None:
                await self._onward.go()
            await trio.sleep_forever()
        finally:
            ended, reason = trio.current_time(), current_call().cancel_reason
            self._traces[-1].lines.append(Line(self._name, began, ended, left, reason))


async def main() -> None:
    """Serve, call twice, and print."""
    traces: list[Trace] = []
    async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
        onward: Step | None = None
        for name in reversed(NAMES):
            step = Step(name, onward, traces)
            server: farcall.Server = await nursery.start(farcall.serve, step, 0)
            onward = await stack.enter_async_context(farcall.connect(server.url, Step))
        assert onward is not None
        await onward_deadline(onward, traces)
        await onward_cancel(onward, traces)
        await stack.aclose()
        nursery.cancel_scope.cancel()


async def onward_deadline(first: Step, traces: list[Trace]) -> None:
    """Run out of time."""
    trace = Trace()
    traces.append(trace)
    with trio.move_on_after(SECONDS):
        await first.go()
    ended = trio.current_time()
    await trio.sleep(0.05)
    trace.show(f"a deadline of {SECONDS * 1000:.0f} ms", ended)


async def onward_cancel(first: Step, traces: list[Trace]) -> None:
    """Leave in the middle."""
    trace = Trace()
    traces.append(trace)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(first.go)
            await trio.sleep(SECONDS)
            trace.began = trio.current_time()
            scope.cancel()
    ended = trio.current_time()
    await trio.sleep(0.05)
    trace.show("a cancellation; times since the scope was cancelled", ended)


if __name__ == "__main__":
    trio.run(main)
