"""Small JSON-RPC servers in the manner of other products, on real loopback sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
import trio_websocket

Answer = Callable[..., object]


@attrs.define
class ForeignServer:
    """A server that takes arguments by position only.

    Args:
        methods: The methods by name. A `Then` as a result sends notifications after it.
        unknown: The error for other methods.
    """

    methods: Mapping[str, Answer]
    unknown: Mapping[str, Any]
    heard: list[Any] = attrs.field(factory=list[Any])
    """Every message that came."""

    async def serve(self, request: trio_websocket.WebSocketRequest) -> None:
        """Serve one client until it leaves."""
        connection = await request.accept()
        while True:
            try:
                message = json.loads(await connection.get_message())
            except trio_websocket.ConnectionClosed:
                return
            self.heard.append(message)
            for answer in self._answers(message):
                await connection.send_message(json.dumps({"jsonrpc": "2.0", **answer}))

    def _answers(self, message: Any) -> list[dict[str, Any]]:
        method, params = message["method"], message.get("params", [])
        if method not in self.methods:
            return [{"id": message["id"], "error": self.unknown}]
        if not isinstance(params, list):
            error = {"code": -32602, "message": "params must be an array"}
            return [{"id": message["id"], "error": error}]
        result = self.methods[method](*params)
        if not isinstance(result, Then):
            return [{"id": message["id"], "result": result}]
        notices = [{"method": name, "params": params} for name, params in result.notifications]
        return [{"id": message["id"], "result": result.value}, *notices]


@attrs.frozen
class Then:
    """A result, and the notifications after it."""

    value: object
    notifications: list[tuple[str, Any]]


@asynccontextmanager
async def serving(server: ForeignServer) -> AsyncIterator[str]:
    """Serve on a free port, and return the URL."""
    async with trio.open_nursery() as nursery:
        listening = await nursery.start(
            trio_websocket.serve_websocket, server.serve, "127.0.0.1", 0, None
        )
        yield f"ws://127.0.0.1:{listening.port}/jsonrpc"
        nursery.cancel_scope.cancel()
