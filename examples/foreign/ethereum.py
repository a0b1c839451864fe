"""A client of an Ethereum node: make calls, and follow new blocks.

Run ``anvil`` or another node in one terminal and
``python -m examples.foreign.ethereum ws://127.0.0.1:8545`` in another.
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
    """A block without its transactions; other fields that the node sends are ignored."""

    number: str
    hash: str
    parent_hash: str = attrs.field(alias="parentHash")


@attrs.frozen
class Notice:
    """A notification of a subscription."""

    subscription: str
    result: Header


class NodeProxy(farcall.Proxy):
    """The methods of a node that this program calls; arguments are sent as arrays."""

    headers: farcall.RemoteSignal[Notice] = farcall.RemoteSignal("eth_subscription")
    """The notifications that `subscribe` asks for."""

    @farcall.endpoint("eth_blockNumber")
    async def block_number(self) -> str:
        """Return the number of the last block, in hexadecimal."""
        raise NotImplementedError

    @farcall.endpoint("eth_getBlockByNumber")
    async def block(self, number: str, full: bool = False, /) -> Header | None:
        """Return a block, or None if it does not exist yet."""
        raise NotImplementedError

    @farcall.endpoint("eth_subscribe")
    async def subscribe(self, kind: str, /) -> str:
        """Ask for notifications, and return the subscription id that each of them contains."""
        raise NotImplementedError

    @farcall.endpoint("eth_unsubscribe")
    async def unsubscribe(self, subscription: str, /) -> bool:
        """End a subscription."""
        raise NotImplementedError


async def follow(node: NodeProxy, on_header: Callable[[Header], None]) -> None:
    """Call `on_header` for each new block, until cancelled."""
    # Listen before subscribing: the first notification may follow the response at once.
    async with node.headers.listen() as notices:
        subscription = await node.subscribe("newHeads")
        try:
            async for notice in notices:
                if notice.subscription == subscription:
                    on_header(notice.result)
        finally:
            # If the connection is lost, the subscription has ended already.
            with trio.move_on_after(1, shield=True), suppress(farcall.ConnectionLost):
                await node.unsubscribe(subscription)


async def main(url: str) -> None:
    async with farcall.connect(url, NodeProxy) as node:
        last = await node.block(await node.block_number())
        print("last", last)
        await follow(node, lambda header: print("new", header))


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
