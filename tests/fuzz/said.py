"""Correct messages and requests of every kind: the material of the fuzzer."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, Final

GET: Final = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPGRADE: Final = (
    b"GET /?token=1 HTTP/1.1\r\n"
    b"Host: localhost\r\n"
    b"Connection: keep-alive, Upgrade\r\n"
    b"Upgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Protocol: a, b\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
    b"Origin: http://localhost\r\n"
    b"Cookie: a=1\r\n"
    b"\r\n"
)
POST: Final = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED: Final = GET[:-2] + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
HTTP_2: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TLS: Final = b64decode(
    "FgMBARgBAAEUAwMniYSNGOXl5oeY6o8E1OGmiC8O6JTmvqD7gAxg0zF1bCCRPAWGeZY2HvRGt2QmZ2f50A8Q0wzgEz"
    "n+A2MevNJGUwAkEwITAxMBwCzAMMArwC/MqcyowCTAKMAjwCcAnwCeAGsAZwD/AQAApwAAAA4ADAAACWxvY2FsaG9z"
    "dAALAAQDAAECAAoAFgAUAB0AFwAeABkAGAEAAQEBAgEDAQQAIwAAABYAAAAXAAAADQAqACgEAwUDBgMIBwgICAkICg"
    "gLCAQIBQgGBAEFAQYBAwMDAQMCBAIFAgYCACsABQQDBAMDAC0AAgEBADMAJgAkAB0AIEgfWqaV+fJPpt9B+RYADKG9"
    "PWnHiQhoR8DmWs2i9Pcw"
)
"""The ClientHello of a client with TLS 1.3 and 1.2 (RFC 8446, section 4.1.2)."""

HTTP_PIECES: Final = (
    *(b"\r\n", b"\n", b"\r", b"\0", b":", b" ", b"\t", b"\xff", b"\xc3\xa9", b"%00", b"/../"),
    *(b"\r\n\r\n", b"\r\n folded", b"\r\nHost: xn--\r\n", b"xn--a", b"\r\nHost: \xe9\r\n"),
    *(b"\r\nOrigin: null", b"\r\nOrigin: http://evil.example", b"\r\nUpgrade: h2c"),
    *(b"\r\nContent-Length: 5", b"\r\nContent-Length: -1", b"\r\nTransfer-Encoding: chunked"),
    *(b"\r\nConnection: \xff", b"\r\nSec-WebSocket-Version: 99", b"\r\nExpect: 100-continue"),
    *(b"\r\nAuthorization: Bearer x", b"\r\nCookie: b=2", b"\r\nX-Forwarded-For: 8.8.8.8"),
    *(b"\r\nX: " + b"x" * 9000, b"\r\nX: y" * 70, b"HTTP/9.9", b"http://evil.example/", b"*"),
)


def _call(method: str, params: Any = None, id: Any = 1, **more: Any) -> dict[str, Any]:
    members = {"jsonrpc": "2.0", "id": id, "method": method, **more}
    return members if params is None else {**members, "params": params}


def _note(method: str, params: Any = None) -> dict[str, Any]:
    members = _call(method, params)
    del members["id"]
    return members


def _bundle(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    return list(messages)


def _blob_items(upload: str, *values: bytes) -> bytes:
    """Return items of an upload as a binary frame."""
    sizes = [len(value) for value in values]
    head = json.dumps({"upload": upload, "seq": 0, "sizes": sizes}).encode()
    return b"\0" + len(head).to_bytes(4, "big") + head + b"".join(values)


_WINDOW: Final = {"credit": [32, 262_144]}
"""Opens a stream; a call without it is answered with an array of all items."""
_VALUE: Final = {"a": [1, 2.5, "x", None, True]}
_PART: Final = {"name": "a", "size": 1, "inner": [{"name": "b", "size": 2, "inner": []}]}

_CALLS: Final = (
    _call("fuzz.add", [1, 2]),
    _call("fuzz.add", {"a": 1, "b": 2}, "two"),
    _call("fuzz.join", [["a", "b"]], 3),
    _call("fuzz.echo", [_VALUE], 4),
    _call("fuzz.describe", [_PART], 5),
    _call("fuzz.nap", [0.001], 6),
    _call("fuzz.nap", [60], 7),
    _call("fuzz.refuse", ["no"], 8),
    _call("fuzz.ask_back", [], 9),
    _call("fuzz.add", [1, 2], None),
    _note("fuzz.say", [7]),
    _note("fuzz.nap", [60]),
    _note("nothing", {"a": 1}),
    _call("__listMethods", id=10),
    _call("rpc.login", [{"user": "ada", "password": "secret"}], 11),
    _call("rpc.discover", id=12),
    _call("fuzz.whoami", id=13),
    _call("fuzz.rule", [], 14),
    _call("rpc.login", {"user": "bob", "password": "secret"}, 15),
    _call("rpc.login", ["bob", "guess"], 16),
    _note("fuzz.leave"),
    _call("fuzz.queue", [0.001], 17),
    _call("fuzz.queue", [0], 18),
    _call("fuzz.watch", ["a"], 19),
    _call("nothing", id=20),
    _call("fuzz.add", [1], 21),
    {"jsonrpc": "2.0", "id": "s1", "result": 5},
    {"jsonrpc": "2.0", "id": "s1", "error": {"code": 1, "message": "no", "data": {"code": "No"}}},
)

PLAIN: Final[Sequence[Any]] = (
    *_CALLS,
    _call("rpc.on", ["fuzz.ticked", "fuzz.keyed"], 30),
    _call("rpc.on", ["fuzz.hidden", "fuzz.ticked"], 31),
    _call("rpc.on", ["fuzz.ruled", "fuzz.owned"], 32),
    _call("rpc.off", ["fuzz.ticked", "fuzz.never"], 33),
    _note("rpc.on", ["fuzz.ticked"]),
    _note("$/cancelRequest", {"id": 7}),
    _call("fuzz.count", [3], 34),
    _call("fuzz.blobs", [[1, 0]], 35),
    _call("fuzz.double", [[1, 2]], 36),
    _call("fuzz.total", [[1, 2]], 37),
    _call("fuzz.weigh", {"chunks": ["AAAA", ""]}, 38),
    _call("fuzz.secrets", [], 39),
    [_call("fuzz.add", [1, 2], 50), _note("fuzz.say", [1]), _call("fuzz.count", [1], 51), 1],
    [_call("fuzz.add", [1, 2], 52), _call("fuzz.nap", [60], 53)],
)
"""Messages and batches of a peer that has not said hello."""

HELLO: Final = _call(
    "rpc.hello",
    {
        "v": 1,
        "features": ["later", "binary"],
        "contracts": {"fuzz": "00"},
        "limits": {"message": 1_000_000, "calls": 9, "subscriptions": 9, "bundle": 9},
    },
    0,
)

GREETED: Final[Sequence[Any]] = (
    *_CALLS,
    _call("fuzz.nap", [60], 60, meta={"timeout": 5}, traceparent="00-1-1-01"),
    _call("fuzz.nap", [60], 61, meta={"timeout": 60_000, "credit": [2, 100]}),
    _note("rpc.cancel", {"id": 61, "reason": "caller"}),
    _call("rpc.subscribe", {"signal": "fuzz.ticked"}, 62, meta={"credit": [2, 100]}),
    _call("rpc.subscribe", {"signal": "fuzz.keyed", "key": "a", "on_lag": "latest"}, 63),
    _call("rpc.subscribe", {"signal": "fuzz.owned", "key": "ada"}, 64),
    _call("rpc.subscribe", {"signal": "fuzz.hidden", "on_lag": "drop_oldest"}, 65),
    _call("rpc.subscribe", {"signal": "fuzz.keyed", "key": 7}, 66),
    _note("rpc.credit", {"id": 62, "items": 9, "bytes": 900}),
    _note("rpc.cancel", {"id": 62, "reason": "caller"}),
    _call("fuzz.count", [3], 70, meta=_WINDOW),
    _call("fuzz.count", [3], 79),
    _call("fuzz.count", [90], 71, meta={"credit": [2, 100]}),
    _note("rpc.credit", {"id": 71, "items": 95, "bytes": 9000}),
    _call("fuzz.blobs", [[1, 0, 70]], 72, meta=_WINDOW),
    _call("fuzz.secrets", [], 73, meta=_WINDOW),
    _bundle(
        _call("fuzz.total", [{"$stream": "u1"}], 74),
        _note("rpc.items", {"upload": "u1", "seq": 0, "values": [1, 2]}),
        _note("rpc.end", {"upload": "u1"}),
    ),
    _bundle(
        _call("fuzz.double", [{"$stream": "u2"}], 75, meta=_WINDOW),
        _note("rpc.items", {"upload": "u2", "seq": 0, "values": [1, 2]}),
        _note("rpc.end", {"upload": "u2", "error": {"code": 1, "message": "no more"}}),
    ),
    _call("fuzz.weigh", {"chunks": {"$stream": "u3"}}, 76),
    _blob_items("u3", b"abc", b""),
    _note("rpc.end", {"upload": "u3", "error": None}),
    _note("rpc.credit", {"upload": "u3", "items": 9, "bytes": 900}),
    _bundle(_call("fuzz.add", [1, 2], 77), _note("fuzz.say", [2]), _call("fuzz.join", [["a"]], 78)),
)
"""Messages and bundles of a farcall peer; bytes are a binary frame."""

GREETED_WRONG: Final[Sequence[Any]] = (
    _note("rpc.items", {"id": "s1", "seq": 0, "values": [1], "cursor": "c", "missed": 1}),
    _note("rpc.started", {"id": "s1", "value": 1}),
    _note("rpc.goaway", {"grace_ms": 1, "reconnect_after_ms": 1}),
    _blob_items("u9", b"abc")[:-1],
    HELLO,
)
"""Messages of a right shape at a wrong place."""

ANYTHING: Final = "anything"
"""Stands for a result of any value."""


def _gives(*results: Any) -> Sequence[tuple[str, Any]]:
    return [("result", result) for result in results]


def _fails(*codes: int) -> Sequence[tuple[str, Any]]:
    return [("error", code) for code in codes]


FORBIDDEN_METHOD, FORBIDDEN_EVENT = -32605, -32606

OUTCOMES: Final[Mapping[Any, Sequence[tuple[str, Any]]]] = {
    0: _gives(ANYTHING),
    **dict.fromkeys((1, "two", 37, 38, 50, 74, 77), _gives(3)),
    **dict.fromkeys((6, 70, 72), _gives(None)),
    3: _gives("ab"),
    4: _gives(_VALUE),
    5: _gives(_PART),
    8: _fails(1),
    **dict.fromkeys((10, 12), _gives(ANYTHING)),
    **dict.fromkeys((11, 15), _gives(True)),
    16: _gives(False),
    20: _fails(-32601),
    13: [*_gives("ada", "bob"), *_fails(FORBIDDEN_METHOD)],
    14: [*_gives(True), *_fails(FORBIDDEN_METHOD)],
    17: _gives(0.001),
    18: _gives(0),
    **dict.fromkeys((21, 66), _fails(-32602)),
    **dict.fromkeys((30, 33), _gives(ANYTHING)),
    31: [*_gives(ANYTHING), *_fails(FORBIDDEN_EVENT)],
    32: [*_gives(ANYTHING), *_fails(FORBIDDEN_EVENT)],
    34: _gives([0, 1, 2]),
    79: _gives([0, 1, 2]),
    35: _gives(["AA==", ""]),
    36: _gives([2, 4]),
    39: [*_gives([1]), *_fails(FORBIDDEN_METHOD)],
    51: _gives([0]),
    60: _fails(-32002),
    73: [*_gives(None), *_fails(FORBIDDEN_METHOD)],
    75: _fails(1),
    78: _gives("a"),
}
"""The outcomes of the requests that end at once in a conversation without faults."""
