"""The peer of the Autobahn|Testsuite."""

from __future__ import annotations

import trio

from tests.unit.transport.websocket.echo import LIMITS, Echo, count
from tests.unit.transport.websocket.sockets import BINARY, TEXT, close_frame, frame, open_raw_client


async def test_what_is_heard_is_said_again() -> None:
    """Text returns as text, and bytes as bytes, until the link ends."""
    async with open_raw_client(LIMITS) as (raw, server), trio.open_nursery() as nursery:
        nursery.start_soon(Echo(server).run)
        await raw.send(frame(TEXT, "grün".encode()), frame(BINARY, b"\xff"))
        await raw.expect(frame(TEXT, "grün".encode(), masked=False))
        await raw.expect(frame(BINARY, b"\xff", masked=False))
        await raw.send(close_frame(1000))
        await raw.expect(close_frame(1000, masked=False))
        await raw.hang_up()


def test_a_report_is_added_up() -> None:
    """Results are added up for each section, in order."""
    outcomes = {"10.1.1": "OK", "2.1": "OK", "2.2": "NON-STRICT", "2.10": "OK"}
    report = {"farcall": {case: {"behavior": how} for case, how in outcomes.items()}}

    counted = count(report)

    assert list(counted) == [2, 10]
    assert counted[2] == {"OK": 2, "NON-STRICT": 1}
