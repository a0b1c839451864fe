"""A server of plain functions on top of the protocol, for what the specification shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from farcall._protocol.messages import Error
from farcall._protocol.state import IncomingCall
from farcall.errors import ErrorCode
from tests.unit.protocol.pair import Peer, Told, make_hello


def subtract(minuend: int, subtrahend: int) -> int:
    return minuend - subtrahend


def add_up(*numbers: int) -> int:
    return sum(numbers)


def get_data() -> list[Any]:
    return ["hello", 5]


METHODS: Mapping[str, Callable[..., Any]] = {
    "subtract": subtract,
    "sum": add_up,
    "get_data": get_data,
    "echo": lambda *args: list(args),
}


class Calculator:
    """Respond as a server does; each call is run when it comes, in any order."""

    def __init__(self) -> None:
        self.peer = Peer(make_hello(), has_dialled=False)
        self.heard: list[str] = []

    def ask(self, frame: str | bytes, *, is_reversed: bool = False) -> Any:
        """Return the reply to a frame, as plain data; None for no reply.

        Args:
            frame: What the client says.
            is_reversed: Whether the handlers end in the opposite order.
        """
        told = self.peer.receive(frame)
        for each in reversed(told) if is_reversed else told:
            self._react(each)
        answers = [json.loads(self.peer.sent.popleft()) for _ in range(len(self.peer.sent))]
        assert len(answers) <= 1
        return answers[0] if answers else None

    def _react(self, told: Told) -> None:
        match told:
            case ("request", IncomingCall() as call):
                self._answer(call)
            case ("notification", str(method), _, _):
                self.heard.append(method)
            case _:
                assert told[0] == "reply"

    def _answer(self, call: IncomingCall) -> None:
        function = METHODS.get(call.method)
        if function is None:
            self.peer.fail(call, Error.of(ErrorCode.METHOD_NOT_FOUND))
            return
        params = json.loads(call.params or b"[]")
        result = function(**params) if isinstance(params, dict) else function(*params)
        self.peer.respond(call, json.dumps(result).encode())
