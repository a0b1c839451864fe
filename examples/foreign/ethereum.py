"""A client of an Ethereum node: calls, and new blocks as they come.

Start ``anvil`` or another node in one terminal, and in another one
``python -m examples.foreign.ethereum ws://127.0.0.1:8545``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress

import attrs
import trio

import farcall


@attrs.frozen
class Header:
    """A block without its transactions; the node sends more fields, which are ignored."""

    number: str
    hash: str
    parent_hash: str = attrs.field(alias="parentHash")


@attrs.frozen
class Notice:
    """What a node sends to subscribers."""

    subscription: str
    result: Header


class NodeProxy(farcall.Proxy):
    """The methods of a node that this program calls, all of them by position."""

    headers: farcall.RemoteSignal[Notice] = farcall.RemoteSignal("eth_subscription")
    """What comes after `subscribe`."""

    @farcall.endpoint("eth_blockNumber")
    async def block_number(self) -> str:
        """Give the number of the last block, in hexadecimal digits."""
        raise NotImplementedError

    @farcall.endpoint("eth_getBlockByNumber")
    async def block(self, number: str, full: bool = False, /) -> Header | None:
        """Give a block; None where there is no such block yet."""
        raise NotImplementedError

    @farcall.endpoint("eth_subscribe")
    async def subscribe(self, kind: str, /) -> str:
        """Ask for notifications, and give the id that each of them carries."""
        raise NotImplementedError

    @farcall.endpoint("eth_unsubscribe")
    async def unsubscribe(self, subscription: str, /) -> bool:
        """End a subscription."""
        raise NotImplementedError


async def follow(node: NodeProxy, on_header: Callable[[Header], None]) -> None:
    """Call a function with the header of each new block, until cancelled."""
    # Listen before you ask: the first notification may follow the answer at once.
    async with node.headers.listen() as notices:
        subscription = await node.subscribe("newHeads")
        try:
            async for notice in notices:
                if notice.subscription == subscription:
                    on_header(notice.result)
        finally:
            # A lost or cancelled connection has ended its subscriptions already.
            with trio.move_on_after(1, shield=True), suppress(farcall.ConnectionLost):
                await node.unsubscribe(subscription)


async def main(url: str) -> None:
    async with farcall.connect(url, NodeProxy) as node:
        last = await node.block(await node.block_number())
        print("last", last)
        await follow(node, lambda header: print("new", header))


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
