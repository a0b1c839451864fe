"""What peers of every kind say when they say it right: the material of the fuzzer."""

from __future__ import annotations

from collections.abc import Sequence
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
TLS: Final = b"\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x03\x03" + bytes(57)

HTTP_PIECES: Final = (
    *(b"\r\n", b"\n", b"\r", b"\0", b":", b" ", b"\t", b"\xff", b"\xc3\xa9", b"%00", b"/../"),
    *(b"\r\n\r\n", b"\r\n folded", b"\r\nHost: xn--\r\n", b"xn--a", b"\r\nHost: \xe9\r\n"),
    *(b"\r\nOrigin: null", b"\r\nOrigin: http://evil.example", b"\r\nUpgrade: h2c"),
    *(b"\r\nContent-Length: 5", b"\r\nContent-Length: -1", b"\r\nTransfer-Encoding: chunked"),
    *(b"\r\nConnection: \xff", b"\r\nSec-WebSocket-Version: 99", b"\r\nExpect: 100-continue"),
    *(b"\r\nX: " + b"x" * 9000, b"\r\nX: y" * 70, b"HTTP/9.9", b"http://evil.example/", b"*"),
)


def _call(method: str, params: Any = None, id: Any = 1, **more: Any) -> dict[str, Any]:
    members = {"jsonrpc": "2.0", "id": id, "method": method, **more}
    return members if params is None else {**members, "params": params}


def _note(method: str, params: Any = None) -> dict[str, Any]:
    members = _call(method, params)
    del members["id"]
    return members


_CALLS: Final = (
    _call("fuzz.add", [1, 2]),
    _call("fuzz.add", {"a": 1, "b": 2}, "two"),
    _call("fuzz.join", [["a", "b"]], 3),
    _call("fuzz.echo", [{"a": [1, 2.5, "x", None, True]}], 4),
    _call("fuzz.describe", [{"name": "a", "size": 1, "inner": [{"name": "b", "size": 2}]}], 5),
    _call("fuzz.nap", [0.01], 6),
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
    {"jsonrpc": "2.0", "id": "s1", "result": 5},
    {"jsonrpc": "2.0", "id": "s1", "error": {"code": 1, "message": "no", "data": {"code": "No"}}},
)

PLAIN: Final[Sequence[Any]] = (
    *_CALLS,
    _call("rpc.on", ["fuzz.ticked", "fuzz.keyed"], 20),
    _call("rpc.off", ["fuzz.ticked"], 21),
    _note("rpc.on", ["fuzz.ticked"]),
    _note("$/cancelRequest", {"id": 7}),
    [_call("fuzz.add", [1, 2], 30), _note("fuzz.say", [1]), _call("fuzz.nap", [60], 31), 1],
)
"""Messages and batches of a peer that has not said hello."""

HELLO: Final = _call(
    "rpc.hello",
    {
        "v": 1,
        "features": ["later"],
        "contracts": {"fuzz": "00"},
        "limits": {"message": 1_000_000, "calls": 9, "subscriptions": 9, "bundle": 9},
    },
    0,
)

GREETED: Final[Sequence[Any]] = (
    *_CALLS,
    _call("fuzz.nap", [60], 40, meta={"timeout": 5}, traceparent="00-1-1-01"),
    _call("fuzz.nap", [60], 41, meta={"timeout": 60_000, "credit": [2, 100]}),
    _note("rpc.cancel", {"id": 41, "reason": "caller"}),
    _call("rpc.subscribe", {"signal": "fuzz.ticked"}, 42, meta={"credit": [2, 100]}),
    _call("rpc.subscribe", {"signal": "fuzz.keyed", "key": "a", "on_lag": "latest"}, 43),
    _note("rpc.credit", {"id": 42, "items": 9, "bytes": 900}),
    _note("rpc.cancel", {"id": 42, "reason": "caller"}),
    _note("rpc.items", {"id": "s1", "seq": 0, "values": [1], "cursor": "c", "missed": 1}),
    _note("rpc.started", {"id": "s1", "value": 1}),
    _note("rpc.end", {"upload": "u1", "error": None}),
    _note("rpc.goaway", {"grace_ms": 1, "reconnect_after_ms": 1}),
    [_call("fuzz.add", [1, 2], 50), _note("fuzz.say", [2]), _call("fuzz.join", [["a"]], 51)],
)
"""Messages and bundles of a farcall peer."""
