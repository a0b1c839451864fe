"""The messages that a server may send in answer to those of a peer."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from tests.fuzz import said
from tests.fuzz.broken import Broken
from tests.fuzz.target import SIGNALS

EVENTS: Final = {f"fuzz.{name}" for name in SIGNALS}
GUARDED: Final = {"fuzz.hidden", "fuzz.ruled", "fuzz.owned"}
"""The events that need a login."""

CODES: Final = {
    *(1, 2, -32700, -32600, -32601, -32602),
    *(-32000, -32604, -32605, -32606),
    *(-32002, -32003, -32006, -32008, -32010, -32800),
}
"""The codes of errors; not -32603, which would be a defect, for the target has none."""

NOTIFICATIONS: Final[Mapping[str, set[str]]] = {
    "rpc.started": {"id", "value"},
    "rpc.items": {"id", "seq", "values", "cursor", "missed"},
    "rpc.credit": {"upload", "items", "bytes"},
    "rpc.cancel": {"id", "reason"},
}
"""The notifications to a farcall peer, with the members that they may have."""

OWN_ID: Final = re.compile("s[0-9]+")
"""The id of a call that the server makes."""

PROTOCOL, POLICY = 1002, 1008
MOST_LOGINS: Final = 5


class Dialogue:
    """The messages of a peer, and the answers that a server may give.

    Args:
        sent: The messages of the peer.
        is_right: Whether all of them are right, so that each has its known outcome.
    """

    def __init__(self, sent: list[bytes], *, is_right: bool) -> None:
        self._text = b"\n".join(sent)
        self._asked = Counter(_key(each["id"]) for each in _requests(sent))
        self._due = Counter({key: self._asked[key] for key in _OUTCOMES} if is_right else {})
        self._is_right = is_right
        self._may_be_greeted = b"rpc.hello" in self._text

    @property
    def codes(self) -> set[int]:
        """The codes with which a server may close because of these messages."""
        codes = {PROTOCOL, POLICY} if self._may_be_greeted and not self._is_right else set[int]()
        if self._text.count(b"rpc.login") > MOST_LOGINS:
            codes.add(POLICY)
        if self._may_be_greeted and (b'"result"' in self._text or b'"error"' in self._text):
            codes.add(PROTOCOL)  # a response to no request
        return codes

    def is_answered(self, frames: list[bytes]) -> bool:
        """Return whether all answers that come at once have come."""
        answered = Counter(_key(each["id"]) for each in _messages(frames) if "method" not in each)
        return not self._due - answered

    def check(self, frames: list[bytes]) -> None:
        """Check the frames of a server.

        Raises:
            Broken: a frame is wrong, or does not belong to these messages.
        """
        streams = _Streams()
        answered: Counter[str] = Counter()
        for message in _messages(frames):
            if message.get("jsonrpc") != "2.0":
                raise Broken(f"no JSON-RPC: {message}")
            if "method" in message:
                self._check_told(message)
                streams.check(message)
            else:
                self._check_answer(message)
                answered[_key(message["id"])] += 1
                streams.end(message)
        del answered[_key(None)]
        if answered - self._asked:
            raise Broken(f"answered {answered - self._asked} too often, of {self._asked}")

    def _check_answer(self, message: dict[str, Any]) -> None:
        members = set(message) - {"seq"}
        if members not in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"}):
            raise Broken(f"no answer: {message}")
        if "error" in message:
            _check_error(message["error"])
        if self._is_right:
            _check_outcome(message)

    def _check_told(self, message: dict[str, Any]) -> None:
        name, params = message["method"], message.get("params", {})
        members = set(message) - {"jsonrpc", "method", "params"}
        if name in NOTIFICATIONS and self._may_be_greeted:
            is_right = not members and set(params) <= NOTIFICATIONS[name]
        elif name == "back.anything" or (name == "rpc.discover" and self._may_be_greeted):
            is_right = members <= {"id", "meta"} and bool(OWN_ID.fullmatch(message["id"]))
        else:
            is_right = name in EVENTS and members == {"notification"}
            self._check_event(name)
        if not is_right:
            raise Broken(f"it may not say {message}")

    def _check_event(self, name: str) -> None:
        if name in GUARDED and b"rpc.login" not in self._text:
            raise Broken(f"{name}, for somebody who never logged in")


class _Streams:
    """The streams of a server: each starts once, and its items are counted."""

    def __init__(self) -> None:
        self._due: dict[str, int] = {}

    def check(self, message: dict[str, Any]) -> None:
        params: dict[str, Any] = message.get("params", {})
        if message["method"] == "rpc.started":
            if _key(params["id"]) in self._due:
                raise Broken(f"it started twice: {message}")
            self._due[_key(params["id"])] = 0
        elif message["method"] == "rpc.items":
            if self._due.get(_key(params["id"])) != params["seq"]:
                raise Broken(f"items out of order: {message}")
            self._due[_key(params["id"])] += len(params["values"])

    def end(self, message: dict[str, Any]) -> None:
        """Check that the response to a stream counts its items, and no other response does."""
        if self._due.pop(_key(message["id"]), None) != message.get("seq"):
            raise Broken(f"another count of items: {message}")


def _key(id: Any) -> str:
    """Return a key for an id: in Python 1 equals True."""
    return json.dumps(id)


_OUTCOMES: Final = {_key(id): outcomes for id, outcomes in said.OUTCOMES.items()}


def _check_error(error: dict[str, Any]) -> None:
    if not (isinstance(error["code"], int) and isinstance(error["message"], str)):
        raise Broken(f"no error: {error}")
    if error["code"] not in CODES or not set(error) <= {"code", "message", "data"}:
        raise Broken(f"an error that there is no cause for: {error}")


def _check_outcome(message: dict[str, Any]) -> None:
    outcomes = _OUTCOMES.get(_key(message["id"]))
    if outcomes is None:
        return
    error = message.get("error")
    outcome = ("result", message.get("result")) if error is None else ("error", error["code"])
    if outcome not in outcomes and (error or ("result", said.ANYTHING) not in outcomes):
        raise Broken(f"{message} where {outcomes} was due")


def _requests(sent: list[bytes]) -> Iterator[dict[str, Any]]:
    for text in sent:
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            continue
        for each in parsed if isinstance(parsed, list) else [parsed]:
            if isinstance(each, dict) and "id" in each:
                yield each


def _messages(frames: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Read the messages of a server, out of bundles and batches."""
    for frame in frames:
        if frame.startswith(b"\0"):
            yield _blob(frame)
            continue
        message = json.loads(frame.decode(), parse_constant=_refuse)
        yield from message if isinstance(message, list) else [message]


def _blob(frame: bytes) -> dict[str, Any]:
    """Read a binary frame as the message that it stands for."""
    end = 5 + int.from_bytes(frame[1:5], "big")
    head = json.loads(frame[5:end])
    sizes = head.pop("sizes")
    if sum(sizes) != len(frame) - end:
        raise Broken(f"a binary frame of {len(frame)} bytes with {sizes}")
    return {"jsonrpc": "2.0", "method": "rpc.items", "params": {**head, "values": sizes}}


def _refuse(constant: str) -> Any:
    raise Broken(f"{constant} is no JSON")
