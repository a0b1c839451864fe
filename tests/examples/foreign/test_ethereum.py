"""The example of an Ethereum node, against a server that answers as nodes do."""

from __future__ import annotations

from typing import Any

import trio

import farcall
from examples.foreign.ethereum import Header, NodeProxy, follow
from tests.examples.foreign.servers import ForeignServer, Then, serving

ID = "0xcd0c3e8af590364c09d0fa6a1210faf5"


def block(number: int) -> dict[str, Any]:
    more = {"gasUsed": "0x0", "miner": "0x00", "logsBloom": "0x00"}
    return {"number": hex(number), "hash": f"0x{number}a", "parentHash": f"0x{number - 1}a", **more}


def notice(subscription: str, number: int) -> tuple[str, Any]:
    return "eth_subscription", {"subscription": subscription, "result": block(number)}


def subscribe(kind: str) -> object:
    assert kind == "newHeads"
    return Then(ID, [notice("0xother", 7), notice(ID, 8), notice(ID, 9)])


def node() -> ForeignServer:
    return ForeignServer(
        {
            "eth_blockNumber": lambda: "0x6",
            "eth_getBlockByNumber": lambda number, full=False: (
                block(int(number, 16)) if int(number, 16) < 7 else None
            ),
            "eth_subscribe": subscribe,
            "eth_unsubscribe": lambda subscription: subscription == ID,
        },
        unknown={"code": -32601, "message": "the method does not exist/is not available"},
    )


async def test_calls_go_by_position() -> None:
    """Arguments are sent by position, and unknown fields of a block are ignored."""
    server = node()
    async with serving(server) as url, farcall.connect(url, NodeProxy) as proxy:
        with trio.fail_after(5):
            assert await proxy.block_number() == "0x6"
            assert await proxy.block("0x6", True) == Header("0x6", "0x6a", "0x5a")
            assert await proxy.block("0x7") is None

    assert [each.get("params") for each in server.heard[1:]] == [None, ["0x6", True], ["0x7"]]


async def test_new_blocks_are_heard() -> None:
    """The notifications of a subscription arrive in order, without those of another."""
    server, heard = node(), list[str]()
    async with serving(server) as url, farcall.connect(url, NodeProxy) as proxy:
        with trio.fail_after(5), trio.CancelScope() as scope:

            def take(header: Header) -> None:
                heard.append(header.number)
                if len(heard) == 2:
                    scope.cancel()

            await follow(proxy, take)

    assert heard == ["0x8", "0x9"]
    assert [each["method"] for each in server.heard] == [
        "rpc.hello",
        "eth_subscribe",
        "eth_unsubscribe",
    ]
